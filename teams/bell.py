"""Ringing a Celery task once the transaction has committed. The broker is only a bell: the row holds the truth."""

from __future__ import annotations

import structlog
from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = structlog.get_logger(__name__)


def ring(task: str, *ids: int) -> None:
    """Send the task named `task` after commit, with ids as its only arguments.

    A broker that does not answer fails nothing: it is logged, and the beat sweep of that task finds the row.
    """
    transaction.on_commit(lambda: _send(task, ids), robust=True)


def _send(task: str, ids: tuple[int, ...]) -> None:
    try:
        current_app.send_task(task, args=ids)
    except (OperationalError, OSError) as error:
        log.warning("bell_not_heard", task=task, error=str(error))
