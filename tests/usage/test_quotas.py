"""A used-up quota blocks, and unblocks when the period ends or the plan grows."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from gateways.models import Gateway, Publication
from subscriptions.actions import lift_blocks
from subscriptions.models import Block, Credential
from tests import factories
from tests.usage.feeds import line
from usage.actions import ingest_batch, reconsider_quotas
from usage.models import QuotaCounter


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


@pytest.mark.parametrize("refused", [{"flags": "RL", "status": 429}, {"flags": "quota", "status": 429}])
def test_calls_that_the_gateway_refused_use_up_nothing(
    edge: Gateway, orders: Publication, key: Credential, refused: dict[str, object]
) -> None:
    take_in(edge, line(orders, key, **refused) * 100)
    assert not QuotaCounter.objects.exists()
    assert not Block.objects.exists()


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
