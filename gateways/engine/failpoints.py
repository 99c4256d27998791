"""Places at which a test may kill, fail or hold up the process that comes by: the steps of a push.

Nothing happens unless GATEHOUSE_FAILPOINTS names a directory, which only the embedded default (GATEHOUSE_EMBEDDED)
obeys; the portal's checks refuse it elsewhere. A file there with the name of a place says what is to happen to the
next who comes by, once: `kill` (the process), `kill-group` (with all that it started), `raise`, or `wait` (until a
file NAME.go is there). It is renamed to NAME.met before.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

_POLL_S = 0.01
_LONGEST_WAIT_S = 60.0


class Failpoint(Exception):
    """What a test asked for."""


def failpoint(name: str) -> None:
    """Let happen what a test has asked for at the place `name`; nothing otherwise. May raise Failpoint."""
    if _DIRECTORY:
        _meet(Path(_DIRECTORY) / name)


def _directory() -> str:
    embedded = os.environ.get("GATEHOUSE_EMBEDDED", "").lower() in {"1", "true", "yes", "on"}
    return os.environ.get("GATEHOUSE_FAILPOINTS", "") if embedded else ""


def _meet(order: Path) -> None:
    met = order.with_name(f"{order.name}.met")
    try:
        order.rename(met)
    except FileNotFoundError:
        return
    match met.read_text().strip():
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "kill-group":
            os.killpg(0, signal.SIGKILL)
        case "raise":
            raise Failpoint(order.name)
        case "wait":
            _wait_for(order.with_name(f"{order.name}.go"))


def _wait_for(go: Path) -> None:
    deadline = time.monotonic() + _LONGEST_WAIT_S
    while not go.exists() and time.monotonic() < deadline:
        time.sleep(_POLL_S)


_DIRECTORY = _directory()
