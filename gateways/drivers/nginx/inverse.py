"""What the files of an nginx really do, as a document: read from the directives, without the values of keys.

Labels, revisions, the plan behind a rate and the ids of keys and blocks stand in no configuration. `expected` gives
them to whatever is found as it should be; what is found otherwise gets a name that shows it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import Any

from gateways.drivers.agents.names import address as parts_of
from gateways.drivers.nginx import tables
from gateways.drivers.nginx.limits import Shape, named_shape, shape_of
from gateways.drivers.nginx.translate import KEYS_FILE
from gateways.drivers.nginx.translate import files as rendered
from gateways.engine.directives import Directive, NotDirectives, parse
from gateways.engine.document import (
    Block,
    Consumer,
    Document,
    Grant,
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

UNKNOWN = "unknown-"
"""How the id of something begins that the expected document does not know."""


class Unreadable(ValueError):
    """A file that is no configuration of ours; the text names it."""


@dataclass(frozen=True, slots=True)
class _Found:
    """The directives of all files, and what is expected of them."""

    tops: tuple[Directive, ...]
    expected: Document
    nodes: int

    def known[T: Item](self, item_type: type[T], name: str) -> T | None:
        """The expected object of that name."""
        item = self.expected.items.get(Ref(item_type.kind, name))
        return item if isinstance(item, item_type) else None

    def table(self, source: str, result: str) -> dict[str, str]:
        """The entries of the map from `source` to `result`."""
        maps = (top for top in self.tops if top.name == "map" and top.arguments == (source, result))
        return {
            entry.name: entry.arguments[0] for one in maps for entry in one.block or () if entry.arguments
        }


def document_of(
    files: Mapping[str, str], expected: Document, listeners: Sequence[Listener], *, address: str, nodes: int
) -> Document:
    """The objects that `files` realise on `listeners`. Raises Unreadable."""
    if dict(files) == rendered(expected, listeners, address=address, nodes=nodes):
        return Document.of(_bare(item) for item in expected.items.values())
    found = _Found(tuple(_parsed(files)), expected, nodes)
    routes = {route.id: route for route in _routes(found, listeners)}
    return Document.of(
        [
            *_upstreams(found),
            *_limits(found),
            *_consumers(found),
            *routes.values(),
            *_grants(found),
            *_keys(found),
            *_blocks(found),
        ]
    )


def _parsed(files: Mapping[str, str]) -> Iterator[Directive]:
    for name, text in files.items():
        try:
            yield from parse(text)
        except NotDirectives as error:
            raise Unreadable(f"{name}: {error}") from None


def _bare(item: Item) -> Item:
    return replace(item, value="") if isinstance(item, Key) else item


def _locations(found: _Found) -> Iterator[tuple[Directive, Directive]]:
    """Every location that names a route, with its server."""
    for server in found.tops:
        if server.name != "server":
            continue
        for location in server.inside("location"):
            if _set(location, "$gatehouse_route"):
                yield server, location


def _set(location: Directive, variable: str) -> str:
    values = (one.arguments[1] for one in location.inside("set") if one.arguments[0] == variable)
    return next(values, "")


def _upstreams(found: _Found) -> Iterator[Upstream]:
    by_group = {_group(location): location for _, location in _locations(found)}
    for group in found.tops:
        if group.name == "upstream":
            yield _upstream(group, by_group.get(group.arguments[0]), found)


def _group(location: Directive) -> str:
    return _passed(location)[1]


def _passed(location: Directive) -> tuple[str, str, str]:
    """Scheme, group and prefix of where a location leads."""
    scheme, _, rest = (location.first("proxy_pass") or ("",))[0].partition("://")
    group, _, prefix = rest.partition("/")
    return scheme, group, f"/{prefix}".rstrip("/").replace("%24", "$")


def _upstream(group: Directive, location: Directive | None, found: _Found) -> Upstream:
    name = group.arguments[0]
    known = found.known(Upstream, name)
    if location is None:
        return _unused(group, known)
    scheme, _, prefix = _passed(location)
    targets = tuple(_target(server, scheme, prefix) for server in group.inside("server"))
    changed: dict[str, Any] = {
        "targets": _in_the_words_of(known, targets),
        "timeout_ms": _milliseconds(location.first("proxy_read_timeout")),
        "connect_timeout_ms": _milliseconds(location.first("proxy_connect_timeout")),
        "hop": _set(location, "$gatehouse_route") in found.table(tables.ROUTE, tables.PROOF),
    }
    return replace(known, **changed) if known else Upstream(name, "", **changed)


def _unused(group: Directive, known: Upstream | None) -> Upstream:
    """Nothing leads there, so that only its servers can be read."""
    servers = [(s.arguments[0], _weight(s)) for s in group.inside("server")]
    if known is not None:
        wanted = [(_place(target.url), target.weight) for target in known.targets]
        if wanted == servers:
            return known
    targets = tuple(Target(f"http://{at}", weight) for at, weight in servers)
    return Upstream(group.arguments[0], known.label if known else "", targets)


def _target(server: Directive, scheme: str, prefix: str) -> Target:
    return Target(f"{scheme}://{server.arguments[0]}{prefix}", _weight(server))


def _weight(server: Directive) -> int:
    given = (a.removeprefix("weight=") for a in server.arguments[1:] if a.startswith("weight="))
    return int(next(given, "1"))


def _in_the_words_of(known: Upstream | None, targets: tuple[Target, ...]) -> tuple[Target, ...]:
    """The expected targets where those that were found are the same, however their URLs are written."""
    if known is None or len(known.targets) != len(targets):
        return targets
    pairs = zip(known.targets, targets, strict=True)
    return tuple(
        old if (_canonical(old.url), old.weight) == (_canonical(new.url), new.weight) else new
        for old, new in pairs
    )


def _canonical(url: str) -> tuple[str, str, str]:
    at = parts_of(url)
    return ("https" if at.tls else "http", _place(url), at.prefix)


def _place(url: str) -> str:
    at = parts_of(url)
    return f"{f'[{at.host}]' if ':' in at.host else at.host}:{at.port}"


def _milliseconds(arguments: tuple[str, ...]) -> int:
    text = (arguments or ("0ms",))[0]
    return int(text.removesuffix("ms")) if text.removesuffix("ms").isdecimal() else 0


def _limits(found: _Found) -> Iterator[Limit]:
    """The plans whose numbers have a zone; a zone that no plan asks for is one of its own."""
    names = {
        argument.removeprefix("zone=").partition(":")[0]
        for top in found.tops
        if top.name == "limit_req_zone"
        for argument in top.arguments
        if argument.startswith("zone=")
    }
    used = set()
    for limit in found.expected.of_kind(Limit):
        name = shape_of(limit, found.nodes).name
        if name in names:
            used.add(name)
            yield limit
    for name in sorted(names - used):
        yield _limit(name)


def _limit(name: str) -> Limit:
    try:
        shape = named_shape(name)
    except ValueError:
        shape = Shape(1, "m", 1)
    return Limit(f"{UNKNOWN}{name}", name, shape.rate, 60 if shape.unit == "m" else 1, shape.burst)


def _consumers(found: _Found) -> Iterator[Consumer]:
    named = set(found.table(tables.SUBSCRIPTION, tables.APPLICATION).values())
    # An application without a subscription stands in no file.
    named |= {c.id for c in found.expected.of_kind(Consumer)} - {
        g.consumer for g in found.expected.of_kind(Grant)
    }
    for name in sorted(named):
        yield found.known(Consumer, name) or Consumer(name, "")


def _routes(found: _Found, listeners: Sequence[Listener]) -> Iterator[Route]:
    origins: dict[str, list[str]] = {}
    for entry in found.table("$gatehouse_route $http_origin", "$gatehouse_origin"):
        route, _, origin = entry.partition(" ")
        origins.setdefault(route, []).append(origin)
    seen: set[str] = set()
    for server, location in _locations(found):
        name = _set(location, "$gatehouse_route")
        if name in seen:
            continue
        seen.add(name)
        yield _route(name, server, location, tuple(sorted(origins.get(name, ()))), found, listeners)


def _route(
    name: str,
    server: Directive,
    location: Directive,
    origins: tuple[str, ...],
    found: _Found,
    listeners: Sequence[Listener],
) -> Route:
    known = found.known(Route, name)
    host = (server.first("server_name") or ("",))[0]
    port = int((server.first("listen") or (":0",))[0].rpartition(":")[2])
    environments = [one for one in listeners if one.port == port]
    named = next((one for one in environments if one.host == host), environments[0] if environments else None)
    if known is not None and any(one.environment == known.environment for one in environments):
        # A route of any host stands under every host, one of a named host under that one.
        host, environment = known.host, known.environment
    else:
        environment = named.environment if named else f"{UNKNOWN}{port}"
    changed: dict[str, Any] = {
        "environment": environment,
        "base_path": location.arguments[-1].rstrip("/"),
        "upstream": _group(location),
        "host": host,
        "cors_origins": origins,
    }
    return replace(known, **changed) if known else Route(name, "", api_version="", revision="", **changed)


def _grants(found: _Found) -> Iterator[Grant]:
    routes: dict[str, set[str]] = {}
    for entry in found.table(tables.ACCESS, tables.GRANTED):
        grant, _, route = entry.partition(" ")
        routes.setdefault(grant, set()).add(route)
    applications = found.table(tables.SUBSCRIPTION, tables.APPLICATION)
    shapes = found.table(tables.SUBSCRIPTION, tables.SHAPE)
    for name in sorted({*routes, *applications, *shapes}):
        known = found.known(Grant, name)
        changed: dict[str, Any] = {
            "consumer": applications.get(name, ""),
            "routes": tuple(sorted(routes.get(name, ()))),
            "limit": _plan(shapes.get(name, ""), known, found),
        }
        yield replace(known, **changed) if known else Grant(name, "", **changed)


def _plan(name: str, known: Grant | None, found: _Found) -> str:
    """The expected plan where it has these numbers, else any that has."""
    plan = found.known(Limit, known.limit) if known else None
    if plan and shape_of(plan, found.nodes).name == name:
        return plan.id
    others = (
        limit.id for limit in found.expected.of_kind(Limit) if shape_of(limit, found.nodes).name == name
    )
    return next(others, f"{UNKNOWN}{name}" if name else "")


def _keys(found: _Found) -> Iterator[Key]:
    known = {key.value_digest: key for key in found.expected.of_kind(Key)}
    for value, finding in found.table(tables.KEY, tables.FOUND).items():
        exact, _, rest = finding.partition(" ")
        key_id, _, grant = rest.partition(" ")
        # What is compared with the caller's key is the finding, and it is looked up by the name of the entry.
        hidden = value_digest(exact if exact.lower() == value.lower() else f"{value} {exact}")
        expected = known.get(hidden)
        name = expected.id if expected else f"{UNKNOWN}{hidden[:16]}"
        yield Key(name, key_id, grant, hidden)


def _blocks(found: _Found) -> Iterator[Block]:
    known = {block.grant: block for block in found.expected.of_kind(Block)}
    for grant, date in found.table(tables.SUBSCRIPTION, tables.UNTIL).items():
        try:
            until = int(parsedate_to_datetime(date).timestamp())
        except ValueError:
            until = 0
        expected = known.get(grant)
        name, reason = (expected.id, expected.reason) if expected else (f"{UNKNOWN}{grant}", "")
        yield Block(name, grant, reason, until)


def unexplained(
    files: Mapping[str, str], document: Document, listeners: Sequence[Listener], *, address: str, nodes: int
) -> list[str]:
    """The names of files that hold more or less than `document`, which was read from them, asks for.

    Of the keys only the form is compared: their values stand in no document.
    """
    valued = Document.of(
        replace(item, value=item.value_digest) if isinstance(item, Key) else item
        for item in document.items.values()
    )
    wanted = rendered(valued, listeners, address=address, nodes=nodes)
    return sorted(
        name for name in {*files, *wanted} if _shape(name, files.get(name)) != _shape(name, wanted.get(name))
    )


def _shape(name: str, text: str | None) -> object:
    if text is None:
        return None
    directives = parse(text)
    if name != KEYS_FILE:
        return _plain(directives)
    return tuple((one.name, one.arguments, [len(e.arguments) for e in one.block or ()]) for one in directives)


def _plain(directives: Sequence[Directive]) -> tuple[object, ...]:
    """Names, arguments and nesting, without comments and lines."""
    return tuple(
        (one.name, one.arguments, None if one.block is None else _plain(one.block)) for one in directives
    )
