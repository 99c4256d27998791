#!/usr/bin/env python3
"""What the AI runtime adds to a call of a model, alone and behind Envoy, against no way at all and LiteLLM's proxy.

    python -m embedded test -- .venv/bin/python benchmarks/ai_path.py [quick|normal|full]

All lead to the same vendor, which costs next to nothing. What is measured runs on one core, callers and vendor on the
other; rounds take turns. Calls per second on one core follow from the CPU time of a call, so that neither callers nor
neighbours on the machine have to be out of the way; what callers see is in the latencies. `scripts/ai-clients compared`
makes LiteLLM's environment, by hash; where it cannot be made, its figures are left out, and it is said.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import ai_budget
from benchmarks.ai_contenders import (
    FAST,
    OTHER_CORE,
    SLOW,
    Way,
    alone,
    behind_envoy,
    direct,
    litellm,
    runtime,
    vendor,
)
from benchmarks.ai_load import Found, Load, call
from benchmarks.ai_vendor import FAST_PACE_S, SLOW_PACE_S, SLOW_S
from benchmarks.measured import cpu_seconds, percentile, report, resident_mib, say, size
from tests.ai.runtime_process import RuntimeProcess

CALLERS = (1, 16, 64)
STREAMS = 64
ADDED_MS, PER_CORE, TIMES_LITELLM, CHUNK_US, MEMORY_MIB, GROWTH_MIB = 5, 2_500, 20, 60, 80, 3
MESSAGES = [{"role": "user", "content": "What will the weather be like? " * 7}]


@dataclass(frozen=True, slots=True)
class Size:
    """Rounds, how long each measurement takes, streams of each caller, and calls for the memory."""

    rounds: int
    seconds: float
    streams: int
    calls: int


SIZES = {
    "quick": Size(1, 1.0, 1, 5_000),
    "normal": Size(3, 2.0, 2, 20_000),
    "full": Size(5, 5.0, 4, 100_000),
}


@dataclass(slots=True)
class Seen:
    """What one way gave under one load, round by round: milliseconds, and microseconds of CPU for a call or chunk."""

    median: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)

    def add(self, waits: Sequence[float], cpu: float, rate: float) -> None:
        """One round."""
        self.median.append(percentile(waits, 0.5))
        self.p99.append(percentile(waits, 0.99))
        self.cpu.append(cpu)
        self.rate.append(rate)

    @property
    def ms(self) -> float:
        return statistics.median(self.median)

    @property
    def ms99(self) -> float:
        return statistics.median(self.p99)

    @property
    def cpu_us(self) -> float:
        return statistics.median(self.cpu)

    @property
    def per_second(self) -> float:
        return statistics.median(self.rate)


type Table = dict[tuple[str, str, int], Seen]
"""By way, model and callers; streams count as models of their own."""


def measure(ways: Sequence[Way], chosen: Size) -> Table:
    """Every way under every load, in turns."""
    seen: Table = defaultdict(Seen)
    for way in ways:  # warm up
        call(_load(way, FAST, 16, seconds=chosen.seconds))
    for number in range(chosen.rounds):
        say(f"ai path: round {number + 1} of {chosen.rounds}")
        for callers in CALLERS:
            for model in (FAST, SLOW):
                for way in ways:
                    found, cpu = _with_cpu(way, _load(way, model, callers, seconds=chosen.seconds))
                    seen[way.name, model, callers].add(found.took, cpu / found.calls, found.per_second)
        for model, pace in ((FAST, FAST_PACE_S), (SLOW, SLOW_PACE_S)):
            for way in ways:
                found, cpu = _with_cpu(way, _streams(way, model, pace, chosen.streams))
                seen[way.name, f"{model} stream", STREAMS].add(
                    found.first, cpu / max(1, found.chunks), found.chunks / found.seconds
                )
    return seen


def _with_cpu(way: Way, load: Load) -> tuple[Found, float]:
    """What callers saw, and microseconds of CPU on the way."""
    before = cpu_seconds(way.pids)
    found = call(load)
    return found, (cpu_seconds(way.pids) - before) * 1e6


def _load(way: Way, model: str, callers: int, *, seconds: float = 0.0, calls: int = 0) -> Load:
    body = json.dumps({"model": model, "messages": MESSAGES})
    return Load(way.port, way.path.format(model=model), way.headers, body, callers, seconds, calls)


def _streams(way: Way, model: str, pace: float, each: int) -> Load:
    """64 at a time, begun evenly over the length of one."""
    body = json.dumps({"model": model, "messages": MESSAGES, "stream": True})
    path, spread = way.path.format(model=model), 100 * pace / STREAMS
    return Load(way.port, path, way.headers, body, STREAMS, calls=STREAMS * each, spread_s=spread)


# ---- what is reported ----


def report_calls(seen: Table, names: Sequence[str]) -> None:
    """Calls on one core, and what LiteLLM makes of them."""
    ours, envoy = (seen[name, FAST, 16] for name in names[1:3])
    each = ", ".join(f"{seen[names[1], FAST, n].cpu_us:.0f} us at {n}" for n in CALLERS)
    note = f"from CPU per call: {each} callers; key, route, price, feed; the vendor answers at once"
    report("AI runtime, calls/s per core", 1e6 / ours.cpu_us, "calls/s", goal=f">= {PER_CORE}", note=note)
    note = f"CPU of both per call: {envoy.cpu_us:.0f} us; key, limit and log in Envoy"
    report("Envoy and AI runtime, calls/s per core", 1e6 / envoy.cpu_us, "calls/s", note=note)
    for callers in CALLERS:
        told = "; ".join(_in_words(name, seen[name, FAST, callers]) for name in names if name != names[1])
        found = seen[names[1], FAST, callers]
        note = f"p50 {found.ms:.1f} ms, p99 {found.ms99:.1f} ms; {told}"
        report(f"AI runtime, calls/s as {callers} callers see it", found.per_second, "calls/s", note=note)
    if len(names) > 3:
        theirs = seen[names[3], FAST, 16]
        note = f"CPU per call: {ours.cpu_us:.0f} us against {theirs.cpu_us:,.0f} us, 16 callers"
        goal = f">= {TIMES_LITELLM}"
        report("AI runtime against LiteLLM's proxy", theirs.cpu_us / ours.cpu_us, "x", goal=goal, note=note)


def _in_words(name: str, found: Seen) -> str:
    return f"{name} {found.per_second:,.0f}/s at {found.ms:.1f} ms"


def report_latency(seen: Table, names: Sequence[str]) -> None:
    """What is added to a vendor that takes SLOW_S."""
    for callers in CALLERS:
        base = seen[names[0], SLOW, callers]
        added = {name: seen[name, SLOW, callers] for name in names[1:]}
        told = "; ".join(
            f"{name} p50 {found.ms - base.ms:.1f}, p99 {found.ms99 - base.ms99:.1f} ms"
            for name, found in added.items()
        )
        note = f"beside a vendor that takes {SLOW_S * 1000:.0f} ms: {told}"
        what = f"AI runtime, added latency p50, {callers} callers"
        report(what, added[names[1]].ms - base.ms, "ms", goal=f"< {ADDED_MS}", note=note)


def report_streams(seen: Table, names: Sequence[str]) -> None:
    """CPU of a chunk, and how soon the first is there."""
    for model, pace in ((FAST, FAST_PACE_S), (SLOW, SLOW_PACE_S)):
        found = {name: seen[name, f"{model} stream", STREAMS] for name in names}
        every = f"{STREAMS} streams, a chunk every {pace * 1000:.0f} ms"
        told = "; ".join(f"{name} {one.cpu_us:.0f} us" for name, one in found.items() if name != names[0])
        what = f"AI runtime, CPU per chunk, {every}"
        report(what, found[names[1]].cpu_us, "us", goal=f"< {CHUNK_US}", note=told)
        told = "; ".join(f"{name} p50 {one.ms:.1f}, p99 {one.ms99:.1f} ms" for name, one in found.items())
        report(f"AI runtime, time to first token p50, {every}", found[names[1]].ms, "ms", note=told)


def report_memory(way: Way, calls: int) -> None:
    """What it holds after many calls, and how much more than after a tenth of them."""
    early = 0.0
    for part in (calls // 10, calls - calls // 10):
        call(_load(way, FAST, 16, calls=part))
        early = early or resident_mib(way.pids[0])
    late = resident_mib(way.pids[0])
    what = f"AI runtime, memory after {calls:,} calls"
    report(what, late, "MiB", goal=f"< {MEMORY_MIB}", note="resident")
    note = f"more than after {calls // 10:,} calls"
    report("AI runtime, growth of memory", late - early, "MiB", goal=f"< {GROWTH_MIB}", note=note)


@contextlib.contextmanager
def _if_made(directory: Path, vendor_port: int) -> Iterator[tuple[Way, ...]]:
    """LiteLLM's proxy, if its environment can be made here."""
    with contextlib.ExitStack() as stack:
        try:
            found: tuple[Way, ...] = (stack.enter_context(litellm(directory, vendor_port)),)
        except subprocess.CalledProcessError:
            say("LITELLM IS LEFT OUT: its environment cannot be made here.")
            found = ()
        yield found


def _compare(process: RuntimeProcess, directory: Path, vendor_port: int, chosen: Size) -> None:
    way = alone(process)
    with behind_envoy(directory, process) as edge, _if_made(directory, vendor_port) as others:
        ways = (direct(vendor_port), way, edge, *others)
        seen, names = measure(ways, chosen), [one.name for one in ways]
    report_calls(seen, names)
    report_latency(seen, names)
    report_streams(seen, names)
    say("ai path: memory")
    report_memory(way, chosen.calls)


def main() -> None:
    """Compare all ways, then try to overdraw a budget."""
    chosen = SIZES[size()]
    os.sched_setaffinity(0, {OTHER_CORE})
    with tempfile.TemporaryDirectory(prefix="gatehouse-bench-") as name, vendor() as port:
        directory = Path(name)
        with runtime(directory, port) as process:
            _compare(process, directory, port, chosen)
        say("ai path: budget")
        ai_budget.measure(directory / "budget", port, chosen.rounds)


if __name__ == "__main__":
    main()
