"""T5: bodies and queries that schemathesis draws from our schema, for real objects: no answer is a server error, and
each one is what the schema says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from hypothesis import given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from tests.security.routes import Route, all_routes
from tests.security.walker import Walker
from tests.security.world import Role

CHECKS = [not_a_server_error, response_schema_conformance, content_type_conformance]
REST = [route for route in all_routes() if route.is_rest]


def _plain(path: str) -> str:
    return re.sub(r"\{\w+\}|\(\?P<\w+>[^()]*\)|<(?:\w+:)?\w+>", "{}", path.strip("/$"))


ROUTES = {(route.method, _plain(route.path)): route for route in REST}


@pytest.fixture(autouse=True)
def _connection_stays() -> Iterator[None]:
    """As under Django's own test client: the end of a request does not close the test's connection."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


def walk(walker: Walker, *, examples: int) -> None:
    """Every operation, `examples` times, as the owner of the API's team and as one of the consumers."""
    schema = schemathesis.openapi.from_wsgi("/api/v1/schema/?format=json", get_wsgi_application())
    operations, failed = 0, []
    for found in schema.get_all_operations():
        operation = found.ok()
        route = ROUTES[operation.method.upper(), _plain(operation.path)]
        operations += 1
        for name in ("owner", "consumer owner"):
            failed += tried(walker, route, operation, walker.world.roles[name], examples)
    assert failed == [], "\n\n".join(failed)
    assert operations == len([route for route in REST if route.name != "rest-schema"])


def tried(walker: Walker, route: Route, operation: Any, role: Role, examples: int) -> list[str]:
    """What was wrong with the answers to one operation."""
    path = {name: walker.world.value_of(route, name) for name in route.kwargs}

    @settings(max_examples=examples)
    @given(case=operation.as_strategy(path_parameters=path) if path else operation.as_strategy())
    def ask(case: Any) -> None:
        with transaction.atomic():
            answer = case.call(headers={"Authorization": f"Bearer {role.token}"})
            transaction.set_rollback(True)
        case.validate_response(answer, checks=CHECKS)

    try:
        ask()
    except (Exception, FailureGroup) as error:  # noqa: BLE001 - all of them are told together
        return [f"{route} as {role}: {error}"[:1500]]
    return []


def test_what_the_schema_allows_is_answered_as_it_says(walker: Walker) -> None:
    walk(walker, examples=3)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_what_the_schema_allows_is_answered_as_it_says_in_full(walker: Walker) -> None:
    walk(walker, examples=200)
