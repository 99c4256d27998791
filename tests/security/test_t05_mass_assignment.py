"""T5: a write changes what its schema or its form lists and nothing else, whatever else a body carries.

Every route that writes is called twice from the same state by somebody who may: with a valid body, and with the
same body and every field of every model beside it. Both must succeed and leave the same rows.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.apps import apps
from django.db import models, transaction
from drf_spectacular.generators import SchemaGenerator

from teams.access import AGENT
from tests import factories
from tests.security.bodies import body_of
from tests.security.doors import expected
from tests.security.routes import Route, all_routes
from tests.security.rows import rows_of, writes, written_since
from tests.security.walker import Walker, text_of
from tests.security.world import Role

APPS = ("audit", "teams", "apis", "subscriptions", "gateways", "usage")
WRITES = [route for route in all_routes() if route.is_ours and route.is_write and route.rule != AGENT]
READS_OF = {route.path: route for route in all_routes() if route.is_ours and not route.is_write}
PLANTED = ("planted", "1999-01-01", "424242424")
NOBODYS = {"invitation", "invitation-accept", "drift-adopt", "rest-drift-adopt"}
"""Only the invited person may, with the secret of the mail; only one who runs the platform and edits the upstream:
tests/teams and tests/gateways walk them."""
UNLIKE = frozenset(
    {
        "id",
        "public_id",
        "slug",
        "digest",
        "sealed",
        "token_digest",
        "token_sealed",
        "key_id",
        "token_id",
        "prefix",
        "value_digest",
        "search",
        "target_id",
        "hash",
        "previous",
        "request_id",
        "cause",
    }
)
"""Columns that differ between any two calls: random or made from what is. Only a planted value is looked for there."""

MADE = re.compile(r"[a-z]{3,5}_[0-9a-z]{26}|(?<=_id': ')\w{16}(?=')|gh[a-z]\w+…|\d{4}-\d\d-\d\d[T ][\d:.]+")
"""Ids and times inside of texts: different in any two calls."""


def planted(field: models.Field[Any, Any]) -> Any:
    """A value for `field` that would be a prize, and that is seen when it arrives."""
    if field.choices:
        return list(dict(field.flatchoices))[-1]
    if isinstance(field, models.BooleanField):
        return True
    if isinstance(field, models.DateTimeField | models.DateField):
        return "1999-01-01T00:00:00Z"
    if isinstance(field, models.IntegerField | models.ForeignKey):
        return 424242424
    return "planted"


def every_field() -> dict[str, Any]:
    """Name -> value of every column of every model of ours, foreign keys by both of their names."""
    fields: dict[str, Any] = {
        "pk": 4242,
        "platform_roles": ["administrator", "planted"],
        "scopes": ["planted"],
    }
    for model in _models():
        for field in model._meta.concrete_fields:
            for name in (field.name, field.attname):
                fields.setdefault(name, planted(field))
    return fields


def _models() -> list[type[models.Model]]:
    return [
        model for label in APPS for model in apps.get_app_config(label).get_models() if model._meta.managed
    ]


def listed(schema: dict[str, Any], walker: Walker, route: Route, role: Role) -> set[str]:
    """The fields that the route says its body may have: by the schema, or by the form on its page."""
    if not route.is_rest:
        page = READS_OF.get(route.path)
        text = text_of(walker.call(page, role)) if page else ""
        return set(re.findall(r'name="([^"]+)"', text))
    operation = next(
        item[route.method.lower()]
        for path, item in schema["paths"].items()
        if route.method.lower() in item and _plain(path) == _plain(route.path)
    )
    names: set[str] = set()
    for content in operation.get("requestBody", {}).get("content", {}).values():
        reference = content.get("schema", {}).get("$ref", "").rsplit("/", 1)[-1]
        names |= set(schema["components"]["schemas"].get(reference, {}).get("properties", {}))
    return names


def _plain(path: str) -> str:
    return re.sub(r"\{\w+\}|\(\?P<\w+>[^()]*\)|<(?:\w+:)?\w+>", "{}", path.strip("/$"))


def rows_after(
    walker: Walker, route: Route, role: Role, body: dict[str, Any] | None
) -> tuple[int, dict[str, list[str]]]:
    """The status of a call and what the tables that it wrote to hold after it; it is taken back."""
    with transaction.atomic():
        before = writes()
        status = walker.call(route, role, body=body, keep=True).status_code
        written = [model for model in written_since(before) if model._meta.app_label in APPS]
        rows = {
            model.__name__: [MADE.sub("*", row) for row in rows_of(model, *_columns(model))]
            for model in written
        }
        rows["planted"] = [
            f"{model.__name__}.{name}={value!r}"
            for model in written
            for row in model._default_manager.values()
            for name, value in row.items()
            if any(word in str(value) for word in PLANTED)
        ]
        transaction.set_rollback(True)
    return status, rows


def _columns(model: type[models.Model]) -> list[str]:
    random = (models.DateTimeField, models.BinaryField, models.ForeignKey)
    fields = model._meta.concrete_fields
    return [field.attname for field in fields if field.name not in UNLIKE and not isinstance(field, random)]


def test_no_route_takes_a_field_that_it_does_not_list(walker: Walker) -> None:
    schema = SchemaGenerator().get_schema(request=None, public=True)
    everything, tried, wrong = every_field(), 0, []
    for route in WRITES:
        if route.name in NOBODYS:
            continue
        role = next(role for role in walker.world.roles.values() if expected(route, role) == "ok")
        body = body_of(walker.world, route) or {}
        if body is factories.SPEC:
            continue  # the whole body is a document; its members mean what OpenAPI says
        names = everything.keys() - listed(schema, walker, route, role) - body.keys()
        extra = body | {name: everything[name] for name in names}
        plain, status = rows_after(walker, route, role, body), 0
        (status, rows), tried = rows_after(walker, route, role, extra), tried + 1
        if status >= 400 or plain[0] >= 400:
            wrong.append(f"{route} as {role}: {plain[0]} and {status}")
        for name in sorted(rows.keys() | plain[1].keys()):
            one = set(rows.get(name, [])) ^ set(plain[1].get(name, []))
            wrong += [f"{route}: {name} differs: {sorted(one)}"[:800]] if one else []
    assert wrong == [], "\n".join(wrong)
    assert tried > 90


@pytest.mark.django_db
def test_fields_that_would_be_a_prize_are_among_those_tried() -> None:
    prizes = {"public_id", "row_version", "team", "team_id", "state", "digest", "sealed", "is_staff", "is_superuser",
              "platform_roles", "user_id", "expires_at", "scopes", "first_published_at", "token_sealed"}  # fmt: skip
    assert prizes <= every_field().keys()
