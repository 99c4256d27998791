"""Shapes that every Envoy resource shares: typed JSON, durations, and the file that carries resources."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from gateways.engine.document import canonical_json
from gateways.engine.wire import XDS_DIRECTORY

type Json = dict[str, Any]

TYPE = "type.googleapis.com/"
LISTENER = f"{TYPE}envoy.config.listener.v3.Listener"
CLUSTER = f"{TYPE}envoy.config.cluster.v3.Cluster"
ROUTES = f"{TYPE}envoy.config.route.v3.RouteConfiguration"
EXTENSION = f"{TYPE}envoy.config.core.v3.TypedExtensionConfig"
HTTP = "envoy.extensions.filters.http"


def typed(message: str, /, **fields: Any) -> Json:
    """A message packed in an Any: `message` is the protobuf name without the prefix."""
    return {"@type": f"{TYPE}{message}", **fields}


def seconds(milliseconds: int) -> str:
    """A protobuf duration in JSON."""
    return f"{milliseconds / 1000:.3f}s"


def xds_file(resources: Sequence[Json]) -> str:
    """The text of an xDS file. Its `version_info` is a digest of the resources, and so proves them."""
    return xds_text([canonical_json(resource) for resource in resources])


def xds_text(resources: Sequence[str]) -> str:
    """Likewise of resources that are canonical JSON already: it is written once, and put together by hand."""
    text = f"[{','.join(resources)}]"
    version = hashlib.sha256(text.encode()).hexdigest()
    return f'{{"resources":{text},"version_info":"{version}"}}'


def from_file(name: str) -> Json:
    """A config source that follows the xDS file `name` as it is swapped.

    Without `watched_directory`, which would have every swap in the directory read every file again.
    """
    path = {"path": f"{XDS_DIRECTORY}/{name}"}
    return {"path_config_source": path, "resource_api_version": "V3", "initial_fetch_timeout": "15s"}
