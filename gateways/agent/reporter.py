"""Reporting to the portal: a heartbeat every few seconds, and the configuration when there is another one."""

from __future__ import annotations

import asyncio
import random
import time
from datetime import UTC, datetime
from typing import Any

import structlog

from gateways.agent.applier import Applier, Stale
from gateways.agent.plane import NotInForce, Refused
from gateways.agent.portal import Portal, PortalError
from gateways.engine.pushes import WireError, read_push

logger = structlog.get_logger(__name__)

HEARTBEAT_S = 5.0
LONGEST_FETCH_WAIT_S = 120.0


class Reporter:
    """Speaks for one node."""

    def __init__(
        self, applier: Applier, portal: Portal, *, node: str, agent_url: str, kind: str, software: str
    ) -> None:
        self._applier = applier
        self._portal = portal
        self._node = node
        self._fixed = {"node": node, "agent_url": agent_url, "kind": kind, "software": software}
        self._started_at = datetime.now(UTC).isoformat(timespec="seconds")
        self._fetch_wait = HEARTBEAT_S
        self._fetch_at = 0.0

    async def keep_reporting(self) -> None:
        """Report until cancelled; while the portal is away the gateway serves on.

        At one pace: an agent that asked less often would count as away when the portal comes back.
        """
        while True:
            try:
                await self.report()
            except PortalError as error:
                logger.warning("the portal is not reached", reason=str(error), again_in_s=HEARTBEAT_S)
            # Jitter spreads the agents of many gateways after an outage of the portal.
            await asyncio.sleep(HEARTBEAT_S * random.uniform(0.8, 1.2))  # noqa: S311 - jitter, not a secret

    async def report(self) -> None:
        """One heartbeat, and the configuration if there is another one. Raises PortalError."""
        fetch = await self._portal.heartbeat(await self._report())
        if fetch and time.monotonic() >= self._fetch_at:
            await self._fetch_carefully()

    async def _fetch_carefully(self) -> None:
        """A configuration that does not come into force is fetched again later and later; heartbeats go on."""
        try:
            await self.fetch()
            self._fetch_wait = HEARTBEAT_S
        except (Refused, NotInForce, WireError) as error:
            self._fetch_wait = min(self._fetch_wait * 2, LONGEST_FETCH_WAIT_S)
            self._fetch_at = time.monotonic() + self._fetch_wait
            logger.error(
                "the fetched configuration is not in force", reason=str(error), again_in_s=self._fetch_wait
            )

    async def fetch(self) -> None:
        """Fetch the configuration and apply it; nothing happens when nothing was ever published."""
        body = await self._portal.configuration(self._node)
        if not body:
            return
        push = await asyncio.to_thread(read_push, body)
        try:
            await self._applier.apply(push)
        except Stale as newer:
            # The portal has pushed meanwhile.
            logger.info("the fetched configuration is old", reason=str(newer))

    async def _report(self) -> dict[str, Any]:
        state = await self._applier.state_without_waiting()
        return {
            **self._fixed,
            "started_at": self._started_at,
            "version": state.version,
            "digest": state.digest,
            "serving": state.is_serving,
        }
