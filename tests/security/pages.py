"""Every page that somebody can see, with somebody who may: what is looked at in a browser."""

from __future__ import annotations

from dataclasses import dataclass

from django.core.cache import cache

from teams.access import AGENT, OPEN
from teams.access.rules import MONITOR
from tests.security.doors import expected
from tests.security.routes import Route, all_routes
from tests.security.walker import Walker, text_of
from tests.security.world import Role

READS = [r for r in all_routes() if not r.is_rest and not r.is_write and r.rule not in (AGENT, MONITOR)]


@dataclass(frozen=True, slots=True)
class Page:
    """An address and the person who opens it. `status` is what it answers; a part of other pages is not `whole`."""

    name: str
    url: str
    role: Role
    status: int = 200
    whole: bool = True


def able(walker: Walker, route: Route) -> Role:
    """Somebody whom the route lets in, so that an answer is its own and no refusal."""
    roles = walker.world.roles
    if not route.is_ours:
        return roles["anonymous"] if route.rule == OPEN else roles["operator"]
    return next(
        (role for role in roles.values() if role.has_session and expected(route, role) == "ok"),
        roles["owner"],
    )


def every_page(walker: Walker) -> list[Page]:
    """All routes that answer with a page of HTML. Downloads and redirects are none."""
    found = []
    for route in READS:
        cache.clear()
        role = able(walker, route)
        answer = walker.call(route, role)
        if answer.status_code == 200 and answer.headers.get("Content-Type", "").startswith("text/html"):
            found.append(Page(route.name, walker.url(route), role, whole="<html" in text_of(answer)))
    return found


def refusals(walker: Walker) -> list[Page]:
    """What is shown where nothing is, or nothing is allowed."""
    roles, api = walker.world.roles, walker.world.api
    edit = f"/publish/{walker.world.team.slug}/{api.slug}/edit/"
    return [
        Page("error-404", "/nowhere/", roles["owner"], 404),
        Page("error-404-signed-out", "/nowhere/", roles["anonymous"], 404),
        Page("error-404-of-another-team", edit, roles["outsider"], 404),
        Page("error-403", edit, roles["approver"], 404),
        Page("error-403-close", f"{walker.url(next(r for r in READS if r.name == 'subscription-close'))}",
             roles["viewer"], 403),
    ]  # fmt: skip
