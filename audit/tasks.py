"""Background work on the audit trail."""

from celery import shared_task

from audit.actions import seal_events


@shared_task
def seal() -> int:
    """Seal what has been recorded since the last time; the number sealed."""
    return seal_events()
