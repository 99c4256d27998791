"""Pieces of usage that pages of lower apps embed by URL name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone

from subscriptions.models import Subscription
from teams.access import HtmxHttpRequest, page
from teams.models import Verb
from usage.dashboards import calls_chart
from usage.models import QuotaCounter
from usage.periods import end_of, start_of
from usage.queries import (
    UsageScope,
    apis_of,
    applications_of,
    calls_today,
    credentials_of,
    last_seen,
    subscriptions_of,
    summary,
    timeseries,
    use_of,
)
from usage.ranges import window


@dataclass(frozen=True, slots=True)
class Quota:
    """A quota and what is left of it. `share` is 0..100; `used_up_on` is where the present pace leads."""

    period: str
    limit: int
    calls: int
    ends: datetime
    used_up_on: date | None

    @property
    def share(self) -> float:
        return min(100.0, 100 * self.calls / self.limit) if self.limit else 100.0

    @property
    def tone(self) -> str:
        return "fail" if self.calls >= self.limit else "hold" if self.share >= 80 else "accent"


@page(Verb.USAGE_VIEW)
def usage_spark(request: HtmxHttpRequest, kind: str, public_id: str) -> HttpResponse:
    """The last hour of an API, an application or a subscription, small."""
    sets: dict[str, Any] = {"api": apis_of, "application": applications_of, "subscription": subscriptions_of}
    target = get_object_or_404(sets[kind](request.actor), public_id=public_id)
    scope, shown = UsageScope({kind: target.public_id}), window("1h", timezone.now())
    points = timeseries(scope, shown)
    context = {"figures": summary(scope, shown), "chart": calls_chart(points), "target": target, "kind": kind}
    return render(request, "usage/usage_spark.html", context)


@page(Verb.USAGE_VIEW)
def usage_keys(request: HtmxHttpRequest, public_id: str) -> HttpResponse:
    """Calls today and last use of each key of a subscription."""
    subscription = get_object_or_404(subscriptions_of(request.actor), public_id=public_id)
    keys = list(subscription.credentials.all())
    ids = [key.key_id for key in keys]
    today = calls_today(ids, datetime.combine(timezone.now().date(), time(), UTC))
    seen = last_seen(ids)
    rows = [(key, today.get(key.key_id, 0), seen.get(key.key_id)) for key in keys]
    return render(request, "usage/usage_keys.html", {"rows": rows, "subscription": subscription})


@page(Verb.USAGE_VIEW)
def usage_key(request: HtmxHttpRequest, public_id: str) -> HttpResponse:
    """Calls today and last use of one key, in a line that follows while the key works."""
    credential = get_object_or_404(credentials_of(request.actor), public_id=public_id)
    context = {"key": credential, "use": use_of(credential.key_id), "still": "still" in request.GET}
    return render(request, "usage/usage_key.html", context)


@page(Verb.USAGE_VIEW)
def usage_quota(request: HtmxHttpRequest, public_id: str) -> HttpResponse:
    """How much of each quota is left, and when it will be used up at this pace."""
    found = subscriptions_of(request.actor).select_related("plan_revision__plan")
    subscription = get_object_or_404(found, public_id=public_id)
    context = {
        "quotas": quotas_of(subscription),
        "subscription": subscription,
        "terms": subscription.plan_revision,
    }
    return render(request, "usage/usage_quota.html", context)


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
    return Quota(str(period.label), limit, calls, end, _used_up_on(calls, limit, starts, end, now))


def _used_up_on(calls: int, limit: int, starts: date, end: datetime, now: datetime) -> date | None:
    """The day on which the limit is reached if calls go on as they did since `starts`; None if it is not."""
    elapsed = (now - datetime.combine(starts, time(), UTC)).total_seconds()
    if calls == 0 or calls >= limit or elapsed <= 0:
        return None
    moment = now + timedelta(seconds=min((limit - calls) * elapsed / calls, 3_000_000_000))
    return moment.date() if moment < end else None
