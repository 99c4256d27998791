"""The processes of one nginx, as the system knows them. Linux: what /proc says."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

ORPHANS_S = 1.0
_PROC = Path("/proc")
_TITLE = b"nginx:"
_LEAVING = b"shutting down"


def children(master: int) -> frozenset[int]:
    """The workers of the master process with that number, those included that are about to end."""
    return frozenset(pid for pid in _numbers() if master and _parent(pid) == master)


def alive(pids: frozenset[int]) -> frozenset[int]:
    """Those of `pids` that are still there."""
    return frozenset(pid for pid in pids if _parent(pid))


def are_leaving(pids: frozenset[int]) -> bool:
    """Whether all of `pids` have closed their doors: they take no connection any more, and end by themselves."""
    return all(_LEAVING in _title(pid) or not _parent(pid) for pid in pids)


def end_orphans(directory: Path) -> None:
    """End the workers of a master that was killed: they would go on serving what it had read, for ever.

    They are known by the directory in which they run, which is this agent's alone. They have a moment to end the calls
    that they carry.
    """
    found = frozenset(p for p in _numbers() if _title(p).startswith(_TITLE) and _runs_in(p) == directory)
    _send(found, signal.SIGQUIT)
    deadline = time.monotonic() + ORPHANS_S
    while alive(found) and time.monotonic() < deadline:
        time.sleep(0.02)
    _send(alive(found), signal.SIGKILL)


def _send(pids: frozenset[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _numbers() -> list[int]:
    return [int(name) for name in os.listdir(_PROC) if name.isdecimal()]


def _parent(pid: int) -> int:
    """The parent of a process; 0 when it is gone or only waits to be collected."""
    try:
        state, parent = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[:2]
    except (OSError, ValueError):
        return 0
    return 0 if state in "ZX" else int(parent)


def _title(pid: int) -> bytes:
    try:
        return (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return b""


def _runs_in(pid: int) -> Path | None:
    try:
        return (_PROC / str(pid) / "cwd").readlink()
    except OSError:
        return None
