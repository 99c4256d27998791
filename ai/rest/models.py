"""Models, their prices, and the routes over them, over REST. Each write calls one action."""

from __future__ import annotations

from typing import Any, ClassVar, cast

import django_filters
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from ai import actions
from ai.models import AiModel, ModelRoute
from ai.queries import with_prices, with_targets
from ai.rest import serializers as shapes
from ai.rest.providers import provider_named
from ai.rest.reading import targets_named, team_named, values_of
from teams.access import ResourceViewSet, Rule
from teams.models import Verb


class ModelFilter(django_filters.FilterSet):  # type: ignore[misc]  # the package is untyped
    """Narrow by provider, kind, use and a part of the name."""

    provider = django_filters.CharFilter(field_name="provider__public_id")
    mode = django_filters.ChoiceFilter(choices=AiModel.Mode.choices)
    enabled = django_filters.BooleanFilter(field_name="is_enabled")
    q = django_filters.CharFilter(field_name="remote", lookup_expr="icontains", label="part of the name")

    class Meta:
        model = AiModel
        fields: tuple[str, ...] = ()


class ModelViewSet(ResourceViewSet[AiModel]):
    """Models of providers with what they cost."""

    model = AiModel
    queryset = AiModel.objects.none()
    serializer_class = shapes.ModelOut
    filterset_class = ModelFilter
    rules: ClassVar[dict[str, Rule | Verb]] = {
        "list": Verb.AI_VIEW,
        "retrieve": Verb.AI_VIEW,
        "create": Verb.AI_MANAGE,
        "partial_update": Verb.AI_MANAGE,
        "prices": Verb.AI_VIEW,
        "override": Verb.AI_MANAGE,
        "clear_override": Verb.AI_MANAGE,
    }

    def get_queryset(self) -> QuerySet[AiModel]:
        return with_prices(super().get_queryset())

    def _shown(self, model: AiModel, *, status: int = 200) -> Response:
        return self.answer(self.get_queryset().get(pk=model.pk), status=status)

    @extend_schema(request=shapes.ModelIn, responses={201: shapes.ModelOut})
    def create(self, request: Request) -> Response:
        """Add a model that the catalogue does not know. Its price is unknown until one is entered."""
        values = values_of(shapes.ModelIn, request)
        provider = provider_named(self, values.pop("provider"))
        return self._shown(actions.add_model(provider, actor=self.actor, **values), status=201)

    @extend_schema(request=shapes.ModelChangeIn)
    def partial_update(self, request: Request, public_id: str) -> Response:
        """Change what is given, or switch it on and off."""
        model, values = self.get_object(), values_of(shapes.ModelChangeIn, request)
        return self._shown(actions.change_model(model, actor=self.actor, **values))

    @extend_schema(responses=shapes.PriceOut(many=True), filters=False)
    def prices(self, request: Request, public_id: str) -> Response:
        """Every price it ever had, newest first; those taken back have `retired_at`."""
        found = self.get_object().prices.order_by("-valid_from", "-pk")
        page = self.paginate_queryset(cast("Any", found))
        return self.get_paginated_response(shapes.PriceOut(cast("Any", page), many=True).data)

    @extend_schema(request=shapes.PriceIn)
    def override(self, request: Request, public_id: str) -> Response:
        """Bill it by these rates from now on, whatever the catalogue says."""
        model, values = self.get_object(), values_of(shapes.PriceIn, request)
        actions.override_price(model, actor=self.actor, **values)
        return self._shown(model)

    @extend_schema(request=None, responses=shapes.ModelOut)
    def clear_override(self, request: Request, public_id: str) -> Response:
        """Bill it by the catalogue again."""
        return self._shown(actions.clear_override(self.get_object(), actor=self.actor))


class ModelRouteViewSet(ResourceViewSet[ModelRoute]):
    """Aliases that calls and prompts name."""

    model = ModelRoute
    queryset = ModelRoute.objects.none()
    serializer_class = shapes.RouteOut
    rules: ClassVar[dict[str, Rule | Verb]] = {
        "list": Verb.AI_VIEW,
        "retrieve": Verb.AI_VIEW,
        "create": Verb.AI_MANAGE,
        "partial_update": Verb.AI_MANAGE,
        "retire": Verb.AI_MANAGE,
    }

    def get_queryset(self) -> QuerySet[ModelRoute]:
        return with_targets(super().get_queryset())

    def _shown(self, route: ModelRoute, *, status: int = 200) -> Response:
        return self.answer(self.get_queryset().get(pk=route.pk), status=status)

    @extend_schema(request=shapes.RouteIn, responses={201: shapes.RouteOut})
    def create(self, request: Request) -> Response:
        """A new alias; it stays for good, since calls name it."""
        values = values_of(shapes.RouteIn, request)
        route = actions.create_route(
            actor=self.actor,
            alias=values.pop("alias"),
            team=team_named(self.actor, values.pop("team", None)),
            targets=targets_named(self.actor, values.pop("targets")),
            values=actions.RouteValues(**values),
        )
        return self._shown(route, status=201)

    @extend_schema(request=shapes.RouteChange)
    def partial_update(self, request: Request, public_id: str) -> Response:
        """Change what is given; `targets` takes the place of all there were."""
        route, values = self.get_object(), values_of(shapes.RouteChange, request)
        rows = values.pop("targets", None)
        targets = None if rows is None else targets_named(self.actor, rows)
        values_of_route: dict[str, Any] = values
        return self._shown(
            actions.change_route(
                route, actor=self.actor, targets=targets, values=actions.RouteValues(**values_of_route)
            )
        )

    @extend_schema(request=shapes.NoteIn)
    def retire(self, request: Request, public_id: str) -> Response:
        """End an alias. Refused while prompts in use go by it."""
        route, values = self.get_object(), values_of(shapes.NoteIn, request)
        return self._shown(actions.retire_route(route, actor=self.actor, **values))
