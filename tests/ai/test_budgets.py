"""Budgets: held before a call and settled after it, by a real Redis, so that no two calls win a race."""

from __future__ import annotations

import os
import signal
import subprocess
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

from ai.runtime.counters import GENERATIONS, READY, SEQUENCE, counter_key
from embedded.layout import Layout, make_directories, make_private
from embedded.redis_server import Redis, answers
from tests.ai import vendor as vendors
from tests.ai.runtime_process import RuntimeProcess, model, route, snapshot
from tests.ai.vendor import Vendor
from tests.gateways.gateway_node import wait_for

VALUES = {"text": "Good morning", "target_lang": "fr"}
FIRST = "generation1"
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
    """With budgets that nobody has counted yet."""
    counted.forget()
    return counted


def budget(limit: int, **changes: Any) -> dict[str, Any]:
    """A budget whose ledger was added up when there was nothing in it."""
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
        "generation": FIRST,
        "base": 0,
        "base_period": f"{datetime.now(UTC):%Y%m%d}",
        "is_new": True,
    }
    return {**usual, **changes}


def spent(
    runtime: RuntimeProcess, counters: redis.Redis, budget_id: str = "bud_1", generation: str = FIRST
) -> tuple[int, int]:
    """Spent and held, of the budget of a test: a call is settled after its caller has the answer."""
    name = counter_key(runtime.id(budget_id), generation, "day", datetime.now(UTC))
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


# ---- what counts where ----


def test_an_endpoint_is_a_version_of_an_api_in_an_environment(
    runtime: RuntimeProcess, vendor: Vendor, counters: redis.Redis
) -> None:
    own, other = (
        budget(1_000_000_000, id=f"bud_{number}", scope="endpoint", scope_id=f"ver_1@{environment}")
        for number, environment in enumerate(("production", "sandbox"))
    )
    runtime.load(snapshot(vendor.url, budgets=[own, other]))
    assert runtime.call(VALUES).status_code == 200
    assert spent(runtime, counters, "bud_0") == (CALL_NANOS, 0)
    assert spent(runtime, counters, "bud_1") == (0, 0)


def test_a_model_is_charged_with_what_it_consumed_itself(
    runtime: RuntimeProcess, vendor: Vendor, counters: redis.Redis
) -> None:
    first, second = model(), model("vendor/other", id="mdl_2")
    targets = [{"model": "mdl_1", "weight": 100, "rank": 0}, {"model": "mdl_2", "weight": 100, "rank": 1}]
    budgets = [
        budget(1_000_000_000, id=f"bud_{number}", scope="model", scope_id=f"mdl_{number}")
        for number in (1, 2)
    ]
    runtime.load(
        snapshot(vendor.url, models=[first, second], model_routes=[route(targets=targets)], budgets=budgets)
    )
    assert runtime.call(VALUES).status_code == 200
    assert spent(runtime, counters, "bud_1") == (CALL_NANOS, 0)
    assert spent(runtime, counters, "bud_2") == (0, 0)


def test_money_of_one_currency_is_not_counted_as_anothers(
    runtime: RuntimeProcess, vendor: Vendor, counters: redis.Redis
) -> None:
    euros = budget(1_000_000_000, currency="EUR")
    runtime.load(snapshot(vendor.url, budgets=[euros]))
    answer = runtime.call(VALUES)
    assert (answer.status_code, answer.json()["code"]) == (402, "budget_unavailable")
    assert "is in EUR, and a model that may answer costs USD" in answer.json()["detail"]
    runtime.load(snapshot(vendor.url, budgets=[euros, budget(1_000_000_000, id="bud_2")]))
    assert runtime.call(VALUES).status_code == 200
    assert spent(runtime, counters, "bud_1") == (0, 0)
    assert spent(runtime, counters, "bud_2") == (CALL_NANOS, 0)


# ---- counters that can be trusted ----


def marks(runtime: RuntimeProcess, budget_id: str = "bud_1") -> list[str]:
    """The generations that the feed marks for a budget."""
    name = runtime.id(budget_id)
    return [line[1][name] for line in runtime.feed(0) if line[0] == "mark" and name in line[1]]


def wait_for_mark(runtime: RuntimeProcess, number: int) -> str:
    """The generation of the mark with this number, from 1 on."""
    deadline = time.monotonic() + 20
    while len(found := marks(runtime)) < number:
        assert time.monotonic() < deadline, f"{len(found)} marks, not {number}"
        time.sleep(0.01)
    return found[number - 1]


def forget_counts(counters: redis.Redis) -> None:
    """As a Redis that lost everything."""
    counters.flushdb()


def test_a_new_budget_lets_calls_in_while_the_ledger_is_added_up_and_counts_them(
    runtime: RuntimeProcess, vendor: Vendor, counters: redis.Redis
) -> None:
    runtime.load(snapshot(vendor.url, budgets=[budget(1_000_000_000, base=None)]))
    wait_for_mark(runtime, 1)
    assert marks(runtime) == [FIRST]
    assert runtime.call(VALUES).status_code == 200
    runtime.load(snapshot(vendor.url, budgets=[budget(1_000_000_000, base=5_000)]))
    assert spent(runtime, counters) == (CALL_NANOS + 5_000, 0)


def test_what_the_ledger_says_is_added_once(
    runtime: RuntimeProcess, vendor: Vendor, counters: redis.Redis
) -> None:
    for _ in range(3):
        runtime.load(snapshot(vendor.url, budgets=[budget(1_000_000_000, base=5_000)]))
    assert spent(runtime, counters) == (5_000, 0)
    assert marks(runtime) == [FIRST]


@pytest.mark.parametrize(("fail_open", "status"), [(False, 503), (True, 200)])
def test_an_empty_redis_admits_nothing_until_the_ledger_has_been_added_up(
    runtime: RuntimeProcess, vendor: Vendor, counters: redis.Redis, fail_open: bool, status: int
) -> None:
    old = budget(1_000_000_000, fail_open=fail_open, is_new=False)
    runtime.load(snapshot(vendor.url, budgets=[{**old, "is_new": True}]))
    runtime.load(snapshot(vendor.url, budgets=[old]))
    forget_counts(counters)
    generation = wait_for_mark(runtime, 2)
    assert runtime.call(VALUES).status_code == status
    assert runtime.state()["counters_stale"] is True
    runtime.load(snapshot(vendor.url, budgets=[{**old, "generation": generation, "base": 7_000}]))
    assert runtime.state()["counters_stale"] is False
    assert runtime.call(VALUES).status_code == 200
    # The call that was let in uncounted stands behind the mark: it is counted here, and not in the ledger's sum.
    calls = 2 if fail_open else 1
    assert spent(runtime, counters, generation=generation) == (7_000 + calls * CALL_NANOS, 0)


def test_what_the_ledger_said_of_lost_counters_is_not_taken_for_the_new_ones(
    runtime: RuntimeProcess, vendor: Vendor, counters: redis.Redis
) -> None:
    old = budget(1_000_000_000, is_new=False, base=7_000)
    runtime.load(snapshot(vendor.url, budgets=[{**old, "is_new": True}]))
    forget_counts(counters)
    runtime.load(snapshot(vendor.url, budgets=[old]))
    assert runtime.call(VALUES).status_code == 503


def test_a_redis_that_is_older_than_what_was_seen_admits_nothing(
    runtime: RuntimeProcess, vendor: Vendor, counters: redis.Redis
) -> None:
    runtime.load(snapshot(vendor.url, budgets=[budget(1_000_000_000)]))
    runtime.load(snapshot(vendor.url, budgets=[budget(1_000_000_000, is_new=False)]))
    assert runtime.call(VALUES).status_code == 200
    counters.set(SEQUENCE, 0)
    assert runtime.call(VALUES).status_code == 503
    assert wait_for_mark(runtime, 2) != FIRST


def test_a_redis_that_went_back_while_the_runtime_was_away_is_noticed(
    runtime: RuntimeProcess, vendor: Vendor, counters: redis.Redis
) -> None:
    old = budget(1_000_000_000, is_new=False)
    runtime.load(snapshot(vendor.url, budgets=[{**old, "is_new": True}]))
    runtime.load(snapshot(vendor.url, budgets=[old]))
    assert runtime.call(VALUES).status_code == 200
    spent(runtime, counters)
    runtime.stop()
    counters.set(SEQUENCE, 0)
    runtime.start()
    assert wait_for_mark(runtime, 2) != FIRST
    assert runtime.call(VALUES).status_code == 503


def test_a_runtime_that_comes_back_goes_on_counting(
    runtime: RuntimeProcess, vendor: Vendor, counters: redis.Redis
) -> None:
    runtime.load(snapshot(vendor.url, budgets=[budget(1_000_000_000)]))
    runtime.load(snapshot(vendor.url, budgets=[budget(1_000_000_000, is_new=False)]))
    assert runtime.call(VALUES).status_code == 200
    spent(runtime, counters)
    runtime.stop()
    runtime.start()
    assert runtime.call(VALUES).status_code == 200
    assert spent(runtime, counters) == (2 * CALL_NANOS, 0)
    assert marks(runtime) == [FIRST]


def test_a_generation_that_another_runtime_began_is_taken_up_and_marked(
    runtime: RuntimeProcess, vendor: Vendor, counters: redis.Redis
) -> None:
    runtime.load(snapshot(vendor.url, budgets=[budget(1_000_000_000)]))
    name = runtime.id("bud_1")
    with counters.pipeline() as together:
        together.hset(GENERATIONS, name, "of-another")
        together.hdel(READY, name)
        together.execute()
    assert wait_for_mark(runtime, 2) == "of-another"


def test_a_hold_whose_process_died_ends_by_itself(
    runtime: RuntimeProcess, vendor: Vendor, counters: redis.Redis
) -> None:
    counter = counter_key(runtime.id("bud_1"), FIRST, "day", datetime.now(UTC))
    counters.hset(counter, "held", 999_000_000)
    counters.zadd(f"{counter}:holds", {"run_of_the_dead:999000000": 1})
    runtime.load(snapshot(vendor.url, budgets=[budget(1_000_000_000)]))
    assert runtime.call(VALUES).status_code == 200
    assert spent(runtime, counters) == (CALL_NANOS, 0)


def test_a_call_that_could_not_be_settled_has_its_budgets_counted_anew(
    tmp_path: Path, vendor: Vendor
) -> None:
    """The Redis stands still while a call ends: the ledger has the call, and the counter would lack it for ever."""
    layout = Layout(tmp_path / "var")
    make_directories(layout)
    make_private(layout.sockets)
    part = Redis(layout, "redis-budgets")
    part.prepare()
    launch = part.launch()
    with subprocess.Popen(launch.command, env=dict(launch.environment), cwd=launch.directory) as server:
        wait_for(lambda: part.socket.exists() and answers(part.socket))
        with RuntimeProcess(tmp_path, redis_url=f"unix://{part.socket}") as runtime:
            runtime.load(snapshot(vendor.url, budgets=[budget(1_000_000_000)]))
            vendor.answers(replace(vendors.completion("Bonjour"), hold=(answered := threading.Event())))
            with ThreadPoolExecutor(1) as pool:
                call = pool.submit(lambda: runtime.call(VALUES).status_code)
                wait_for(lambda: len(vendor.asked) == 1)
                server.send_signal(signal.SIGSTOP)
                answered.set()
                assert call.result() == 200
            wait_for(lambda: len(runtime.feed(2)) == 2)
            wait_for(lambda: runtime.state()["counters_stale"])
            server.send_signal(signal.SIGCONT)
            generation = wait_for_mark(runtime, 2)
            told = [line[0] == "mark" for line in runtime.feed(3)]
            assert told == [True, False, True], "the call stands before the mark: the ledger's sum has it"
            anew = budget(1_000_000_000, generation=generation, base=CALL_NANOS, is_new=False)
            runtime.load(snapshot(vendor.url, budgets=[anew]))
            assert runtime.state()["counters_stale"] is False
        server.terminate()
