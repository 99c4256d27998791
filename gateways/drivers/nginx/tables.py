"""The look-up tables: key to subscription, and from there to application, limit, routes and blocks. All are hashes.

nginx compares the texts of a table without regard to case, and a key is not another one: so the table of keys gives
back the exact key beside its subscription, and one regular expression compares them, takes the public id for the log
and the subscription for all that follows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from email.utils import formatdate

from gateways.drivers.agents.limits import room
from gateways.drivers.nginx.limits import shape_of
from gateways.engine.directives import Directive, Expression, block, directive, rows
from gateways.engine.document import Block, Document, Grant, Key, Limit, Route, Upstream

KEY = Expression("$gatehouse_key")
FOUND = Expression("$gatehouse_found")
SUBSCRIPTION = Expression("$gatehouse_subscription")
APPLICATION = Expression("$gatehouse_application")
SHAPE = Expression("$gatehouse_shape")
GRANTED = Expression("$gatehouse_granted")
UNTIL = Expression("$gatehouse_until")
LIMIT = Expression("$gatehouse_limit")
RESET = Expression("$gatehouse_reset")
ROUTE = Expression("$gatehouse_route")
PROOF = Expression("$gatehouse_proof")
ACCESS = Expression("$gatehouse_subscription $gatehouse_route")
_BUCKET_BYTES = 256


def table(source: str, result: str, entries: Mapping[str, str], default: str = "") -> Directive:
    """A map from `source` to `result`."""
    inside = [directive("default", default)] if default else []
    inside += [rows(entries.items(), depth=1)] if entries else []
    return block("map", source, result, inside=inside)


def keys(document: Document) -> list[Directive]:
    """Every key of every subscription."""
    entries = {key.value: f"{key.value} {key.key_id} {key.grant}" for key in document.of_kind(Key)}
    return [table(KEY, FOUND, entries)]


def subscriptions(document: Document, nodes: int) -> list[Directive]:
    """What a subscription belongs to, how much it may call, and which routes."""
    shapes = {limit.id: shape_of(limit, nodes).name for limit in document.of_kind(Limit)}
    grants = list(document.of_kind(Grant))
    granted = {f"{grant.id} {route}": "1" for grant in grants for route in grant.routes}
    return [
        table(SUBSCRIPTION, APPLICATION, {grant.id: grant.consumer for grant in grants}),
        table(SUBSCRIPTION, SHAPE, {grant.id: shapes[grant.limit] for grant in grants if grant.limit}),
        table(ACCESS, GRANTED, granted),
    ]


def blocks(document: Document) -> list[Directive]:
    """The subscriptions whose quota is used up, with the HTTP date of its end."""
    found = sorted(document.of_kind(Block), key=lambda block: block.until)
    return [
        table(SUBSCRIPTION, UNTIL, {block.grant: formatdate(block.until, usegmt=True) for block in found})
    ]


def limits(document: Document, nodes: int) -> list[Directive]:
    """One zone per shape of limit; its key is the subscription where that shape is its own, and else empty."""
    shapes = {shape_of(limit, nodes) for limit in document.of_kind(Limit)}
    size = f"{room(sum(1 for _ in document.of_kind(Grant))) * _BUCKET_BYTES // 1024}k"
    found: list[Directive] = []
    for shape in sorted(shapes, key=lambda shape: shape.name):
        key = Expression(f"$gatehouse_{shape.name}")
        found += [
            table(SHAPE, key, {shape.name: SUBSCRIPTION}),
            directive("limit_req_zone", key, f"zone={shape.name}:{size}", f"rate={shape.rate}r/{shape.unit}"),
        ]
    named = {shape.name: shape for shape in shapes}
    return [
        *found,
        table(SHAPE, LIMIT, {name: str(named[name].burst) for name in sorted(named)}),
        table(SHAPE, RESET, {name: str(named[name].reset_s) for name in sorted(named)}),
    ]


def shapes_by_route(document: Document, nodes: int) -> dict[str, list[str]]:
    """The shapes of the limits with which each route is granted."""
    names = {limit.id: shape_of(limit, nodes).name for limit in document.of_kind(Limit)}
    found: dict[str, set[str]] = {}
    for grant in document.of_kind(Grant):
        for route in grant.routes if grant.limit else ():
            found.setdefault(route, set()).add(names[grant.limit])
    return {route: sorted(shapes) for route, shapes in found.items()}


def proofs(document: Document) -> Directive:
    """The routes to AI runtimes, to which the node shows that it is a gateway. What it shows is its own."""
    hops = {upstream.id for upstream in document.of_kind(Upstream) if upstream.hop}
    entries = [route.id for route in document.of_kind(Route) if route.upstream in hops]
    return block(
        "map", ROUTE, PROOF, inside=[directive(name, Expression("$gatehouse_hop")) for name in entries]
    )


def origins(pairs: Iterable[tuple[str, str]]) -> Directive:
    """Which site may call which route from a browser; the answer is the origin as it was named to us."""
    entries = {f"{route} {origin}": origin for route, origin in pairs}
    return table(Expression("$gatehouse_route $http_origin"), Expression("$gatehouse_origin"), entries)
