"""What time brings about for AI. A run that is lost or doubled does no harm."""

from __future__ import annotations

from celery import shared_task

from ai import actions
from teams.models import SYSTEM


@shared_task
def update_models() -> None:
    """Take over the models and prices of the catalogue that is installed."""
    actions.update_models(actor=SYSTEM)
