"""A call at AWS is counted once, whenever its line comes and however often it is read."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connections
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from aws.client.errors import AwsError, MustWait
from gateways.drivers.aws.work import KEYS, STAGES, Work
from gateways.remote import RemoteHoldings
from subscriptions.models import Block
from tests import factories
from tests.aws.fake.faults import Crashed
from tests.aws.fake.refusals import Refused
from tests.aws.fake.telemetry import telemetry
from tests.usage.aws.conftest import Shop, calls_in, make_gateway
from usage.actions import aws_log, gateways_at_aws
from usage.models import AwsReading, FeedCheckpoint, FeedLoss, QuotaCounter, SeenLine, UsageRecord
from usage.queries import UsageScope, breakdown, summary
from usage.ranges import window


def reading() -> AwsReading:
    return AwsReading.objects.get()


def test_a_call_becomes_a_record_with_all_it_belongs_to(at_aws: Shop) -> None:
    at_aws.call(route="/orders/{id}", status="404", sent="7", request="abc")
    assert at_aws.read_log() == 1
    record = UsageRecord.objects.get()
    assert record.gateway == at_aws.gateway.public_id
    assert record.api == at_aws.publication.api_version.api.public_id
    assert record.operation == "getOrder"
    assert record.path == f"{at_aws.publication.base_path}/orders/{{id}}"
    assert record.application == at_aws.key.subscription.application.public_id
    assert record.subscription == at_aws.key.subscription.public_id
    assert record.plan == at_aws.key.subscription.plan_revision.plan.public_id
    assert (record.key_id, record.status, record.request_id) == (at_aws.key.key_id, 404, "abc")
    assert (record.duration_ms, record.upstream_ms, record.bytes_out) == (12.0, 10.0, 7)


def test_charts_and_records_hold_the_same_calls(at_aws: Shop) -> None:
    at_aws.call(3), at_aws.call(2, status="500"), at_aws.call(key="-", status="403", error="INVALID_API_KEY")
    at_aws.read_log()
    assert [calls_in(span) for span in "mhd"] == [6, 6, 6]
    assert UsageRecord.objects.count() == 6
    scope = UsageScope({"api": at_aws.publication.api_version.api.public_id})
    assert summary(scope, window("1h", timezone.now())).by_class == {2: 3, 5: 2, 4: 1}


def test_a_line_read_twice_counts_once(at_aws: Shop) -> None:
    at_aws.call(5)
    assert at_aws.read_log() == 5
    assert at_aws.read_log() == 0
    assert SeenLine.objects.count() == calls_in() == 5


def test_a_line_that_is_seen_late_is_counted(at_aws: Shop) -> None:
    now = timezone.now()
    at_aws.call(at=now)
    at_aws.read_log()
    at_aws.call(2, at=now - timedelta(minutes=3))
    assert at_aws.read_log() == 2
    assert calls_in() == 3


def test_a_line_that_is_hours_late_is_counted_by_the_next_sweep(at_aws: Shop) -> None:
    now = timezone.now()
    with time_machine.travel(now, tick=False) as clock:
        at_aws.call()
        at_aws.read_log(), at_aws.read_log()
        at_aws.call(2, at=now - timedelta(hours=2))
        assert at_aws.read_log() == 0
        clock.shift(aws_log.SWEEP_EVERY)
        assert at_aws.read_log() == 2


def test_a_gap_is_read_in_one_go(at_aws: Shop) -> None:
    """The portal was away for a day."""
    now = timezone.now()
    with time_machine.travel(now, tick=False) as clock:
        at_aws.call(), at_aws.read_log()
        clock.shift(timedelta(days=1))
        at_aws.call(4, at=now + timedelta(hours=9))
        assert at_aws.read_log() == 4
        assert reading().read_until == timezone.now()
        assert UsageRecord.objects.filter(at__gt=now + timedelta(hours=8)).count() == 4


def test_pages_are_read_one_after_the_other(at_aws: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws_log, "PAGE", 3)
    at_aws.call(10)
    assert at_aws.read_log() == 10
    assert at_aws.fake.times("FilterLogEvents") == 4


def test_a_run_that_had_to_stop_goes_on_where_it_was(at_aws: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws_log, "PAGE", 3)
    monkeypatch.setattr(aws_log, "MOST_PAGES", 2)
    at_aws.call(10)
    assert at_aws.read_log() == 6
    assert reading().next_token == "6"
    assert FeedCheckpoint.objects.get().complete_until is None, "the end of the range was not reached"
    assert at_aws.read_log() == 4
    assert calls_in() == 10
    assert FeedCheckpoint.objects.get().complete_until is not None


def test_a_token_that_aws_forgot_leads_back_to_the_beginning(
    at_aws: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws_log, "PAGE", 3)
    at_aws.call(5)
    forgotten = Refused("InvalidParameterException", "The specified nextToken is invalid.", 400)
    at_aws.fake.faults.fail("FilterLogEvents", forgotten, skip=1)
    with pytest.raises(AwsError):
        at_aws.read_log()
    assert reading().next_token == ""
    assert at_aws.read_log() == 2
    assert calls_in() == 5


def test_aws_saying_too_many_ends_the_run_and_loses_nothing(
    at_aws: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aws_log, "PAGE", 3)
    at_aws.call(5)
    too_many = Refused("ThrottlingException", "Rate exceeded", 400)
    at_aws.fake.faults.fail("FilterLogEvents", too_many, skip=1, times=5)
    at_aws.read()
    assert calls_in() == 3
    at_aws.fake.faults.coming.clear()
    at_aws.fake.clock.advance(60)
    at_aws.read()
    assert calls_in() == 5
    assert reading().trouble == ""


def test_our_own_limit_ends_the_run_without_a_word(at_aws: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    at_aws.call()

    def wait(*_: Any, **__: Any) -> None:
        raise MustWait("FilterLogEvents waits for a limit of AWS.", retry_in_s=9.0)

    monkeypatch.setattr(at_aws.calls, "_take", wait)
    at_aws.read()
    assert calls_in() == 0
    assert not AwsReading.objects.exclude(trouble="").exists()


def test_a_process_that_dies_counts_nothing_twice(at_aws: Shop) -> None:
    at_aws.call(4)
    at_aws.fake.faults.crash_after("FilterLogEvents")
    with pytest.raises(Crashed):
        at_aws.read_log()
    assert at_aws.read_log() == 4
    assert calls_in() == 4


def test_calls_without_a_key_belong_to_the_api_alone(at_aws: Shop) -> None:
    at_aws.call(key="-", status="403", integration="-", error="MISSING_AUTHENTICATION_TOKEN")
    at_aws.read_log()
    record = UsageRecord.objects.get()
    assert (record.key_id, record.subscription, record.reason) == ("", "", "missing_authentication_token")
    assert not QuotaCounter.objects.exists()


def test_a_key_of_another_installation_belongs_to_nobody(at_aws: Shop) -> None:
    other = make_gateway("other")
    subscription = factories.make_credential()[0]
    RemoteHoldings(other.pk).keep(KEYS, {subscription.public_id: {"id": "theirs", "plans": []}})
    at_aws.call(key="theirs"), at_aws.call(key="nobodys")
    assert at_aws.read_log() == 2
    assert set(UsageRecord.objects.values_list("subscription", "key_id")) == {("", "")}


def test_a_stage_of_another_gateway_is_counted_nowhere(at_aws: Shop) -> None:
    at_aws.call(api="foreign"), at_aws.call(stage="foreign"), at_aws.call()
    assert at_aws.read_log() == 1


def test_a_key_that_was_deleted_is_known_as_long_as_its_lines_may_come(at_aws: Shop) -> None:
    """So is a stage of an API that was deleted."""
    work = Work(at_aws.calls, at_aws.holdings, None, None, None)  # type: ignore[arg-type]
    work.past(KEYS, at_aws.key.public_id, at_aws.key_at_aws)
    work.past(STAGES, at_aws.publication.public_id, f"{at_aws.api}:{at_aws.stage}")
    at_aws.call()
    AwsReading.objects.all().delete()
    checkpoint = FeedCheckpoint.objects.get_or_create(
        gateway=at_aws.gateway, node="aws", segment="access-log"
    )[0]
    AwsReading.objects.create(checkpoint=checkpoint, read_until=timezone.now() - timedelta(minutes=1))
    assert at_aws.read_log() == 1
    assert UsageRecord.objects.get().key_id == at_aws.key.key_id


@pytest.mark.parametrize(
    "bad",
    ["", "hello", "[]", "null", "{}", '{"at": "x"}', '{"at": "1e400"}', '{"at": "nan"}', "[" * 5000,
     '{"at": "1", "api": "\\u0000"}', '{"at": "1", "status": 7}', '{"at": "1", "status": "-5"}',
     '{"at": "1", "api": "\\ud800"}'],
)  # fmt: skip
def test_a_line_that_is_no_call_is_shown_as_lost_and_stops_nothing(at_aws: Shop, bad: str) -> None:
    at_aws.call(), at_aws.log(bad), at_aws.call()
    assert at_aws.read_log() == 2
    assert FeedLoss.objects.get().reason == "malformed"
    assert at_aws.read_log() == 0
    assert FeedLoss.objects.count() == 1


def test_a_clock_that_is_far_off_does_not_put_a_call_out_of_sight(at_aws: Shop) -> None:
    at_aws.log(at_aws.line(at=str(int(datetime(1999, 1, 1, tzinfo=UTC).timestamp() * 1000))))
    at_aws.read_log()
    assert UsageRecord.objects.get().at > timezone.now() - timedelta(minutes=1)


@pytest.mark.parametrize(
    ("values", "counts"),
    [
        ({}, True),
        ({"integration": "-"}, True),
        ({"status": "429", "integration": "-", "error": "THROTTLED"}, False),
        ({"status": "403", "integration": "-", "error": "ACCESS_DENIED"}, False),
        ({"status": "400", "integration": "-", "error": "BAD_REQUEST_BODY"}, False),
        ({"status": "504", "integration": "-", "error": "INTEGRATION_TIMEOUT"}, True),
        ({"status": "502", "integration": "-", "error": "INTEGRATION_FAILURE"}, False),
    ],
)
def test_quotas_count_what_reached_the_api(at_aws: Shop, values: dict[str, str], counts: bool) -> None:
    at_aws.call(**values)
    at_aws.read_log()
    assert QuotaCounter.objects.exists() is counts


def test_a_quota_that_is_used_up_blocks_the_subscription(at_aws: Shop) -> None:
    at_aws.call(99), at_aws.read_log()
    assert not Block.objects.exists()
    at_aws.call(), at_aws.read_log()
    assert Block.objects.get().reason == Block.Reason.QUOTA_DAY


def test_seen_lines_are_forgotten_when_they_cannot_come_again(at_aws: Shop) -> None:
    now = timezone.now()
    with time_machine.travel(now, tick=False) as clock:
        at_aws.call(3), at_aws.read_log()
        clock.shift(aws_log.SEEN_FOR + timedelta(minutes=1))
        at_aws.call(), at_aws.read_log()
        assert SeenLine.objects.count() == 1
        assert at_aws.read_log() == 0


def test_trouble_of_one_gateway_is_its_own(at_aws: Shop) -> None:
    """Another Region of the account has no log group any more."""
    north = make_gateway("north", "eu-north-1")
    aws_north = at_aws.fake.account(region="eu-north-1")
    other = Shop(
        at_aws.fake, aws_north, north, factories.make_publication(at_aws.publication.api_version, north),
        at_aws.key, at_aws.fake.calls(aws_north, at_aws.calls._buckets, patience_s=0), "api2", "key2",
    )  # fmt: skip
    other.hold(logged_at=timezone.now())
    at_aws.call(2), other.call(3)
    del telemetry(at_aws.fake.at(at_aws.account)).groups[at_aws.group]
    at_aws.read(), other.read()
    assert calls_in(gateway=at_aws.gateway.public_id) == 0
    assert calls_in(gateway=north.public_id) == 3
    assert "log group does not exist" in AwsReading.objects.get(checkpoint__gateway=at_aws.gateway).trouble
    by_key = breakdown(UsageScope({"key_id": at_aws.key.key_id}), window("1h", timezone.now()), "gateway")
    assert [(name, figures.calls) for name, figures in by_key] == [(north.public_id, 3)]


def test_an_account_that_is_not_used_for_it_is_not_asked(at_aws: Shop) -> None:
    assert gateways_at_aws() == [at_aws.gateway.pk]
    account = at_aws.gateway.aws_account
    account.features = ["rest"]
    account.save()
    assert gateways_at_aws() == []


@pytest.mark.django_db(transaction=True)
def test_four_workers_at_once_count_each_call_once(at_aws: Shop) -> None:
    before = UsageRecord.objects.count()
    at_aws.call(40)
    at_aws.read_log()
    at_aws.call(20)
    start = threading.Barrier(4)

    def send() -> None:
        try:
            start.wait()
            at_aws.read_log()
        finally:
            connections.close_all()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert UsageRecord.objects.count() - before == calls_in() == 60


@settings(max_examples=15)
@given(data=st.data())
def test_any_lateness_order_paging_and_failing_counts_each_call_once(
    at_aws: Shop, data: st.DataObject
) -> None:
    """Lines come in any order within what is swept, runs break off anywhere; in the end sums are the calls."""
    known = AwsReading.objects.first()
    start = known.read_until if known and known.read_until else timezone.now()
    with time_machine.travel(start, tick=False) as clock, pytest.MonkeyPatch.context() as patched:
        patched.setattr(aws_log, "PAGE", data.draw(st.integers(1, 4)))
        patched.setattr(aws_log, "MOST_PAGES", data.draw(st.integers(1, 3)))
        for _step in range(data.draw(st.integers(1, 6))):
            for _line in range(data.draw(st.integers(0, 4))):
                late = timedelta(minutes=data.draw(st.integers(0, 120)))
                at_aws.call(at=timezone.now() - late)
            fault = data.draw(st.sampled_from(["", "lose_response", "cut_before", "fail"]))
            if fault == "fail":
                at_aws.fake.faults.fail("FilterLogEvents", Refused("InternalFailure", "-", 500), times=9)
            elif fault:
                getattr(at_aws.fake.faults, fault)("FilterLogEvents", times=9)
            at_aws.read()
            at_aws.fake.faults.coming.clear()
            clock.shift(timedelta(minutes=data.draw(st.integers(0, 30))))
        patched.setattr(aws_log, "MOST_PAGES", 100)
        clock.shift(aws_log.SWEEP_EVERY)
        at_aws.read(), at_aws.read()
        clock.shift(aws_log.SWEEP_EVERY)
        at_aws.read()
        read_until = timezone.now().timestamp() * 1000
    # Those of examples that were broken off are among them.
    events = telemetry(at_aws.fake.at(at_aws.account)).groups[at_aws.group].events
    written = sum(event["timestamp"] <= read_until for event in events)
    assert calls_in() == UsageRecord.objects.count() == written
