"""A clock that stands still until a test lets time pass."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class Clock:
    """Seconds since 1970, from `start` on. Calling it tells the time, so it can stand in for `time.time`.

    It starts at the real time, so that what botocore compares with its own clock (signatures, skew) agrees.
    """

    def __init__(self, start: float | None = None) -> None:
        self._now = float(int(time.time())) if start is None else start

    def __call__(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        assert seconds >= 0, "time does not go back"
        self._now += seconds

    @property
    def date(self) -> datetime:
        return datetime.fromtimestamp(self._now, UTC)
