"""A document as the files of an nginx. Pure functions. nginx reads all of them together, so there is one phase."""

from __future__ import annotations

from collections.abc import Sequence

from gateways.drivers.agents.places import by_port
from gateways.drivers.nginx import calls, routes, tables, upstreams
from gateways.engine.directives import render
from gateways.engine.document import Document, Route, Upstream
from gateways.engine.driver import Listener

type Files = dict[str, str]

UPSTREAMS_FILE = "upstreams.conf"
LIMITS_FILE = "limits.conf"
SUBSCRIPTIONS_FILE = "subscriptions.conf"
KEYS_FILE = "keys.conf"
BLOCKS_FILE = "blocks.conf"
CALLS_FILE = "gateway.conf"


def files(document: Document, listeners: Sequence[Listener], *, address: str, nodes: int) -> Files:
    """Every file of `document`."""
    shapes = tables.shapes_by_route(document, nodes)
    pairs = ((route.id, origin) for route in document.of_kind(Route) for origin in route.cors_origins)
    found = {
        UPSTREAMS_FILE: upstreams.file(document.of_kind(Upstream)),
        LIMITS_FILE: tables.limits(document, nodes),
        SUBSCRIPTIONS_FILE: tables.subscriptions(document, nodes),
        KEYS_FILE: tables.keys(document),
        BLOCKS_FILE: tables.blocks(document),
        CALLS_FILE: [*calls.file(), tables.origins(pairs), tables.proofs(document)],
    }
    for port, on in by_port(listeners).items():
        found[routes.file_name(port)] = routes.servers(port, on, document, shapes, address)
    return {name: render(directives) for name, directives in found.items()}
