"""Gateways, deployments, publications and enforcement over REST. Each write calls one action."""

from __future__ import annotations

from functools import cache
from typing import Any, cast

import django_filters
from django.db.models import Model, QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.views.decorators.debug import sensitive_variables
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer, ValidationError

from apis.models import ApiVersion, Environment, Revision
from aws.models import AwsAccount
from gateways import actions
from gateways.enforcement import enforcement_of, objects_of
from gateways.models import Deployment, Gateway, Publication
from gateways.queries.addresses import addresses_of, addresses_of_version, with_places
from gateways.queries.overview import overviews, visible_part
from gateways.rest import serializers as shapes
from subscriptions.models import Budget, Credential, Subscription
from teams.access import OPEN, SIGNED_IN, ResourceViewSet
from teams.access.rest import etag
from teams.models import Verb


def read(request: Request, shape: type[BaseSerializer[Any]]) -> dict[str, Any]:
    """The body as values of `shape`. Raises ValidationError."""
    serializer = shape(data=request.data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


class GatewayViewSet(ResourceViewSet[Gateway]):
    """Data planes."""

    model = Gateway
    queryset = Gateway.objects.none()
    serializer_class = shapes.GatewayOut
    lookup_field = "slug"
    lookup_value_regex = "[a-z0-9-]+"
    rules = {
        "list": Verb.GATEWAY_VIEW,
        "retrieve": Verb.GATEWAY_VIEW,
        "create": Verb.GATEWAY_MANAGE,
        "partial_update": Verb.GATEWAY_MANAGE,
        "nodes": Verb.GATEWAY_VIEW,
        "preview": Verb.GATEWAY_VIEW,
        "reconcile": Verb.GATEWAY_COMPARE,
        "deployments": Verb.GATEWAY_VIEW,
        "replace_token": Verb.GATEWAY_MANAGE,
        "retire": Verb.GATEWAY_MANAGE,
        "retire_node": Verb.GATEWAY_MANAGE,
        "difference": Verb.GATEWAY_MANAGE,
        "release": Verb.GATEWAY_MANAGE,
    }

    def get_queryset(self) -> QuerySet[Gateway]:
        return super().get_queryset().prefetch_related("listeners__environment")

    def get_serializer_context(self) -> dict[str, Any]:
        context = dict(super().get_serializer_context())
        if self.action in ("list", "retrieve", "create", "partial_update", "retire"):
            shown = overviews(Gateway.objects.visible_to(self.actor), self.actor)
            context["sync"] = {one.gateway.pk: one.sync.value for one in shown}
            context["aws_accounts"] = {one.gateway.pk: one.account.slug for one in shown if one.account}
        return context

    @extend_schema(request=shapes.GatewayIn, responses={201: shapes.GatewayCreated})
    def create(self, request: Request) -> Response:
        """Register a gateway. The answer holds the token for its agents, this once.

        One of kind `aws` is in a Region of a connected account (`aws_account`, `aws_region`) and has no agents.
        """
        values = read(request, shapes.GatewayIn)
        values["listeners"] = _listeners(values["listeners"])
        values["aws_account"] = self._account(values["aws_account"])
        return self._created(*actions.create_gateway(actor=self.actor, **values))

    def _account(self, slug: str) -> AwsAccount | None:
        """The account of that short name. Raises ValidationError."""
        found = AwsAccount.objects.visible_to(self.actor).filter(slug=slug).first()
        if slug and found is None:
            raise ValidationError({"aws_account": [f"There is no AWS account {slug}."]})
        return found

    @sensitive_variables("token")
    def _created(self, gateway: Gateway, token: str) -> Response:
        context = {**self.get_serializer_context(), "token": token}
        data = shapes.GatewayCreated(gateway, context=context).data
        headers = {"ETag": etag(gateway), "Cache-Control": "no-store"}
        return Response(data, status=201, headers=headers)

    @extend_schema(request=shapes.GatewayChange, responses=shapes.GatewayOut)
    def partial_update(self, request: Request, slug: str) -> Response:
        """Change name, options or listeners; `listeners` replaces them all."""
        gateway = self.get_object()
        values = read(request, shapes.GatewayChange)
        if "listeners" in values:
            values["listeners"] = _listeners(values["listeners"])
        changed = actions.change_gateway(gateway, actor=self.actor, **values)
        return self.answer(self.get_queryset().get(pk=changed.pk))

    @extend_schema(responses=shapes.NodeOut(many=True), filters=False)
    @action(detail=True, pagination_class=None)
    def nodes(self, request: Request, slug: str) -> Response:
        """Its processes, as they last reported."""
        found = self.get_object().nodes.filter(retired_at=None).order_by("name")
        return Response(shapes.NodeOut(found, many=True).data)

    @extend_schema(responses=shapes.PreviewOut)
    @action(detail=True)
    def preview(self, request: Request, slug: str) -> Response:
        """What a push would change now. Looks at the gateway, changes nothing."""
        preview = actions.preview_gateway(self.get_object(), actor=self.actor)
        return Response(shapes.PreviewOut(_preview(preview)).data)

    @extend_schema(request=shapes.ReconcileIn, responses={202: shapes.DeploymentOut})
    @action(detail=True, methods=["post"])
    def reconcile(self, request: Request, slug: str) -> Response:
        """Compare now and push what differs; follow the deployment of the answer.

        `forced` confirms deletions that wait for a person: for administrators who have looked at the preview.
        """
        target, values = self.get_object(), read(request, shapes.ReconcileIn)
        deployment = actions.request_comparison(target, actor=self.actor, **values)
        data = shapes.DeploymentOut(deployment, context=parts_of_deployments(self)).data
        return Response(data, status=202, headers={"Location": f"/api/v1/deployments/{deployment.public_id}"})

    @extend_schema(responses=shapes.HeldDifferenceOut)
    @action(detail=True)
    def difference(self, request: Request, slug: str) -> Response:
        """What a push would bring back and take away, keys included: for a held gateway. Looks at the gateway."""
        return Response(shapes.HeldDifferenceOut(actions.difference_of(self.get_object())).data)

    @extend_schema(request=shapes.ReleaseIn, responses={202: shapes.DeploymentOut})
    @action(detail=True, methods=["post"])
    def release(self, request: Request, slug: str) -> Response:
        """Push again to a held gateway, beginning with the difference that `seen` names."""
        gateway = self.get_object()
        deployment = actions.release_gateway(gateway, actor=self.actor, **read(request, shapes.ReleaseIn))
        data = shapes.DeploymentOut(deployment, context=parts_of_deployments(self)).data
        return Response(data, status=202, headers={"Location": f"/api/v1/deployments/{deployment.public_id}"})

    @extend_schema(responses=shapes.DeploymentOut(many=True))
    @action(detail=True)
    def deployments(self, request: Request, slug: str) -> Response:
        """What was pushed to it, newest first."""
        found = Deployment.objects.filter(gateway=self.get_object())
        page = self.paginate_queryset(
            cast("Any", found.select_related("gateway").prefetch_related("steps").order_by("-id"))
        )
        context = {**self.get_serializer_context(), **parts_of_deployments(self)}
        return self.get_paginated_response(shapes.DeploymentOut(page, many=True, context=context).data)

    @extend_schema(request=None, responses=shapes.GatewayToken)
    @action(detail=True, methods=["post"], url_path="token")
    @sensitive_variables("token")
    def replace_token(self, request: Request, slug: str) -> Response:
        """Another token for its agents, in this answer and never again. The old one ends at once."""
        token = actions.set_token(self.get_object(), actor=self.actor)
        return Response({"token": token}, headers={"Cache-Control": "no-store"})

    @extend_schema(request=shapes.RetireIn, responses=shapes.GatewayOut)
    @action(detail=True, methods=["post"])
    def retire(self, request: Request, slug: str) -> Response:
        """End a gateway that serves nothing any more."""
        target, values = self.get_object(), read(request, shapes.RetireIn)
        retired = actions.retire_gateway(target, actor=self.actor, **values)
        return self.answer(self.get_queryset().get(pk=retired.pk))

    @extend_schema(
        request=None,
        responses=shapes.NodeOut,
        parameters=[OpenApiParameter("node", str, OpenApiParameter.PATH, description="Id of the node.")],
    )
    @action(detail=True, methods=["post"], url_path="nodes/(?P<node>[a-z0-9_]+)/retire")
    def retire_node(self, request: Request, slug: str, node: str) -> Response:
        """Stop waiting for a node that is gone. One that still reports comes back by itself."""
        found = get_object_or_404(self.get_object().nodes, public_id=node, retired_at=None)
        return Response(shapes.NodeOut(actions.retire_node(found, actor=self.actor)).data)


def _listeners(rows: list[dict[str, Any]]) -> list[actions.ListenerValues]:
    known = {environment.slug: environment for environment in Environment.objects.all()}
    missing = sorted({row["environment"] for row in rows} - known.keys())
    if missing:
        raise ValidationError({"listeners": [f"There is no environment {missing[0]}."]})
    return [
        actions.ListenerValues(known[row["environment"]], row["port"], row["public_url"], row["host"])
        for row in rows
    ]


def _preview(preview: actions.Preview) -> dict[str, Any]:
    part = preview.part
    return {
        "gateway": preview.gateway.slug,
        "counts": {f"{verb}d": preview.counts.get(verb, 0) for verb in ("create", "update", "delete")},
        "changes": part.changes if part else [],
        "notes": part.notes if part else [],
        "others": part.others if part else 0,
        "keys": preview.keys,
        "cannot": [str(words) for words in preview.shortfalls],
        "traps": preview.traps,
        "takes": preview.takes,
        "error": preview.error,
        "refused": preview.refused,
    }


def parts_of_deployments(view: ResourceViewSet[Any]) -> dict[str, Any]:
    """Serializer context: what of a deployment the actor may see, worked out once for each."""

    @cache
    def part(deployment: Deployment) -> Any:
        counts = (deployment.created_count, deployment.updated_count, deployment.deleted_count)
        return visible_part(deployment.changes, deployment.notes, sum(counts), view.actor)

    return {"parts": part}


class DeploymentFilter(django_filters.FilterSet):  # type: ignore[misc]  # the package is untyped
    """Narrow by gateway and state."""

    gateway = django_filters.CharFilter(field_name="gateway__slug")
    state = django_filters.ChoiceFilter(choices=Deployment.State.choices)

    class Meta:
        model = Deployment
        fields: tuple[str, ...] = ()


class DeploymentViewSet(ResourceViewSet[Deployment]):
    """Recorded pushes."""

    model = Deployment
    queryset = Deployment.objects.none()
    serializer_class = shapes.DeploymentOut
    filterset_class = DeploymentFilter
    rules = {"list": Verb.GATEWAY_VIEW, "retrieve": Verb.GATEWAY_VIEW}

    def get_queryset(self) -> QuerySet[Deployment]:
        return super().get_queryset().select_related("gateway").prefetch_related("steps")

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), **parts_of_deployments(self)}


class PublicationFilter(django_filters.FilterSet):  # type: ignore[misc]  # the package is untyped
    """Narrow by API (`team/short-name`), gateway, environment and state."""

    api = django_filters.CharFilter(method="of_api", label="team/short-name")
    gateway = django_filters.CharFilter(field_name="gateway__slug")
    environment = django_filters.CharFilter(field_name="environment__slug")
    state = django_filters.ChoiceFilter(choices=Publication.State.choices)

    class Meta:
        model = Publication
        fields: tuple[str, ...] = ()

    def of_api(self, found: QuerySet[Publication], _name: str, value: str) -> QuerySet[Publication]:
        team, _slash, slug = value.partition("/")
        return found.filter(api_version__api__team__slug=team, api_version__api__slug=slug)


class PublicationViewSet(ResourceViewSet[Publication]):
    """Versions on gateways."""

    model = Publication
    queryset = Publication.objects.none()
    serializer_class = shapes.PublicationOut
    filterset_class = PublicationFilter
    rules = {
        "list": SIGNED_IN,
        "retrieve": SIGNED_IN,
        "create": Verb.API_PUBLISH,
        "preview": Verb.API_PUBLISH,
        "roll_back": Verb.API_PUBLISH,
        "withdraw": Verb.API_PUBLISH,
        "enforcement": SIGNED_IN,
    }

    def get_queryset(self) -> QuerySet[Publication]:
        found: QuerySet[Publication] = with_places(super().get_queryset())
        return found

    def get_serializer(self, *args: Any, **kwargs: Any) -> BaseSerializer[Publication]:
        """With the address of each publication in the context."""
        target = args[0] if args else []
        rows = target if kwargs.get("many") else [target]
        addresses = addresses_of(row for row in rows if isinstance(row, Publication))
        kwargs["context"] = {
            **self.get_serializer_context(),
            "addresses": {address.publication.pk: address.url for address in addresses},
        }
        return super().get_serializer(*args, **kwargs)

    def _named(self, values: dict[str, Any]) -> tuple[ApiVersion, Gateway, Environment]:
        """What the body names. Whoever may see the version and not publish it gets a 403."""
        team, _slash, slug = values["api"].partition("/")
        versions = ApiVersion.objects.visible_to(self.actor).select_related("api__team")
        version = get_object_or_404(versions, api__team__slug=team, api__slug=slug, major=values["major"])
        self.actor.require(Verb.API_PUBLISH, version.api.team)
        gateway = get_object_or_404(Gateway.objects.visible_to(self.actor), slug=values["gateway"])
        return version, gateway, get_object_or_404(Environment, slug=values["environment"])

    @extend_schema(request=shapes.PublicationIn, responses={201: shapes.PublicationOut})
    def create(self, request: Request) -> Response:
        """Freeze what the version serves now and publish it; publishing again serves the newest."""
        values = read(request, shapes.PublicationIn)
        origins = values.get("cors_origins")
        publication = actions.publish(
            *self._named(values),
            actor=self.actor,
            note=values["note"],
            base_path=values["base_path"],
            policies=None if origins is None else {"cors_origins": origins},
        )
        return self.answer(self.get_queryset().get(pk=publication.pk), status=201)

    @extend_schema(request=shapes.PublicationIn, responses=shapes.PreviewOut)
    @action(detail=False, methods=["post"])
    def preview(self, request: Request) -> Response:
        """What publishing would change on the gateway. Nothing is kept."""
        values = read(request, shapes.PublicationIn)
        version, gateway, environment = self._named(values)
        place = actions.PlaceToPublish(gateway, environment)
        previews = actions.preview_publishing(
            version, [place], actor=self.actor, base_path=values["base_path"]
        )
        return Response(shapes.PreviewOut(_preview(previews[0])).data)

    @extend_schema(request=shapes.RollBackIn, responses=shapes.PublicationOut)
    @action(detail=True, methods=["post"], url_path="roll-back")
    def roll_back(self, request: Request, public_id: str) -> Response:
        """Serve another frozen revision of the version."""
        publication = self.get_object()
        self.actor.require(Verb.API_PUBLISH, publication.api_version.api.team)
        values = read(request, shapes.RollBackIn)
        revision = get_object_or_404(
            Revision, api_version=publication.api_version_id, number=values["revision"]
        )
        actions.roll_back(publication, revision, actor=self.actor, note=values["note"])
        return self.answer(self.get_queryset().get(pk=publication.pk))

    @extend_schema(request=shapes.WithdrawIn, responses=shapes.PublicationOut)
    @action(detail=True, methods=["post"])
    def withdraw(self, request: Request, public_id: str) -> Response:
        """Stop serving it there."""
        publication = self.get_object()
        self.actor.require(Verb.API_PUBLISH, publication.api_version.api.team)
        values = read(request, shapes.WithdrawIn)
        actions.withdraw(publication, actor=self.actor, reason=values["reason"])
        return self.answer(self.get_queryset().get(pk=publication.pk))

    @extend_schema(responses=shapes.EnforcementOut)
    @action(detail=True)
    def enforcement(self, request: Request, public_id: str) -> Response:
        """What the gateway does with it, from what was read back."""
        return _enforcement("publication", public_id, self)


class CredentialEnforcementView(ResourceViewSet[Credential]):
    """What gateways do with a key."""

    model = Credential
    queryset = Credential.objects.none()
    serializer_class = shapes.EnforcementOut
    rules = {"show": SIGNED_IN}

    @extend_schema(operation_id="credentials_enforcement_retrieve", responses=shapes.EnforcementOut)
    def show(self, request: Request, public_id: str) -> Response:
        """What every gateway does with the key: pushing, live, removing, removed, held back or failed."""
        return _enforcement("credential", public_id, self)


class SubscriptionEnforcementView(ResourceViewSet[Subscription]):
    """What gateways do with a subscription."""

    model = Subscription
    queryset = Subscription.objects.none()
    serializer_class = shapes.EnforcementOut
    rules = {"show": SIGNED_IN}

    @extend_schema(operation_id="subscriptions_enforcement_retrieve", responses=shapes.EnforcementOut)
    def show(self, request: Request, public_id: str) -> Response:
        """What every gateway does with the subscription."""
        return _enforcement("subscription", public_id, self)


class BudgetEnforcementView(ResourceViewSet[Budget]):
    """What AI runtimes do with a budget."""

    model = Budget
    queryset = Budget.objects.none()
    serializer_class = shapes.EnforcementOut
    rules = {"show": Verb.BUDGET_VIEW}

    @extend_schema(operation_id="budgets_enforcement_retrieve", responses=shapes.EnforcementOut)
    def show(self, request: Request, public_id: str) -> Response:
        """Whether every AI runtime holds calls against the budget as it stands now."""
        return _enforcement("budget", public_id, self)


def _enforcement(kind: str, public_id: str, view: ResourceViewSet[Any]) -> Response:
    target: Model = get_object_or_404(objects_of(kind, view.actor), public_id=public_id)
    if not isinstance(target, Credential | Subscription | Publication | Budget):
        raise Http404
    return Response(shapes.EnforcementOut(enforcement_of(target, actor=view.actor)).data)


class AddressView(ResourceViewSet[ApiVersion]):
    """Where versions answer."""

    model = ApiVersion
    queryset = ApiVersion.objects.none()
    serializer_class = shapes.AddressOut
    pagination_class = None
    rules = {"list": OPEN}

    @extend_schema(
        operation_id="apis_versions_addresses_list",
        responses=shapes.AddressOut(many=True),
        parameters=[
            OpenApiParameter("team", str, OpenApiParameter.PATH, description="Short name of the team."),
            OpenApiParameter("slug", str, OpenApiParameter.PATH, description="Short name of the API."),
            OpenApiParameter("major", int, OpenApiParameter.PATH, description="Major version."),
        ],
    )
    def list(self, request: Request, team: str, slug: str, major: int) -> Response:
        """The addresses at which a version answers, per environment and gateway."""
        versions = ApiVersion.objects.visible_to(self.actor)
        version = get_object_or_404(versions, api__team__slug=team, api__slug=slug, major=major)
        return Response(shapes.AddressOut(addresses_of_version(version), many=True).data)
