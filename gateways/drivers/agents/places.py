"""Where routes are found: by port, by host, and the longest path first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from gateways.engine.document import Route
from gateways.engine.driver import Listener


def routes_by_host(listeners: Sequence[Listener], routes: Sequence[Route]) -> dict[str, list[Route]]:
    """The routes under each host; empty is any host. A route for any host is under the named hosts too."""
    hosts: dict[str, list[Route]] = {"": []}
    for listener in listeners:
        found = [route for route in routes if route.environment == listener.environment]
        common = [route for route in found if not route.host]
        hosts.setdefault(listener.host, []).extend(common)
        for route in found:
            if route.host:
                hosts.setdefault(route.host, [] if listener.host else list(common)).append(route)
    return hosts


def longest_first(routes: Sequence[Route]) -> list[Route]:
    """Routes in the order of matching: the longest path first, so that a path below another one is found."""
    named = {route.id: route for route in routes}
    return sorted(named.values(), key=lambda route: (-len(route.base_path), route.base_path, route.id))


def by_port(listeners: Iterable[Listener]) -> Mapping[int, list[Listener]]:
    """Listeners by port, ports in order."""
    ports: dict[int, list[Listener]] = {}
    for listener in sorted(
        listeners, key=lambda listener: (listener.port, listener.host, listener.environment)
    ):
        ports.setdefault(listener.port, []).append(listener)
    return ports
