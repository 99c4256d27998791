"""A used-up quota blocks, and unblocks when the period ends or the plan grows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection, connections, transaction
from django.utils import timezone

from gateways.models import Gateway, Publication
from subscriptions.actions import close_subscription, lift_blocks
from subscriptions.models import Block, Credential, Subscription
from teams.models import SYSTEM
from tests import factories
from tests.usage.feeds import line
from usage.actions import ingest_batch, reconsider_quotas
from usage.models import QuotaCounter, UsageRecord


def take_in(gateway: Gateway, body: bytes, segment: str = "s1") -> None:
    ingest_batch(gateway, node="n1", segment=segment, offset=0, body=body)


def test_the_last_call_of_the_quota_blocks_until_the_period_ends(
    edge: Gateway, orders: Publication, key: Credential
) -> None:
    take_in(edge, line(orders, key) * 99, "s1")
    assert not Block.objects.exists()
    take_in(edge, line(orders, key), "s2")
    block = Block.objects.get()
    assert (block.subscription, block.reason, block.lifted_at) == (key.subscription, "quota_day", None)
    assert block.until.hour == block.until.minute == 0
    assert timezone.now() < block.until <= timezone.now() + timedelta(days=1)


@pytest.mark.parametrize(
    "refused",
    [
        {"flags": "RL", "status": 429},
        {"flags": "quota", "status": 429},
        {"flags": "UH", "status": 503, "upstream_ms": None},
        {"flags": "UF", "status": 503, "upstream_ms": None},
        {"flags": "UF,URX", "status": 503, "upstream_ms": None},
    ],
)
def test_calls_that_never_reached_the_api_use_up_nothing(
    edge: Gateway, orders: Publication, key: Credential, refused: dict[str, object]
) -> None:
    take_in(edge, line(orders, key, **refused) * 100)
    assert not QuotaCounter.objects.exists()
    assert not Block.objects.exists()


@pytest.mark.parametrize(
    "failed",
    [
        {"flags": "UT", "status": 504, "upstream_ms": None},
        {"flags": "UC", "status": 503, "upstream_ms": None},
        {"flags": "", "status": 503},
        {"flags": "DC", "status": 0, "upstream_ms": None},
    ],
)
def test_calls_that_the_api_took_and_failed_are_counted(
    edge: Gateway, orders: Publication, key: Credential, failed: dict[str, object]
) -> None:
    take_in(edge, line(orders, key, **failed) * 3)
    assert QuotaCounter.objects.get(period="d").calls == 3


def test_late_calls_of_a_past_day_are_counted_there_and_block_nobody(
    edge: Gateway, orders: Publication, key: Credential
) -> None:
    yesterday = (timezone.now() - timedelta(days=1)).timestamp() * 1000
    take_in(edge, line(orders, key, ts=yesterday) * 100)
    counter = QuotaCounter.objects.get(period="d")
    assert (counter.calls, counter.starts_on) == (100, timezone.now().date() - timedelta(days=1))
    assert not Block.objects.filter(reason="quota_day").exists()


def test_the_block_ends_with_its_period(edge: Gateway, orders: Publication, key: Credential) -> None:
    take_in(edge, line(orders, key) * 100)
    lift_blocks(now=timezone.now() + timedelta(days=1, seconds=1))
    assert Block.objects.get().lifted_at is not None


def test_a_larger_plan_lifts_the_block_and_a_smaller_one_sets_it(
    edge: Gateway, orders: Publication, key: Credential
) -> None:
    take_in(edge, line(orders, key) * 100)
    subscription = key.subscription
    subscription.plan_revision = factories.make_plan(orders.api_version.api, "Gold", quota_day=1000)
    subscription.save()
    reconsider_quotas(subscription)
    assert Block.objects.get().lifted_at is not None
    subscription.plan_revision = factories.make_plan(orders.api_version.api, "Tin", quota_day=50)
    subscription.save()
    reconsider_quotas(subscription)
    assert Block.objects.filter(lifted_at=None).count() == 1


def test_more_calls_while_blocked_make_no_second_block(
    edge: Gateway, orders: Publication, key: Credential
) -> None:
    take_in(edge, line(orders, key) * 100, "s1")
    take_in(edge, line(orders, key) * 10, "s2")
    assert Block.objects.count() == 1


def test_a_closed_subscription_holds_up_no_feed(edge: Gateway, orders: Publication, key: Credential) -> None:
    close_subscription(key.subscription, actor=SYSTEM, reason="The team has moved on.")
    take_in(edge, line(orders, key) * 100)
    assert UsageRecord.objects.count() == 100
    assert QuotaCounter.objects.get(period="d").calls == 100
    assert not Block.objects.exists()


def somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()"
        )
        return bool(cursor.fetchone()[0])


def in_a_thread(work: Callable[[], object]) -> threading.Thread:
    """`work` under way in a connection of its own."""

    def run() -> None:
        try:
            work()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.django_db(transaction=True)
def test_a_batch_under_way_does_not_block_by_a_plan_that_is_past(
    edge: Gateway, orders: Publication, key: Credential
) -> None:
    """The plan grows after the batch has read whose calls they are, and before it has counted them."""
    take_in(edge, line(orders, key) * 90, "s1")
    gold = factories.make_plan(orders.api_version.api, "Gold", quota_day=1000, quota_month=9000)
    with transaction.atomic():
        list(QuotaCounter.objects.select_for_update(no_key=True))
        batch = in_a_thread(lambda: take_in(edge, line(orders, key) * 20, "s2"))
        deadline = time.monotonic() + 20
        while not somebody_waits_for_a_lock() and time.monotonic() < deadline:
            pass

        def upgrade() -> None:
            Subscription.objects.filter(pk=key.subscription_id).update(plan_revision=gold)
            reconsider_quotas(key.subscription)

        in_a_thread(upgrade).join()
    batch.join()
    assert QuotaCounter.objects.get(period="d").calls == 110
    assert not Block.objects.exists()
