"""Starting and ending processes so that none outlives us, however we end.

Three things hold together: every process leads a group of its own (Ctrl-C reaches only the supervisor, and a
group can be ended as a whole), the kernel signals each one when the supervisor dies (PR_SET_PDEATHSIG), and
whatever loses its parent is adopted by the supervisor (PR_SET_CHILD_SUBREAPER), which ends it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from embedded.accounts import Account

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True)
class Launch:
    """What to start. What it says is appended to `log`, its standard output goes to `output` if that is given;
    `death_signal` is sent by the kernel when we die.

    `keep` are descriptors that stay open in it, so that a lock is held until the last process is gone.
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    directory: Path
    output: Path | None = None
    account: Account | None = None
    death_signal: signal.Signals = signal.SIGTERM
    keep: Sequence[int] = field(default=())


class Family:
    """The processes that one supervisor started and waits for. There is one family in a process: whatever
    else becomes a child of this process is taken for an orphan by `end_orphans`.
    """

    def __init__(self) -> None:
        self._known: set[int] = set()
        self._forking = asyncio.Lock()

    async def start(self, launch: Launch) -> asyncio.subprocess.Process:
        """Start it. Must be called from the main thread: the kernel watches the thread that forks."""
        async with self._forking:
            process = await _start(launch)
            self._known.add(process.pid)
            return process

    async def stop(self, process: asyncio.subprocess.Process, how: signal.Signals, grace: float) -> bool:
        """Ask it to end, wait up to `grace` seconds, then end its group. False when it had to be forced."""
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(how)
        try:
            await asyncio.wait_for(process.wait(), grace)
            in_time = True
        except TimeoutError:
            in_time = False
        _end_group(process.pid)
        await process.wait()
        self.forget(process)
        return in_time

    def forget(self, process: asyncio.subprocess.Process) -> None:
        """`process` has ended and was waited for. What is left of its group is ended too."""
        _end_group(process.pid)
        self._known.discard(process.pid)

    async def end_orphans(self) -> list[int]:
        """End the adopted children; return their ids. Their own children come to us: repeat until empty."""
        async with self._forking:
            orphans = [pid for pid in children() if pid not in self._known]
            for pid in orphans:
                _end(pid)
            return orphans


def adopt_orphans() -> None:
    """From now on a descendant that loses its parent becomes our child."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children() -> list[int]:
    """The ids of our children, dead ones that nobody waited for included. Empty where there is no /proc."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # The name in parentheses may hold anything, so count from its end: state, then the parent.
            if int(entry.read_bytes().rpartition(b")")[2].split()[1]) == os.getpid():
                found.append(int(entry.parent.name))
    return found


def alive(pid: int) -> bool:
    """Whether a process with this id runs, whoever's it is."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


async def _start(launch: Launch) -> asyncio.subprocess.Process:
    account = launch.account
    with (
        launch.log.open("ab") as log,
        (launch.output or launch.log).open("wb" if launch.output else "ab") as out,
    ):
        return await asyncio.create_subprocess_exec(
            *launch.command,
            env=dict(launch.environment),
            cwd=launch.directory,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=out,
            stderr=log,
            process_group=0,
            pass_fds=launch.keep,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            # After the change of account, which would clear the signal.
            preexec_fn=_before_exec(launch.death_signal),
        )


def _end(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)


def _end_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _before_exec(death_signal: signal.Signals) -> Callable[[], None]:
    parent = os.getpid()

    def prepare() -> None:
        # A job in the background of a shell ignores SIGINT, and so would everything it starts.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

    return prepare
