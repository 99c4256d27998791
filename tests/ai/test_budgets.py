"""Budgets: held before a call and settled after it, by a real Redis, so that no two calls win a race."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from ai.runtime.budgets import READY, SEQUENCE, counter_key
from tests.ai import vendor as vendors
from tests.ai.runtime_process import RuntimeProcess, model, snapshot
from tests.ai.vendor import Vendor
from tests.gateways.gateway_node import wait_for

VALUES = {"text": "Good morning", "target_lang": "fr"}
NO_LIMITS = httpx.Limits(max_connections=None)
CALL_NANOS = 20_000
"""What a call costs in the end: 10 tokens at 1 dollar a million and 5 at 2."""


def redis_url() -> str:
    """As Redis's own client writes it."""
    return os.environ["REDIS_URL"].replace("redis+socket://", "unix://")


@pytest.fixture(scope="module")
def counters() -> Iterator[redis.Redis]:
    server = redis.Redis.from_url(redis_url())
    yield server
    server.close()


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RuntimeProcess]:
    """A runtime with a Redis."""
    with RuntimeProcess(Path(tmp_path_factory.mktemp("counted")), redis_url=redis_url()) as process:
        yield process


@pytest.fixture
def runtime(counted: RuntimeProcess, counters: redis.Redis, vendor: Vendor) -> RuntimeProcess:
    """As after a rebuild: the sequence goes on above everything that was ever seen."""
    counted.forget()
    counters.set(SEQUENCE, time.time_ns() // 1_000_000)
    counters.set(READY, "1")
    return counted


def budget(limit: int, **changes: Any) -> dict[str, Any]:
    usual = {
        "id": "bud_1",
        "label": "Planner",
        "scope": "application",
        "scope_id": "app_1",
        "period": "day",
        "unit": "money",
        "currency": "USD",
        "limit": limit,
        "hard": True,
        "fail_open": False,
    }
    return {**usual, **changes}


def spent(runtime: RuntimeProcess, counters: redis.Redis) -> tuple[int, int]:
    """Spent and held, of the budget of a test: a call is settled after its caller has the answer."""
    name = counter_key(runtime.id("bud_1"), "day", datetime.now(UTC))
    deadline = time.monotonic() + 10
    while True:
        found = counters.hgetall(name)
        held = int(found.get(b"held", 0))
        if held == 0 or time.monotonic() > deadline:
            return int(found.get(b"spent", 0)), held
        time.sleep(0.005)


def test_a_call_is_settled_at_what_it_cost(
    runtime: RuntimeProcess, vendor: Vendor, counters: redis.Redis
) -> None:
    runtime.load(snapshot(vendor.url, budgets=[budget(1_000_000_000)]))
    assert runtime.call(VALUES).status_code == 200
    assert spent(runtime, counters) == (CALL_NANOS, 0)


def test_a_hard_budget_refuses_what_might_go_beyond_it(
    runtime: RuntimeProcess, vendor: Vendor, counters: redis.Redis
) -> None:
    runtime.load(snapshot(vendor.url, budgets=[budget(1_000_000)]))
    answer = runtime.call(VALUES)
    assert (answer.status_code, answer.json()["code"]) == (402, "budget_exceeded")
    assert not vendor.asked
    assert spent(runtime, counters) == (0, 0)


def test_a_soft_budget_only_counts(runtime: RuntimeProcess, vendor: Vendor, counters: redis.Redis) -> None:
    runtime.load(snapshot(vendor.url, budgets=[budget(1, hard=False)]))
    assert runtime.call(VALUES).status_code == 200
    assert spent(runtime, counters) == (CALL_NANOS, 0)


def test_a_call_that_failed_costs_nothing(
    runtime: RuntimeProcess, vendor: Vendor, counters: redis.Redis
) -> None:
    vendor.answers(vendors.error(400, {"error": {"message": "no"}}))
    runtime.load(snapshot(vendor.url, budgets=[budget(1_000_000_000)]))
    assert runtime.call(VALUES).status_code == 400
    assert spent(runtime, counters) == (0, 0)


def test_sixty_four_at_the_edge_never_go_beyond_the_limit(
    runtime: RuntimeProcess, vendor: Vendor, counters: redis.Redis
) -> None:
    """Each holds a little over two thousandths of a dollar, so that at most ten fit at once, whatever the order."""
    limit = 21_000_000
    runtime.load(snapshot(vendor.url, budgets=[budget(limit)]))
    with ThreadPoolExecutor(64) as pool:
        codes = list(pool.map(lambda _: runtime.call(VALUES).status_code, range(64)))
    assert set(codes) <= {200, 402}
    assert spent(runtime, counters) == (codes.count(200) * CALL_NANOS, 0)
    assert codes.count(200) * CALL_NANOS <= limit


def test_more_calls_at_once_than_connections_are_all_held_and_settled(
    runtime: RuntimeProcess, vendor: Vendor, counters: redis.Redis
) -> None:
    """They wait for each other: a pool of connections that refuses would fail calls and never give back their holds."""
    vendor.answers(replace(vendors.completion("Bonjour"), hold=(together := threading.Event())))
    runtime.load(snapshot(vendor.url, budgets=[budget(10_000_000_000)]))
    with ThreadPoolExecutor(200) as pool, httpx.Client(base_url=runtime.url, limits=NO_LIMITS) as client:
        runtime.client, usual = client, runtime.client
        codes = [pool.submit(lambda: runtime.call(VALUES, timeout=60).status_code) for _ in range(200)]
        wait_for(lambda: len(vendor.asked) == 200)
        together.set()
        assert {code.result() for code in codes} == {200}
        runtime.client = usual
    assert spent(runtime, counters) == (200 * CALL_NANOS, 0)


def test_tokens_can_be_counted_in_the_place_of_money(
    runtime: RuntimeProcess, vendor: Vendor, counters: redis.Redis
) -> None:
    runtime.load(snapshot(vendor.url, budgets=[budget(100_000, unit="tokens", currency="")]))
    assert runtime.call(VALUES).status_code == 200
    assert spent(runtime, counters) == (15, 0)


def test_a_price_that_nobody_knows_is_not_taken_for_nothing(runtime: RuntimeProcess, vendor: Vendor) -> None:
    runtime.load(snapshot(vendor.url, models=[model(prices=[])], budgets=[budget(1_000_000_000)]))
    answer = runtime.call(VALUES)
    assert (answer.status_code, answer.json()["code"]) == (402, "budget_unavailable")
    runtime.load(snapshot(vendor.url, models=[model(prices=[])]))
    assert runtime.call(VALUES).json()["cost"]["amount"] is None


@pytest.mark.parametrize(("fail_open", "status"), [(False, 503), (True, 200)])
def test_an_empty_redis_admits_nothing_until_it_has_been_rebuilt(
    runtime: RuntimeProcess, vendor: Vendor, counters: redis.Redis, fail_open: bool, status: int
) -> None:
    counters.delete(READY)
    runtime.load(snapshot(vendor.url, budgets=[budget(1_000_000_000, fail_open=fail_open)]))
    assert runtime.call(VALUES).status_code == status
    assert runtime.state()["counters_stale"] is True


def test_a_redis_that_is_older_than_what_was_seen_admits_nothing(
    runtime: RuntimeProcess, vendor: Vendor, counters: redis.Redis
) -> None:
    runtime.load(snapshot(vendor.url, budgets=[budget(1_000_000_000)]))
    assert runtime.call(VALUES).status_code == 200
    newest = counters.get(SEQUENCE)
    counters.set(SEQUENCE, 0)
    assert runtime.call(VALUES).status_code == 503
    counters.set(SEQUENCE, newest)
    assert runtime.call(VALUES).status_code == 200


def test_a_hold_whose_process_died_ends_by_itself(
    runtime: RuntimeProcess, vendor: Vendor, counters: redis.Redis
) -> None:
    counter = counter_key(runtime.id("bud_1"), "day", datetime.now(UTC))
    counters.hset(counter, "held", 999_000_000)
    counters.zadd(f"{counter}:holds", {"run_of_the_dead:999000000": 1})
    runtime.load(snapshot(vendor.url, budgets=[budget(1_000_000_000)]))
    assert runtime.call(VALUES).status_code == 200
    assert spent(runtime, counters) == (CALL_NANOS, 0)
