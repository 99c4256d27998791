"""How far 64 callers at the edge overdraw a hard budget that the AI runtime keeps, in a Redis as in production.

Twice: with a vendor that bills no more than was held for a call, and with one that counts more input than was thought.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import redis

from ai.pricing import estimated_tokens
from ai.runtime.counters import counter_key
from benchmarks.ai_contenders import FAST, Way, behind_envoy, load, runtime
from benchmarks.ai_load import Load, call
from benchmarks.ai_vendor import INPUT_TOKENS, OUTPUT_TOKENS
from benchmarks.measured import report
from embedded.layout import Layout, make_directories, make_private
from embedded.redis_server import Redis, answers
from tests.ai.runtime_process import RuntimeProcess
from tests.gateways.gateway_node import wait_for

CALLERS = 64
GENERATION = "first"
ROOM = 300
"""So many calls have room in the budget."""
CALLS = 600
BILLED = INPUT_TOKENS + OUTPUT_TOKENS


def measure(directory: Path, vendor_port: int, rounds: int) -> None:
    """Report both."""
    directory.mkdir()
    with (
        _redis(directory) as server,
        runtime(directory, vendor_port, redis_url=f"unix://{server.socket}") as process,
        behind_envoy(directory, process) as edge,
    ):
        counters = redis.Redis(unix_socket_path=str(server.socket))
        budget = _Budget(process, counters, edge, vendor_port)
        fair = [budget.overdraw("What will the weather be like? " * 7) for _ in range(rounds)]
        short = [budget.overdraw("Weather?") for _ in range(rounds)]
        counters.close()
    most = max(fair, key=lambda one: one.over)
    note = (
        f"the most of {rounds} rounds, in tokens {most.over:,} over {most.limit:,}; "
        f"{most.passed} of {CALLS} calls passed, each held {most.held} and came to {BILLED}"
    )
    what = f"Budget overdrawn by {CALLERS} callers at the edge"
    report(what, max(0, most.over) / most.held, "holds", goal="<= 1", note=note)
    most = max(short, key=lambda one: one.over)
    note = (
        f"in tokens {most.over:,} over {most.limit:,}; each call held {most.held} and came to {BILLED}, "
        f"which {CALLERS} at once can overdraw by {CALLERS * (BILLED - most.held):,}"
    )
    what = "Likewise, by a vendor that bills more than was held"
    report(what, max(0, most.over) / most.held, "holds", note=note)


class _Round:
    """What became of one budget: tokens `over` its `limit` (less than 0: that many were left)."""

    def __init__(self, limit: int, spent: int, held: int, passed: int) -> None:
        self.limit = limit
        self.over = spent - limit
        self.held = held
        self.passed = passed


class _Budget:
    """A new budget of tokens for each round, used up by callers who do not stop."""

    def __init__(self, process: RuntimeProcess, counters: redis.Redis, edge: Way, vendor_port: int) -> None:
        self._process = process
        self._counters = counters
        self._edge = edge
        self._vendor_port = vendor_port
        self._number = 0

    def overdraw(self, text: str) -> _Round:
        """Call until the budget has refused many times."""
        self._number += 1
        name, limit = f"bud_{self._number}", ROOM * BILLED
        load(self._process, self._vendor_port, budgets=[_plain(name, limit)])
        body = {"model": FAST, "max_tokens": OUTPUT_TOKENS, "messages": [{"role": "user", "content": text}]}
        edge = self._edge
        found = call(
            Load(edge.port, edge.path, edge.headers, json.dumps(body), CALLERS, calls=CALLS),
            allowed=frozenset({"200", "402", "503"}),  # a Redis that answers late lets nobody in
        )
        assert "402" in found.statuses, "nothing was refused"
        spent = self._spent(self._process.id(name))
        assert spent == found.statuses["200"] * BILLED, "what passed is not what was counted"
        return _Round(limit, spent, estimated_tokens(len(text)) + OUTPUT_TOKENS, found.statuses["200"])

    def _spent(self, name: str) -> int:
        counter = counter_key(name, GENERATION, "month", datetime.now(UTC))
        wait_for(lambda: int(self._counters.hget(counter, "held") or 0) == 0)
        return int(self._counters.hget(counter, "spent") or 0)


def _plain(name: str, limit: int) -> dict[str, object]:
    scope = {"scope": "application", "scope_id": "app_1", "period": "month"}
    unit = {"unit": "tokens", "currency": "", "limit": limit, "hard": True, "fail_open": False}
    count = {
        "generation": GENERATION,
        "base": 0,
        "base_period": f"{datetime.now(UTC):%Y%m}01",
        "is_new": True,
    }
    return {"id": name, "label": "Tours", **scope, **unit, **count}


@contextlib.contextmanager
def _redis(directory: Path) -> Iterator[Redis]:
    """A Redis that syncs its file at every write."""
    layout = Layout(directory / "var")
    make_directories(layout)
    make_private(layout.sockets)
    server = Redis(layout, "redis-budgets")
    server.prepare()
    launch = server.launch()
    with launch.log.open("ab") as log:
        process = subprocess.Popen(
            launch.command, env=dict(launch.environment), cwd=launch.directory, stdout=log, stderr=log
        )
    try:
        wait_for(lambda: server.socket.exists() and answers(server.socket))
        yield server
    finally:
        process.terminate()
        process.wait(10)
