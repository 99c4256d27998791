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


@shared_task
def take_stock_of_budgets() -> int:
    """Every few seconds: add up the ledger for budgets whose runtimes wait for it."""
    return actions.take_stock()


@shared_task
def warn_of_budgets() -> int:
    """Once a minute: tell of budgets that are nearly or wholly used."""
    return actions.warn_of_budgets()
