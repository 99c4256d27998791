"""Noting that a gateway has something to take, and waking the worker for it.

The note is a row and survives everything; the bell is a message and may be lost, since a sweep rings again.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import timedelta

import structlog
from celery import current_app
from django.db import transaction
from django.db.models import Case, F, Q, QuerySet, When
from django.db.models.functions import Coalesce, Now
from kombu.exceptions import OperationalError

from audit.models import ActorRef
from gateways.actions.deployments import ask_deployment
from gateways.models import Deployment, Gateway
from gateways.queries.due import due_gateways
from teams.models import Actor, Verb

RECONCILE_TASK = "gateways.tasks.reconcile_gateway"
PROMPT_TESTS_TASK = "gateways.tasks.run_prompt_tests"
QUIET_AFTER_FAILURE = timedelta(seconds=10)
"""After a broker did not answer, no request waits for it again for so long; the sweep rings meanwhile."""

log = structlog.get_logger(__name__)
_quiet_until = 0.0


def mark_behind(gateways: QuerySet[Gateway] | Iterable[int]) -> list[int]:
    """Note that `gateways` (rows or primary keys) have something to take; the primary keys of active ones.

    Bare UPDATE: it is no decision of its own, and must not wait for a reconcile that holds a lease. A
    gateway that failed keeps its back-off; one that only waits for a second look is looked at again now.
    """
    pks = list(gateways.values_list("pk", flat=True)) if isinstance(gateways, QuerySet) else list(gateways)
    active = list(Gateway.objects.active().filter(pk__in=pks).order_by("pk").values_list("pk", flat=True))
    Gateway.objects.filter(pk__in=active).update(
        behind_since=Coalesce(F("behind_since"), Now()),
        rung_at=Now(),
        retry_at=Case(When(failures__gt=0, then=F("retry_at"))),
    )
    return active


def try_again_now(gateway_id: int) -> None:
    """End the back-off of a gateway that shows life again."""
    Gateway.objects.filter(Q(pk=gateway_id) & ~Q(retry_at=None)).update(
        retry_at=None, behind_since=Coalesce(F("behind_since"), Now()), rung_at=Now()
    )


def ring(gateway_ids: Iterable[int], *, in_s: float = 0.0) -> None:
    """Ask the worker to look at each gateway, after `in_s` seconds. Never raises and never hangs on a lost broker."""
    for gateway_id in gateway_ids:
        _send(RECONCILE_TASK, gateway_id, in_s)


def ring_for_tests(public_id: str) -> None:
    """Ask the worker to run the test cases of a prompt. Likewise: a sweep finds a run that nobody began."""
    _send(PROMPT_TESTS_TASK, public_id)


def _send(task: str, argument: int | str, in_s: float = 0.0) -> None:
    global _quiet_until  # noqa: PLW0603 - one circuit breaker per process
    if time.monotonic() < _quiet_until:
        return
    try:
        current_app.send_task(task, args=[argument], retry=False, countdown=in_s or None)
    except (OperationalError, OSError) as error:
        _quiet_until = time.monotonic() + QUIET_AFTER_FAILURE.total_seconds()
        log.warning("bell_lost", task=task, argument=argument, error=type(error).__name__)


def hear_again() -> None:
    """Try the broker again at once, however lately it did not answer."""
    global _quiet_until  # noqa: PLW0603 - see above
    _quiet_until = 0.0


def ring_due() -> list[int]:
    """Ring every gateway that a run should look at now; their primary keys."""
    due = list(due_gateways().values_list("pk", flat=True))
    ring(due)
    return due


@transaction.atomic
def request_comparison(gateway: Gateway, *, actor: Actor, forced: bool = False) -> Deployment:
    """Have a person's look at the gateway recorded: compare, push what differs, and say so also if nothing does.

    `forced` confirms deletions that were held back. Raises PermissionDenied: comparing needs
    gateway.compare, confirming needs gateway.manage.
    """
    actor.require(Verb.GATEWAY_MANAGE if forced else Verb.GATEWAY_COMPARE)
    gateway = Gateway.objects.select_for_update().get(pk=gateway.pk)
    deployment = ask_deployment(gateway, asked_by=_label(actor), forced=forced)
    transaction.on_commit(lambda: ring([gateway.pk]))
    return deployment


def _label(actor: ActorRef) -> str:
    return actor.label[:200]
