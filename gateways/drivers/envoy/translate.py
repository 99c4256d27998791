"""A document as the files of an Envoy, and the phases in which they are swapped. Pure functions.

Envoy follows each file by itself, so a change that spans files passes through states in between. They are
harmless in this order: first everything that is new, beside what is old; then the keys and blocks; then what
is old goes. With the keys first, a new key would meet routes that do not know its subscription yet (403).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gateways.drivers.agents.places import by_port
from gateways.drivers.envoy import filters
from gateways.drivers.envoy.clusters import cluster_text
from gateways.drivers.envoy.listeners import listener, routes_file
from gateways.drivers.envoy.resources import xds_file, xds_text
from gateways.drivers.envoy.routes import allowed_clients, route_configuration_text
from gateways.engine.document import Document, Grant, Item, Kind, Ref, Upstream, ref
from gateways.engine.driver import Listener

type Files = dict[str, str]

CLUSTERS_FILE = "cds.json"
LISTENERS_FILE = "lds.json"


def phases(
    observed: Document, desired: Document, listeners: Sequence[Listener], *, address: str, nodes: int
) -> list[Files]:
    """The files in the order in which to swap them; the last phase names every file."""
    both = transition(observed, desired)
    after = files(desired, listeners, address=address, nodes=nodes)
    before = after if both is desired else files(both, listeners, address=address, nodes=nodes)
    routes = [routes_file(port) for port in by_port(listeners)]
    tables = [filters.FILE_OF[name] for name in (filters.LIMITS, filters.BUCKETS, filters.APPLICATIONS)]
    keys = filters.FILE_OF[filters.KEYS]
    return [
        {name: before[name] for name in (CLUSTERS_FILE, *tables)},
        {name: before[name] for name in routes},
        {keys: after[keys]},
        {name: after[name] for name in routes},
        {name: after[name] for name in (keys, *routes, LISTENERS_FILE, *tables, CLUSTERS_FILE)},
    ]


def files(document: Document, listeners: Sequence[Listener], *, address: str, nodes: int) -> Files:
    """Every file of `document`."""
    ports = by_port(listeners)
    allowed = allowed_clients(document.of_kind(Grant))
    tables = {
        filters.KEYS: filters.keys(document),
        filters.LIMITS: filters.limits(document, nodes),
        filters.BUCKETS: filters.buckets_text(document, nodes),
        filters.APPLICATIONS: filters.applications(document),
    }
    return {
        CLUSTERS_FILE: xds_text([cluster_text(upstream) for upstream in document.of_kind(Upstream)]),
        LISTENERS_FILE: xds_file([listener(port, address) for port in ports]),
        **{
            routes_file(port): xds_text([route_configuration_text(port, on, document, allowed)])
            for port, on in ports.items()
        },
        **{filters.FILE_OF[name]: xds_text([table]) for name, table in tables.items()},
    }


def transition(observed: Document, desired: Document) -> Document:
    """What is wanted beside what is there: nothing that either of the two needs is missing.

    A subscription that loses a route keeps it here; new definitions win where both have one. Keys that go are not
    kept: no file that is written meanwhile holds keys.
    """
    gone = observed.items.keys() - desired.items.keys()
    extra: dict[Ref, Item] = {name: observed.items[name] for name in gone if name.kind is not Kind.KEY}
    for item in desired.of_kind(Grant):
        before = observed.items.get(ref(item))
        if before is item or not isinstance(before, Grant):
            continue
        if not {*before.routes} <= {*item.routes}:
            extra[ref(item)] = replace(item, routes=tuple(sorted({*before.routes, *item.routes})))
    return Document.of({**desired.items, **extra}.values()) if extra else desired
