"""Background work on usage."""

from celery import shared_task
from django.utils import timezone

from usage import actions


@shared_task
def keep_usage_partitions() -> int:
    """Once an hour: partitions ahead, old calls out."""
    return actions.keep_partitions()


@shared_task
def warn_of_rotations() -> None:
    """Once a minute: warn of keys that rotate out soon and are still used."""
    actions.warn_of_rotations(now=timezone.now())
