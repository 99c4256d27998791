"""Token buckets: nothing goes through beyond a limit, whoever comes when."""

from __future__ import annotations

import itertools
import uuid
from concurrent.futures import ThreadPoolExecutor

import hypothesis.strategies as st
import pytest
import redis
from hypothesis import given, settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from aws.client.account import Account
from aws.client.buckets import OWN_SHARE, TOTAL_SHARE, Buckets, Priority
from aws.client.errors import MustWait
from aws.client.limits import GATEWAY_TOTAL, limits_of
from tests.aws.fake.clock import Clock
from tests.aws.fake.rates import GATEWAY, LAMBDA, Rates
from tests.aws.fake.refusals import Refused

ACCOUNT = Account("aws_1", "eu-central-1")
REGIONAL = {"endpointConfiguration": {"types": ["REGIONAL"]}}


@pytest.fixture
def clock() -> Clock:
    return Clock(1_800_000_000)


@pytest.fixture
def buckets(counters: redis.Redis, clock: Clock) -> Buckets:
    return Buckets(counters, clock=clock, prefix=f"test:{uuid.uuid4()}:")


def take(buckets: Buckets, operation: str, who: str = "a", priority: Priority = Priority.PUSH) -> float:
    return buckets.take(ACCOUNT, "apigateway", operation, priority=priority, who=who, params=REGIONAL)


def test_the_second_waits_and_gets_its_turn(buckets: Buckets, clock: Clock) -> None:
    assert take(buckets, "DeleteRestApi") == 0
    wait = take(buckets, "DeleteRestApi")
    assert wait == pytest.approx(30 / OWN_SHARE, abs=0.01)
    clock.advance(wait)
    assert take(buckets, "DeleteRestApi") == 0
    assert buckets.waiting(ACCOUNT) == ()


def test_those_who_wait_are_told_different_times(buckets: Buckets) -> None:
    waits = [take(buckets, "DeleteRestApi", who=f"job {number}") for number in range(4)]
    assert waits == pytest.approx([number * 30 / OWN_SHARE for number in range(4)], abs=0.01)
    shown = buckets.waiting(ACCOUNT)
    assert [(one.operation, one.who) for one in shown] == [
        ("DeleteRestApi", f"job {number}") for number in (1, 2, 3)
    ]
    assert [one.seconds for one in shown] == pytest.approx(waits[1:], abs=0.01)


def test_a_newcomer_does_not_pass_those_who_wait(buckets: Buckets, clock: Clock) -> None:
    take(buckets, "DeleteRestApi", "first")
    wait = take(buckets, "DeleteRestApi", "second")
    clock.advance(wait)
    assert take(buckets, "DeleteRestApi", "newcomer") > 0
    assert take(buckets, "DeleteRestApi", "second") == 0


def test_a_person_passes_them(buckets: Buckets, clock: Clock) -> None:
    take(buckets, "DeleteRestApi", "first")
    clock.advance(take(buckets, "DeleteRestApi", "second"))
    assert take(buckets, "DeleteRestApi", "person", Priority.INTERACTIVE) == 0


def test_a_place_ends_when_nobody_comes_back(buckets: Buckets, clock: Clock) -> None:
    take(buckets, "PutRestApi", "first")
    take(buckets, "PutRestApi", "second")
    clock.advance(60)
    assert buckets.waiting(ACCOUNT) == ()
    assert take(buckets, "PutRestApi", "newcomer") == 0


def test_those_behind_leave_a_part_of_the_burst(buckets: Buckets) -> None:
    def taken(priority: Priority) -> int:
        return sum(take(buckets, "GetRestApis", f"{priority}", priority) == 0 for _ in range(50))

    burst = int(GATEWAY_TOTAL.rate.burst * TOTAL_SHARE)
    by_priority = [taken(priority) for priority in (Priority.USAGE, Priority.DRIFT, Priority.PUSH)]
    assert by_priority == [9, 4, 8]
    assert take(buckets, "GetRestApis", "person", Priority.INTERACTIVE) == 0
    assert sum(by_priority) < burst


def test_aws_may_know_better(buckets: Buckets, clock: Clock) -> None:
    buckets.hold(ACCOUNT, "apigateway", "PutRestApi", 45)
    assert take(buckets, "PutRestApi") == pytest.approx(45, abs=0.01)
    clock.advance(46)
    assert take(buckets, "PutRestApi") == 0


def test_accounts_and_regions_have_their_own(buckets: Buckets) -> None:
    others = [Account("aws_2", "eu-central-1"), Account("aws_1", "us-east-1"), ACCOUNT]
    for account in others:
        assert buckets.take(account, "apigateway", "PutRestApi", priority=Priority.PUSH, who="a") == 0


def test_two_records_of_one_account_share_its_limits(buckets: Buckets) -> None:
    one, other = (Account(name, "eu-central-1", number="111122223333") for name in ("aws_1", "aws_2"))
    assert buckets.take(one, "apigateway", "PutRestApi", priority=Priority.PUSH, who="a") == 0
    assert buckets.take(other, "apigateway", "PutRestApi", priority=Priority.PUSH, who="b") > 0


def test_the_servers_own_clock_counts_too(counters: redis.Redis) -> None:
    buckets = Buckets(counters, prefix=f"test:{uuid.uuid4()}:")
    assert take(buckets, "DeleteRestApi") == 0
    assert 33 < take(buckets, "DeleteRestApi") <= 33.4


def test_without_redis_nothing_is_called() -> None:
    away = redis.Redis(host="127.0.0.1", port=9, retry=Retry(NoBackoff(), 0))
    with pytest.raises(MustWait, match="Redis is away") as caught:
        take(Buckets(away), "PutRestApi")
    assert caught.value.retry_in_s


def test_what_has_no_limit_needs_no_redis() -> None:
    away = redis.Redis(host="127.0.0.1", port=9)
    assert Buckets(away).take(ACCOUNT, "sts", "AssumeRole", priority=Priority.PUSH, who="a") == 0


def test_ours_are_below_all_of_awss_own() -> None:
    """The fake's table was written apart from the client's."""
    for service, table in (("apigateway", GATEWAY), ("lambda", LAMBDA)):
        for name, (rate, burst) in table.items():
            edge = {"endpointConfiguration": {"types": ["EDGE"]}}
            params = edge if name.endswith(" edge") else REGIONAL
            used = "apigatewayv2" if "VpcLink" in name else service
            own = limits_of(used, name.removesuffix(" edge"), params)[0]
            assert not own.is_total, name
            assert own.rate.per_second <= rate + 1e-9, name
            assert own.rate.burst <= burst, name


OPERATIONS = st.sampled_from(
    [
        "GetRestApis",
        "PutRestApi",
        "CreateDeployment",
        "UpdateUsagePlan",
        "CreateRestApi",
        "CreateApiKey",
        "GetResources",
    ]
)
STEPS = st.lists(
    st.tuples(st.floats(0, 8), OPERATIONS, st.sampled_from("abc"), st.sampled_from(list(Priority))),
    max_size=60,
)


@settings(max_examples=60)
@given(steps=STEPS)
def test_no_interleaving_goes_beyond_a_limit_of_aws(
    counters: redis.Redis, steps: list[tuple[float, str, str, Priority]]
) -> None:
    """What the buckets let through is never throttled by AWS's own; who is told to wait and comes back gets through."""
    clock, rates = Clock(1_800_000_000), Rates()
    prefix = f"test:{uuid.uuid4()}:"
    buckets = Buckets(counters, clock=clock, prefix=prefix)
    for gap, operation, who, priority in steps:
        clock.advance(gap)
        if take(buckets, operation, who, priority) == 0:
            rates.count(("1", "eu"), "apigateway", operation, REGIONAL, clock())
    assert rates.throttled == 0
    for key in counters.scan_iter(f"{prefix}*", count=1000):
        counters.delete(key)


@settings(max_examples=20)
@given(
    order=st.permutations(range(5)),
    priorities=st.lists(st.sampled_from(list(Priority)), min_size=5, max_size=5),
)
def test_everybody_who_comes_back_in_time_gets_through(
    counters: redis.Redis, order: list[int], priorities: list[Priority]
) -> None:
    """As a worker does: called again at the time that was told."""
    clock, rates = Clock(1_800_000_000), Rates()
    buckets = Buckets(counters, clock=clock, prefix=f"test:{uuid.uuid4()}:")
    due = {number: clock() for number in order}
    for _ in itertools.takewhile(lambda _: due, range(200)):
        number = min(due, key=lambda one: due[one])
        clock.advance(max(0.0, due[number] - clock()))
        wait = take(buckets, "UpdateUsagePlan", f"job {number}", priorities[number])
        if wait:
            due[number] = clock() + wait
        else:
            del due[number]
            rates.count(("1", "eu"), "apigateway", "UpdateUsagePlan", {}, clock())
    assert not due
    assert clock() - 1_800_000_000 < 5 * 20 / OWN_SHARE + 60


def test_many_at_the_same_moment_get_one_token(counters: redis.Redis, clock: Clock) -> None:
    buckets = Buckets(counters, clock=clock, prefix=f"test:{uuid.uuid4()}:")
    with ThreadPoolExecutor(16) as pool:
        waits = list(pool.map(lambda number: take(buckets, "PutRestApi", f"job {number}"), range(32)))
    assert waits.count(0) == 1
    assert len(set(waits)) == 32


def test_the_fake_throttles_what_goes_beyond() -> None:
    rates = Rates()
    rates.count(("1", "eu"), "apigateway", "PutRestApi", {}, 0)
    with pytest.raises(Refused, match="Too Many Requests"):
        rates.count(("1", "eu"), "apigateway", "PutRestApi", {}, 0.5)
