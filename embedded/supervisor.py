"""Starts parts, keeps them running, and ends them in the reverse order."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from embedded.console import Console
from embedded.failure import CannotRun
from embedded.logs import keep_small, last_lines
from embedded.process import Family, Launch, adopt_orphans

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0
STEADY_S = 60.0
"""A part that ran this long before it died is started again at once, like the first time."""

READY_S = 120.0
ATTEMPTS = 3
"""How often a part may die before it was ready for the first time."""

PROBE_EVERY_S = 0.1
ORPHANS_EVERY_S = 0.05


@dataclass(frozen=True, slots=True)
class Part:
    """A process to keep running.

    Before each start `launch` says how, and `probe` makes what is then asked until it says yes. After that the
    command `check`, where there is one, must succeed: it costs more, so it is not tried before.
    """

    name: str
    launch: Callable[[], Launch]
    probe: Callable[[], Callable[[], Awaitable[bool]]]
    check: Callable[[], Launch] | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    grace: float = 10.0


async def together(*works: Coroutine[None, None, None]) -> None:
    """Do all at once. The first CannotRun ends the others and is raised as it is, outside of any group."""
    try:
        async with asyncio.TaskGroup() as tasks:
            for work in works:
                tasks.create_task(work)
    except BaseExceptionGroup as group:
        failure: BaseException | None = group.subgroup(CannotRun)
        if failure is None:
            raise
        while isinstance(failure, BaseExceptionGroup):
            failure = failure.exceptions[0]
        raise failure from None


class Supervisor:
    """`async with`: on leaving, every part is ended, the last started group first.

    `first_wait` (seconds) is the pause before a dead part is started again; it doubles with each death.
    """

    def __init__(self, console: Console, *, first_wait: float = FIRST_WAIT_S) -> None:
        self._console = console
        self._first_wait = first_wait
        self._family = Family()
        self._groups: list[list[_Kept]] = []
        self._hurry = asyncio.Event()
        self._waiting: set[str] = set()

    async def __aenter__(self) -> Self:
        adopt_orphans()
        self._groups.append([])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._console.working("")
        while self._groups:
            await asyncio.gather(*(self._end(kept) for kept in self._groups[-1]))
            self._groups.pop()
        await self._end_orphans()

    def hurry(self) -> None:
        """Stop waiting for parts that take their time to end."""
        self._hurry.set()

    async def start(self, *parts: Part) -> None:
        """Start `parts` together and wait until each is ready. Raises CannotRun with the words of one that fails."""
        kept = [_Kept(part, self._family, self._first_wait) for part in parts]
        self._groups.append(kept)
        await together(*(self._begin(one) for one in kept))

    async def run(self, name: str, launch: Launch) -> None:
        """Run a command to its end. Raises CannotRun with its last lines when it fails."""
        began, since = time.monotonic(), _size(launch.log)
        with self._shown_as_waiting(name):
            code = await self._finished(launch)
        if code:
            raise CannotRun(_failure(f"{name}: the command ended with {_how(code)}.", launch.log, since))
        self._console.event("done", name, f"{time.monotonic() - began:.1f} s", tone="good")

    async def watch(self) -> None:
        """Keep all parts running, until cancelled."""
        every = [kept for group in self._groups for kept in group]
        async with asyncio.TaskGroup() as tasks:
            for kept in every:
                tasks.create_task(self._keep(kept))
            tasks.create_task(keep_small(kept.log for kept in every))

    async def _finished(self, launch: Launch) -> int:
        process = await self._family.start(launch)
        try:
            code = await process.wait()
        except asyncio.CancelledError:
            await self._family.stop(process, signal.SIGTERM, 5.0)
            raise
        self._family.forget(process)
        return code

    async def _begin(self, kept: _Kept) -> None:
        began = time.monotonic()
        with self._shown_as_waiting(kept.part.name):
            await kept.begin()
        self._console.event("ready", kept.part.name, f"{time.monotonic() - began:.1f} s", tone="good")

    @contextlib.contextmanager
    def _shown_as_waiting(self, name: str) -> Iterator[None]:
        self._waiting.add(name)
        self._show_waiting()
        try:
            yield
        finally:
            self._waiting.discard(name)
            self._show_waiting()

    def _show_waiting(self) -> None:
        self._console.working("waiting for " + ", ".join(sorted(self._waiting)) if self._waiting else "")

    async def _keep(self, kept: _Kept) -> None:
        while True:
            code = await kept.ended()
            await self._end_orphans()
            wait = kept.pause()
            text = f"died with {_how(code)}; starting it again in {wait:.1f} s (log: {kept.log})"
            self._console.event("died", kept.part.name, text, tone="bad")
            await asyncio.sleep(wait)
            if await kept.again():
                self._console.event("ready", kept.part.name, "runs again", tone="good")
            elif kept.process is not None and kept.process.returncode is None:
                await self._end_hanging(kept)

    async def _end_hanging(self, kept: _Kept) -> None:
        """End a part that was started again and does not answer; its end makes it start once more."""
        text = f"does not answer after {READY_S:.0f} s and is ended (log: {kept.log})"
        self._console.event("hangs", kept.part.name, text, tone="bad")
        assert kept.process is not None  # noqa: S101  the caller looked
        await self._family.stop(kept.process, kept.part.stop_signal, kept.part.grace)

    async def _end(self, kept: _Kept) -> None:
        if kept.process is None or kept.process.returncode is not None:
            return
        began = time.monotonic()
        ending = asyncio.create_task(self._family.stop(kept.process, kept.part.stop_signal, kept.part.grace))
        hurrying = asyncio.create_task(self._hurry.wait())
        await asyncio.wait({ending, hurrying}, return_when=asyncio.FIRST_COMPLETED)
        if not ending.done():
            kept.process.kill()
        hurrying.cancel()
        text = f"{time.monotonic() - began:.1f} s" if await ending else "did not end in time and was killed"
        self._console.event("stopped", kept.part.name, text, tone="quiet")

    async def _end_orphans(self) -> None:
        while await self._family.end_orphans():
            await asyncio.sleep(ORPHANS_EVERY_S)


class _Kept:
    """One part and its process."""

    def __init__(self, part: Part, family: Family, first_wait: float) -> None:
        self.part = part
        self.process: asyncio.subprocess.Process | None = None
        self.log = Path()
        self._family = family
        self._first_wait = self._wait = first_wait
        self._started = self._since = 0.0

    async def begin(self) -> None:
        """Start it for the first time. Raises CannotRun when it does not become ready."""
        for _attempt in range(ATTEMPTS):
            if await self.again():
                return
            if self.process is not None and self.process.returncode is None:
                break
            await asyncio.sleep(self._first_wait)
        code = self.process.returncode if self.process else None
        how = (
            f"ended with {_how(code)}" if code is not None else f"does not answer after {READY_S:.0f} seconds"
        )
        raise CannotRun(_failure(f"{self.part.name} {how}.", self.log, int(self._since)))

    async def again(self) -> bool:
        """Start it; whether it became ready before it ended or time was up."""
        launch = self.part.launch()
        self.log, self._since, self._started = launch.log, _size(launch.log), time.monotonic()
        probe = self.part.probe()
        self.process = await self._family.start(launch)
        ending = asyncio.create_task(self.process.wait())
        try:
            return await self._becomes_ready(probe, ending)
        finally:
            if ending.done():
                self._family.forget(self.process)
            ending.cancel()

    async def ended(self) -> int:
        """Wait for its end; the exit code, negative for a signal."""
        assert self.process is not None  # noqa: S101  `begin` came first
        code = await self.process.wait()
        self._family.forget(self.process)
        return code

    def pause(self) -> float:
        """Seconds to wait before the next start; grows while the part keeps dying."""
        steady = time.monotonic() - self._started > STEADY_S
        self._wait = self._first_wait if steady else self._wait
        wait, self._wait = self._wait, min(self._wait * 2, LONGEST_WAIT_S)
        return wait

    async def _becomes_ready(self, probe: Callable[[], Awaitable[bool]], ending: asyncio.Task[int]) -> bool:
        deadline = time.monotonic() + READY_S
        while not ending.done() and time.monotonic() < deadline:
            if await probe() and await self._checked():
                return not ending.done()
            await asyncio.wait({ending}, timeout=PROBE_EVERY_S)
        return False

    async def _checked(self) -> bool:
        if self.part.check is None:
            return True
        process = await self._family.start(self.part.check())
        try:
            return await process.wait() == 0
        finally:
            await self._family.stop(process, signal.SIGKILL, 0)


def _failure(text: str, log: Path, since: int) -> str:
    lines = last_lines(log, since=since)
    said = "\n".join(["Its last lines:", *(f"    {line}" for line in lines)]) if lines else "It said nothing."
    return f"{text} {said}\nAll of it is in {log}."


def _how(code: int) -> str:
    if code >= 0:
        return f"code {code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
