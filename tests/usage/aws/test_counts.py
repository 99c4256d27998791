"""Stages without a log are counted by CloudWatch; AWS's own counts are held against ours, and never win."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from django.utils import timezone

from aws.client.errors import AwsError
from tests.aws.fake.refusals import Refused
from tests.aws.fake.rest_state import PlanSettings, UsagePlan, rest
from tests.aws.fake.telemetry import telemetry
from tests.aws.fake.timeline import Timeline
from tests.usage.aws.conftest import Shop, calls_in
from usage.actions import aws_metrics
from usage.actions.aws_check import Counted, agrees, check_counts
from usage.actions.aws_metrics import AT_ONCE, SETTLED, read_metrics
from usage.aws.metrics import counts_of
from usage.models import AwsReading, CountDifference, UsageBucket
from usage.queries import UsageScope, summary
from usage.ranges import window

NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)
DAY = date(2026, 11, 3)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOON, tick=False) as found:
        yield found


# ---- stages without a log ----


@pytest.fixture
def unlogged(clock: time_machine.Traveller, at_aws: Shop) -> Shop:
    at_aws.hold(logged_at=None, why="API Gateway has no role")
    at_aws.read()
    return at_aws


def minute(number: int) -> datetime:
    return NOON + timedelta(minutes=number)


def test_calls_without_a_log_stand_on_the_charts_by_class(
    unlogged: Shop, clock: time_machine.Traveller
) -> None:
    unlogged.measure("Count", (minute(1), 10), (minute(2), 5))
    unlogged.measure("4XXError", (minute(1), 3))
    unlogged.measure("5XXError", (minute(2), 1))
    clock.shift(timedelta(minutes=15))
    unlogged.read()
    assert [calls_in(span) for span in "mhd"] == [15, 15, 15]
    scope = UsageScope({"api": unlogged.publication.api_version.api.public_id})
    figures = summary(scope, window("1h", timezone.now()))
    assert figures.by_class == {2: 11, 4: 3, 5: 1}
    assert figures.p95 is None, "an average is no percentile"
    assert set(UsageBucket.objects.values_list("subscription", "key_id", "operation")) == {("", "", "")}


def test_a_minute_is_counted_once_and_when_it_has_settled(
    unlogged: Shop, clock: time_machine.Traveller
) -> None:
    unlogged.measure("Count", (minute(1), 10))
    clock.shift(SETTLED)
    unlogged.read()
    assert calls_in() == 0, "CloudWatch adds to it still"
    clock.shift(timedelta(minutes=2))
    unlogged.read(), unlogged.read()
    assert calls_in() == 10


def test_a_day_without_the_portal_is_caught_up(unlogged: Shop, clock: time_machine.Traveller) -> None:
    unlogged.measure("Count", (minute(30), 1), (minute(600), 2))
    clock.shift(timedelta(hours=20))
    for _beat in range(timedelta(hours=20) // AT_ONCE + 1):
        unlogged.read()
    assert calls_in() == 3


def test_minutes_of_which_the_log_tells_are_left_to_it(unlogged: Shop, clock: time_machine.Traveller) -> None:
    unlogged.hold(logged_at=minute(5) + timedelta(seconds=20))
    unlogged.measure("Count", (minute(1), 10), (minute(4), 5), (minute(5), 7), (minute(8), 3))
    unlogged.call(3, at=minute(8))
    clock.shift(timedelta(minutes=30))
    unlogged.read()
    assert calls_in() == 18


def test_metrics_that_fail_count_nothing_and_are_asked_again(
    unlogged: Shop, clock: time_machine.Traveller
) -> None:
    unlogged.measure("Count", (minute(1), 10))
    clock.shift(timedelta(minutes=15))
    unlogged.fake.faults.fail(
        "GetMetricData", Refused("AccessDenied", "not authorized to perform: cloudwatch:GetMetricData", 403)
    )
    unlogged.read()
    assert calls_in() == 0
    assert AwsReading.objects.get().trouble
    unlogged.read()
    assert calls_in() == 10
    assert AwsReading.objects.get().trouble == ""


def test_five_hundred_metrics_are_asked_for_at_once_at_most(at_aws: Shop) -> None:
    stages = [(f"house-{number}", "production") for number in range(400)]
    at_aws.api = "399"
    at_aws.measure("Count", (NOON, 4))
    found = counts_of(at_aws.calls, stages, start=NOON, end=NOON + timedelta(minutes=1), period_s=60)
    assert found == {("house-399", "production"): {NOON: {"Count": 4}}}
    sizes = [
        len(one.params["MetricDataQueries"]) for one in at_aws.fake.asked if one.operation == "GetMetricData"
    ]
    assert sizes == [498, 498, 204]


# ---- AWS's own counts ----


@pytest.fixture
def day_over(clock: time_machine.Traveller, at_aws: Shop) -> Shop:
    """A day of a hundred calls, of which AWS counted as many."""
    at_aws.hold(logged_at=NOON - timedelta(days=2))
    at_aws.read()
    at_aws.call(100, at=NOON)
    clock.shift(timedelta(hours=17))
    at_aws.read_log()
    counted_there(at_aws, 100, 100)
    return at_aws


def counted_there(shop: Shop, by_metric: int, by_plan: int) -> None:
    """What AWS says of the day."""
    shop.measure("Count", (NOON, by_metric))
    state = rest(shop.fake.at(shop.account))
    settings = PlanSettings()
    plan = UsagePlan("plan1", "gold", 0.0, settings, Timeline(settings))
    plan.keys.append(shop.key_at_aws)
    state.plans["plan1"] = plan
    state.usage["plan1", shop.key_at_aws] = {DAY.isoformat(): by_plan}


def differences() -> list[tuple[str, str, int, int]]:
    rows = CountDifference.objects.order_by("source")
    return [(row.source, row.key_id, row.calls_most, row.calls_there) for row in rows]


def test_counts_that_agree_leave_nothing_to_say(day_over: Shop) -> None:
    assert check_counts(day_over.gateway, day_over.calls) == DAY
    assert differences() == []
    assert check_counts(day_over.gateway, day_over.calls) is None, "today is not over"


def test_a_difference_is_noted_and_nothing_put_right(day_over: Shop) -> None:
    counted_there(day_over, 20, 130)  # a hundred and twenty in all
    check_counts(day_over.gateway, day_over.calls)
    key_id = day_over.key.key_id
    assert differences() == [("metrics", "", 100, 120), ("plan", key_id, 100, 130)]
    row = CountDifference.objects.get(source="plan")
    assert row.application == day_over.key.subscription.application.public_id
    assert row.api == day_over.publication.api_version.api.public_id
    assert calls_in() == 100


def test_a_day_is_compared_when_late_lines_are_in(clock: time_machine.Traveller, at_aws: Shop) -> None:
    at_aws.hold(logged_at=NOON - timedelta(days=2))
    at_aws.read()
    clock.shift(timedelta(hours=15))
    at_aws.read()
    assert AwsReading.objects.get().checked_until == DAY
    clock.shift(timedelta(hours=2))
    at_aws.read()
    assert AwsReading.objects.get().checked_until == DAY + timedelta(days=1)


def test_a_comparison_that_has_to_stop_goes_on_with_the_next_plan(day_over: Shop) -> None:
    day_over.holdings.keep("usage_plan", {"plr_2/pub_x": {"id": "plan0"}})
    counted_there(day_over, 0, 500)
    busy = Refused("TooManyRequestsException", "Too Many Requests", 429)
    day_over.fake.faults.fail("GetUsage", busy, times=9)
    with pytest.raises(AwsError):
        check_counts(day_over.gateway, day_over.calls)
    assert AwsReading.objects.get().checked_plan == "plan0", "of what is published no more nothing is asked"
    assert differences() == []
    day_over.fake.faults.coming.clear()
    day_over.fake.clock.advance(60)
    metrics = day_over.fake.times("GetMetricData")
    assert check_counts(day_over.gateway, day_over.calls) == DAY
    assert day_over.fake.times("GetMetricData") == metrics
    assert [row[0] for row in differences()] == ["plan"]


def test_a_plan_that_counts_nothing_says_nothing(day_over: Shop) -> None:
    counted_there(day_over, 0, 0)
    check_counts(day_over.gateway, day_over.calls)
    assert differences() == []


def test_a_stage_that_cloudwatch_does_not_know_says_nothing(day_over: Shop) -> None:
    telemetry(day_over.fake.at(day_over.account)).points.clear()
    check_counts(day_over.gateway, day_over.calls)
    assert differences() == []


def test_a_plan_that_was_taken_away_is_passed_over(day_over: Shop) -> None:
    del rest(day_over.fake.at(day_over.account)).plans["plan1"]
    assert check_counts(day_over.gateway, day_over.calls) == DAY


def test_a_stage_that_was_logged_for_a_part_of_the_day_is_not_compared(day_over: Shop) -> None:
    day_over.hold(logged_at=NOON)
    counted_there(day_over, 500, 100)
    check_counts(day_over.gateway, day_over.calls)
    assert differences() == []


@pytest.mark.parametrize(
    ("least", "most", "there", "same"),
    [
        (100, 100, 100, True), (100, 100, 105, True), (100, 100, 106, False), (100, 100, 94, False),
        (0, 0, 5, True), (0, 0, 6, False), (1000, 1000, 1020, True), (1000, 1000, 1021, False),
        (60, 100, 60, True), (60, 100, 80, True), (60, 100, 54, False),
    ],
)  # fmt: skip
def test_two_in_a_hundred_or_five_calls_are_tolerated(least: int, most: int, there: int, same: bool) -> None:
    assert agrees(Counted(least, most), there) is same


def test_of_two_workers_one_counts_a_minute(unlogged: Shop, clock: time_machine.Traveller) -> None:
    unlogged.measure("Count", (minute(1), 10))
    clock.shift(timedelta(minutes=15))
    asked = aws_metrics._window(unlogged.gateway)
    read_metrics(unlogged.gateway, unlogged.calls)
    assert aws_metrics._take(unlogged.gateway, asked, [], {}) == 0
    assert calls_in() == 10
