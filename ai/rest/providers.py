"""Providers and their keys over REST. Each write calls one action; no answer holds a key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, cast

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.views.decorators.debug import sensitive_variables
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from ai import actions
from ai.models import Provider, ProviderKey
from ai.queries import with_counts
from ai.rest import serializers as shapes
from ai.rest.reading import team_named, values_of
from ai.vendors import found_vendors
from teams.access import ResourceViewSet, Rule
from teams.models import Verb


class VendorView(ResourceViewSet[Provider]):
    """Known vendors."""

    model = Provider
    queryset = Provider.objects.none()
    serializer_class = shapes.VendorOut
    pagination_class = None
    rules: ClassVar[dict[str, Rule | Verb]] = {"list": Verb.AI_VIEW}

    @extend_schema(
        responses=shapes.VendorOut(many=True),
        parameters=[OpenApiParameter("q", str, description="Words to look for.")],
        filters=False,
    )
    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The vendors that a provider may be made from, with what is filled in then."""
        found = found_vendors(request.query_params.get("q", "")[:200])
        return Response(shapes.VendorOut(found, many=True).data)


class ProviderViewSet(ResourceViewSet[Provider]):
    """Vendors and own servers, as they are reached."""

    model = Provider
    queryset = Provider.objects.none()
    serializer_class = shapes.ProviderOut
    rules: ClassVar[dict[str, Rule | Verb]] = {
        "list": Verb.AI_VIEW,
        "retrieve": Verb.AI_VIEW,
        "create": Verb.AI_MANAGE,
        "partial_update": Verb.AI_MANAGE,
        "pause": Verb.AI_MANAGE,
        "resume": Verb.AI_MANAGE,
        "remove": Verb.AI_MANAGE,
        "keys": Verb.AI_VIEW,
        "add_key": Verb.AI_MANAGE,
    }

    def get_queryset(self) -> QuerySet[Provider]:
        return with_counts(super().get_queryset())

    def _shown(self, provider: Provider, *, status: int = 200) -> Response:
        return self.answer(self.get_queryset().get(pk=provider.pk), status=status)

    @extend_schema(request=shapes.ProviderIn, responses={201: shapes.ProviderOut})
    def create(self, request: Request) -> Response:
        """Add a provider; one of a known vendor comes with that vendor's models and prices."""
        values = values_of(shapes.ProviderIn, request)
        provider = actions.create_provider(
            actor=self.actor,
            name=values["name"],
            team=team_named(self.actor, values.get("team")),
            slug=values.get("slug", ""),
            vendor=values.get("vendor", ""),
            values=actions.ProviderValues(
                dialect=values.get("dialect"),
                base_url=values.get("base_url"),
                auth=values.get("auth"),
                headers=list(values.get("headers", {}).items()),
                options=values.get("options", {}),
            ),
        )
        return self._shown(provider, status=201)

    @extend_schema(request=shapes.ProviderChange)
    def partial_update(self, request: Request, public_id: str) -> Response:
        """Change what is given."""
        provider, values = self.get_object(), values_of(shapes.ProviderChange, request)
        if "headers" in values:
            values["headers"] = list(values["headers"].items())
        return self._shown(actions.change_provider(provider, actor=self.actor, **values))

    @extend_schema(request=shapes.NoteIn)
    def pause(self, request: Request, public_id: str) -> Response:
        """Call it no more until it is resumed."""
        provider, values = self.get_object(), values_of(shapes.NoteIn, request)
        return self._shown(actions.pause_provider(provider, actor=self.actor, **values))

    @extend_schema(request=None)
    def resume(self, request: Request, public_id: str) -> Response:
        """Call it again."""
        return self._shown(actions.resume_provider(self.get_object(), actor=self.actor))

    @extend_schema(request=shapes.NoteIn)
    def remove(self, request: Request, public_id: str) -> Response:
        """End it for good and forget its keys. Refused while model routes use it."""
        provider, values = self.get_object(), values_of(shapes.NoteIn, request)
        return self._shown(actions.remove_provider(provider, actor=self.actor, **values))

    @extend_schema(responses=shapes.KeyOut(many=True), filters=False)
    def keys(self, request: Request, public_id: str) -> Response:
        """Its keys, without their values."""
        found = self.get_object().keys.select_related("provider").order_by("label", "pk")
        page = self.paginate_queryset(cast("Any", found))
        return self.get_paginated_response(shapes.KeyOut(cast("Any", page), many=True).data)

    @extend_schema(request=shapes.KeyIn, responses={201: shapes.KeyOut})
    @sensitive_variables("values")
    def add_key(self, request: Request, public_id: str) -> Response:
        """Add a key. To rotate without a gap, add the new one, then remove the old one."""
        provider, values = self.get_object(), values_of(shapes.KeyIn, request)
        key = actions.add_key(provider, actor=self.actor, **values)
        return Response(shapes.KeyOut(key).data, status=201, headers={"ETag": f'"{key.row_version}"'})


class KeyViewSet(ResourceViewSet[ProviderKey]):
    """Keys of providers, without their values."""

    model = ProviderKey
    queryset = ProviderKey.objects.none()
    serializer_class = shapes.KeyOut
    rules: ClassVar[dict[str, Rule | Verb]] = {
        "retrieve": Verb.AI_VIEW,
        "partial_update": Verb.AI_MANAGE,
        "replace": Verb.AI_MANAGE,
        "pause": Verb.AI_MANAGE,
        "resume": Verb.AI_MANAGE,
        "remove": Verb.AI_MANAGE,
    }

    def get_queryset(self) -> QuerySet[ProviderKey]:
        return super().get_queryset().select_related("provider__team")

    @extend_schema(request=shapes.KeyChange)
    def partial_update(self, request: Request, public_id: str) -> Response:
        """Another label or weight."""
        key, values = self.get_object(), values_of(shapes.KeyChange, request)
        return self.answer(actions.change_key(key, actor=self.actor, **values))

    @extend_schema(request=shapes.KeyValue)
    @sensitive_variables("values")
    def replace(self, request: Request, public_id: str) -> Response:
        """Another value under the same label and a new id; the old key ends at once."""
        key, values = self.get_object(), values_of(shapes.KeyValue, request)
        return self.answer(actions.replace_key(key, actor=self.actor, **values))

    @extend_schema(request=None)
    def pause(self, request: Request, public_id: str) -> Response:
        """Send it no more until it is resumed."""
        return self._moved(actions.pause_key)

    @extend_schema(request=None)
    def resume(self, request: Request, public_id: str) -> Response:
        """Send it again."""
        return self._moved(actions.resume_key)

    @extend_schema(request=None)
    def remove(self, request: Request, public_id: str) -> Response:
        """End it for good; its value is forgotten."""
        return self._moved(actions.remove_key)

    def _moved(self, move: Callable[..., ProviderKey]) -> Response:
        return self.answer(move(self.get_object(), actor=self.actor))


def provider_named(view: ResourceViewSet[Any], public_id: str) -> Provider:
    """A provider that the actor sees, or 404."""
    return get_object_or_404(Provider.objects.visible_to(view.actor), public_id=public_id)
