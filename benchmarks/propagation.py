#!/usr/bin/env python3
"""How long a decision takes to reach the callers: approved to the first 200, revoked to the first 401.

    python -m embedded test -- .venv/bin/python benchmarks/propagation.py [quick|normal|full]

Each round approves a request for access, issues a key at once and calls until it is let in; then it revokes the key
and calls until it is refused. The clock starts before the action and runs over all that follows: commit, bell,
worker, push, agent, gateway. Every call comes on a connection of its own.
"""

from __future__ import annotations

import contextlib
import http.client
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.measured import percentile, report, say, size
from benchmarks.stage import Stage, stage, wait_until
from subscriptions.actions import approve_request, issue_credential, revoke_credential
from tests import factories

APIS = 1_000
GOAL_AT = 10_000
GOAL = "p99 < 1 s"
LABELS = {"envoy": "Envoy", "nginx": "nginx"}
POLL_S = 0.005
GIVE_UP_S = 120.0


@dataclass(frozen=True, slots=True)
class Size:
    """Rounds by number of keys."""

    apis: int
    rounds: dict[int, int]


SIZES = {
    "quick": Size(100, {1_000: 5}),
    "normal": Size(APIS, {1_000: 3, GOAL_AT: 25, 30_000: 3}),
    "full": Size(APIS, {1_000: 50, GOAL_AT: 200, 30_000: 30, 100_000: 10}),
}


@dataclass(frozen=True, slots=True)
class Round:
    """Seconds from the two decisions to the first call that met them."""

    approved: float
    revoked: float


def measure(one: Stage, rng: random.Random) -> Round:
    """One key that comes and goes."""
    place = rng.randrange(len(one.publications))
    path = f"{one.publications[place].claim.path}/orders"
    request = factories.make_request(
        factories.make_application(one.logistics),
        one.terms[place],
        by=one.caller,
        version=one.publications[place].api_version,
    )
    wait_until(one.is_at_rest, lambda: f"the push before is over: {one.last_words}", GIVE_UP_S)
    begun = time.monotonic()
    subscription = approve_request(request, actor=one.approver)
    credential, value = issue_credential(subscription, actor=one.holder)
    approved = _first(one, path, value, 200) - begun
    wait_until(one.is_at_rest, lambda: f"the push of the key is over: {one.last_words}", GIVE_UP_S)
    begun = time.monotonic()
    revoke_credential(credential, actor=one.holder, reason="measured")
    return Round(approved, _first(one, path, value, 401) - begun)


def _first(one: Stage, path: str, key: str, status: int) -> float:
    """When the first call is answered with `status`."""
    assert one.node is not None
    deadline = time.monotonic() + GIVE_UP_S
    while (answer := _call(one.node.production_port, path, key)) != status:
        assert time.monotonic() < deadline, f"still {answer}, not {status}: {one.last_words}"
        time.sleep(POLL_S)
    return time.monotonic()


def _call(port: int, path: str, key: str) -> int:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", path, headers={"X-API-Key": key})
        return connection.getresponse().status


def _report(kind: str, apis: int, keys: int, rounds: list[Round]) -> None:
    at = f"{LABELS[kind]}, {apis:,} APIs and {keys:,} keys"
    goal = GOAL if keys == GOAL_AT else None
    for what, values in (
        ("approved, first 200", [r.approved for r in rounds]),
        ("revoked, first 401", [r.revoked for r in rounds]),
    ):
        note = f"p50 {percentile(values, 0.5):.2f} s, {len(values)} rounds"
        report(f"{at}: {what}, p99", percentile(values, 0.99), "s", goal=goal, note=note)


def main() -> None:
    """Measure each kind of gateway, with more and more keys."""
    chosen, rng = SIZES[size()], random.Random(3)
    for kind in LABELS:
        with stage(kind) as one:
            for keys, rounds in chosen.rounds.items():
                one.grow(apis=chosen.apis, keys=keys)
                begun = time.monotonic()
                one.settle()
                say(f"propagation: {kind}, {keys:,} keys were pushed in {time.monotonic() - begun:.1f} s")
                measure(one, rng)
                _report(kind, chosen.apis, keys, [measure(one, rng) for _round in range(rounds)])


if __name__ == "__main__":
    main()
