"""REST resources of people and teams. Each write calls one action; the rest is look-up and form."""

from __future__ import annotations

from typing import Any, ClassVar, cast

from django.db.models import Q, QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from audit.models import AuditEvent
from audit.queries import Filters, find_events
from teams import actions
from teams.access import SIGNED_IN, ResourceViewSet, Rule
from teams.models import (
    ApiToken,
    ApproverGroup,
    Invitation,
    Membership,
    Notice,
    ServiceAccount,
    Team,
    User,
    Verb,
)
from teams.queries import actor_of_token, colleagues_of, team_id_called, visible_events
from teams.rest import serializers

TEAM = OpenApiParameter("team", str, OpenApiParameter.PATH, description="Short name or id of the team.")


def read[S: Any](serializer: type[S], request: Request) -> dict[str, Any]:
    """The validated values of a request's body. Raises ValidationError (422)."""
    form = serializer(data=request.data)
    form.is_valid(raise_exception=True)
    values: dict[str, Any] = form.validated_data
    return values


class MeView(ResourceViewSet[Team]):
    """The bearer of the token."""

    rules: ClassVar[dict[str, Rule | Verb]] = {"show": SIGNED_IN}
    model = Team
    serializer_class = serializers.MeSerializer

    @extend_schema(operation_id="me", responses=serializers.MeSerializer)
    def show(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Who the token stands for, and what it may do."""
        actor = self.actor
        return Response(
            self.get_serializer(
                {
                    "id": actor.public_id,
                    "kind": actor.kind,
                    "label": actor.label,
                    "email": actor.user.email if actor.user else "",
                    "platform_roles": sorted(actor.platform_roles),
                    "scopes": sorted(actor.scopes or ()),
                    "teams": Team.objects.filter(pk__in=list(actor.roles)),
                }
            ).data
        )


class TeamViewSet(ResourceViewSet[Team]):
    """Teams, by short name or id."""

    rules: ClassVar[dict[str, Rule | Verb]] = {
        "list": Verb.TEAM_VIEW,
        "retrieve": Verb.TEAM_VIEW,
        "create": SIGNED_IN,
        "partial_update": Verb.TEAM_MANAGE,
    }
    model = Team
    serializer_class = serializers.TeamSerializer
    lookup_url_kwarg = "team"
    lookup_value_regex = "[a-z0-9_-]+"

    def get_object(self) -> Team:
        team = get_object_or_404(named(self.get_queryset(), self.kwargs["team"]))
        self.kwargs = {**self.kwargs, "team": team.public_id}
        return super().get_object()

    @extend_schema(request=serializers.TeamInput, responses={201: serializers.TeamSerializer})
    def create(self, request: Request) -> Response:
        team = actions.create_team(actor=self.actor, **read(serializers.TeamInput, request))
        token = cast("ApiToken", request.auth)
        request.actor = actor_of_token(token)  # type: ignore[attr-defined]  # owner of one team more
        return self.answer(team, status=201)

    @extend_schema(request=serializers.TeamChange)
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        team = self.get_object()
        return self.answer(
            actions.change_team(team, actor=self.actor, **read(serializers.TeamChange, request))
        )


class OfTeamViewSet[M: Any](ResourceViewSet[M]):
    """What stands under `teams/{team}/`."""

    @property
    def team(self) -> Team:
        """The team that the address names. Raises Http404 when the actor may not see it."""
        team: Team = get_object_or_404(named(Team.objects.visible_to(self.actor), self.kwargs["team"]))
        return team

    def get_queryset(self) -> QuerySet[M]:
        if getattr(self, "swagger_fake_view", False):
            nothing: QuerySet[M] = self.model._default_manager.none()
            return nothing
        return super().get_queryset().filter(team=self.team)


@extend_schema(parameters=[TEAM])
class MemberViewSet(OfTeamViewSet[Membership]):
    """Members of a team."""

    rules: ClassVar[dict[str, Rule | Verb]] = {
        "list": Verb.TEAM_VIEW,
        "retrieve": Verb.TEAM_VIEW,
        "partial_update": Verb.TEAM_MANAGE,
        "destroy": Verb.TEAM_VIEW,
    }
    model = Membership
    serializer_class = serializers.MemberSerializer

    def get_queryset(self) -> QuerySet[Membership]:
        return super().get_queryset().select_related("user", "team")

    @extend_schema(request=serializers.RoleInput)
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        member, values = self.get_object(), read(serializers.RoleInput, request)
        return self.answer(actions.change_role(member, actor=self.actor, **values))

    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Remove a member; the own membership may be left by everybody but the last owner."""
        actions.remove_member(self.get_object(), actor=self.actor)
        return Response(status=204)


@extend_schema(parameters=[TEAM])
class InvitationViewSet(OfTeamViewSet[Invitation]):
    """Invitations into a team."""

    rules: ClassVar[dict[str, Rule | Verb]] = {
        "list": Verb.TEAM_MANAGE,
        "retrieve": Verb.TEAM_MANAGE,
        "create": Verb.TEAM_MANAGE,
        "destroy": Verb.TEAM_MANAGE,
    }
    model = Invitation
    serializer_class = serializers.InvitationSerializer

    @extend_schema(request=serializers.InvitationInput, responses={201: serializers.InvitationSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        team, values = self.team, read(serializers.InvitationInput, request)
        return self.answer(actions.invite_member(team, actor=self.actor, **values), status=201)

    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Withdraw an open invitation."""
        actions.revoke_invitation(self.get_object(), actor=self.actor)
        return Response(status=204)


@extend_schema(parameters=[TEAM])
class ServiceAccountViewSet(OfTeamViewSet[ServiceAccount]):
    """Programs that act for a team."""

    rules: ClassVar[dict[str, Rule | Verb]] = {
        "list": Verb.TEAM_VIEW,
        "retrieve": Verb.TEAM_VIEW,
        "create": Verb.SERVICE_ACCOUNT_MANAGE,
        "partial_update": Verb.SERVICE_ACCOUNT_MANAGE,
        "destroy": Verb.SERVICE_ACCOUNT_MANAGE,
    }
    model = ServiceAccount
    serializer_class = serializers.ServiceAccountSerializer

    @extend_schema(
        request=serializers.ServiceAccountInput, responses={201: serializers.ServiceAccountSerializer}
    )
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        team, values = self.team, read(serializers.ServiceAccountInput, request)
        return self.answer(actions.create_service_account(team, actor=self.actor, **values), status=201)

    @extend_schema(request=serializers.ServiceAccountChange)
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        account, values = self.get_object(), read(serializers.ServiceAccountChange, request)
        return self.answer(actions.change_service_account(account, actor=self.actor, **values))

    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Disable for good, with all its tokens; the row stays."""
        actions.disable_service_account(self.get_object(), actor=self.actor)
        return Response(status=204)


@extend_schema(parameters=[TEAM])
class ApproverGroupViewSet(OfTeamViewSet[ApproverGroup]):
    """People who may decide the requests of plans that name their group."""

    rules: ClassVar[dict[str, Rule | Verb]] = {
        "list": Verb.TEAM_VIEW,
        "retrieve": Verb.TEAM_VIEW,
        "create": Verb.TEAM_MANAGE,
        "partial_update": Verb.TEAM_MANAGE,
    }
    model = ApproverGroup
    serializer_class = serializers.ApproverGroupSerializer

    @extend_schema(
        request=serializers.ApproverGroupInput, responses={201: serializers.ApproverGroupSerializer}
    )
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        team, values = self.team, self._with_people(read(serializers.ApproverGroupInput, request))
        return self.answer(actions.create_approver_group(team, actor=self.actor, **values), status=201)

    @extend_schema(request=serializers.ApproverGroupChange)
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        group, values = self.get_object(), read(serializers.ApproverGroupChange, request)
        return self.answer(
            actions.change_approver_group(group, actor=self.actor, **self._with_people(values, group))
        )

    def _with_people(self, values: dict[str, Any], group: ApproverGroup | None = None) -> dict[str, Any]:
        if "people" in values:
            known = User.objects.filter(
                Q(pk__in=colleagues_of(self.actor).values("pk")) | Q(approver_groups=group)
            )
            values["people"] = people_named(known, values["people"])
        return values


class TokenViewSet(ResourceViewSet[ApiToken]):
    """The caller's own tokens."""

    rules: ClassVar[dict[str, Rule | Verb]] = {
        "list": SIGNED_IN,
        "retrieve": SIGNED_IN,
        "create": SIGNED_IN,
        "destroy": SIGNED_IN,
    }
    model = ApiToken
    serializer_class = serializers.TokenSerializer

    def get_queryset(self) -> QuerySet[ApiToken]:
        own = super().get_queryset()
        return own.filter(user=self.actor.user, service_account=self.actor.service_account)

    @extend_schema(request=serializers.TokenInput, responses={201: serializers.NewTokenSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Create a token with at most the scopes of the one in use. Its value is told this once."""
        token, value = actions.create_token(actor=self.actor, **read(serializers.TokenInput, request))
        return new_token_answer(token, value)

    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Revoke; works at once."""
        actions.revoke_token(self.get_object(), actor=self.actor)
        return Response(status=204)


@extend_schema(
    parameters=[TEAM, OpenApiParameter("account", str, OpenApiParameter.PATH, description="Its id.")]
)
class ServiceAccountTokenViewSet(ResourceViewSet[ApiToken]):
    """Tokens of a service account."""

    rules: ClassVar[dict[str, Rule | Verb]] = {
        "list": Verb.SERVICE_ACCOUNT_MANAGE,
        "retrieve": Verb.SERVICE_ACCOUNT_MANAGE,
        "create": Verb.SERVICE_ACCOUNT_MANAGE,
        "destroy": Verb.SERVICE_ACCOUNT_MANAGE,
    }
    model = ApiToken
    serializer_class = serializers.TokenSerializer

    @property
    def account(self) -> ServiceAccount:
        """The account that the address names, if the actor manages its team."""
        account = get_object_or_404(
            ServiceAccount.objects.visible_to(self.actor).select_related("team"),
            public_id=self.kwargs["account"],
        )
        if self.kwargs["team"] not in (account.team.slug, account.team.public_id):
            raise Http404
        self.actor.require(Verb.SERVICE_ACCOUNT_MANAGE, account.team)
        return account

    def get_queryset(self) -> QuerySet[ApiToken]:
        if getattr(self, "swagger_fake_view", False):
            return ApiToken.objects.none()
        return super().get_queryset().filter(service_account=self.account)

    @extend_schema(request=serializers.TokenInput, responses={201: serializers.NewTokenSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        account, values = self.account, read(serializers.TokenInput, request)
        token, value = actions.create_token(actor=self.actor, service_account=account, **values)
        return new_token_answer(token, value)

    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Revoke; works at once."""
        actions.revoke_token(self.get_object(), actor=self.actor)
        return Response(status=204)


class NoticeViewSet(ResourceViewSet[Notice]):
    """The caller's notices."""

    rules: ClassVar[dict[str, Rule | Verb]] = {"list": SIGNED_IN, "retrieve": SIGNED_IN, "read": SIGNED_IN}
    model = Notice
    serializer_class = serializers.NoticeSerializer

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def read(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Mark as read."""
        notice = self.get_object()
        actions.mark_notices_read(actor=self.actor, notices=[notice])
        notice.refresh_from_db()
        return self.answer(notice)


class AuditEventViewSet(ResourceViewSet[AuditEvent]):
    """The audit trail, newest first."""

    rules: ClassVar[dict[str, Rule | Verb]] = {"list": Verb.AUDIT_VIEW, "retrieve": Verb.AUDIT_VIEW}
    model = AuditEvent
    serializer_class = serializers.AuditEventSerializer

    def get_queryset(self) -> QuerySet[AuditEvent]:
        return visible_events(self.actor)

    @extend_schema(parameters=[serializers.TrailFilters])
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        form = serializers.TrailFilters(data=request.query_params)
        form.is_valid(raise_exception=True)
        values = dict(form.validated_data)
        team = values.pop("team", "")
        filters = Filters(team_id=team_id_called(team) if team else "", **values)
        return self.answer_page(find_events(self.get_queryset(), filters))


def named(teams: QuerySet[Team], name: str) -> QuerySet[Team]:
    """Those of `teams` (one at most) called `name`, by short name or public id."""
    return teams.filter(Q(slug=name) | Q(public_id=name))


def people_named(people: QuerySet[User], ids: list[str]) -> list[User]:
    """The people with these public ids. Raises ValidationError naming those not found."""
    found = {person.public_id: person for person in people.filter(public_id__in=ids).distinct()}
    if missing := sorted(set(ids) - set(found)):
        raise ValidationError({"people": [f"No colleague of yours: {', '.join(missing)}."]})
    return list(found.values())


def new_token_answer(token: ApiToken, value: str) -> Response:
    """The only answer that carries a token's value."""
    token.value = value  # type: ignore[attr-defined]
    return Response(serializers.NewTokenSerializer(token).data, status=201)
