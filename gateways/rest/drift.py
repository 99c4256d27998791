"""What is not as it should be on a gateway, over REST."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response

from gateways import actions
from gateways.models import DriftFinding, Gateway
from gateways.queries.drift import visible_findings
from gateways.rest import serializers as shapes
from gateways.rest.views import parts_of_deployments, read
from teams.access import ResourceViewSet
from teams.models import Verb

SLUG = OpenApiParameter("slug", str, OpenApiParameter.PATH, description="Short name of the gateway.")


class DriftFilter(django_filters.FilterSet):  # type: ignore[misc]  # the package is untyped
    """Narrow by state and sort."""

    state = django_filters.ChoiceFilter(choices=DriftFinding.State.choices)
    sort = django_filters.ChoiceFilter(choices=DriftFinding.Sort.choices)

    class Meta:
        model = DriftFinding
        fields: tuple[str, ...] = ()


@extend_schema(parameters=[SLUG])
@extend_schema_view(list=extend_schema(operation_id="gateways_drift_list"))
class DriftViewSet(ResourceViewSet[DriftFinding]):
    """What a gateway does and nobody decided."""

    model = DriftFinding
    queryset = DriftFinding.objects.none()
    serializer_class = shapes.FindingOut
    filterset_class = DriftFilter
    rules = {
        "list": Verb.GATEWAY_VIEW,
        "retrieve": Verb.GATEWAY_VIEW,
        "overwrite": Verb.GATEWAY_MANAGE,
        "adopt": Verb.GATEWAY_MANAGE,
        "ignore": Verb.GATEWAY_MANAGE,
    }

    def get_queryset(self) -> QuerySet[DriftFinding]:
        gateway = get_object_or_404(Gateway.objects.visible_to(self.actor), slug=self.kwargs["slug"])
        return visible_findings(self.actor).filter(gateway=gateway)

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Everything that was found there, newest first; `?state=open` is what waits."""
        return self.answer_page(self.get_queryset().order_by("-id"))

    @extend_schema(operation_id="gateways_drift_retrieve", responses=shapes.FindingOut)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """One finding, from first to last sight."""
        return self.answer(self.get_object())

    @extend_schema(
        operation_id="gateways_drift_overwrite", request=None, responses={202: shapes.DeploymentOut}
    )
    def overwrite(self, request: Request, slug: str, public_id: str) -> Response:
        """Push what was decided over the whole gateway; follow the deployment of the answer."""
        deployment = actions.overwrite_drift(self.get_object(), actor=self.actor)
        context = {**self.get_serializer_context(), **parts_of_deployments(self)}
        data = shapes.DeploymentOut(deployment, context=context).data
        return Response(data, status=202, headers={"Location": f"/api/v1/deployments/{deployment.public_id}"})

    @extend_schema(operation_id="gateways_drift_adopt", request=None, responses=shapes.FindingOut)
    def adopt(self, request: Request, slug: str, public_id: str) -> Response:
        """Make changed addresses and times of an upstream the decision. Needs the right to edit that upstream."""
        finding = self.get_object()
        actions.adopt_drift(finding, actor=self.actor)
        return self.answer(self.get_queryset().get(pk=finding.pk))

    @extend_schema(operation_id="gateways_drift_ignore", request=shapes.IgnoreIn, responses=shapes.FindingOut)
    def ignore(self, request: Request, slug: str, public_id: str) -> Response:
        """Let it be until something else is there. Refused where access is at stake."""
        finding = self.get_object()
        values = read(request, shapes.IgnoreIn)
        actions.ignore_drift(finding, actor=self.actor, reason=values["reason"])
        return self.answer(self.get_queryset().get(pk=finding.pk))
