"""Comparing a day's calls with what AWS itself counted: of stages by CloudWatch, of keys by usage plans.

Nothing is put right: where the two differ, pages say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple

from django.db import transaction
from django.db.models import Q, Sum
from django.utils import timezone

from aws.client.calls import Calls
from aws.client.errors import Missing
from gateways.models import Gateway
from gateways.queries.remote import PlanAt, keys_by_id, plans_of, stages_of
from subscriptions.models import Credential
from usage.actions.aws_log import SWEEP_BACK, SWEEP_EVERY
from usage.aws.metrics import counts_of
from usage.dimensions import RouteFacts, routes_of
from usage.models import AwsReading, CountDifference, UsageBucket

SETTLED = SWEEP_BACK + SWEEP_EVERY
"""So long after its end a day is compared: what is counted late is counted by then."""
TOLERATED_SHARE = 0.02
TOLERATED_CALLS = 5
"""Fewer are not worth a word: both sides put a call that crosses midnight where they like."""
REFUSED = (403, 429)
"""AWS does not say whether it counts what it refused so."""
DAY_S = 86_400

Source = CountDifference.Source


class Counted(NamedTuple):
    """Calls that stand here: those that AWS counts surely, and all."""

    least: int
    most: int


class Subject(NamedTuple):
    """Whose calls are compared."""

    route: RouteFacts
    key_id: str = ""
    application: str = ""


def check_counts(gateway: Gateway, calls: Calls) -> date | None:
    """Compare the next day that is over and settled; the day, None where there is none yet.

    Raises AwsError: the next run goes on with the usage plan at which this one had to stop.
    """
    reading = AwsReading.objects.filter(checkpoint__gateway=gateway).first()
    day = _due(reading) if reading else None
    if reading is None or day is None:
        return None
    if not reading.checked_plan:
        _check_stages(gateway, calls, day)
    for plan in sorted(plans_of(gateway), key=lambda one: one.id):
        if plan.id > reading.checked_plan:
            _check_plan(gateway, calls, day, plan)
            _note(reading, checked_plan=plan.id)
    _note(reading, checked_until=day + timedelta(days=1), checked_plan="")
    return day


def _due(reading: AwsReading) -> date | None:
    """The day to compare. The first is the one on which reading began; without a log there is nothing to compare."""
    today = timezone.now().date()
    if reading.checked_until is None or reading.read_until is None:
        _note(reading, checked_until=today)
        return None
    settled = _midnight(reading.checked_until + timedelta(days=1)) + SETTLED
    return reading.checked_until if settled <= reading.read_until else None


def _note(reading: AwsReading, **values: object) -> None:
    """These fields alone: the log may be read on meanwhile."""
    AwsReading.objects.filter(pk=reading.pk).update(**values)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


# ---- stages ----


def _check_stages(gateway: Gateway, calls: Calls, day: date) -> None:
    start, end = _midnight(day), _midnight(day + timedelta(days=1))
    stages = [one for one in stages_of(gateway) if one.name and one.logged_at and one.logged_at <= start]
    if not stages:
        return
    wanted = [(one.name, one.stage) for one in stages]
    found = counts_of(calls, wanted, start=start, end=end, period_s=DAY_S)
    routes = routes_of(gateway, (one.publication for one in stages))
    for one in stages:
        if route := routes.get(one.publication):
            there = sum(counts.get("Count", 0) for counts in found.get((one.name, one.stage), {}).values())
            _compare(gateway, day, Source.METRICS, Subject(route), there)


# ---- keys ----


def _check_plan(gateway: Gateway, calls: Calls, day: date, plan: PlanAt) -> None:
    route = routes_of(gateway, [plan.publication]).get(plan.publication)
    if route is None:
        return
    there = _used(calls, plan, day)
    names = keys_by_id(gateway, there)
    for key, subject in _subjects(route, names).items():
        _compare(gateway, day, Source.PLAN, subject, there[key])


def _used(calls: Calls, plan: PlanAt, day: date) -> dict[str, int]:
    """Calls of each key in a day, by AWS's id of the key; nothing of a plan that somebody took away."""
    asked = {"usagePlanId": plan.id, "startDate": day.isoformat(), "endDate": day.isoformat()}
    found: dict[str, int] = {}
    try:
        for items in calls.pages("apigateway", "GetUsage", "items", **asked):
            found |= {key: int(days[0][0]) for key, days in items.items() if days}
    except Missing:
        return {}
    return found


def _subjects(route: RouteFacts, names: Mapping[str, str]) -> dict[str, Subject]:
    rows = Credential.objects.filter(public_id__in=set(names.values())).values_list(
        "public_id", "key_id", "subscription__application__public_id"
    )
    known = {name: Subject(route, key_id, application) for name, key_id, application in rows}
    return {key: known[name] for key, name in names.items() if name in known}


# ---- both ----


@transaction.atomic
def _compare(gateway: Gateway, day: date, source: str, subject: Subject, there: int) -> None:
    """Note a difference, or that there is none any more. Where AWS counted nothing at all it does not count: whether
    usage plans without a quota are counted is not known."""
    here = _counted(gateway, day, subject)
    name: dict[str, Any] = {
        "gateway": gateway,
        "day": day,
        "source": source,
        "environment": subject.route.environment,
        "api_version": subject.route.api_version,
        "key_id": subject.key_id,
    }
    if not there or agrees(here, there):
        CountDifference.objects.filter(**name).delete()
        return
    values = {"calls_least": here.least, "calls_most": here.most, "calls_there": there}
    whose = {"api": subject.route.api, "application": subject.application}
    CountDifference.objects.update_or_create(**name, defaults=values | whose)


def agrees(here: Counted, there: int) -> bool:
    """Whether both counts may be of the same calls, but for what is tolerated."""
    slack = max(TOLERATED_CALLS, TOLERATED_SHARE * max(here.most, there))
    return here.least - slack <= there <= here.most + slack


def _counted(gateway: Gateway, day: date, subject: Subject) -> Counted:
    found = UsageBucket.objects.filter(
        span=UsageBucket.Span.DAY,
        at=_midnight(day),
        gateway=gateway.public_id,
        environment=subject.route.environment,
        api=subject.route.api,
        api_version=subject.route.api_version,
    )
    if subject.key_id:
        found = found.filter(key_id=subject.key_id)
    sums = found.aggregate(most=Sum("calls"), refused=Sum("calls", filter=Q(status__in=REFUSED)))
    most = sums["most"] or 0
    return Counted(most - (sums["refused"] or 0), most)
