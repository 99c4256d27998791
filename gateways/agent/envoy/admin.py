"""Envoy's admin interface, as far as the agent needs it: what is served, what was refused, and three commands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import httpx

from gateways.agent.local import client_at
from gateways.agent.plane import Unreachable

_VERSION = ".version_text"
_REJECTED = ".update_rejected"


class Admin:
    """The admin interface of one Envoy at `address`: `unix:` and a path, or a host and port.

    All methods may raise Unreachable.
    """

    def __init__(self, address: str) -> None:
        self._client = client_at(address)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def is_live(self) -> bool:
        """Whether Envoy has started and is not about to end."""
        try:
            response = await self._client.get("/ready")
        except httpx.TransportError:
            return False
        return response.status_code == httpx.codes.OK and response.text.strip() == "LIVE"

    async def versions(self) -> dict[str, str]:
        """The version of every resource that Envoy follows, by the name of its subscription."""
        lines = (await self._get("/stats?type=TextReadouts")).splitlines()
        found = {}
        for line in lines:
            name, _, value = line.partition(": ")
            if name.endswith(_VERSION):
                found[name.removesuffix(_VERSION)] = value.strip('"')
        return found

    async def rejected(self) -> dict[str, int]:
        """How often each subscription refused an update; those are left out that never did."""
        counted = await self._numbers("update_rejected$", "Counters")
        return {name.removesuffix(_REJECTED): count for name, count in counted.items()}

    async def is_warming(self) -> bool:
        """Whether a listener or a cluster is taken but not yet in use."""
        return any((await self._numbers("warming_clusters$|total_listeners_warming$", "Gauges")).values())

    async def calls_under_way(self) -> int:
        """Calls that callers wait for."""
        return sum((await self._numbers(r"^http\.port-[0-9]+\.downstream_rq_active$", "Gauges")).values())

    async def reopen_logs(self) -> None:
        """Have Envoy open its access log again."""
        await self._post("/reopen_logs")

    async def drain(self) -> None:
        """Have Envoy tell its callers to go, each with its next answer."""
        await self._post("/drain_listeners?graceful")

    async def close_listeners(self) -> None:
        """Have Envoy take no new connections; those that it has go on."""
        await self._post("/drain_listeners")

    async def _numbers(self, pattern: str, sort: str) -> Mapping[str, int]:
        """Numbers that were ever set: Envoy would else look at each of the hundred that every cluster has."""
        text = await self._get(f"/stats?format=json&type={sort}&usedonly&filter={pattern}")
        stats: list[dict[str, Any]] = json.loads(text)["stats"]
        return {stat["name"]: int(stat["value"]) for stat in stats if "name" in stat}

    async def _get(self, path: str) -> str:
        try:
            response = await self._client.get(path)
            response.raise_for_status()
        except httpx.HTTPError as error:
            raise Unreachable(type(error).__name__) from error
        return response.text

    async def _post(self, path: str) -> None:
        try:
            response = await self._client.post(path)
            response.raise_for_status()
        except httpx.HTTPError as error:
            raise Unreachable(type(error).__name__) from error
