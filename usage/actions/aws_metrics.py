"""Counting calls of stages without a log by CloudWatch's sums: how many and how they ended, not whose they were."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.utils import timezone

from aws.client.calls import Calls
from gateways.models import Gateway
from gateways.queries.remote import StageAt, stages_of
from usage.actions.aws_log import NODE, SEGMENT, reading_of
from usage.actions.buckets import Sum, Sums, add_sums
from usage.actions.checkpoints import locked_checkpoint
from usage.actions.ingest import count_records
from usage.aws.metrics import Counts, Stage, by_status, counts_of
from usage.dimensions import RouteFacts, routes_of
from usage.models import AwsReading

SETTLED = timedelta(minutes=10)
"""CloudWatch adds to younger minutes still."""
AT_ONCE = timedelta(hours=3)
KEPT = timedelta(days=14)
"""Minutes older than fifteen days are gone there."""
MINUTE_S = 60


def read_metrics(gateway: Gateway, calls: Calls) -> int:
    """Count the next minutes of stages that had no log then; the number of calls. Raises AwsError.

    The first look only says from when on is counted.
    """
    start, end = _window(gateway)
    stages = [
        one for one in stages_of(gateway) if one.name and (one.logged_at is None or one.logged_at > start)
    ]
    found: Mapping[Stage, Mapping[datetime, Counts]] = {}
    if stages and start < end:
        wanted = [(one.name, one.stage) for one in stages]
        found = counts_of(calls, wanted, start=start, end=end, period_s=MINUTE_S)
    return _take(gateway, (start, end), stages, found)


def _window(gateway: Gateway) -> tuple[datetime, datetime]:
    now = timezone.now()
    settled = (now - SETTLED).replace(second=0, microsecond=0)
    reading = AwsReading.objects.filter(checkpoint__gateway=gateway).first()
    if reading is None or reading.metrics_until is None:
        return settled, settled
    start = max(reading.metrics_until, settled - KEPT)
    return start, max(start, min(settled, start + AT_ONCE))


@transaction.atomic
def _take(
    gateway: Gateway,
    window: tuple[datetime, datetime],
    stages: Sequence[StageAt],
    found: Mapping[Stage, Mapping[datetime, Counts]],
) -> int:
    """Count what was found, unless another worker did so meanwhile."""
    reading = reading_of(locked_checkpoint(gateway, NODE, SEGMENT))
    start, end = window
    if reading.metrics_until is not None and reading.metrics_until > start:
        return 0
    sums = _sums(gateway, stages, found)
    add_sums(sums)
    count = sum(total.calls for minutes in sums.values() for total in minutes.values())
    count_records(gateway, count)
    reading.metrics_until = end
    reading.save()
    return count


def _sums(
    gateway: Gateway, stages: Sequence[StageAt], found: Mapping[Stage, Mapping[datetime, Counts]]
) -> Sums:
    routes = routes_of(gateway, (one.publication for one in stages))
    sums: Sums = defaultdict(lambda: defaultdict(Sum))
    for one in stages:
        route = routes.get(one.publication)
        if route is None:
            continue
        for at, counts in found.get((one.name, one.stage), {}).items():
            minute = at.astimezone(UTC)
            if one.logged_at is not None and minute >= one.logged_at.replace(second=0, microsecond=0):
                continue  # its log tells of them
            for status, calls in by_status(counts).items():
                sums[_kind(gateway, route, status)][minute].calls += calls
    return sums


def _kind(gateway: Gateway, route: RouteFacts, status: int) -> tuple[object, ...]:
    """The dimensions of a bucket: nobody knows of which operation and by whom."""
    return (
        gateway.public_id, route.environment, route.api, route.api_version, "", "", "", "", "", status,
    )  # fmt: skip
