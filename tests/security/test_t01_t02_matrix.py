"""T1, T2: every route x every role. A new route is walked by itself; one without a rule or an id here fails.

The world (tests/security/world.py) belongs to the team Kestrel alone. charlie owns another team, nobody is
signed out; neither may see a word of it, whichever route they try with its real ids.
"""

from __future__ import annotations

import pytest
from django.core.cache import cache
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from teams.models import User
from tests import factories
from tests.security.routes import AGENT, OPEN, Route, all_routes
from tests.security.world import CANARY, World, make_world

OURS = [route for route in all_routes() if route.is_ours]
SHARED = (
    "environments/",
    "api/v1/environments",
    "gateways/",
    "api/v1/gateways",
    "deployments/",
    "api/v1/deployments",
)
"""Objects of the platform that many may see; what they show of a team is still cut to the reader."""

OPEN_NAMES = {
    "home", "healthz", "readyz", "rest-schema", "invitation", "catalogue", "api-detail", "api-versions", "api-version",
    "api-reference", "api-plans", "version-openapi", "published-openapi", "addresses-of-version", "rest-catalogue",
    "rest-api-list", "rest-api", "rest-version-list", "rest-version", "rest-version-spec", "rest-plan-list",
    "rest-plan", "rest-version-addresses", "style",
}  # fmt: skip
"""The allow-list of T2: what a signed-out reader may reach at all."""


@pytest.fixture
def world(db: None) -> World:
    return make_world()


def address(world: World, route: Route) -> str:
    return reverse(route.name, kwargs=world.kwargs_of(route))


def ask(route: Route, url: str, user: User | None) -> HttpResponse:
    """Call a route as somebody: pages in a browser, REST with a token of every scope."""
    cache.clear()
    if not route.is_rest:
        client = Client(raise_request_exception=False)
        if user:
            client.force_login(user)
        return client.generic(route.method, url)
    rest = APIClient(raise_request_exception=False)
    if user:
        rest.credentials(HTTP_AUTHORIZATION=f"Bearer {factories.make_api_token(user=user)[1]}")
    return rest.generic(route.method, url, "{}", content_type="application/json")


def body_of(answer: HttpResponse) -> str:
    content = b"".join(answer) if answer.streaming else answer.content
    return content.decode(errors="replace")


def test_every_route_declares_a_rule() -> None:
    assert [str(route) for route in all_routes() if route.rule is None] == []


def test_every_route_has_a_name() -> None:
    assert [route.path for route in OURS if not route.name] == []


def test_only_the_allow_list_is_open_to_all() -> None:
    assert {route.name for route in OURS if route.rule == OPEN} <= OPEN_NAMES


def test_nobody_signed_out_gets_anything_of_a_private_team(world: World) -> None:
    walked, wrong = 0, []
    for route in OURS:
        answer = ask(route, address(world, route), None)
        walked += 1
        refused = answer.status_code in (302, 401, 403, 404, 405)
        allowed = route.rule == OPEN and (answer.status_code == 200 or answer.status_code in (302, 400, 422))
        if not (refused or allowed) or CANARY in body_of(answer):
            wrong.append(f"{route}: {answer.status_code}")
    assert wrong == []
    assert walked == len(OURS)


def test_an_outsider_finds_nothing_behind_the_ids_of_another_team(world: World, charlie: User) -> None:
    walked, wrong = 0, []
    for route in OURS:
        answer = ask(route, address(world, route), charlie)
        walked += 1
        leaks = CANARY in body_of(answer)
        private = bool(route.kwargs) and not route.path.startswith(SHARED) and route.rule != AGENT
        # A method that a resource does not have is 405 for everybody; a verb the token's owner holds nowhere is 403.
        if leaks or (private and answer.status_code not in (404, 403)):
            wrong.append(f"{route}: {answer.status_code}{' and leaks' if leaks else ''}")
    assert wrong == []
    assert walked == len(OURS)


def test_its_own_team_does_reach_them(world: World) -> None:
    """The other two walks mean something only if the ids are right."""
    wrong = []
    for route in OURS:
        if route.method != "GET" or route.rule == AGENT or route.path.startswith(SHARED):
            continue
        answer = ask(route, address(world, route), world.owner)
        if answer.status_code >= 400 and route.name not in NOT_FOR_OWNERS:
            wrong.append(f"{route}: {answer.status_code}")
    assert wrong == []


NOT_FOR_OWNERS = {
    "environment-create", "environment-edit", "administration", "person-roles", "person-access", "gateway-create",
    "invitation", "metrics",
    "rest-usage-summary", "rest-usage-timeseries", "rest-usage-breakdown", "rest-usage-records",
}  # fmt: skip
"""Routes of administrators and of the monitoring, the invitation whose secret is in a mail, and REST queries that
need a parameter."""
