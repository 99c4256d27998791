"""The routes in a route configuration, wherever they stand in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

type Json = dict[str, Any]

_ROUTE = "type.googleapis.com/envoy.config.route.v3.Route"


def routes_in(part: Any) -> Iterator[Json]:
    """Every route under `part`, in a list of routes as in a tree of them."""
    if isinstance(part, list):
        for row in part:
            yield from routes_in(row)
    elif isinstance(part, dict):
        if part.get("@type") == _ROUTE:
            yield part
            return
        for name, value in part.items():
            if name == "routes":
                yield from value
            else:
                yield from routes_in(value)
