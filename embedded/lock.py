"""One run per state directory. The lock is held by the supervisor and by everything that it started."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from embedded.failure import CannotRun
from embedded.process import alive

ENDING_S = 20.0
"""How long the parts of a supervisor that was killed may take to end."""


@contextmanager
def held(path: Path, *, wait: float = ENDING_S) -> Iterator[int]:
    """Hold the lock `path`; gives its descriptor, to be kept open in children.

    Raises CannotRun when another run has it. When that run's supervisor is gone, its last parts are just
    ending: waits for them.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _take(descriptor, path, wait)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode("ascii"), 0)
        yield descriptor
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path, wait: float) -> None:
    deadline = time.monotonic() + wait
    while not _try(descriptor):
        holder = _holder(descriptor)
        if holder and alive(holder):
            raise CannotRun(
                f"Gatehouse is running here already (process {holder}, {path.parent}). Stop it there with "
                "Ctrl-C, or set GATEHOUSE_STATE and other ports for a second one."
            )
        if time.monotonic() > deadline:
            raise CannotRun(
                f"A part of an earlier run still holds {path}. Find it with `fuser {path}`, end it, start again."
            )
        time.sleep(0.2)


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(descriptor: int) -> int:
    text = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
    return int(text) if text.isdecimal() else 0
