"""Shipping the usage feed: exactly once, however often the agent, the portal or the network fails.

The portal's answer is the only truth about what it holds. The agent moves on when the portal has answered; after
a failure it asks, and makes the feed again from there. Its own notes (`offsets.json`) only save it from
converting a segment from its beginning: they may be old or lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from collections.abc import Awaitable, Callable

import structlog

from gateways.agent.losses import Loss, Losses
from gateways.agent.plane import Unreachable
from gateways.agent.portal import BadLine, Gap, Portal, PortalError
from gateways.agent.segments import Batch, Position, Segments, total_bytes
from gateways.agent.store import Store, write_atomically

logger = structlog.get_logger(__name__)

BATCH_BYTES = 1024 * 1024
LEAST_BATCH_BYTES = 4096
POLL_S = 0.25
BUSY_POLL_S = 0.1
"""While calls come, the log is read as often as the gateway writes it: a used-up quota blocks that much sooner."""
LONGEST_WAIT_S = 30.0
FLUSH_S = 0.5
"""A line is on disk this long after its call ended."""

COMPLETE_EVERY_S = 2.0
_TOO_LARGE = 413
_CONFLICT = 409


class Shipper:
    """Ships the segments of one node in order.

    `reopen_logs` has the gateway open its log again, or raises Unreachable.
    """

    def __init__(
        self,
        store: Store,
        segments: Segments,
        portal: Portal,
        reopen_logs: Callable[[], Awaitable[None]],
        *,
        node: str,
        spool_bytes: int,
    ) -> None:
        self._notes = store.usage / "offsets.json"
        self._store = store
        self._segments = segments
        self._portal = portal
        self._reopen_logs = reopen_logs
        self._node = node
        self._spool_bytes = spool_bytes
        self._batch_bytes = BATCH_BYTES
        self._positions: dict[str, Position] = {}
        # Until the gateway has opened its log again, an older segment may still be written.
        self._reopen_wanted = True
        self._complete_until = 0.0
        self.losses = Losses(store.usage)
        self.shipped_lines = 0
        self.lost_bytes = 0

    async def keep_shipping(self) -> None:
        """Ship what there is, again and again, until cancelled; after a failure wait longer and longer."""
        wait = POLL_S
        while True:
            shipped = self.shipped_lines
            try:
                await self.ship_all()
                wait = BUSY_POLL_S if self.shipped_lines > shipped else POLL_S
            except PortalError as error:
                wait = min(max(wait, POLL_S) * 2, LONGEST_WAIT_S)
                logger.warning("usage waits", reason=str(error), again_in_s=round(wait, 1))
            except OSError as error:
                wait = min(max(wait, POLL_S) * 2, LONGEST_WAIT_S)
                logger.error("usage cannot be read or noted", reason=str(error), again_in_s=round(wait, 1))
            await asyncio.sleep(wait * random.uniform(0.8, 1.2))  # noqa: S311 - jitter, not a secret

    async def ship_all(self) -> None:
        """Ship every whole line there is. Raises PortalError, after it has tried the other segments."""
        started = time.time()
        await self._begin_segment_if_full()
        self._enforce_spool()
        failure: PortalError | None = None
        for name in self._segments.names():
            try:
                await self._ship_or_finish(name)
            except PortalError as error:
                failure = failure or error
                if not error.status:
                    break
        if failure is not None:
            raise failure
        # Before the mark moves over it, a loss is told.
        await self.losses.tell(self._portal, self._node)
        await self._say_complete(started - FLUSH_S)

    def backlog_bytes(self) -> int:
        """Bytes of log that the portal does not hold yet, as far as known."""
        done = sum(position.raw for position in self._positions.values())
        return max(0, total_bytes(self._segments.directory) - done)

    async def _say_complete(self, until: float) -> None:
        """Let the portal know up to when its figures are whole, also while no calls come."""
        name = self._segments.current()
        position = self._positions.get(name)
        if position is not None and until - self._complete_until >= COMPLETE_EVERY_S:
            await self._portal.ship(self._node, name, position.feed, b"", complete_until=until)
            self._complete_until = until

    async def _ship_or_finish(self, name: str) -> None:
        # Settled is asked first: lines that come while the last are shipped belong to the next round.
        settled = not self._reopen_wanted and await asyncio.to_thread(self._segments.is_settled, name)
        await self._ship_segment(name)
        if settled:
            self._finish(name)

    async def _ship_segment(self, name: str) -> None:
        position = self._positions.get(name) or await self._find_position(name)
        while True:
            batch = await asyncio.to_thread(self._segments.read, name, position, self._batch_bytes)
            if batch.end == batch.start:
                break
            position = await self._ship_batch(name, batch)
        self._positions[name] = position

    async def _ship_batch(self, name: str, batch: Batch) -> Position:
        """Where to go on: behind the batch, or at the place that the portal named."""
        if not batch.body:
            self._note(name, batch.end)
            return batch.end
        try:
            durable = await self._portal.ship(self._node, name, batch.start.feed, batch.body)
        except Gap as gap:
            return await self._move(name, gap.offset)
        except BadLine as bad:
            return await self._pass_over(name, batch, bad)
        except PortalError as error:
            if error.status == _TOO_LARGE and self._batch_bytes > LEAST_BATCH_BYTES:
                self._batch_bytes //= 2
                return batch.start
            raise
        if durable != batch.end.feed:
            return await self._move(name, durable)
        self.shipped_lines += batch.body.count(b"\n")
        self._note(name, batch.end)
        return batch.end

    async def _pass_over(self, name: str, batch: Batch, bad: BadLine) -> Position:
        """Ship what stands before a line that the portal cannot read, set that aside as lost, go on behind it."""
        at = bad.offset - batch.start.feed
        line = batch.body[max(at, 0) : at + bad.length]
        if at < 0 or len(line) != bad.length or not line.endswith(b"\n"):
            raise PortalError("the portal names a line that is none", bad.status)
        began, now = self._began(name), time.time()
        loss = Loss(name, "malformed", bad.offset, bad.length, min(began, now), now)
        try:
            if at:
                await self._portal.ship(self._node, name, batch.start.feed, batch.body[:at])
                self.shipped_lines += batch.body[:at].count(b"\n")
            durable = await self._portal.report_loss(loss.told(self._node))
        except Gap as gap:
            return await self._move(name, gap.offset)
        logger.error("a line of usage is set aside", segment=name, reason=str(bad))
        self.losses.set_aside(line)
        self.lost_bytes += len(line)
        return await self._move(name, durable)

    def _began(self, name: str) -> float:
        """Since when a segment may hold calls that are not shipped."""
        return max(self._complete_until, self._segments.opened_at(name))

    async def _find_position(self, name: str) -> Position:
        """At the first look at a segment the portal is asked, because its last answer may have been lost."""
        durable = await self._portal.durable_offset(self._node, name)
        return await self._move(name, durable)

    async def _move(self, name: str, durable: int) -> Position:
        """The place in `name` where the feed is `durable` bytes long. Raises PortalError when no line ends there."""
        noted = self._noted(name)
        start = noted if noted.feed <= durable else Position()
        found = await asyncio.to_thread(self._segments.seek, name, start, durable)
        if found is None:
            found = await asyncio.to_thread(self._segments.seek, name, Position(), durable)
        if found is None:
            raise PortalError(f"the portal names an offset of {name} at which no line ends", _CONFLICT)
        self._note(name, found)
        return found

    def _finish(self, name: str) -> None:
        """Remove a segment that is wholly shipped; a rest is half a line of a gateway that was killed."""
        rest = self._segments.size(name) - self._positions[name].raw
        if rest:
            self.losses.note_killed(name, self._positions[name].raw, rest)
        self._segments.remove(name)
        self._positions.pop(name)
        self._save_notes()

    async def _begin_segment_if_full(self) -> None:
        if self._segments.is_full():
            self._segments.open_new()
            self._reopen_wanted = True
        if self._reopen_wanted:
            with contextlib.suppress(Unreachable):
                await self._reopen_logs()
                self._reopen_wanted = False

    def _enforce_spool(self) -> None:
        """Rather lose the oldest usage than fill the disk; the loss is said and counted."""
        while total_bytes(self._segments.directory) > self._spool_bytes:
            name = next(iter(self._segments.names()))
            if name == self._segments.current():
                return
            done = self._noted(name).raw
            lost = self._segments.size(name) - done
            if lost > 0:
                self.lost_bytes += lost
                ends_at = self._segments.written_at(name)
                began = min(self._began(name), ends_at)
                self.losses.note(Loss(name, "spool_full", done, lost, began, ends_at))
            self._segments.remove(name)
            self._positions.pop(name, None)

    def _noted(self, name: str) -> Position:
        if name in self._positions:
            return self._positions[name]
        found = self._store.read_json(self._notes).get(name)
        if isinstance(found, list) and len(found) == 2 and all(isinstance(n, int) for n in found):
            return Position(*found)
        return Position()

    def _note(self, name: str, position: Position) -> None:
        self._positions[name] = position
        self._save_notes()

    def _save_notes(self) -> None:
        notes = {name: [position.raw, position.feed] for name, position in self._positions.items()}
        write_atomically(self._notes, json.dumps(notes).encode())
