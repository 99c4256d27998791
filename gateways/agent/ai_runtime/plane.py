"""The AI runtime beside its agent: a snapshot on disk, taken over as a whole, proved by the digests of its files."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import httpx

from ai.runtime.reading import FILES, read_snapshot
from ai.runtime.snapshot import SnapshotError
from ai.tickets import ticket_key
from gateways.agent.local import client_at, make_room
from gateways.agent.plane import NotInForce, Refused, Unreachable
from gateways.agent.process import GatewayProcess
from gateways.agent.settings import UNIX, Settings
from gateways.agent.store import Store
from gateways.engine.failpoints import failpoint
from gateways.engine.pushes import Push
from gateways.engine.wire import ACCESS_LOG, content_digest

START_S = 20.0
STOP_S = 20.0
ASK_S = 30.0
_POLL_S = 0.02


class AiRuntimePlane:
    """One runtime. `before_start` opens a segment of the feed."""

    kind: ClassVar[str] = "ai_runtime"
    label: ClassVar[str] = "The AI runtime"
    first_files: ClassVar[Mapping[str, str]] = {}
    software: str = "Gatehouse AI runtime"

    def __init__(
        self,
        settings: Settings,
        store: Store,
        *,
        ca_file: str,
        before_start: Callable[[], None],
        killed: Callable[[], None] = lambda: None,
    ) -> None:
        self._control = settings.admin
        self._store = store
        self._client = client_at(settings.admin, timeout=ASK_S)
        self.process = GatewayProcess(
            store,
            name="ai_runtime",
            command=[sys.executable, "-m", "ai.runtime"],
            environment=_environment(settings, store, ca_file),
            directory=Path.cwd(),
            before_start=before_start,
            killed=killed,
        )

    @property
    def restarts(self) -> int:
        """How often the runtime ended."""
        return self.process.restarts

    def prepare(self, files: Mapping[str, str]) -> None:
        """The files are in place; the runtime reads them as it starts."""
        make_room(self._control)

    async def keep_running(self) -> None:
        """Start the runtime again and again."""
        await self.process.keep_running()

    async def stop(self) -> None:
        """Calls that are under way have some seconds to finish."""
        await self.process.end(signal.SIGTERM, STOP_S)
        await self._client.aclose()

    async def is_live(self) -> bool:
        """Whether it answers."""
        try:
            await self._state()
        except Unreachable:
            return False
        return True

    async def reopen_logs(self) -> None:
        """Have it go on in a new file of its feed."""
        await self._ask("POST", "/reopen")

    async def not_served(self, files: Mapping[str, str]) -> set[str]:
        """The files of which it has taken up another version, or none."""
        served = (await self._state())["files"]
        return {name for name, text in files.items() if served.get(name) != content_digest(text)}

    async def stale(self, files: Mapping[str, str]) -> set[str]:
        """The files on disk that are not those which it has taken up."""
        try:
            return {name for name in await self.not_served(files) if name in FILES}
        except Unreachable:
            return set()

    async def trial(self, push: Push, held: Push | None) -> None:
        """Read all of `push` as the runtime would. Raises Refused."""
        try:
            await asyncio.to_thread(read_snapshot, {name: text.encode() for name, text in push.files.items()})
        except SnapshotError as error:
            raise Refused(str(error)) from None

    async def swap(self, push: Push, held: Push | None) -> None:
        """Write, and have it taken up; calls that are under way end as they began."""
        failpoint("agent.phase-1")
        await asyncio.to_thread(self._store.write_changed, push.files)
        failpoint("agent.swapped")
        if not await self.is_live():
            await self._start()
        try:
            await self._ask("POST", "/load")
            missing = await self.not_served(push.files)
        except Unreachable as error:
            raise NotInForce(f"The AI runtime does not answer ({error}).") from None
        if missing:
            raise NotInForce(f"The AI runtime has not taken up {', '.join(sorted(missing))}.")

    async def restored(self, files: Mapping[str, str]) -> None:
        """Have it take up the old files again."""
        try:
            await self._ask("POST", "/load")
        except (Unreachable, Refused):
            return

    async def _start(self) -> None:
        self.process.start_soon()
        deadline = time.monotonic() + START_S
        while not await self.is_live():
            if time.monotonic() > deadline:
                words = self.process.last_words()
                raise NotInForce(f"The AI runtime does not start{f': {words}' if words else ''}.")
            await asyncio.sleep(_POLL_S)

    async def _state(self) -> dict[str, Any]:
        return await self._ask("GET", "/state")

    async def _ask(self, method: str, path: str) -> dict[str, Any]:
        """Raises Unreachable, or Refused in the words of the runtime."""
        try:
            answer = await self._client.request(method, path)
        except httpx.HTTPError as error:
            raise Unreachable(type(error).__name__) from None
        plain = dict(answer.json())
        if answer.status_code != 200:
            raise Refused(str(plain.get("error") or f"it answered {answer.status_code}"))
        return plain


def _environment(settings: Settings, store: Store, ca_file: str) -> dict[str, str]:
    """What the operator set for the runtime, and what the agent knows; nothing that is the agent's alone."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEHOUSE_AGENT_")}
    return {
        **kept,
        "GATEHOUSE_AI_CONTROL": settings.admin.removeprefix(UNIX),
        "GATEHOUSE_AI_SNAPSHOT": str(store.configuration),
        "GATEHOUSE_AI_FEED": str(store.root / ACCESS_LOG),
        "GATEHOUSE_AI_SEQUENCE": str(store.root / "budget-sequence"),
        "GATEHOUSE_AI_TICKET_KEY": ticket_key(settings.token).hex(),
        **({"SSL_CERT_FILE": ca_file} if ca_file else {}),
    }
