"""Keeping the partitions of the table of calls: made ahead, dropped when old. Sums are kept for ever.

Making and dropping a partition locks the whole table of calls for a moment. Each is a transaction of its own
that gives up when it does not get the lock soon, so that ingestion never waits behind it; the next hour tries
again.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import structlog
from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from usage.models import UsageBucket, UsageTotal

log = structlog.get_logger(__name__)

DAYS_AHEAD = 2
MINUTES_KEPT = timedelta(days=32)
"""Minute buckets older than this are dropped: hours and days hold the same calls."""

LOCK_WAIT = "2s"
MOST_AT_ONCE = 10_000
_TABLE = "usage_usagerecord_"
_DAYS = """
    SELECT child.relname FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid
    WHERE inhparent = 'usage_usagerecord'::regclass ORDER BY child.relname
"""


def keep_partitions() -> int:
    """Make the partitions of the next days and drop calls older than settings.USAGE_RECORD_DAYS.

    Answers the number of days dropped. What is busy now is left for the next time.
    """
    today = timezone.now().date()
    for ahead in range(DAYS_AHEAD + 1):
        _alone("SELECT usage_ensure_day(%s)", today + timedelta(days=ahead))
    keep_from = today - timedelta(days=settings.USAGE_RECORD_DAYS)
    old = [day for day in _days() if day < keep_from]
    dropped = sum(_alone("SELECT usage_drop_before(%s)", day + timedelta(days=1)) for day in old)
    for sums in (UsageBucket, UsageTotal):
        while _drop_minutes(sums, timezone.now() - MINUTES_KEPT):
            pass
    return dropped


def _days() -> list[date]:
    """The days that have a partition, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(_DAYS)
        names = [str(name) for (name,) in cursor.fetchall()]
    return [
        datetime.strptime(name.removeprefix(_TABLE), "%Y%m%d").replace(tzinfo=UTC).date() for name in names
    ]


def _alone(statement: str, day: date) -> bool:
    """Run a statement about one day in its own transaction; whether it got the lock."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'")
            cursor.execute(statement, [day])
    except OperationalError as error:
        log.warning("usage.partition_busy", day=day.isoformat(), reason=str(error))
        return False
    return True


def _drop_minutes(sums: type[UsageBucket | UsageTotal], before: datetime) -> int:
    """Drop the sums of some minutes; the number dropped."""
    old = sums.objects.filter(span=UsageBucket.Span.MINUTE, at__lt=before).order_by("pk")
    return sums.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:MOST_AT_ONCE])).delete()[0]
