"""What time brings about. A run that is lost or doubled does no harm: each finds what is due now."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from apis import actions


@shared_task
def retire_sunset_versions() -> None:
    """Retire deprecated versions whose last day is over."""
    actions.retire_sunset_versions(now=timezone.now())
