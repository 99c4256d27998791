#!/usr/bin/env python3
"""What a reconcile of one change costs against a full catalogue: time, CPU and memory, in the portal and in the agent.

    python -m embedded test -- .venv/bin/python benchmarks/reconcile.py [quick|normal|full]

Each round issues one key and runs the very reconcile of the worker in this process: snapshot, adapt, observe, diff,
guard, apply, verify, proof. The agent's CPU includes the trial that it has the gateway make, not the gateway itself.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from django.utils import timezone

from benchmarks.measured import cpu_seconds_with_ended, forget_peak, peak_mib, report, say, size
from benchmarks.stage import Stage, stage
from gateways.actions import mark_behind, reconcile
from gateways.models import Deployment, GatewayNode
from subscriptions.actions import issue_credential
from subscriptions.models import Subscription

KEYS_OF_EACH = 10
GOAL_AT = 100_000
GOAL = "< 3 s"
LABELS = {"memory": "memory", "envoy": "Envoy", "nginx": "nginx"}


@dataclass(frozen=True, slots=True)
class Size:
    """Numbers of APIs, with KEYS_OF_EACH keys each."""

    apis: tuple[int, ...]
    rounds: int


SIZES = {
    "quick": Size((100,), 2),
    "normal": Size((100, 1_000, 10_000), 2),
    "full": Size((100, 1_000, 10_000), 10),
}


@dataclass(frozen=True, slots=True)
class Round:
    """Seconds, CPU seconds and the most mebibytes of one reconcile; of the agent where there is one."""

    seconds: float
    portal_cpu: float
    portal_mib: float
    agent_cpu: float
    agent_mib: float


def measure(one: Stage, number: int) -> Round:
    """One key more, and the reconcile that brings it to the gateway."""
    subscription = Subscription.objects.order_by("pk")[number]
    issue_credential(subscription, actor=one.holder)
    agent = one.node.process.pid if one.node and one.node.process else None
    for pid in filter(None, (os.getpid(), agent)):
        forget_peak(pid)
    agent_before = cpu_seconds_with_ended(agent) if agent else 0.0
    begun, cpu = time.monotonic(), time.process_time()
    push(one)
    seconds, cpu = time.monotonic() - begun, time.process_time() - cpu
    return Round(
        seconds,
        cpu,
        peak_mib(os.getpid()),
        cpu_seconds_with_ended(agent) - agent_before if agent else 0.0,
        peak_mib(agent) if agent else 0.0,
    )


def push(one: Stage) -> None:
    """What the worker does when it is rung."""
    GatewayNode.objects.filter(gateway=one.gateway).update(heartbeat_at=timezone.now())
    mark_behind([one.gateway.pk])
    done = reconcile(one.gateway, whether_due=True)
    assert done is not None, "nothing was pushed"
    assert done.state == Deployment.State.SUCCEEDED, done.message


def _report(kind: str, apis: int, rounds: list[Round]) -> None:
    keys = apis * KEYS_OF_EACH
    goal = GOAL if keys == GOAL_AT and kind != "memory" else None
    middle = {name: statistics.median(getattr(r, name) for r in rounds) for name in Round.__slots__}
    note = f"portal: {middle['portal_cpu']:.2f} s CPU, {middle['portal_mib']:.0f} MiB at most"
    if kind != "memory":
        note += f"; agent: {middle['agent_cpu']:.2f} s CPU, {middle['agent_mib']:.0f} MiB at most"
    what = f"{LABELS[kind]}, reconcile of one change, {apis:,} APIs and {keys:,} keys"
    report(what, middle["seconds"], "s", goal=goal, note=f"{note}; median of {len(rounds)}")


def main() -> None:
    """Measure each kind of gateway, with more and more APIs."""
    chosen = SIZES[size()]
    for kind in LABELS:
        with stage(kind, worker=False) as one:
            for apis in chosen.apis:
                one.grow(apis=apis, keys=apis * KEYS_OF_EACH)
                begun = time.monotonic()
                push(one)
                say(f"reconcile: {kind}, {apis:,} APIs were pushed in {time.monotonic() - begun:.1f} s")
                measure(one, 0)
                _report(kind, apis, [measure(one, number + 1) for number in range(chosen.rounds)])


if __name__ == "__main__":
    main()
