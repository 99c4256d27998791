"""A call is counted once, however its batch arrives."""

from __future__ import annotations

import itertools
import random
import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connections
from django.db.models import Sum
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateways.models import Gateway, Publication
from subscriptions.models import Credential
from tests import factories
from tests.usage.feeds import line
from usage.actions import FeedGap, ingest_batch
from usage.feed import FeedMalformed
from usage.models import FeedCheckpoint, UsageBucket, UsageRecord
from usage.queries import UsageScope, breakdown, summary
from usage.ranges import window

SEGMENTS = itertools.count()
NOON = int(timezone.now().timestamp()) * 1000  # of one length, so that cuts mean the same in every example


def take_in(gateway: Gateway, offset: int, body: bytes, segment: str = "s1") -> int:
    return ingest_batch(gateway, node="n1", segment=segment, offset=offset, body=body)


def calls_in(span: str) -> int:
    return UsageBucket.objects.filter(span=span).aggregate(calls=Sum("calls"))["calls"] or 0


def test_a_call_becomes_a_record_with_all_it_belongs_to(
    edge: Gateway, orders: Publication, key: Credential
) -> None:
    take_in(edge, 0, line(orders, key, path=f"{orders.base_path}/orders/17", status=404))
    record = UsageRecord.objects.get()
    assert record.api == orders.api_version.api.public_id
    assert record.operation == "getOrder"
    assert record.application == key.subscription.application.public_id
    assert record.plan == key.subscription.plan_revision.plan.public_id
    assert (record.key_id, record.status, record.duration_ms) == (key.key_id, 404, 12.0)


def test_every_span_counts_the_same_calls(edge: Gateway, orders: Publication, key: Credential) -> None:
    take_in(edge, 0, line(orders, key) * 3 + line(orders, key, status=500))
    assert [calls_in(span) for span in UsageBucket.Span.values] == [4, 4, 4]
    assert UsageRecord.objects.count() == 4


def test_a_batch_sent_twice_counts_once(edge: Gateway, orders: Publication, key: Credential) -> None:
    body = line(orders, key) * 5
    assert take_in(edge, 0, body) == len(body)
    assert take_in(edge, 0, body) == len(body)
    assert calls_in("m") == UsageRecord.objects.count() == 5


def test_of_an_overlapping_batch_only_the_new_part_counts(
    edge: Gateway, orders: Publication, key: Credential
) -> None:
    one = line(orders, key)
    take_in(edge, 0, one * 2)
    assert take_in(edge, len(one), one * 3) == 4 * len(one)
    assert calls_in("m") == 4


def test_a_batch_beyond_what_is_durable_is_a_gap_and_changes_nothing(
    edge: Gateway, orders: Publication, key: Credential
) -> None:
    one = line(orders, key)
    take_in(edge, 0, one)
    with pytest.raises(FeedGap) as gap:
        take_in(edge, len(one) + 10, one)
    assert gap.value.offset == len(one)
    assert calls_in("m") == 1


def test_a_line_still_being_written_waits_for_the_next_batch(
    edge: Gateway, orders: Publication, key: Credential
) -> None:
    one = line(orders, key)
    assert take_in(edge, 0, one + one[:20]) == len(one)
    assert take_in(edge, len(one), one) == 2 * len(one)
    assert calls_in("m") == 2


@pytest.mark.parametrize(
    "bad", [b"not json\n", b"[]\n", b'{"ts": 1}\n', b"[1,2,3,4,5,6,7,8,9,10,11,12,13]\n", b"null\n"]
)
def test_a_malformed_line_is_refused_with_its_place_and_nothing_is_taken_in(
    edge: Gateway, orders: Publication, key: Credential, bad: bytes
) -> None:
    one = line(orders, key)
    with pytest.raises(FeedMalformed) as refused:
        take_in(edge, 0, one + bad)
    assert refused.value.offset == len(one)
    assert UsageRecord.objects.count() == calls_in("m") == 0
    assert not FeedCheckpoint.objects.filter(offset__gt=0).exists()


def test_a_gateway_cannot_report_calls_of_another_gateways_publications(
    edge: Gateway, orders: Publication, key: Credential
) -> None:
    other = factories.make_gateway("other")
    body = line(orders, key)
    assert take_in(other, 0, body) == len(body)
    assert UsageRecord.objects.count() == 0


def test_calls_without_a_known_key_belong_to_the_api_alone(edge: Gateway, orders: Publication) -> None:
    take_in(edge, 0, line(orders, None, status=401, flags="missing_api_key"))
    scope = UsageScope({"api": orders.api_version.api.public_id})
    assert summary(scope, window("1h", timezone.now())).by_class == {4: 1}
    assert breakdown(scope, window("1h", timezone.now()), "application")[0][0] == ""


def test_a_clock_that_is_years_off_does_not_put_a_call_out_of_sight(
    edge: Gateway, orders: Publication, key: Credential
) -> None:
    take_in(edge, 0, line(orders, key, ts=datetime(1999, 1, 1, tzinfo=UTC).timestamp() * 1000))
    assert UsageRecord.objects.get().at > timezone.now() - timedelta(minutes=1)


def test_segments_are_counted_apart(edge: Gateway, orders: Publication, key: Credential) -> None:
    body = line(orders, key)
    take_in(edge, 0, body, "s1")
    take_in(edge, 0, body, "s2")
    assert calls_in("m") == 2


@pytest.mark.django_db(transaction=True)
def test_the_same_batch_from_four_threads_counts_once(
    edge: Gateway, orders: Publication, key: Credential
) -> None:
    body = line(orders, key) * 20
    start = threading.Barrier(4)

    def send() -> None:
        try:
            start.wait()
            take_in(edge, 0, body)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert UsageRecord.objects.filter(gateway=edge.public_id).count() == calls_in("m") == 20


@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_cutting_repeating_and_shuffling_of_batches_counts_each_call_once(
    edge: Gateway, orders: Publication, key: Credential, data: st.DataObject
) -> None:
    """R12 in small: cut a segment anywhere, deliver the pieces in any order, often: the sums are the calls."""
    segment = f"s{next(SEGMENTS)}"
    count = data.draw(st.integers(1, 12))
    body = b"".join(line(orders, key, ts=NOON, status=200 + index % 2) for index in range(count))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(body)), max_size=5)) | {0, len(body)})
    pieces = [(start, body[start:]) if random.Random(start).random() < 0.5 else (start, body[start:end])
              for start, end in itertools.pairwise(cuts)] * 2  # fmt: skip
    before = calls_in("m"), UsageRecord.objects.count()
    durable = 0
    for start, piece in data.draw(st.permutations(pieces)):
        try:
            durable = take_in(edge, start, piece, segment)
        except FeedGap as gap:
            durable = gap.offset
        except FeedMalformed:
            continue  # cut inside a line beyond what was durable: refused, and sent again from there below
    take_in(edge, durable, body[durable:], segment)
    assert (calls_in("m"), UsageRecord.objects.count()) == (before[0] + count, before[1] + count)
