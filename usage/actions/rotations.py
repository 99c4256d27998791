"""Looking whether a key that rotates out is still used, and having its team warned before it ends."""

from __future__ import annotations

from datetime import datetime, timedelta

from subscriptions.actions import warn_of_rotation
from subscriptions.models import Rotation
from usage.queries import last_seen

STILL_USED = timedelta(days=1)
"""A key that was silent for longer is taken for switched over."""


def warn_of_rotations(*, now: datetime) -> int:
    """Warn of each rotation near its end whose old key was used since it began, and lately; the number warned.

    One that is not used yet is looked at again, until its end.
    """
    near = list(Rotation.objects.to_warn(now).select_related("old"))
    seen = last_seen(rotation.old.key_id for rotation in near)
    warned = 0
    for rotation in near:
        used_at = seen.get(rotation.old.key_id)
        if used_at is not None and used_at >= max(rotation.created_at, now - STILL_USED):
            warned += warn_of_rotation(rotation, used_at=used_at, now=now)
    return warned
