"""T5: a write route changes what its schema lists and nothing else, whatever a body carries."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.apps import apps
from django.core.cache import cache
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from tests import factories
from tests.security.routes import Route, all_routes
from tests.security.test_t01_t02_matrix import address
from tests.security.world import World, make_world

CHANGES = [route for route in all_routes() if route.is_rest and route.method in ("PATCH", "PUT")]
NEVER = {
    "id": 1, "pk": 1, "public_id": "api_stolen", "row_version": 99, "team": "nobody-else", "team_id": 1,
    "state": "retired", "created_at": "1999-01-01T00:00:00Z", "updated_at": "1999-01-01T00:00:00Z",
    "digest": "00", "digest_key": 9, "sealed": "00", "key_id": "0000000000000000", "is_staff": True,
    "is_superuser": True, "platform_roles": ["administrator"], "first_published_at": "1999-01-01T00:00:00Z",
    "token_sealed": "00", "version": 99, "user": 1, "user_id": 1, "api": 1, "disabled_at":
    "1999-01-01T00:00:00Z", "expires_at": "2099-01-01T00:00:00Z", "scopes": ["read"], "number": 9,
}  # fmt: skip
"""Fields that no caller may set by naming them, with values that would be a prize."""


APPS = ("teams", "apis", "subscriptions", "gateways")
TOUCHED = ("row_version", "updated_at", "search")
OURS = ("ApiToken", "IdempotentAnswer")
"""Rows that the test's own token and the answers to it make."""


def listed(schema: dict[str, Any], route: Route) -> set[str]:
    """The fields that the schema says the body of `route` may have."""
    path = next(path for path in schema["paths"] if _same(path, route))
    body = schema["paths"][path][route.method.lower()].get("requestBody", {}).get("content", {})
    names: set[str] = set()
    for content in body.values():
        reference = content.get("schema", {}).get("$ref", "").rsplit("/", 1)[-1]
        names |= set(schema["components"]["schemas"].get(reference, {}).get("properties", {}))
    return names


def _same(path: str, route: Route) -> bool:
    """Whether a path of the schema is that of the route: equal but for the names of parameters."""

    def plain(text: str) -> list[str]:
        return ["{}" if "{" in part or "<" in part else part for part in text.strip("/$^").split("/")]

    return plain(path) == plain(route.path.replace("[a-z0-9_-]+", "").replace("[a-z0-9_]+", ""))


def snapshot() -> dict[str, dict[str, Any]]:
    """Every row of every table that people's objects live in, without what any save touches."""
    models = [model for label in APPS for model in apps.get_app_config(label).get_models()]
    return {
        f"{model.__name__} {row['id']}": {name: value for name, value in row.items() if name not in TOUCHED}
        for model in models
        if model.__name__ not in OURS
        for row in model.objects.values()
    }


@pytest.fixture
def world(db: None) -> World:
    return make_world()


def test_there_are_routes_to_try() -> None:
    assert len(CHANGES) >= 8


@pytest.mark.parametrize("route", CHANGES, ids=str)
def test_fields_that_the_schema_does_not_list_stay_as_they_are(world: World, route: Route) -> None:
    schema = SchemaGenerator().get_schema(request=None, public=True)
    body = {name: value for name, value in NEVER.items() if name not in listed(schema, route)}
    cache.clear()
    client = APIClient(raise_request_exception=False)
    _token, value = factories.make_api_token(user=world.owner)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {value}")
    before = snapshot()
    answer = client.generic(
        route.method, address(world, route), json.dumps(body), content_type="application/json"
    )
    assert answer.status_code < 500
    assert snapshot() == before
