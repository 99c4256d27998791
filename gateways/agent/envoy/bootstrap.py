"""What Envoy is started with, and the composed configuration on which a push is tried before the swap.

`envoy --mode validate` does not read xDS files, so the trial holds resources inline: listeners with their routes and
filters in place of the references, clusters as static ones. What is in force has passed and is not tried again, and
of the look-up tables only the first. What one file asks of another one (a route names a cluster) is then looked up
here.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Set
from typing import Any

from gateways.agent.envoy.routes import routes_in
from gateways.agent.envoy.tables import TABLES
from gateways.agent.settings import UNIX
from gateways.engine.wire import SYSTEM_CA_SECRET, XDS_DIRECTORY

type Json = dict[str, Any]

CLUSTERS, LISTENERS = "cds.json", "lds.json"

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


def composed(files: Mapping[str, str], tried: Collection[str], *, node: str, ca_file: str) -> Json:
    """One static configuration of `files`, for a trial of those that are `tried`.

    Raises ValueError or KeyError, also where a route names a cluster that is not there.
    """
    passed = files.keys() - tried - {LISTENERS}
    resources = {name: _read(text) for name, text in files.items() if name not in passed}
    for name in files:
        if name.startswith("rds-") and (name in passed) != (CLUSTERS in passed):
            _check_clusters(_read(files[name]), _read(files[CLUSTERS]))
    return {
        **_base(node, ca_file),
        "static_resources": {
            "listeners": [
                _inlined(listener, resources, with_filters=not number)
                for number, listener in enumerate(resources.get(LISTENERS, []))
            ],
            "clusters": [_plain(cluster) for cluster in resources.get(CLUSTERS, [])],
            "secrets": _secrets(ca_file),
        },
    }


def _read(text: str) -> list[Json]:
    return list(json.loads(text)["resources"])


def _check_clusters(configurations: list[Json], clusters: list[Json]) -> None:
    """What Envoy looks at itself where routes and clusters are tried together."""
    known = {cluster["name"] for cluster in clusters}
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


def _inlined(listener: Json, resources: Mapping[str, list[Json]], *, with_filters: bool) -> Json:
    """A copy of `listener` whose connection managers hold what they would fetch.

    All listeners share the fetched filters, so one trial of them is enough: they hold every key.
    """
    inlined: Json = json.loads(json.dumps(_plain(listener)))
    for chain in inlined["filter_chains"]:
        for network_filter in chain["filters"]:
            _inline(network_filter["typed_config"], resources, with_filters=with_filters)
    return inlined


def _inline(manager: Json, resources: Mapping[str, list[Json]], *, with_filters: bool) -> None:
    if "rds" in manager:
        name = _file_of(manager.pop("rds")["config_source"])
        found = _plain(resources[name][0]) if name in resources else {"virtual_hosts": []}
        manager["route_config"] = {**found, "validate_clusters": CLUSTERS in resources}
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
