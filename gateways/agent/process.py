"""The gateway's process: started, kept running and ended by its agent, whatever gateway it is."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import structlog

from gateways.agent.store import Store

logger = structlog.get_logger(__name__)

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 10.0
STEADY_S = 30.0
VALIDATE_S = 60.0

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class GatewayProcess:
    """Keeps one process running: a dead one is started again after a growing wait.

    `command` is run in the store's directory, or another one, and writes to its log; `environment` is its own, if it
    has one; `before_start` is called before each start,
    to open a new log segment; `killed` when a signal ended it before it could write its last lines. `starting` is
    held while it starts: whoever holds it may change several files.
    """

    def __init__(
        self,
        store: Store,
        *,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
        before_start: Callable[[], None],
        killed: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._name = name
        self._command = command
        self._environment = environment
        self._directory = directory or store.root
        self._before_start = before_start
        self._killed = killed
        self._process: asyncio.subprocess.Process | None = None
        self._hurry = asyncio.Event()
        self.starting = asyncio.Lock()
        self.restarts = 0

    @property
    def pid(self) -> int:
        """The number of the process; 0 when there is none."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else 0

    async def keep_running(self, before: Callable[[], None] = lambda: None) -> None:
        """Start it, and start it again whenever it ends, until cancelled. `before` is called before each start."""
        wait = FIRST_WAIT_S
        while True:
            started = time.monotonic()
            async with self.starting:
                await asyncio.to_thread(before)
                self._process = await self._start()
            code = await self._process.wait()
            if code < 0:
                self._killed()
            wait = FIRST_WAIT_S if time.monotonic() - started > STEADY_S else min(wait * 2, LONGEST_WAIT_S)
            self.restarts += 1
            logger.error(
                "the gateway ended", kind=self._name, code=code, again_in_s=wait, words=self.last_words()
            )
            self._hurry.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), wait)

    def start_soon(self) -> None:
        """Cut the wait before the next start short: there is something new to try."""
        self._hurry.set()

    def signal(self, number: int) -> None:
        """Send a signal to it, if it is there."""
        if self.pid and self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    async def end(self, number: int, within: float) -> None:
        """Send it `number`, and end it by force when it is still there after `within` seconds."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        self.signal(number)
        try:
            await asyncio.wait_for(process.wait(), within)
        except TimeoutError:
            process.kill()
            await process.wait()

    def last_words(self, since: int = 0) -> str:
        """The last line of its log after byte `since`."""
        lines = self.log_lines(since)
        return lines[-1] if lines else ""

    def log_size(self) -> int:
        """Where its log ends now."""
        path = self._store.log
        return path.stat().st_size if path.exists() else 0

    def log_lines(self, since: int) -> list[str]:
        """What it has said after byte `since` of its log, without times and places."""
        path = self._store.log
        if not path.exists():
            return []
        with path.open("rb") as file:
            file.seek(max(since, path.stat().st_size - 65_536))
            return [message(line) for line in file.read().decode("utf-8", "replace").splitlines()]

    async def _start(self) -> asyncio.subprocess.Process:
        self._before_start()
        self._store.turn_log()
        log = await asyncio.to_thread(open, self._store.log, "ab")
        with log:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                cwd=self._directory,
                env=self._environment,
                umask=0o077,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        logger.info("the gateway started", kind=self._name, pid=process.pid)
        return process


async def said_by(command: Sequence[str], directory: str) -> tuple[int, str]:
    """The exit code of a trial and what it wrote to its error output; code -1 when it took too long."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=directory,
        umask=0o077,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=_die_with_parent,
    )
    try:
        _, errors = await asyncio.wait_for(process.communicate(), VALIDATE_S)
    except TimeoutError:
        process.kill()
        await process.wait()
        return -1, f"the trial took longer than {VALIDATE_S:.0f} seconds"
    return process.returncode or 0, errors.decode("utf-8", "replace")


def message(line: str) -> str:
    """A log line without `[time][thread][level][component] [file:line] `, which Envoy puts before it."""
    _, found, rest = line.partition("] [")
    return rest.partition("] ")[2] if found else line


def _die_with_parent() -> None:
    """Runs in the child before the program: have the kernel end it when the agent dies, however it dies."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
