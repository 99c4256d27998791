"""T1, T2: every route x every role, pages and REST, reads and writes with valid bodies.

Who gets what is worked out from the route's declared rule and the table of permissions (tests/security/doors.py).
A new route is walked by itself; one without a rule, an id, a body or a door fails. The objects belong to two
teams; outsiders and people who are signed out may not see a word of either, whichever route they try.
"""

from __future__ import annotations

import re

import pytest
from django.core.cache import cache
from django.http import HttpResponse
from drf_spectacular.generators import SchemaGenerator

from teams.access import OPEN
from tests.security.doors import expected
from tests.security.routes import STAFF, Route, all_routes
from tests.security.walker import Walker, text_of
from tests.security.world import CANARY, CONSUMER, INWARD, Role, ids_of

ROUTES = all_routes()
OURS = [route for route in ROUTES if route.is_ours]
READS = [route for route in OURS if not route.is_write]

OPEN_NAMES = {
    "home", "healthz", "readyz", "rest-schema", "invitation", "catalogue", "api-detail", "api-versions", "api-version",
    "api-reference", "api-plans", "version-openapi", "published-openapi", "addresses-of-version", "rest-catalogue",
    "rest-api-list", "rest-api", "rest-version-list", "rest-version", "rest-version-spec", "rest-plan-list",
    "rest-plan", "rest-version-addresses", "style",
}  # fmt: skip
"""The allow-list of T2: what a signed-out reader may reach at all."""


def outcome(answer: HttpResponse) -> str:
    """ok, 401, 403, 404, sign in, or what else it was."""
    if answer.status_code == 302 and "/login/" in answer.headers["Location"]:
        return "sign in"
    return "ok" if answer.status_code < 400 else str(answer.status_code)


def leaks(role: Role, got: str, text: str) -> list[str]:
    """The words in an answer that `role` may not read: of teams that are not theirs, of what is not there for them."""
    oversees = bool(role.platform) or role.name == "operator"
    forbidden = [] if role.at_api or oversees else [INWARD, INWARD.lower()]
    if not (role.at_api or role.at_consumer or oversees):
        forbidden += [CANARY, CONSUMER]
    elif got == "404":
        forbidden += [word for word, own in ((CANARY, role.at_api), (CONSUMER, role.at_consumer)) if not own]
    return [word for word in forbidden if word in text]


def test_every_route_declares_a_rule() -> None:
    assert [str(route) for route in ROUTES if route.rule is None] == []


def test_every_route_has_a_name() -> None:
    assert [route.path for route in OURS if not route.name] == []


def test_only_the_allow_list_is_open_to_all() -> None:
    assert {route.name for route in OURS if route.rule == OPEN} <= OPEN_NAMES


def test_the_schema_tells_of_every_route_of_the_rest_api_and_of_no_other() -> None:
    schema = SchemaGenerator().get_schema(request=None, public=True)
    told = {
        (method.upper(), _plain(path))
        for path, item in schema["paths"].items()
        for method in item
        if method in ("get", "put", "post", "patch", "delete")
    }
    about = {"rest-schema", "rest-docs"}
    assert told == {(r.method, _plain(r.path)) for r in ROUTES if r.is_rest and r.name not in about}


def _plain(path: str) -> str:
    """A path with its parameters alike, as the schema and the URL conf write them."""
    return re.sub(r"\{\w+\}|\(\?P<\w+>[^()]*\)|<(?:\w+:)?\w+>", "{}", path.strip("/$"))


PARTS = {
    "libraries": [route for route in ROUTES if not route.is_ours],
    "pages": [route for route in OURS if not route.is_rest and not route.is_write],
    "forms": [route for route in OURS if not route.is_rest and route.is_write],
    "REST": [route for route in OURS if route.is_rest],
}


def test_the_walks_leave_no_route_out() -> None:
    assert sum(len(routes) for routes in PARTS.values()) == len(ROUTES)


@pytest.mark.parametrize("part", PARTS)
def test_every_route_gives_every_role_what_the_table_says(walker: Walker, part: str) -> None:
    walked, wrong = 0, []
    for route in PARTS[part]:
        for role in walker.world.roles.values():
            if not route.is_ours:
                cache.clear()  # the limits on signing in
            answer = walker.call(route, role)
            got, want = outcome(answer), expected(route, role) if route.is_ours else _of_library(route, role)
            walked += 1
            if got not in want.split(" or "):
                wrong.append(f"{route} as {role}: {got} ({answer.status_code}), not {want}")
            if found := leaks(role, got, text_of(answer)):
                wrong.append(f"{route} as {role}: {got} and tells of {found}")
    assert wrong == [], f"{len(wrong)} wrong:\n" + "\n".join(wrong)
    assert walked == len(PARTS[part]) * len(walker.world.roles)


def _of_library(route: Route, role: Role) -> str:
    """Sign-in and the operators' site: libraries answer by their own rules, behind a door that we can tell."""
    inside = role.name == "operator" if route.rule == STAFF else role.has_session
    return "ok or 400 or 401 or 403 or 404 or 405 or sign in" if inside or route.rule == OPEN else "sign in"


# ---- other people's ids in filters, searches, orders, fragments and exports ----


PARAMETERS: dict[str, tuple[str, ...]] = {
    "catalogue": ("q", "team", "tag", "environment"),
    "teams": ("q",),
    "applications": ("show",),
    "approvals": ("show",),
    "usage": ("range",),
    "audit": ("team", "name", "target", "actor", "before"),
    "audit-export": ("team", "name", "target", "actor"),
    "deployment-detail": ("with",),
}
"""What pages read from their address. Those of the REST API stand in the schema."""


def parameters() -> dict[str, tuple[str, ...]]:
    """Route -> the texts that it can be asked by; every REST list may be asked for an order, too."""
    schema = SchemaGenerator().get_schema(request=None, public=True)
    by_path = {_plain(route.path): route for route in READS if route.is_rest}
    found = dict(PARAMETERS)
    for path, item in schema["paths"].items():
        asked = [one["name"] for one in item.get("get", {}).get("parameters", ()) if one["in"] == "query"]
        if asked:
            found[by_path[_plain(path)].name] = (*asked, "ordering")
    return found


@pytest.mark.parametrize("name", ["outsider", "anonymous"])
def test_no_filter_search_or_order_finds_what_is_of_another_team(walker: Walker, name: str) -> None:
    role, found, asked, names = walker.world.roles[name], [], 0, parameters()
    routes = [route for route in READS if route.name in names]
    assert {route.name for route in routes} == set(names)
    ids = ids_of(walker.world)
    for route in routes:
        for question in [f"?{parameter}={one}" for parameter in names[route.name] for one in ids]:
            answer = walker.call(route, role, query=question, htmx=not route.is_rest and asked % 2 == 0)
            asked += 1
            text = text_of(answer)
            words = [
                word for word in (CANARY, CONSUMER, INWARD) if f"={word}" not in question and word in text
            ]
            found += [f"{route}{question}: {word}" for word in words]
            if answer.status_code >= 500:
                found.append(f"{route}{question}: {answer.status_code}")
    assert found == []


def test_the_same_questions_find_it_for_its_own_team(walker: Walker) -> None:
    """The walk above means something only if the questions find what they name."""
    own = walker.world.roles["owner"]
    ask = {"catalogue": "?q=ledger", "teams": "?q=kestr", "rest-api-list": "?team=kestrel",
           "rest-catalogue": "?q=ledger", "audit-export": "?team=kestrel", "audit": "?team=kestrel",
           "rest-upstream-list": "", "rest-publication-list": "?api=kestrel/kestrel-ledger"}  # fmt: skip
    by_name = {route.name: route for route in READS}
    for name, question in ask.items():
        text = text_of(walker.call(by_name[name], own, query=question))
        assert CANARY in text or INWARD.lower() in text or "kestrel-ledger" in text, name
