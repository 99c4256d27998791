"""AWS accounts over REST. Each write calls one action."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar, cast

import django_filters
from django.db.models import QuerySet
from django.views.decorators.debug import sensitive_variables
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from audit.models import ActionRefused
from aws import actions, queries
from aws.client.errors import MustWait
from aws.models import AccountProof, AwsAccount
from aws.policies.template import template
from aws.rest import serializers as shapes
from teams.access import ResourceViewSet, Rule
from teams.access.rest import etag
from teams.models import Team, Verb


class AwsAccountFilter(django_filters.FilterSet):  # type: ignore[misc]  # the package is untyped
    """Narrow by state and number."""

    state = django_filters.ChoiceFilter(choices=AwsAccount.State.choices)
    number = django_filters.CharFilter()

    class Meta:
        model = AwsAccount
        fields: tuple[str, ...] = ()


class AwsAccountViewSet(ResourceViewSet[AwsAccount]):
    """AWS accounts that the platform is connected to."""

    model = AwsAccount
    queryset = AwsAccount.objects.none()
    serializer_class = shapes.AwsAccountOut
    filterset_class = AwsAccountFilter
    lookup_field = "slug"
    lookup_value_regex = "[a-z0-9-]+"
    rules: ClassVar[dict[str, Rule | Verb]] = {
        "list": Verb.AWS_VIEW,
        "retrieve": Verb.AWS_VIEW,
        "create": Verb.AWS_MANAGE,
        "partial_update": Verb.AWS_MANAGE,
        "prove": Verb.AWS_MANAGE,
        "proofs": Verb.AWS_VIEW,
        "waits": Verb.AWS_VIEW,
        "policy_template": Verb.AWS_MANAGE,
        "renew_external_id": Verb.AWS_MANAGE,
        "retire": Verb.AWS_MANAGE,
    }

    def get_queryset(self) -> QuerySet[AwsAccount]:
        return queries.with_teams_and_proof(super().get_queryset())

    def _shown(self, account: AwsAccount) -> Response:
        return self.answer(self.get_queryset().get(pk=account.pk))

    @extend_schema(request=shapes.AwsAccountIn, responses={201: shapes.AwsAccountConnected})
    def create(self, request: Request) -> Response:
        """Connect an account. The answer holds the external id, this once; it is not proven before somebody asks."""
        values = _read(request, shapes.AwsAccountIn)
        entered = actions.AccountValues(
            number=values["number"],
            regions=values["regions"],
            features=values["features"],
            role_arn=values.get("role_arn", ""),
            ambient=values["entry"] == "own",
            endpoint_url=values.get("endpoint_url", ""),
        )
        return self._connected(
            *actions.connect_account(
                actor=self.actor,
                name=values["name"],
                slug=values.get("slug", ""),
                values=entered,
                is_for_all=values.get("is_for_all", False),
                teams=_teams(values.get("teams", [])),
            )
        )

    @sensitive_variables("external_id")
    def _connected(self, account: AwsAccount, external_id: str) -> Response:
        found = self.get_queryset().get(pk=account.pk)
        context = {**self.get_serializer_context(), "external_id": external_id}
        data = shapes.AwsAccountConnected(found, context=context).data
        return Response(data, status=201, headers={"ETag": etag(found), "Cache-Control": "no-store"})

    @extend_schema(request=shapes.AwsAccountChange)
    def partial_update(self, request: Request, slug: str) -> Response:
        """Change what is given. Update the stack where Regions or features change, then prove it again."""
        account, values = self.get_object(), _read(request, shapes.AwsAccountChange)
        if "teams" in values:
            values["teams"] = _teams(values["teams"])
        return self._shown(actions.change_account(account, actor=self.actor, **values))

    @extend_schema(request=None, responses={202: shapes.AccountProofOut})
    @action(detail=True, methods=["post"])
    def prove(self, request: Request, slug: str) -> Response:
        """Look at the account: who the portal is there, whether the external id is asked for, how full its quotas are.

        Follow the proof at the address in `Location`.
        """
        proof = actions.ask_proof(self.get_object(), actor=self.actor)
        where = f"/api/v1/aws-accounts/{slug}/proofs/{proof.public_id}"
        return Response(shapes.AccountProofOut(proof).data, status=202, headers={"Location": where})

    @extend_schema(responses=shapes.AccountProofOut(many=True), filters=False)
    @action(detail=True)
    def proofs(self, request: Request, slug: str) -> Response:
        """Looks at the account, newest first."""
        found = AccountProof.objects.filter(account=self.get_object()).select_related("account")
        page = self.paginate_queryset(cast("Any", found.order_by("-id")))
        return self.get_paginated_response(shapes.AccountProofOut(cast("Any", page), many=True).data)

    @extend_schema(responses=shapes.AwsWaitOut(many=True), filters=False)
    @action(detail=True, pagination_class=None)
    def waits(self, request: Request, slug: str) -> Response:
        """What waits on which limit of AWS now, and for how long yet."""
        try:
            found = queries.waits_of(self.get_object(), self.actor)
        except MustWait as error:
            raise ActionRefused(error.message, code="limits_unknown") from error
        return Response(shapes.AwsWaitOut(found, many=True).data)

    @extend_schema(responses={200: dict})
    @action(detail=True, url_path="template")
    def policy_template(self, request: Request, slug: str) -> Response:
        """The CloudFormation template for what is switched on. It asks for the external id when the stack is made."""
        return Response(template(queries.wanted_by(self.get_object())))

    @extend_schema(request=None, responses=shapes.ExternalIdOut)
    @action(detail=True, methods=["post"], url_path="external-id")
    @sensitive_variables("external_id")
    def renew_external_id(self, request: Request, slug: str) -> Response:
        """Another external id, in this answer and never again. The portal is out until the role's trust names it."""
        external_id = actions.renew_external_id(self.get_object(), actor=self.actor)
        return Response({"external_id": external_id}, headers={"Cache-Control": "no-store"})

    @extend_schema(request=shapes.AwsRetireIn)
    @action(detail=True, methods=["post"])
    def retire(self, request: Request, slug: str) -> Response:
        """End the connection for good and forget the external id. What the portal made in the account stays."""
        account, values = self.get_object(), _read(request, shapes.AwsRetireIn)
        return self._shown(actions.retire_account(account, actor=self.actor, **values))


class AccountProofViewSet(ResourceViewSet[AccountProof]):
    """Looks at one AWS account."""

    model = AccountProof
    queryset = AccountProof.objects.none()
    serializer_class = shapes.AccountProofOut
    rules: ClassVar[dict[str, Rule | Verb]] = {"retrieve": Verb.AWS_VIEW}

    def get_queryset(self) -> QuerySet[AccountProof]:
        found = super().get_queryset().filter(account__slug=self.kwargs.get("slug", ""))
        return found.select_related("account")


def _read(request: Request, shape: type[BaseSerializer[Any]]) -> dict[str, Any]:
    """The body as values of `shape`. Raises ValidationError."""
    serializer = shape(data=request.data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def _teams(slugs: Iterable[str]) -> list[Team]:
    """The teams of these short names. Raises ValidationError for one that there is not."""
    found = {team.slug: team for team in Team.objects.filter(slug__in=list(slugs))}
    missing = sorted(set(slugs) - found.keys())
    if missing:
        raise ValidationError({"teams": [f"There is no team {missing[0]}. Correct the short name."]})
    return list(found.values())
