"""Putting a configuration in force: try it, swap it, prove it, or put the old one back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

import structlog

from gateways.agent.history import Difference, History
from gateways.agent.plane import DataPlane, NotInForce, Refused, Unreachable
from gateways.agent.store import Store
from gateways.engine.document import Kind
from gateways.engine.failpoints import failpoint
from gateways.engine.pushes import Push, WireError
from gateways.engine.wire import REALISED_IN, content_digest

logger = structlog.get_logger(__name__)


class Stale(Exception):
    """A newer configuration is in force."""


@dataclass(frozen=True, slots=True)
class State:
    """What the node serves: `items` (canonical JSON) are really in force; `problems` says what keeps others from it."""

    version: int
    digest: str
    items: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def is_serving(self) -> bool:
        """Whether everything of the configuration is in force."""
        return not self.problems


@dataclass(frozen=True, slots=True)
class OnDisk:
    """The files as they lie there, and `stale`: the names of those of which Envoy serves another version.

    `version` and `digest` are those of the configuration that was given last.
    """

    version: int
    digest: str
    files: Mapping[str, str]
    digests: Mapping[str, str]
    stale: tuple[str, ...]


_NOTHING = State(0, "", (), ("Nothing has been published to this node.",))


class Applier:
    """Applies one push at a time."""

    def __init__(
        self, store: Store, plane: DataPlane, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._plane = plane
        self._clock = clock
        self._lock = asyncio.Lock()
        self._seen = _NOTHING
        self._history = History()
        self.held: Push | None = None

    def load(self) -> None:
        """Take up the configuration in force when the agent last ran, and put its files right."""
        try:
            self.held = self._store.load_push()
        except WireError as error:
            logger.error("the kept configuration is damaged", reason=str(error))
            self._store.set_aside_push()
        if self.held is not None:
            self._store.write_changed(self.held.files)
            self._store.keep_only(set(self.held.files))

    async def apply(self, push: Push) -> None:
        """Put `push` in force. Raises Stale, Refused (the old one is back), or NotInForce (likewise)."""
        async with self._lock:
            if self.held is not None and push.version < self.held.version:
                raise Stale(f"version {self.held.version} is in force")
            started = self._clock()
            await self._plane.trial(push, self.held)
            failpoint("agent.after-trial")
            before = await asyncio.to_thread(self._store.files)
            try:
                await self._plane.swap(push, self.held)
            except (Refused, NotInForce):
                await self._restore(before)
                raise
            failpoint("agent.before-save")
            await asyncio.to_thread(self._store.save_push, push)
            failpoint("agent.after-save")
            await asyncio.to_thread(self._store.keep_only, set(push.files))
            self._history.note(self.held, push)
            self.held = push
            logger.info("applied", version=push.version, seconds=round(self._clock() - started, 3))

    async def state(self) -> State:
        """What is served now, found out from the files on disk and from the gateway itself.

        It waits for a push that is under way, in the midst of which neither the old nor the new is in force.
        """
        async with self._lock:
            self._seen = await self._look()
            return self._seen

    async def state_without_waiting(self) -> State:
        """Likewise, but during a push what was seen last: a heartbeat must not wait."""
        return self._seen if self._lock.locked() else await self.state()

    def difference(self, digest: str, known: Collection[str]) -> Difference | None:
        """What the configuration with that digest has new against one of those whose digests are `known`; None where
        it is not held any more, or that is not told."""
        held = self.held
        return self._history.since(known, held) if held is not None and held.digest == digest else None

    async def on_disk(self) -> OnDisk:
        """What the directory really holds, whoever wrote it. It waits for a push that is under way."""
        async with self._lock:
            files, digests = await asyncio.to_thread(self._read_everything)
            stale = tuple(sorted(await self._plane.stale(files)))
            held = self.held
            return OnDisk(held.version if held else 0, held.digest if held else "", files, digests, stale)

    def _read_everything(self) -> tuple[dict[str, str], dict[str, str]]:
        files = self._store.everything()
        return files, {name: content_digest(text) for name, text in files.items()}

    async def _look(self) -> State:
        push = self.held
        if push is None:
            return _NOTHING
        missing = await self._missing(push)
        problems = tuple(f"{name} is not in force as it was pushed." for name in sorted(missing))
        if missing and not await self._plane.is_live():
            problems = (f"{self._plane.label} is not running.",)
        touched = {str(kind) for kind in REALISED_IN[self._plane.kind] if self._touched(kind, missing)}
        items = tuple(text for name, text in push.items.items() if name.partition("/")[0] not in touched)
        return State(push.version, push.digest, items, problems)

    async def _missing(self, push: Push) -> set[str]:
        """The files that are not on disk as pushed, or that the gateway does not serve."""
        on_disk = await asyncio.to_thread(self._store.digests)
        missing = {name for name, wanted in push.file_digests.items() if on_disk.get(name) != wanted}
        try:
            return missing | await self._plane.not_served(push.files)
        except Unreachable:
            return set(push.files)

    async def _restore(self, before: Mapping[str, str]) -> None:
        """Put the old files back, and see that the gateway serves them."""
        await asyncio.to_thread(self._store.write_changed, before)
        await asyncio.to_thread(self._store.keep_only, set(before))
        await self._plane.restored(before)

    def _touched(self, kind: Kind, missing: Iterable[str]) -> bool:
        heads = REALISED_IN[self._plane.kind][kind]
        return any(name.startswith(heads) for name in missing)
