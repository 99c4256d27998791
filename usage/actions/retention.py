"""Keeping the partitions of the table of calls: made ahead, dropped when old. Sums and the ledger are kept for ever,
AI calls one by one as long as those of gateways, and what was said in them until it expires.

Making and dropping a partition locks the whole table of calls for a moment. Each is a transaction of its own
that gives up when it does not get the lock soon, so that ingestion never waits behind it; the next hour tries
again.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from usage.models import AiBucket, AiRun, LoggedBody, UsageBucket, UsageTotal

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
    for old_rows in _old_rows(timezone.now()):
        while _drop_some(old_rows):
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


def _old_rows(now: datetime) -> list[QuerySet[Any]]:
    """What goes row by row: what was said and expired first, since somebody was promised that it goes."""
    minutes = {"span": UsageBucket.Span.MINUTE, "at__lt": now - MINUTES_KEPT}
    return [
        LoggedBody.objects.filter(expires_at__lte=now),
        AiRun.objects.filter(at__lt=now - timedelta(days=settings.USAGE_RECORD_DAYS)),
        *(sums.objects.filter(**minutes) for sums in (UsageBucket, UsageTotal, AiBucket)),
    ]


def _drop_some(old: QuerySet[Any]) -> int:
    """Drop some of the rows; the number dropped."""
    some = list(old.order_by("pk").values_list("pk", flat=True)[:MOST_AT_ONCE])
    dropped: int = old.model._default_manager.filter(pk__in=some).delete()[0]
    return dropped
