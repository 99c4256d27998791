"""Environments."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response

from apis.actions import change_environment, create_environment
from apis.models import Environment
from apis.rest import serializers
from apis.rest.reading import values_of
from teams.access import SIGNED_IN, ResourceViewSet, Rule
from teams.models import Team, Verb


class EnvironmentPages(CursorPagination):
    """In the order in which they are shown everywhere."""

    page_size = 50
    page_size_query_param = "limit"
    max_page_size = 200
    ordering = ("position", "name")


class EnvironmentViewSet(ResourceViewSet[Environment]):
    """Environments by short name."""

    rules: ClassVar[dict[str, Rule | Verb]] = {
        "list": SIGNED_IN,
        "retrieve": SIGNED_IN,
        "create": Verb.ENVIRONMENT_MANAGE,
        "partial_update": Verb.ENVIRONMENT_MANAGE,
    }
    model = Environment
    serializer_class = serializers.EnvironmentOutput
    pagination_class = EnvironmentPages

    def get_queryset(self) -> QuerySet[Environment]:
        return Environment.objects.prefetch_related("publishers")

    def get_object(self) -> Environment:
        environment = get_object_or_404(Environment, slug=self.kwargs["slug"])
        self.kwargs = {**self.kwargs, "public_id": environment.public_id}
        return super().get_object()

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.answer(self.get_object())

    @extend_schema(request=serializers.EnvironmentInput, responses={201: serializers.EnvironmentOutput})
    def create(self, request: Request) -> Response:
        values = _with_teams(values_of(serializers.EnvironmentInput, request))
        return self.answer(create_environment(actor=self.actor, **values), status=201)

    @extend_schema(request=serializers.EnvironmentChange)
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        environment = self.get_object()
        values = _with_teams(values_of(serializers.EnvironmentChange, request))
        return self.answer(change_environment(environment, actor=self.actor, **values))


def _with_teams(values: dict[str, Any]) -> dict[str, Any]:
    """`values` with the teams that the short names in `publishers` mean. Raises ValidationError."""
    if "publishers" not in values:
        return values
    teams = {team.slug: team for team in Team.objects.filter(slug__in=values["publishers"])}
    unknown = [slug for slug in values["publishers"] if slug not in teams]
    if unknown:
        raise ValidationError({"publishers": f"There is no team {unknown[0]}. Correct the short name."})
    return {**values, "publishers": list(teams.values())}
