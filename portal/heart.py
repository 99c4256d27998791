"""The file that worker and beat touch as long as they really work (scripts/role health)."""

from __future__ import annotations

from django.conf import settings


def beat_heart(role: str) -> None:
    """Say that `role` works. A disk that is full or read-only is no reason to stop working."""
    heart = settings.STATE_DIR / "health" / role / "heart"
    try:
        heart.parent.mkdir(parents=True, exist_ok=True)
        heart.touch()
    except OSError:
        return
