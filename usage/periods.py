"""Quota periods: UTC days and calendar months."""

from __future__ import annotations

from datetime import date, timedelta

from usage.models import QuotaCounter


def start_of(period: str, day: date) -> date:
    """The first day of the period that holds `day`."""
    return day if period == QuotaCounter.Period.DAY else day.replace(day=1)


def end_of(period: str, starts_on: date) -> date:
    """The first day after the period that starts on `starts_on`."""
    if period == QuotaCounter.Period.DAY:
        return starts_on + timedelta(days=1)
    return (starts_on.replace(day=1) + timedelta(days=32)).replace(day=1)
