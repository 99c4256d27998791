"""Counting calls against quotas, and blocking a subscription that used one up until the period ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING

from django.db import connection, transaction
from django.utils import timezone

from subscriptions.actions import block_until, lift_block
from subscriptions.models import Block, Subscription
from usage.models import QuotaCounter
from usage.periods import end_of, start_of

if TYPE_CHECKING:
    from usage.actions.ingest import KnownCall

REASON = {
    QuotaCounter.Period.DAY: Block.Reason.QUOTA_DAY,
    QuotaCounter.Period.MONTH: Block.Reason.QUOTA_MONTH,
}
PERIOD = {reason: period for period, reason in REASON.items()}

COUNT = """
    INSERT INTO usage_quotacounter (subscription_id, period, starts_on, calls) VALUES (%s, %s, %s, %s)
    ON CONFLICT (subscription_id, period, starts_on) DO UPDATE SET calls = usage_quotacounter.calls + excluded.calls
    RETURNING calls
"""


@dataclass(frozen=True, slots=True, order=True)
class CounterName:
    subscription: int
    period: str
    starts_on: date


def count_against_quotas(calls: Iterable[KnownCall]) -> None:
    """Count the calls that the gateway let through; block each subscription that has none left."""
    counted: Counter[CounterName] = Counter()
    limits: dict[CounterName, int | None] = {}
    for known in calls:
        if known.caller is None or not known.call.was_let_through:
            continue
        quotas = {
            QuotaCounter.Period.DAY: known.caller.quota_day,
            QuotaCounter.Period.MONTH: known.caller.quota_month,
        }
        for period, limit in quotas.items():
            name = CounterName(known.caller.pk, period, start_of(period, known.call.at.date()))
            counted[name] += 1
            limits[name] = limit
    for name, total in _add(counted).items():
        _block_if_used_up(name, total, limits[name])


def _add(counted: Mapping[CounterName, int]) -> dict[CounterName, int]:
    """Add to the counters in one order; their totals."""
    totals = {}
    with connection.cursor() as cursor:
        for name in sorted(counted):
            cursor.execute(COUNT, [name.subscription, name.period, name.starts_on, counted[name]])
            totals[name] = cursor.fetchone()[0]
    return totals


def _block_if_used_up(name: CounterName, total: int, limit: int | None) -> None:
    """Only the present period blocks: late calls of a past one are counted and hurt nobody."""
    period = QuotaCounter.Period(name.period)
    if limit is None or total < limit or name.starts_on != start_of(period, timezone.now().date()):
        return
    if Block.objects.filter(
        subscription_id=name.subscription, reason=REASON[period], lifted_at=None
    ).exists():
        return
    until = datetime.combine(end_of(period, name.starts_on), time(), UTC)
    block_until(Subscription.objects.get(pk=name.subscription), REASON[period], until)


@transaction.atomic
def reconsider_quotas(subscription: Subscription) -> None:
    """Weigh the present counters against the limits the subscription has now (its plan may have changed)."""
    subscription = (
        Subscription.objects.select_for_update().select_related("plan_revision").get(pk=subscription.pk)
    )
    terms = subscription.plan_revision
    limits = {QuotaCounter.Period.DAY: terms.quota_day, QuotaCounter.Period.MONTH: terms.quota_month}
    today = timezone.now().date()
    for period, limit in limits.items():
        name = CounterName(subscription.pk, period, start_of(period, today))
        counter = subscription.quota_counters.filter(period=period, starts_on=name.starts_on).first()
        total = counter.calls if counter else 0
        _block_if_used_up(name, total, limit)
        if limit is None or total < limit:
            _lift(subscription, REASON[period])


def _lift(subscription: Subscription, reason: str) -> None:
    for block in subscription.blocks.filter(reason=reason, lifted_at=None):
        lift_block(block)
