"""Background work on gateways. Arguments are ids; the rows say what is to do."""

from __future__ import annotations

from celery import shared_task

from gateways import actions
from gateways.models import Gateway


@shared_task
def reconcile_gateway(gateway_id: int) -> None:
    """Bring one gateway up to date, if anybody rang since the last time. Many bells are one run."""
    gateway = Gateway.objects.active().filter(pk=gateway_id).first()
    if gateway is not None:
        actions.reconcile(gateway, whether_due=True)
        actions.inspect_after_push(gateway)


@shared_task
def run_prompt_tests(public_id: str) -> None:
    """Run the test cases of a prompt."""
    actions.run_prompt_tests(public_id)


@shared_task
def sweep_prompt_tests() -> None:
    """Ring again for test runs that nobody began."""
    for public_id in actions.overdue_runs():
        run_prompt_tests.delay(public_id)


@shared_task
def sweep() -> None:
    """Find gateways that are behind although no bell was heard, and ring again."""
    actions.sweep()


@shared_task
def sweep_drift() -> None:
    """Read what gateways really do, and write down what nobody decided."""
    actions.sweep_drift()
