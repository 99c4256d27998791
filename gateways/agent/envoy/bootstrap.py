"""What Envoy is started with, and the composed configuration on which a push is tried before the swap.

`envoy --mode validate` does not read xDS files, so the trial holds resources inline: listeners with their routes and
filters in place of the references, clusters as static ones. What is in force has passed and is not tried again: no file
of which nothing changed, no cluster and no route that is the same word by word, and of the look-up tables only the
first. What one file asks of another one (a route names a cluster) is then looked up here.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Set
from functools import cache
from typing import Any

from gateways.agent.envoy.routes import routes_in, without_held
from gateways.agent.envoy.tables import TABLES
from gateways.agent.settings import UNIX
from gateways.engine.wire import SYSTEM_CA_SECRET, XDS_DIRECTORY

type Json = dict[str, Any]

CLUSTERS, LISTENERS = "cds.json", "lds.json"

ROUTES = "rds-"
"""How the names of files with routes begin."""
_MAX_CONNECTIONS = 50_000


def bootstrap(*, node: str, admin: str, ca_file: str) -> Json:
    """The bootstrap: an admin interface at `admin`, which only this user of this machine reaches, and the files
    to follow."""
    return {
        **_base(node, ca_file),
        "admin": {"address": _admin_address(admin)},
        "dynamic_resources": {"lds_config": _follow("lds.json"), "cds_config": _follow("cds.json")},
    }


def _admin_address(admin: str) -> Json:
    """A socket file of the owner's: an upstream of an API can name any port, and no socket file."""
    if admin.startswith(UNIX):
        return {"pipe": {"path": admin.removeprefix(UNIX), "mode": 0o600}}
    host, _, port = admin.rpartition(":")
    return {"socket_address": {"address": host.strip("[]"), "port_value": int(port)}}


def to_try(changed: Set[str], in_force: Collection[str]) -> Set[str]:
    """The names of the files that Envoy has to try, of those that have `changed`."""
    return changed - (TABLES & set(in_force))


def composed(
    files: Mapping[str, str], tried: Collection[str], *, in_force: Mapping[str, str], node: str, ca_file: str
) -> Json:
    """One static configuration of `files`, for a trial of what is new in those that are `tried`.

    `in_force` are the files that Envoy has taken over before. Raises ValueError or KeyError, also where a route names
    a cluster that is not there.
    """
    read = cache(lambda name: _read(files[name]))
    resources = {
        name: _new(name, read(name), in_force.get(name))
        for name in files
        if name in tried or name == LISTENERS
    }
    for name in (name for name in files if name.startswith(ROUTES)):
        if CLUSTERS in tried:
            _check_clusters(read(name), read(CLUSTERS))
        elif name in tried:
            _check_clusters(resources[name], read(CLUSTERS))
    # Envoy can look at this itself only where it sees all of both.
    whole = CLUSTERS in resources and CLUSTERS not in in_force
    return {
        **_base(node, ca_file),
        "static_resources": {
            "listeners": [
                _inlined(listener, resources, with_filters=not number, validate_clusters=whole)
                for number, listener in enumerate(resources.get(LISTENERS, []))
            ],
            "clusters": [_plain(cluster) for cluster in resources.get(CLUSTERS, [])],
            "secrets": _secrets(ca_file),
        },
    }


def _new(name: str, resources: list[Json], held: str | None) -> list[Json]:
    """What of a file Envoy has not taken over yet. Listeners are kept: the rest is tried in them."""
    if held is None or name == LISTENERS:
        return resources
    before = {resource["name"]: resource for resource in _read(held)}
    if name == CLUSTERS:
        return [cluster for cluster in resources if before.get(cluster["name"]) != cluster]
    if name.startswith(ROUTES):
        empty: Json = {"virtual_hosts": []}
        return [without_held(table, before.get(table["name"], empty)) for table in resources]
    return resources


def _read(text: str) -> list[Json]:
    return list(json.loads(text)["resources"])


def _check_clusters(configurations: list[Json], clusters: list[Json]) -> None:
    """No route leads to a cluster that is not there, and no cluster stands twice."""
    known = {cluster["name"] for cluster in clusters}
    if len(known) != len(clusters):
        raise ValueError("a cluster stands twice")
    for configuration in configurations:
        for route in routes_in(configuration["virtual_hosts"]):
            if "route" in route and route["route"]["cluster"] not in known:
                raise ValueError(
                    f"{route['name']} names the cluster {route['route']['cluster']}, which is not there"
                )


def _base(node: str, ca_file: str) -> Json:
    limit = {
        "@type": "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3"
        ".DownstreamConnectionsConfig",
        "max_active_downstream_connections": _MAX_CONNECTIONS,
    }
    monitor = {"name": "envoy.resource_monitors.global_downstream_max_connections", "typed_config": limit}
    return {
        "node": {"id": node, "cluster": "gatehouse"},
        "static_resources": {"secrets": _secrets(ca_file)},
        "overload_manager": {"resource_monitors": [monitor]},
    }


def _secrets(ca_file: str) -> list[Json]:
    """Without authorities no certificate passes: an upstream with TLS then answers 503, it is not trusted."""
    if ca_file:
        return [{"name": SYSTEM_CA_SECRET, "validation_context": {"trusted_ca": {"filename": ca_file}}}]
    nobody = {"verify_certificate_hash": ["0" * 64]}
    return [{"name": SYSTEM_CA_SECRET, "validation_context": nobody}]


def _follow(name: str) -> Json:
    return {"path_config_source": {"path": f"{XDS_DIRECTORY}/{name}"}, "resource_api_version": "V3"}


def _plain(resource: Json) -> Json:
    return {name: value for name, value in resource.items() if name != "@type"}


def _inlined(
    listener: Json, resources: Mapping[str, list[Json]], *, with_filters: bool, validate_clusters: bool
) -> Json:
    """A copy of `listener` whose connection managers hold what they would fetch.

    All listeners share the fetched filters, so one trial of them is enough: they hold every key.
    """
    inlined: Json = json.loads(json.dumps(_plain(listener)))
    for chain in inlined["filter_chains"]:
        for network_filter in chain["filters"]:
            manager = network_filter["typed_config"]
            if "rds" in manager:
                manager["route_config"] = {
                    **_routes(manager.pop("rds"), resources),
                    "validate_clusters": validate_clusters,
                }
            _inline(manager, resources, with_filters=with_filters)
    return inlined


def _routes(reference: Json, resources: Mapping[str, list[Json]]) -> Json:
    name = _file_of(reference["config_source"])
    return _plain(resources[name][0]) if name in resources else {"virtual_hosts": []}


def _inline(manager: Json, resources: Mapping[str, list[Json]], *, with_filters: bool) -> None:
    inlined = []
    for http_filter in manager["http_filters"]:
        if "config_discovery" in http_filter:
            name = _file_of(http_filter.pop("config_discovery")["config_source"])
            if not with_filters or name not in resources:
                continue
            http_filter["typed_config"] = resources[name][0]["typed_config"]
        inlined.append(http_filter)
    manager["http_filters"] = inlined


def _file_of(config_source: Json) -> str:
    return str(config_source["path_config_source"]["path"]).rpartition("/")[2]
