"""The inverse of `translate`: the resources of an Envoy as the objects that they realise. Pure functions.

Files do not spell everything out: no labels, no id of a key, one descriptor for plans with equal numbers. What
is not visible comes from the document that is expected there, where the visible part names the same object.
An object that the files hold and nobody expects is read as far as it shows itself. What can't be read at all
is left out here; `residue` finds it, because rendering the document again does not give these resources.

Keys come with masks in the place of their values, see `masked`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from email.utils import formatdate, parsedate_to_datetime

from gateways.drivers.agents.names import IDENTIFIER, address
from gateways.drivers.envoy import filters
from gateways.drivers.envoy.clusters import cluster
from gateways.drivers.envoy.resources import Json
from gateways.drivers.envoy.routes import CORS_FILTER
from gateways.drivers.envoy.tree import listed
from gateways.engine.document import (
    Block,
    Consumer,
    Document,
    Grant,
    HealthCheck,
    Item,
    Key,
    Limit,
    Ref,
    Route,
    Target,
    Upstream,
    value_digest,
)
from gateways.engine.driver import Listener
from gateways.engine.wire import HOP_HEADER

type Resources = Mapping[str, list[Json]]

NOWHERE = "(none)"
"""Stands for an application or a plan that a subscription has no row for."""
UNREADABLE = (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError)
"""What taking strange JSON apart raises."""
_MASK = "sha256:"
_SHAPE = re.compile(r"([1-9]\d{0,9})-per-([1-9]\d{0,9})s-burst-([1-9]\d{0,9})")
_OUR_KEY = re.compile(r"gh[a-z]([0-9A-Za-z]{16})[0-9A-Za-z]{49}")


# ---- keys without their values ----


def masked(document: Document) -> Document:
    """`document` with the digest of each key in the place of its value, as `mask` leaves resources."""
    return Document.of(
        replace(item, value=_MASK + item.value_digest) if isinstance(item, Key) else item
        for item in document.items.values()
    )


def unmasked(document: Document) -> Document:
    """`document` without values of keys."""
    return Document.of(replace(i, value="") if isinstance(i, Key) else i for i in document.items.values())


def mask(resources: Iterable[Json]) -> dict[str, str]:
    """Replace each key's value by its digest, in place; the public part of keys of our form, by mask."""
    heads = {}
    for row in _rows(resources):
        value = row.get("key")
        if isinstance(value, str):
            row["key"] = _MASK + value_digest(value)
            form = _OUR_KEY.fullmatch(value)
            heads[row["key"]] = form[1] if form else ""
    return heads


# ---- the whole document ----


@dataclass(slots=True)
class _Found:
    """What has been read so far, beside what is expected."""

    expected: Document
    items: dict[Ref, Item] = field(default_factory=dict)

    def known[T: Item](self, item_type: type[T], item_id: str) -> T | None:
        """The expected object of that name."""
        item = self.expected.items.get(Ref(item_type.kind, item_id))
        return item if isinstance(item, item_type) else None

    def take(self, item: Item) -> None:
        """Keep what was read. A name that no object of ours can have is left to `residue`."""
        if IDENTIFIER.fullmatch(item.id):
            self.items[Ref(item.kind, item.id)] = item


@dataclass(frozen=True, slots=True)
class Place:
    """One entry of a route table: on which port, under which host (empty: any)."""

    port: int
    host: str
    entry: Json


def document_of(
    resources: Resources,
    expected: Document,
    listeners: Sequence[Listener],
    *,
    nodes: int,
    heads: Mapping[str, str],
) -> Document:
    """The objects that `resources` realise. `expected` and the result carry masks for keys."""
    found = _Found(expected)
    places = _places(resources)
    _read_upstreams(resources.get("cds.json", []), places, found)
    _each(places, lambda name: found.take(_route(name, places[name], listeners, found)))
    _read_limits(resources.get(filters.FILE_OF[filters.BUCKETS], []), nodes, found)
    _read_grants(resources, places, nodes, found)
    keys = {key.value_digest: key for key in expected.of_kind(Key)}
    _each(
        _rows(resources.get(filters.FILE_OF[filters.KEYS], [])),
        lambda row: found.take(_key(row, heads, keys)),
    )
    return Document.of(found.items.values())


def with_lists(resources: Resources) -> Resources:
    """`resources` with the routes of every table in lists, as the rest of this module reads them."""
    return {
        name: [_with_lists(table) for table in tables] if name.startswith("rds-") else tables
        for name, tables in resources.items()
    }


def _with_lists(table: Json) -> Json:
    hosts = table.get("virtual_hosts")
    if not isinstance(hosts, list):
        return table
    return {**table, "virtual_hosts": [listed(host) if isinstance(host, dict) else host for host in hosts]}


def _each[T](things: Iterable[T], read: Callable[[T], None]) -> None:
    """Read what can be read, and leave out what is too strange."""
    for thing in things:
        with suppress(*UNREADABLE):
            read(thing)


def _places(resources: Resources) -> dict[str, list[Place]]:
    """Every named entry of every route table, by its name."""
    places: dict[str, list[Place]] = defaultdict(list)
    for name, tables in resources.items():
        port = name.removeprefix("rds-").removesuffix(".json")
        if name.startswith("rds-") and port.isdecimal():
            for host, entry in _entries(tables):
                places[entry["name"]].append(Place(int(port), host, entry))
    return places


def _entries(tables: Iterable[Json]) -> Iterator[tuple[str, Json]]:
    for table in tables:
        for virtual in _dicts(table.get("virtual_hosts")):
            domains = virtual.get("domains")
            host = str(domains[0]) if isinstance(domains, list) and domains else ""
            for entry in _dicts(virtual.get("routes")):
                if isinstance(entry.get("name"), str):
                    yield host.removeprefix("*"), entry


def _rows(resources: Iterable[Json]) -> Iterator[Json]:
    """The rows of a filter that is a table of keys."""
    for resource in resources:
        config = resource.get("typed_config")
        if isinstance(config, dict):
            yield from _dicts(config.get("credentials"))


def _dicts(value: object) -> Iterator[Json]:
    return (part for part in value if isinstance(part, dict)) if isinstance(value, list) else iter(())


# ---- upstreams ----


def _read_upstreams(clusters: Iterable[Json], places: Mapping[str, list[Place]], found: _Found) -> None:
    """The targets stand in the cluster; the time and the path prefix in the routes that lead to it."""
    ways: dict[str, set[Way]] = defaultdict(set)
    entries = [place.entry for on in places.values() for place in on]
    _each(entries, lambda entry: ways[entry["route"]["cluster"]].add(_way(entry)))
    _each(clusters, lambda resource: _read_upstream(resource, ways, found))


def _read_upstream(resource: Json, ways: Mapping[str, set[Way]], found: _Found) -> None:
    name = _text(resource["name"])
    known = found.known(Upstream, name)
    try:
        read = _upstream(resource, known, ways.get(name, set()))
        cluster(read)  # raises for what no upstream of ours could be
    except UNREADABLE:
        if known is None:
            return
        read = known
    if known is not None or cluster(read) == resource:
        found.take(read)


type Way = tuple[str, int, bool]
"""The path prefix of the targets, the time that a call may take, and whether the gateway shows that it is one."""


def _way(entry: Json) -> Way:
    """The way to an upstream, as one route has it."""
    prefix = _text(entry["route"]["regex_rewrite"]["substitution"]).removesuffix("/").replace("\\\\", "\\")
    added = [row["header"]["key"] for row in entry.get("request_headers_to_add", ())]
    return prefix, _milliseconds(entry["route"]["timeout"]), HOP_HEADER in added


def _upstream(resource: Json, known: Upstream | None, ways: set[Way]) -> Upstream:
    before = (
        (address(known.targets[0].url).prefix, known.timeout_ms, known.hop) if known else ("", 15_000, False)
    )
    prefix, timeout_ms, hop = before if before in ways or not ways else min(ways)
    targets = tuple(
        Target(_url(entry, prefix), _whole(entry["load_balancing_weight"]))
        for group in resource["load_assignment"]["endpoints"]
        for entry in group["lb_endpoints"]
    )
    if known is not None and _taken_apart(known.targets) == _taken_apart(targets):
        targets = known.targets
    checks = resource.get("health_checks", [])
    return Upstream(
        id=_text(resource["name"]),
        label=known.label if known else "",
        targets=targets,
        timeout_ms=timeout_ms,
        connect_timeout_ms=_milliseconds(resource["connect_timeout"]),
        health=_health(checks[0]) if checks else None,
        hop=hop,
    )


def _url(entry: Json, prefix: str) -> str:
    at = entry["endpoint"]["address"]["socket_address"]
    tls = "metadata" in entry
    host, port = _text(at["address"]), _whole(at["port_value"])
    host = f"[{host}]" if ":" in host else host
    usual = port == (443 if tls else 80)
    return f"{'https' if tls else 'http'}://{host}{'' if usual else f':{port}'}{prefix}"


def _taken_apart(targets: Iterable[Target]) -> list[object]:
    return [(address(target.url), target.weight) for target in targets]


def _health(check: Json) -> HealthCheck:
    return HealthCheck(
        path=_text(check["http_health_check"]["path"]),
        interval_s=_milliseconds(check["interval"]) // 1000,
        timeout_s=_milliseconds(check["timeout"]) // 1000,
        healthy=_whole(check["healthy_threshold"]),
        unhealthy=_whole(check["unhealthy_threshold"]),
    )


# ---- routes ----


def _route(name: str, places: Sequence[Place], listeners: Sequence[Listener], found: _Found) -> Route:
    """A route that stands in several tables is read as the one that differs, if one does."""
    known = found.known(Route, name)
    read = [_route_at(place, known, listeners) for place in places]
    return next((route for route in read if route != known), read[0])


def _route_at(place: Place, known: Route | None, listeners: Sequence[Listener]) -> Route:
    entry = place.entry
    allowed = (
        entry.get("typed_per_filter_config", {}).get(CORS_FILTER, {}).get("allow_origin_string_match", [])
    )
    origins = tuple(_text(origin["exact"]) for origin in allowed)
    base = known or _unknown_route(place, listeners)
    if sorted(base.cors_origins) == list(origins):
        origins = base.cors_origins
    return replace(
        base,
        base_path=_text(entry["match"]["path_separated_prefix"]),
        upstream=_text(entry["route"]["cluster"]),
        cors_origins=origins,
    )


def _unknown_route(place: Place, listeners: Sequence[Listener]) -> Route:
    """A route that nobody expects belongs to the environment that is served where it stands."""
    here = [listener for listener in listeners if listener.port == place.port]
    own = next((listener for listener in here if listener.host == place.host), None)
    environment = own.environment if own else next((listener.environment for listener in here), "")
    host = "" if own else place.host
    return Route(_text(place.entry["name"]), "", environment, "", "", "", "", host)


# ---- plans, subscriptions, quotas ----


def _read_limits(resources: Iterable[Json], nodes: int, found: _Found) -> None:
    shapes = {
        row["entries"][0]["value"]: row
        for resource in resources
        for row in _dicts(resource.get("typed_config", {}).get("descriptors"))
        if _has_shape(row)
    }
    known = {limit.id: filters.shape(limit, nodes) for limit in found.expected.of_kind(Limit)}
    for limit in found.expected.of_kind(Limit):
        if known[limit.id] in shapes:
            found.take(limit)
    _each(shapes.keys() - set(known.values()), lambda shape: found.take(_unknown_limit(shape, nodes)))


def _has_shape(row: Json) -> bool:
    try:
        return isinstance(row["entries"][0]["value"], str)
    except UNREADABLE:
        return False


def _unknown_limit(shape: str, nodes: int) -> Limit:
    form = _SHAPE.fullmatch(shape)
    if form is None:
        raise ValueError(shape)
    calls, period_s, burst = map(int, form.groups())
    return Limit(shape, "", calls * nodes, period_s, burst * nodes)


@dataclass(frozen=True, slots=True)
class _Tables:
    """What three files say of subscriptions, by id: routes that let them in, limit or end of a block, application."""

    routes: Mapping[str, set[str]]
    limits: Mapping[str, str]
    applications: Mapping[str, str]


def _read_grants(resources: Resources, places: Mapping[str, list[Place]], nodes: int, found: _Found) -> None:
    tables = _Tables(
        _clients(places), _table(resources, filters.LIMITS), _table(resources, filters.APPLICATIONS)
    )
    names = tables.routes.keys() | tables.limits.keys() | tables.applications.keys()
    consumers = set(tables.applications.values())
    for consumer in found.expected.of_kind(Consumer):
        found.take(consumer)
    for name in consumers - {consumer.id for consumer in found.expected.of_kind(Consumer)}:
        found.take(Consumer(name, ""))
    shapes = _shapes(nodes, found)
    blocks: dict[str, list[Block]] = defaultdict(list)
    for block in sorted(found.expected.of_kind(Block), key=lambda block: block.until):
        blocks[block.grant].append(block)
    _each(names, lambda name: found.take(_grant(name, tables, shapes, found)))
    _each(names, lambda name: _read_block(name, tables.limits.get(name, ""), blocks[name], found))


def _clients(places: Mapping[str, list[Place]]) -> dict[str, set[str]]:
    """The routes on whose list of clients each subscription stands."""
    routes: dict[str, set[str]] = defaultdict(set)
    for name, on in places.items():
        for place in on:
            try:
                clients = place.entry["typed_per_filter_config"][filters.KEYS]["allowed_clients"]
            except UNREADABLE:
                continue
            for client in clients if isinstance(clients, list) else ():
                if isinstance(client, str) and client != filters.SENTINEL:
                    routes[client].add(name)
    return routes


def _table(resources: Resources, name: str) -> dict[str, str]:
    rows = _rows(resources.get(filters.FILE_OF[name], []))
    return {
        row["key"]: row["client"]
        for row in rows
        if isinstance(row.get("key"), str) and isinstance(row.get("client"), str)
    }


def _shapes(nodes: int, found: _Found) -> dict[str, list[str]]:
    """The plans behind each shape of limit."""
    shapes: dict[str, list[str]] = defaultdict(list)
    for limit in (*found.expected.of_kind(Limit), *(i for i in found.items.values() if isinstance(i, Limit))):
        shapes[filters.shape(limit, nodes)].append(limit.id)
    return shapes


def _grant(name: str, tables: _Tables, shapes: Mapping[str, list[str]], found: _Found) -> Grant:
    known = found.known(Grant, name)
    usual = known.limit if known else ""
    row = tables.limits.get(name, NOWHERE)
    limit = usual if row.endswith(filters.DATE_END) else _limit_of(row, usual, shapes)
    return Grant(
        id=name,
        label=known.label if known else "",
        consumer=tables.applications.get(name, NOWHERE),
        routes=tuple(sorted(tables.routes.get(name, ()))),
        limit=limit,
    )


def _limit_of(row: str, usual: str, shapes: Mapping[str, list[str]]) -> str:
    if row == filters.UNLIMITED:
        return ""
    plans = shapes.get(row, [])
    return usual if usual in plans else next(iter(plans), row)


def _read_block(grant: str, row: str, expected: Sequence[Block], found: _Found) -> None:
    """Only the block that ends last is to be seen; those below it are there with it."""
    if not row.endswith(filters.DATE_END):
        return
    for block in expected:
        found.take(block)
    if expected and row == formatdate(expected[-1].until, usegmt=True):
        return
    until = int(parsedate_to_datetime(row).timestamp())
    found.take(
        replace(expected[-1], until=until) if expected else Block(f"block-{grant}"[:100], grant, "", until)
    )


# ---- keys ----


def _key(row: Json, heads: Mapping[str, str], expected: Mapping[str, Key]) -> Key:
    """A key that is expected is known by its digest; of another one no more than its public part is told."""
    value, grant = _text(row["key"]), _text(row["client"])
    digest = value.removeprefix(_MASK)
    known = expected.get(digest)
    if known is not None:
        return replace(known, grant=grant)
    return Key(f"key-{digest[:16]}", heads.get(value, ""), grant, digest, value)


# ---- values ----


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError
    return value


def _milliseconds(duration: object) -> int:
    """A protobuf duration in JSON. Raises ValueError for what has no whole milliseconds."""
    exact = float(_text(duration).removesuffix("s")) * 1000
    if not 0 <= exact < 1e12 or abs(exact - round(exact)) > 1e-6:
        raise ValueError(duration)
    return round(exact)
