"""Background work on usage."""

from celery import shared_task

from usage.actions import keep_partitions


@shared_task
def keep_usage_partitions() -> int:
    """Once an hour: partitions ahead, old calls out."""
    return keep_partitions()
