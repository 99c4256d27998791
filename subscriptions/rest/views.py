"""Applications, requests for access, subscriptions and their keys over REST."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.views.decorators.debug import sensitive_variables
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from apis.models import ApiVersion, Environment, Plan
from subscriptions import actions
from subscriptions.models import AccessRequest, Application, Credential, Rotation, Subscription
from subscriptions.queries import rotations_of, with_context
from subscriptions.rest import serializers as shapes
from subscriptions.rest.filters import AccessRequestFilter, ApplicationFilter, SubscriptionFilter
from teams.access import SIGNED_IN, ResourceViewSet
from teams.access.rest import etag
from teams.models import Team, Verb


def read(request: Request, shape: type[BaseSerializer[Any]]) -> dict[str, Any]:
    """The body as values of `shape`. Raises ValidationError."""
    serializer = shape(data=request.data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


class ApplicationViewSet(ResourceViewSet[Application]):
    model = Application
    queryset = Application.objects.none()
    serializer_class = shapes.ApplicationOut
    filterset_class = ApplicationFilter
    rules = {
        "list": Verb.APPLICATION_VIEW,
        "retrieve": Verb.APPLICATION_VIEW,
        "create": Verb.APPLICATION_EDIT,
        "partial_update": Verb.APPLICATION_EDIT,
        "archive": Verb.APPLICATION_EDIT,
    }

    def get_queryset(self) -> QuerySet[Application]:
        return super().get_queryset().select_related("team")

    @extend_schema(request=shapes.ApplicationIn, responses={201: shapes.ApplicationOut})
    def create(self, request: Request) -> Response:
        """Register an application of a team."""
        values = read(request, shapes.ApplicationIn)
        team = get_object_or_404(Team.objects.visible_to(self.actor), slug=values.pop("team"))
        return self.answer(actions.create_application(team, actor=self.actor, **values), status=201)

    @extend_schema(request=shapes.ApplicationChange, responses=shapes.ApplicationOut)
    def partial_update(self, request: Request, public_id: str) -> Response:
        """Change the name or the description."""
        application = self.get_object()
        present = {"name": application.name, "description": application.description}
        values = present | read(request, shapes.ApplicationChange)
        return self.answer(actions.change_application(application, actor=self.actor, **values))

    @extend_schema(request=shapes.OptionalReasonIn, responses=shapes.ApplicationOut)
    @action(detail=True, methods=["post"])
    def archive(self, request: Request, public_id: str) -> Response:
        """End it: open requests lapse, subscriptions close, keys are revoked."""
        target, values = self.get_object(), read(request, shapes.OptionalReasonIn)
        return self.answer(actions.archive_application(target, actor=self.actor, **values))


class AccessRequestViewSet(ResourceViewSet[AccessRequest]):
    model = AccessRequest
    queryset = AccessRequest.objects.none()
    serializer_class = shapes.AccessRequestOut
    filterset_class = AccessRequestFilter
    rules = {
        "list": SIGNED_IN,
        "retrieve": SIGNED_IN,
        "create": Verb.APPLICATION_EDIT,
        "withdraw": Verb.APPLICATION_EDIT,
        "approve": SIGNED_IN,
        "reject": SIGNED_IN,
    }

    def get_queryset(self) -> QuerySet[AccessRequest]:
        found: QuerySet[AccessRequest] = with_context(super().get_queryset())
        return found

    @extend_schema(request=shapes.AccessRequestIn, responses={201: shapes.AccessRequestOut})
    def create(self, request: Request) -> Response:
        """Ask for a subscription. A plan that grants by itself answers with an approved request."""
        values = read(request, shapes.AccessRequestIn)
        team, _slash, slug = values["api"].partition("/")
        mine = Application.objects.visible_to(self.actor)
        versions = ApiVersion.objects.visible_to(self.actor).filter(api__team__slug=team, api__slug=slug)
        version = get_object_or_404(versions.select_related("api__team"), major=values["version"])
        plans = Plan.objects.visible_to(self.actor).filter(api=version.api)
        asked = actions.request_access(
            get_object_or_404(mine, public_id=values["application"]),
            version,
            get_object_or_404(Environment, slug=values["environment"]),
            get_object_or_404(plans, slug=values["plan"]),
            actor=self.actor,
            reason=values["reason"],
            accept_terms=values["accept_terms"],
        )
        return self.answer(asked, status=201)

    @extend_schema(request=shapes.ApproveIn, responses=shapes.AccessRequestOut)
    @action(detail=True, methods=["post"])
    def approve(self, request: Request, public_id: str) -> Response:
        """Grant it. For those who may decide it, never for the one who asked."""
        target, values = self.get_object(), read(request, shapes.ApproveIn)
        actions.approve_request(target, actor=self.actor, **values)
        return self.answer(self.get_queryset().get(public_id=public_id))

    @extend_schema(request=shapes.RejectIn, responses=shapes.AccessRequestOut)
    @action(detail=True, methods=["post"])
    def reject(self, request: Request, public_id: str) -> Response:
        """Turn it down, with the reason."""
        target, values = self.get_object(), read(request, shapes.RejectIn)
        return self.answer(actions.reject_request(target, actor=self.actor, **values))

    @extend_schema(request=None, responses=shapes.AccessRequestOut)
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, public_id: str) -> Response:
        """Take it back."""
        return self.answer(actions.withdraw_request(self.get_object(), actor=self.actor))


class SubscriptionViewSet(ResourceViewSet[Subscription]):
    model = Subscription
    queryset = Subscription.objects.none()
    serializer_class = shapes.SubscriptionOut
    filterset_class = SubscriptionFilter
    rules = {
        "list": SIGNED_IN,
        "retrieve": SIGNED_IN,
        "suspend": Verb.SUBSCRIPTION_SUSPEND,
        "resume": Verb.SUBSCRIPTION_SUSPEND,
        "close": SIGNED_IN,
        "plan_change": Verb.APPLICATION_EDIT,
        "credentials": SIGNED_IN,
        "rotations": SIGNED_IN,
        "issue": Verb.CREDENTIAL_MANAGE,
    }

    def get_queryset(self) -> QuerySet[Subscription]:
        found = super().get_queryset().prefetch_related("blocks")
        return found.select_related(
            "application__team", "api_version__api__team", "environment", "plan_revision__plan"
        )

    @extend_schema(request=shapes.ReasonIn, responses=shapes.SubscriptionOut)
    @action(detail=True, methods=["post"])
    def suspend(self, request: Request, public_id: str) -> Response:
        """Stop calls for a while; keys stay."""
        target, values = self.get_object(), read(request, shapes.ReasonIn)
        return self.answer(actions.suspend_subscription(target, actor=self.actor, **values))

    @extend_schema(request=None, responses=shapes.SubscriptionOut)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, public_id: str) -> Response:
        """Let it call again."""
        return self.answer(actions.resume_subscription(self.get_object(), actor=self.actor))

    @extend_schema(request=shapes.ReasonIn, responses=shapes.SubscriptionOut)
    @action(detail=True, methods=["post"])
    def close(self, request: Request, public_id: str) -> Response:
        """End it for good; its keys are revoked."""
        target, values = self.get_object(), read(request, shapes.ReasonIn)
        return self.answer(actions.close_subscription(target, actor=self.actor, **values))

    @extend_schema(request=shapes.PlanChangeIn, responses={201: shapes.AccessRequestOut})
    @action(detail=True, methods=["post"], url_path="plan-change")
    def plan_change(self, request: Request, public_id: str) -> Response:
        """Ask for another plan: makes an access request."""
        subscription, values = self.get_object(), read(request, shapes.PlanChangeIn)
        plans = Plan.objects.visible_to(self.actor).filter(api=subscription.api_version.api_id)
        asked = actions.request_plan_change(
            subscription, get_object_or_404(plans, slug=values.pop("plan")), actor=self.actor, **values
        )
        shown = shapes.AccessRequestOut(asked, context=self.get_serializer_context())
        return Response(shown.data, status=201, headers={"ETag": etag(asked)})

    @extend_schema(responses=shapes.CredentialOut(many=True), filters=False)
    @action(detail=True, methods=["get"], filterset_class=None)
    def credentials(self, request: Request, public_id: str) -> Response:
        """Its keys, by their public part."""
        keys = self.get_object().credentials.select_related("subscription")
        page: Any = self.paginate_queryset(cast("Any", keys.order_by("-id")))
        return self.get_paginated_response(shapes.CredentialOut(page, many=True).data)

    @extend_schema(request=shapes.CredentialIn, responses={201: shapes.CredentialIssuedOut})
    @credentials.mapping.post
    @sensitive_variables()
    def issue(self, request: Request, public_id: str) -> Response:
        """Issue a key. Its value is in this answer and never again."""
        target, values = self.get_object(), read(request, shapes.CredentialIn)
        credential, key = actions.issue_credential(target, actor=self.actor, **values)
        shown = shapes.CredentialIssuedOut(credential, context={"key": key})
        headers = {"ETag": etag(credential), "Cache-Control": "no-store"}
        return Response(shown.data, status=201, headers=headers)

    @extend_schema(responses=shapes.RotationOut(many=True), filters=False)
    @action(detail=True, methods=["get"], filterset_class=None)
    def rotations(self, request: Request, public_id: str) -> Response:
        """The rotations of its keys."""
        found = rotations_of(self.get_object())
        page: Any = self.paginate_queryset(cast("Any", found.order_by("-id")))
        return self.get_paginated_response(shapes.RotationOut(page, many=True).data)


class CredentialViewSet(ResourceViewSet[Credential]):
    model = Credential
    queryset = Credential.objects.none()
    serializer_class = shapes.CredentialOut
    rules = {
        "retrieve": SIGNED_IN,
        "revoke": Verb.CREDENTIAL_MANAGE,
        "rotate": Verb.CREDENTIAL_MANAGE,
    }

    def get_queryset(self) -> QuerySet[Credential]:
        return super().get_queryset().select_related("subscription")

    @extend_schema(request=shapes.OptionalReasonIn, responses=shapes.CredentialOut)
    @action(detail=True, methods=["post"])
    def revoke(self, request: Request, public_id: str) -> Response:
        """Take it back for good. Gateways refuse it once their proof says removed."""
        target, values = self.get_object(), read(request, shapes.OptionalReasonIn)
        return self.answer(actions.revoke_credential(target, actor=self.actor, **values))

    @extend_schema(request=shapes.RotationIn, responses={201: shapes.RotationStartedOut})
    @action(detail=True, methods=["post"])
    @sensitive_variables()
    def rotate(self, request: Request, public_id: str) -> Response:
        """Replace it by a new key. The value is in this answer and never again; both work for the overlap."""
        target, values = self.get_object(), read(request, shapes.RotationIn)
        overlap = timedelta(seconds=values.pop("overlap_s"))
        rotation, key = actions.start_rotation(target, actor=self.actor, overlap=overlap, **values)
        shown = shapes.RotationStartedOut(rotation, context={"key": key})
        headers = {"ETag": etag(rotation), "Cache-Control": "no-store"}
        return Response(shown.data, status=201, headers=headers)


class RotationViewSet(ResourceViewSet[Rotation]):
    model = Rotation
    queryset = Rotation.objects.none()
    serializer_class = shapes.RotationOut
    rules = {
        "retrieve": SIGNED_IN,
        "finish": Verb.CREDENTIAL_MANAGE,
        "abort": Verb.CREDENTIAL_MANAGE,
        "extend": Verb.CREDENTIAL_MANAGE,
    }

    def get_queryset(self) -> QuerySet[Rotation]:
        return super().get_queryset().select_related("old__subscription", "new__subscription")

    @extend_schema(request=None, responses=shapes.RotationOut)
    @action(detail=True, methods=["post"])
    def finish(self, request: Request, public_id: str) -> Response:
        """Revoke the old key now. Gateways refuse it once their proof says removed."""
        return self.answer(actions.finish_rotation(self.get_object(), actor=self.actor))

    @extend_schema(request=None, responses=shapes.RotationOut)
    @action(detail=True, methods=["post"])
    def abort(self, request: Request, public_id: str) -> Response:
        """Revoke the new key and keep the old one."""
        return self.answer(actions.abort_rotation(self.get_object(), actor=self.actor))

    @extend_schema(request=shapes.ExtendIn, responses=shapes.RotationOut)
    @action(detail=True, methods=["post"])
    def extend(self, request: Request, public_id: str) -> Response:
        """Let both keys work longer, at most 30 days in all."""
        target, values = self.get_object(), read(request, shapes.ExtendIn)
        return self.answer(actions.extend_rotation(target, actor=self.actor, **values))
