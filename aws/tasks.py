"""Calls to AWS on behalf of a page. Arguments are ids; the rows say what is to do."""

from __future__ import annotations

from typing import Any

from celery import shared_task

from aws import actions


@shared_task(bind=True, max_retries=None)
def prove_account(self: Any, proof_id: int) -> None:
    """Look at an account; comes back when a limit of AWS lets it go on."""
    seconds = actions.carry_out_proof(proof_id)
    if seconds is not None:
        raise self.retry(countdown=seconds)


@shared_task
def sweep_proofs() -> None:
    """Ring again for looks at accounts that nobody is at."""
    for proof_id in actions.overdue_proofs():
        prove_account.delay(proof_id)


@shared_task(bind=True, max_retries=None)
def push_function(self: Any, push_id: int) -> None:
    """Bring a function in AWS to what is decided; comes back when AWS has to do its part first."""
    seconds = actions.carry_out_push(push_id)
    if seconds is not None:
        raise self.retry(countdown=seconds)


@shared_task
def sweep_pushes() -> None:
    """Ring again for pushes that nobody is at."""
    for push_id in actions.overdue_pushes():
        push_function.delay(push_id)
