"""What every benchmark shares: the line that it prints for each figure, and what /proc says of CPU and memory.

A line is JSON: {"what", "value", "unit", "goal", "note"}; `benchmarks/table.py` makes the table of the README of
them. Everything else that a benchmark says goes to standard error.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

_PROC = Path("/proc")
_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
SIZES = ("quick", "normal", "full")


def size() -> str:
    """How much to measure: the first argument, one of SIZES."""
    chosen = sys.argv[1] if len(sys.argv) > 1 else "normal"
    if chosen not in SIZES:
        sys.exit(f"Say one of {', '.join(SIZES)}.")
    return chosen


def report(what: str, value: float, unit: str, *, goal: str | None = None, note: str = "") -> None:
    """Print one figure."""
    rounded = float(f"{value:.3g}") if abs(value) < 1000 else round(value)
    line = {"what": what, "value": rounded, "unit": unit, "goal": goal, "note": note}
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    """Tell whoever waits what is under way, and how busy the machine is."""
    sys.stderr.write(f"[load {os.getloadavg()[0]:.1f}] {text}\n")


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of `values` that `share` of them do not exceed (nearest rank)."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def family(pid: int) -> list[int]:
    """A process and all that descends from it."""
    children: dict[int, list[int]] = {}
    for entry in _PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            children.setdefault(_parent(int(entry.name)), []).append(int(entry.name))
    return list(_with_descendants(pid, children))


def cpu_seconds(pids: Iterable[int]) -> float:
    """CPU time of processes that live on, to the nanosecond: what the scheduler gave each of their threads."""
    return sum(_thread_seconds(thread) for pid in pids for thread in (_PROC / str(pid) / "task").glob("*"))


def cpu_seconds_with_ended(pid: int) -> float:
    """CPU time of one process and of its children that have ended, in ticks."""
    return sum(map(int, _stat(pid)[11:15])) * _TICK_S


def forget_peak(pid: int) -> None:
    """Let the peak of memory begin anew."""
    (_PROC / str(pid) / "clear_refs").write_text("5")


def peak_mib(pid: int) -> float:
    """The most memory that a process held since its peak was forgotten."""
    return _status_mib(pid, "VmHWM")


def resident_mib(pid: int) -> float:
    """The memory that a process holds now."""
    return _status_mib(pid, "VmRSS")


def pin(pids: Iterable[int], core: int) -> None:
    """Let every thread of `pids` run on one core only, as `taskset -a` does."""
    for pid in pids:
        for thread in (_PROC / str(pid) / "task").glob("*"):
            os.sched_setaffinity(int(thread.name), {core})


def _status_mib(pid: int, name: str) -> float:
    status = (_PROC / str(pid) / "status").read_text()
    line = next(line for line in status.splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat behind the name; see proc(5)."""
    return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def _parent(pid: int) -> int:
    return int(_stat(pid)[1])


def _thread_seconds(thread: Path) -> float:
    return int((thread / "schedstat").read_text().split()[0]) / 1e9


def _with_descendants(pid: int, children: dict[int, list[int]]) -> Iterator[int]:
    yield pid
    for child in children.get(pid, ()):
        yield from _with_descendants(child, children)
