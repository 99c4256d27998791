"""What the authorizer is told: for each key its line, and all lines together as its table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from gateways.drivers.aws.kinds import is_guarded, named, type_of
from gateways.drivers.aws.work import APIS, AUTHORIZED, Work
from gateways.engine.document import Block, Grant, Key, Kind, Limit, Ref, Route

type Line = Mapping[str, Any]
"""Of one key: `digest`, `grant`, `places` ("API/STAGE", in order), `blocked`, `rate` (calls a second and at once)."""


def guarded_routes(work: Work, grant: Grant) -> list[Route]:
    """The routes of a subscription that the authorizer decides on."""
    found = (work.desired.items.get(Ref(Kind.ROUTE, name)) for name in grant.routes)
    return [route for route in found if isinstance(route, Route) and is_guarded(work.desired, route.id)]


def wanted_lines(work: Work) -> dict[str, Line]:
    """By the ids of keys. A stage has its place as soon as its API is there, and so before anybody can call it."""
    blocked = {block.grant for block in work.desired.of_kind(Block)}
    parts = {grant.id: part for grant in work.desired.of_kind(Grant) if (part := _part(work, grant, blocked))}
    return {
        key.id: {"digest": key.value_digest, "grant": key.grant, **parts[key.grant]}
        for key in work.desired.of_kind(Key)
        if key.grant in parts
    }


def _part(work: Work, grant: Grant, blocked: Iterable[str]) -> dict[str, Any]:
    """What is the same for all keys of a subscription; empty where the authorizer has nothing to do with it."""
    routes = guarded_routes(work, grant)
    if not routes:
        return {}
    limit = work.desired.items.get(Ref(Kind.LIMIT, grant.limit))
    rate = [limit.calls / limit.period_s, limit.burst] if isinstance(limit, Limit) else []
    places = sorted(filter(None, (place_of(work, route) for route in routes)))
    return {"places": places, "blocked": grant.id in blocked, "rate": rate}


def place_of(work: Work, route: Route) -> str:
    """As the authorizer is told by API Gateway; empty while there is no API."""
    api = work.resource(APIS, named(route.api_version, type_of(work.desired, route))).get("id")
    return f"{api}/{route.environment}" if api else ""


def known_lines(work: Work) -> Mapping[str, Line]:
    """Those that are in force, as AWS has confirmed."""
    return work.holdings.resources(AUTHORIZED)


def table_of(lines: Mapping[str, Line]) -> dict[str, Any]:
    """What the function reads."""
    keys, subscriptions = {}, dict[str, Any]()
    for name, line in lines.items():
        keys[line["digest"]] = [name, line["grant"]]
        subscriptions[line["grant"]] = {part: line[part] for part in ("places", "blocked", "rate")}
    return {"keys": keys, "subscriptions": subscriptions}


def narrows(lines: Mapping[str, Line], known: Mapping[str, Line]) -> bool:
    """Whether somebody who is let in should not be."""
    return any(_is_narrower(lines.get(name), line) for name, line in known.items())


def _is_narrower(line: Line | None, known: Line) -> bool:
    if line is None or line["digest"] != known["digest"]:
        return True
    return bool(line["blocked"] and not known["blocked"]) or not set(known["places"]) <= set(line["places"])


def is_complete(work: Work, key: Key, line: Line) -> bool:
    """Whether a line names all places that the key is for."""
    grant = work.desired.items.get(Ref(Kind.GRANT, key.grant))
    return isinstance(grant, Grant) and len(line["places"]) == len(guarded_routes(work, grant))


def by_grant(known: Mapping[str, Line]) -> dict[str, list[Line]]:
    """The lines in force of each subscription."""
    found = defaultdict(list)
    for line in known.values():
        found[line["grant"]].append(line)
    return dict(found)
