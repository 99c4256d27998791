"""Keeping the partitions of the table of calls: made ahead, dropped when old. Sums are kept for ever."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from usage.models import UsageBucket

DAYS_AHEAD = 2
MINUTES_KEPT = timedelta(days=32)
"""Minute buckets older than this are dropped: hours and days hold the same calls."""


@transaction.atomic
def keep_partitions() -> int:
    """Make the partitions of the next days and drop calls older than settings.USAGE_RECORD_DAYS.

    Answers the number of days dropped.
    """
    today = timezone.now().date()
    with connection.cursor() as cursor:
        for ahead in range(DAYS_AHEAD + 1):
            cursor.execute("SELECT usage_ensure_day(%s)", [today + timedelta(days=ahead)])
        cursor.execute("SELECT usage_drop_before(%s)", [today - timedelta(days=settings.USAGE_RECORD_DAYS)])
        dropped = int(cursor.fetchone()[0])
    UsageBucket.objects.filter(span=UsageBucket.Span.MINUTE, at__lt=timezone.now() - MINUTES_KEPT).delete()
    return dropped
