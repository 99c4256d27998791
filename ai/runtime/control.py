"""How a runtime is ruled by its agent: over a socket in its own directory, never over the address that callers use.

`GET /state` tells what is in force, `POST /load` takes up the files on disk, `POST /check` only looks at what is sent,
`POST /reopen` goes on in a new feed file.
"""

from __future__ import annotations

import asyncio
import gc
import re
from collections.abc import Mapping
from pathlib import Path

import orjson
import structlog

from ai.runtime.app import Runtime, Trials
from ai.runtime.asgi import Receive, Request, Scope, Send
from ai.runtime.budgets import all_of
from ai.runtime.cache import AnswerCache
from ai.runtime.counters import Counters
from ai.runtime.exchange import Exchange
from ai.runtime.feed import Feed
from ai.runtime.health import Health
from ai.runtime.listening import Listening, Tls
from ai.runtime.rates import Rates
from ai.runtime.reading import FILES, digests, read_snapshot
from ai.runtime.recount import Recount
from ai.runtime.snapshot import Snapshot, SnapshotError
from ai.runtime.work import Service

logger = structlog.get_logger(__name__)

MOST_PUSH_BYTES = 256_000_000
_FILE = re.compile(r"[a-z][a-z-]{0,40}\.json")


class Ruler:
    """Keeps the snapshot of a runtime. `directory` holds its files; without any it serves nothing, and says so."""

    def __init__(self, runtime: Runtime, listening: Listening, health: Health, directory: Path) -> None:
        self._runtime = runtime
        self._listening = listening
        self._health = health
        self._directory = directory
        self._digests: Mapping[str, str] = {}
        self.recount = Recount(runtime.service.counters, lambda: runtime.service.feed)

    async def load(self) -> None:
        """Take up the files on disk. Raises SnapshotError: then the old snapshot stays in force."""
        files = await asyncio.to_thread(self._read)
        snapshot = await asyncio.to_thread(read_snapshot, files)
        bound = self._listening.bind(snapshot.places)
        old = self._runtime.service
        # What is known of budgets already in force is brought in before they are: their calls never wait for it.
        known = old.counters.generations
        await self.recount.once([budget for budget in all_of(snapshot.budgets) if budget.id in known])
        self._runtime.service = Service(snapshot, old.exchange, old.counters, old.rates, old.cache, old.feed)
        old.counters.budgets = snapshot.budgets
        await self.recount.once()
        await self._listening.use(snapshot.places, bound)
        self._digests = digests(files)
        _leave_out_of_collections()
        logger.info("loaded", endpoints=len(snapshot.endpoints), models=len(snapshot.models))

    def _read(self) -> dict[str, bytes]:
        return {
            name: (self._directory / name).read_bytes() for name in FILES if (self._directory / name).exists()
        }

    # ---- the socket ----

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The application behind the socket."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive, send)
        try:
            status, plain = await self._answer(request)
        except SnapshotError as error:
            status, plain = 422, {"error": str(error)}
        await request.answer(status, {"content-type": "application/json"}, orjson.dumps(plain))

    async def _answer(self, request: Request) -> tuple[int, Mapping[str, object]]:
        match request.method, request.path:
            case "GET", "/state":
                return 200, self._state()
            case "POST", "/load":
                await self.load()
                return 200, self._state()
            case "POST", "/check":
                files = orjson.loads(await request.body(MOST_PUSH_BYTES))
                await asyncio.to_thread(_check, files)
                return 200, {}
            case "POST", "/reopen":
                self._runtime.service.feed.reopen()
                return 200, {}
        return 404, {"error": "there is nothing here"}

    def _state(self) -> Mapping[str, object]:
        service = self._runtime.service
        return {
            "files": self._digests,
            "ports": self._listening.ports,
            "under_way": self._runtime.under_way,
            "counters_stale": service.counters.is_stale,
            "resting": self._health.report(),
        }


def _leave_out_of_collections() -> None:
    """Have the collector of garbage look at what calls leave behind, never again at all of a snapshot."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()


def _check(files: Mapping[str, str]) -> None:
    strange = [name for name in files if not _FILE.fullmatch(name) or name not in FILES]
    if strange:
        raise SnapshotError(f"{', '.join(strange)}: no such file belongs to a snapshot")
    read_snapshot({name: text.encode() for name, text in files.items()})


def build(
    directory: Path, feed: Path | None, counters: Counters, trials: Trials, tls: Tls
) -> tuple[Runtime, Listening, Ruler]:
    """A runtime that serves nothing yet, its ports, and what rules it."""
    health = Health()
    exchange = Exchange(trials.vendors, health)
    service = Service(Snapshot(), exchange, counters, Rates(), AnswerCache(), Feed(feed))
    runtime = Runtime(service, trials)
    listening = Listening(runtime, tls)
    return runtime, listening, Ruler(runtime, listening, health, directory)
