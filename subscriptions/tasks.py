"""Sweeps: what time brings about. Each finds what is due now, so that a lost or doubled run does no harm."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from subscriptions import actions


@shared_task
def lapse_requests() -> None:
    """End requests that nobody decided in time."""
    actions.lapse_requests(now=timezone.now())


@shared_task
def end_subscriptions() -> None:
    """Close subscriptions whose last day is over."""
    actions.close_ended_subscriptions(now=timezone.now())


@shared_task
def expire_credentials() -> None:
    """End keys whose time is over."""
    actions.expire_credentials(now=timezone.now())


@shared_task
def lift_blocks() -> None:
    """End blocks whose time is over."""
    actions.lift_blocks(now=timezone.now())


@shared_task
def follow_people() -> None:
    """Suspend and resume what belongs to people who were disabled or enabled."""
    actions.follow_people()
