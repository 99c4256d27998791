"""Time ranges that pages and the REST API offer, and the bucket span that each reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext_lazy as _

from usage.models import UsageBucket


@dataclass(frozen=True, slots=True)
class Range:
    """`length` of time in points of `step`, read from buckets of `span`."""

    name: str
    label: Any
    span: str
    step: timedelta
    length: timedelta


_MINUTE, _HOUR, _DAY = UsageBucket.Span.MINUTE, UsageBucket.Span.HOUR, UsageBucket.Span.DAY

RANGES: Mapping[str, Range] = {
    choice.name: choice
    for choice in (
        Range("1h", _("Last hour"), _MINUTE, timedelta(minutes=1), timedelta(hours=1)),
        Range("6h", _("6 hours"), _MINUTE, timedelta(minutes=5), timedelta(hours=6)),
        Range("24h", _("24 hours"), _HOUR, timedelta(hours=1), timedelta(hours=24)),
        Range("7d", _("7 days"), _HOUR, timedelta(hours=6), timedelta(days=7)),
        Range("30d", _("30 days"), _DAY, timedelta(days=1), timedelta(days=30)),
        Range("90d", _("90 days"), _DAY, timedelta(days=1), timedelta(days=90)),
    )
}
DEFAULT = "1h"


@dataclass(frozen=True, slots=True)
class Window:
    """A range that ends with the slot that holds `now`; `start` and `end` are edges of slots, in UTC."""

    range: Range
    start: datetime
    end: datetime

    def before(self) -> Window:
        """The window of the same length just before, for comparison."""
        return Window(self.range, self.start - self.range.length, self.start)

    def slots(self) -> list[datetime]:
        """The start of every point, oldest first."""
        count = int(self.range.length / self.range.step)
        return [self.start + self.range.step * index for index in range(count)]


def window(name: str, now: datetime) -> Window:
    """The window of the range `name` (the default one for an unknown name)."""
    chosen = RANGES.get(name, RANGES[DEFAULT])
    seconds = int(chosen.step.total_seconds())
    end = datetime.fromtimestamp((int(now.timestamp()) // seconds + 1) * seconds, now.tzinfo)
    return Window(chosen, end - chosen.length, end)
