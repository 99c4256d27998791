"""What is left of the quotas of a subscription."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.utils import timezone

from subscriptions.models import Subscription
from usage.models import QuotaCounter
from usage.periods import end_of, start_of


@dataclass(frozen=True, slots=True)
class Quota:
    """A quota and what is left of it. `share` is 0..100; `used_up_on` is where the present pace leads."""

    period: QuotaCounter.Period
    limit: int
    calls: int
    ends: datetime
    used_up_on: date | None

    @property
    def left(self) -> int:
        return max(0, self.limit - self.calls)

    @property
    def share(self) -> float:
        return min(100.0, 100 * self.calls / self.limit) if self.limit else 100.0

    @property
    def tone(self) -> str:
        return "fail" if self.calls >= self.limit else "hold" if self.share >= 80 else "accent"


def quotas_of(subscription: Subscription) -> list[Quota]:
    """The quotas of a subscription's plan as they stand now; none where the plan has none."""
    terms, now = subscription.plan_revision, timezone.now()
    limits = {QuotaCounter.Period.DAY: terms.quota_day, QuotaCounter.Period.MONTH: terms.quota_month}
    return [_quota(subscription, period, limit, now) for period, limit in limits.items() if limit is not None]


def _quota(subscription: Subscription, period: QuotaCounter.Period, limit: int, now: datetime) -> Quota:
    starts, ends = start_of(period, now.date()), end_of(period, start_of(period, now.date()))
    counter = subscription.quota_counters.filter(period=period, starts_on=starts).first()
    calls = counter.calls if counter else 0
    end = datetime.combine(ends, time(), UTC)
    return Quota(period, limit, calls, end, _used_up_on(calls, limit, starts, end, now))


def _used_up_on(calls: int, limit: int, starts: date, end: datetime, now: datetime) -> date | None:
    """The day on which the limit is reached if calls go on as they did since `starts`; None if it is not."""
    elapsed = (now - datetime.combine(starts, time(), UTC)).total_seconds()
    if calls == 0 or calls >= limit or elapsed <= 0:
        return None
    moment = now + timedelta(seconds=min((limit - calls) * elapsed / calls, 3_000_000_000))
    return moment.date() if moment < end else None
