"""Background work on usage."""

from celery import shared_task
from django.utils import timezone

from gateways.models import Gateway
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


@shared_task
def read_aws_usage() -> None:
    """Once a minute: read the calls of gateways at AWS, each in a task of its own."""
    for gateway_id in actions.gateways_at_aws():
        read_gateway_at_aws.apply_async((gateway_id,), expires=60)


@shared_task
def read_gateway_at_aws(gateway_id: int) -> None:
    """Read the calls of one."""
    gateway = Gateway.objects.select_related("aws_account").filter(pk=gateway_id).first()
    if gateway is not None:
        actions.read_usage(gateway)


@shared_task
def keep_aws_logs() -> None:
    """Every few minutes: see that the calls of gateways at AWS are logged, where that is wanted."""
    for gateway in Gateway.objects.active().filter(kind=Gateway.Kind.AWS).select_related("aws_account"):
        actions.keep_logs(gateway)
