"""Celery's clock, with a heart that others can feel."""

from __future__ import annotations

from typing import Any

from celery.beat import PersistentScheduler

from portal.heart import beat_heart


class Scheduler(PersistentScheduler):
    """The usual scheduler; each turn of it is one beat of the heart that `scripts/role health beat` looks at."""

    def tick(self, *args: Any, **kwargs: Any) -> Any:
        wait = super().tick(*args, **kwargs)
        beat_heart("beat")
        return wait
