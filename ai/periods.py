"""The periods of budgets, for the runtime that counts them and the portal that adds them up. UTC throughout."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

DAY = "day"


def period_start(period: str, at: datetime) -> datetime:
    """When the day or (any other `period`) the calendar month of `at` began."""
    day = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day if period == DAY else day.replace(day=1)


def period_end(period: str, at: datetime) -> datetime:
    """When the next one begins."""
    start = period_start(period, at)
    return start + timedelta(days=1) if period == DAY else (start + timedelta(days=32)).replace(day=1)
