"""Counting calls against quotas, and blocking a subscription that used one up until the period ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, NamedTuple

from django.db import connection, transaction
from django.db.models.expressions import RawSQL
from django.utils import timezone

from subscriptions.actions import block_until, lift_block, lock_subscription
from subscriptions.models import Block, Subscription
from usage.models import QuotaCounter
from usage.periods import end_of, start_of

if TYPE_CHECKING:
    from usage.actions.ingest import KnownCall

REASON = {
    QuotaCounter.Period.DAY: Block.Reason.QUOTA_DAY,
    QuotaCounter.Period.MONTH: Block.Reason.QUOTA_MONTH,
}

COUNT = """
    INSERT INTO usage_quotacounter (subscription_id, period, starts_on, calls)
    SELECT * FROM unnest(%s::bigint[], %s::text[], %s::date[], %s::bigint[]) ORDER BY 1, 2, 3
    ON CONFLICT (subscription_id, period, starts_on) DO UPDATE SET calls = usage_quotacounter.calls + excluded.calls
    RETURNING subscription_id, period, starts_on, calls
"""


class CounterName(NamedTuple):
    subscription: int
    period: str
    starts_on: date


def count_against_quotas(calls: Iterable[KnownCall]) -> None:
    """Count the calls that the gateway let through, and weigh each subscription that seems to have none left.

    Nothing that quotas say ends the transaction of the caller: the calls happened, and are counted.
    """
    of_days = Counter(
        (known.caller.pk, known.call.at.date())
        for known in calls
        if known.caller is not None and known.call.was_let_through
    )
    counted: Counter[CounterName] = Counter()
    for (subscription, day), number in of_days.items():
        for period in QuotaCounter.Period.values:
            counted[CounterName(subscription, period, start_of(period, day))] += number
    totals = _add(counted)
    for subscription in _seem_used_up(totals):
        _weigh(subscription)


def _add(counted: Mapping[CounterName, int]) -> dict[CounterName, int]:
    """Add to the counters in one order; their totals."""
    if not counted:
        return {}
    names = map(list, zip(*counted, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(COUNT, [*names, list(counted.values())])
        return {CounterName(*name): total for *name, total in cursor.fetchall()}


def _seem_used_up(totals: Mapping[CounterName, int]) -> list[int]:
    """Subscriptions of which some counter has reached the limit, in the order of locks.

    Only to spare most subscriptions their row lock: the limits are read after the counters were locked, and a
    plan that shrinks in this very moment is weighed with the next call.
    """
    keys = RawSQL("SELECT unnest(%s::bigint[])", [list({name.subscription for name in totals})])
    found = Subscription.objects.filter(pk__in=keys)
    limits = {
        pk: {QuotaCounter.Period.DAY: day, QuotaCounter.Period.MONTH: month}
        for pk, day, month in found.values_list(
            "pk", "plan_revision__quota_day", "plan_revision__quota_month"
        )
    }
    return sorted(
        {
            name.subscription
            for name, total in totals.items()
            if (limit := limits[name.subscription][QuotaCounter.Period(name.period)]) is not None
            and total >= limit
        }
    )


@transaction.atomic
def reconsider_quotas(subscription: Subscription) -> None:
    """Weigh the present counters against the limits the subscription has now (its plan may have changed)."""
    _weigh(subscription.pk)


def _weigh(pk: int) -> None:
    """Block or unblock by the plan and the counters as they are under the subscription's lock.

    Who changes the plan holds that lock, too, and has the quotas weighed anew afterwards; so whichever comes
    last decides by what is true then. A closed subscription calls no more, and has nothing to block. Only the
    present period blocks: late calls of a past one are counted and hurt nobody.
    """
    subscription = lock_subscription(pk)
    if subscription.state == Subscription.State.CLOSED:
        return
    terms, today = subscription.plan_revision, timezone.now().date()
    limits = {QuotaCounter.Period.DAY: terms.quota_day, QuotaCounter.Period.MONTH: terms.quota_month}
    for period, limit in limits.items():
        starts_on = start_of(period, today)
        counter = subscription.quota_counters.filter(period=period, starts_on=starts_on).first()
        if limit is not None and counter is not None and counter.calls >= limit:
            until = datetime.combine(end_of(period, starts_on), time(), UTC)
            block_until(subscription, REASON[period], until)
        else:
            _lift(subscription, REASON[period])


def _lift(subscription: Subscription, reason: str) -> None:
    for block in subscription.blocks.filter(reason=reason, lifted_at=None):
        lift_block(block)
