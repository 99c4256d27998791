"""What Envoy is started with, and the composed configuration on which a push is tried before the swap.

`envoy --mode validate` does not read xDS files, so the trial holds every resource inline: listeners with their
routes and filters in place of the references, clusters as static ones.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gateways.agent.settings import UNIX
from gateways.engine.wire import SYSTEM_CA_SECRET, XDS_DIRECTORY

type Json = dict[str, Any]

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


def composed(files: Mapping[str, str], *, node: str, ca_file: str) -> Json:
    """One static configuration of everything in `files`, for a trial. Raises ValueError or KeyError."""
    resources = {name: json.loads(text)["resources"] for name, text in files.items()}
    return {
        **_base(node, ca_file),
        "static_resources": {
            "listeners": [
                _inlined(listener, resources, with_filters=not number)
                for number, listener in enumerate(resources.get("lds.json", []))
            ],
            "clusters": [_plain(cluster) for cluster in resources.get("cds.json", [])],
            "secrets": _secrets(ca_file),
        },
    }


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
        found = resources[_file_of(manager.pop("rds")["config_source"])]
        manager["route_config"] = _plain(found[0])
    if not with_filters:
        manager["http_filters"] = [f for f in manager["http_filters"] if "config_discovery" not in f]
    for http_filter in manager["http_filters"]:
        if "config_discovery" in http_filter:
            name = _file_of(http_filter.pop("config_discovery")["config_source"])
            http_filter["typed_config"] = resources[name][0]["typed_config"]


def _file_of(config_source: Json) -> str:
    return str(config_source["path_config_source"]["path"]).rpartition("/")[2]
