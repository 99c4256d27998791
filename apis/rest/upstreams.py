"""Upstreams of the token's teams, with their addresses."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import Prefetch, QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apis.actions import create_upstream, set_binding, set_body_logging
from apis.models import Environment, Upstream, UpstreamBinding
from apis.rest import serializers
from apis.rest.reading import team_named, values_of
from teams.access import ResourceViewSet, Rule
from teams.models import Verb


class UpstreamViewSet(ResourceViewSet[Upstream]):
    """Where calls go."""

    rules: ClassVar[dict[str, Rule | Verb]] = {
        "list": Verb.API_VIEW,
        "retrieve": Verb.API_VIEW,
        "create": Verb.API_EDIT,
        "bind": Verb.API_EDIT,
        "body_log": Verb.API_EDIT,
    }
    model = Upstream
    serializer_class = serializers.UpstreamOutput

    def get_queryset(self) -> QuerySet[Upstream]:
        bindings = UpstreamBinding.objects.select_related("environment").order_by("environment__position")
        return super().get_queryset().select_related("team").prefetch_related(Prefetch("bindings", bindings))

    @extend_schema(request=serializers.UpstreamInput, responses={201: serializers.UpstreamOutput})
    def create(self, request: Request) -> Response:
        values = values_of(serializers.UpstreamInput, request)
        team = team_named(self.actor, values.pop("team"))
        return self.answer(create_upstream(actor=self.actor, team=team, **values), status=201)

    @extend_schema(
        request=serializers.BindingInput,
        parameters=[OpenApiParameter("environment", str, OpenApiParameter.PATH, description="Short name.")],
    )
    def bind(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        upstream = self.get_object()
        environment = get_object_or_404(Environment, slug=self.kwargs["environment"])
        values = values_of(serializers.BindingInput, request)
        set_binding(upstream, actor=self.actor, environment=environment, **values)
        return self.answer(self.get_queryset().get(pk=upstream.pk))

    @extend_schema(
        request=serializers.BodyLogInput,
        parameters=[OpenApiParameter("environment", str, OpenApiParameter.PATH, description="Short name.")],
    )
    def body_log(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Keep what AI calls ask and answer, redacted, for as many days as the portal says; or keep nothing more."""
        upstream = self.get_object()
        environment = get_object_or_404(Environment, slug=self.kwargs["environment"])
        values = values_of(serializers.BodyLogInput, request)
        set_body_logging(upstream, actor=self.actor, environment=environment, **values)
        return self.answer(self.get_queryset().get(pk=upstream.pk))
