"""Usage of gateways at AWS: everything that is asked there, in one run for each gateway."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import structlog
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from audit.sealing import SealBroken
from aws.client.buckets import Priority
from aws.client.calls import Calls
from aws.client.errors import AwsError, MustWait
from aws.models import AwsAccount
from aws.models import Feature as AccountFeature
from gateways.actions import keep_call_logs
from gateways.connections import calls_of
from gateways.models import Gateway
from gateways.queries.remote import log_of
from usage.actions.aws_check import check_counts
from usage.actions.aws_log import NODE, SEGMENT, read_log, reading_of
from usage.actions.aws_metrics import read_metrics
from usage.actions.checkpoints import locked_checkpoint
from usage.models import AwsReading

LAST_CALLS = timedelta(hours=1)
"""So long the calls of a gateway that was retired are read still."""

log = structlog.get_logger(__name__)


def gateways_at_aws() -> list[int]:
    """Primary keys of the gateways whose calls are read."""
    lately = timezone.now() - LAST_CALLS
    found = Gateway.objects.filter(
        Q(retired_at=None) | Q(retired_at__gt=lately),
        kind=Gateway.Kind.AWS,
        aws_account__features__contains=[AccountFeature.USAGE],
    )
    return list(found.exclude(aws_account__state=AwsAccount.State.RETIRED).values_list("pk", flat=True))


def read_usage(gateway: Gateway, *, calls: Calls | None = None) -> None:
    """Read the calls of one gateway, as far as AWS lets it now; what has to wait goes on with the next run.

    What goes wrong is written down, and stands in the way of nothing else. `calls` are made anew where none are given.
    """
    try:
        calls = calls or calls_of(gateway, priority=Priority.USAGE)
    except SealBroken as error:
        _note_trouble(gateway, str(error))
        return
    known = log_of(gateway)
    steps: list[Callable[[], object]] = [lambda: read_metrics(gateway, calls)]
    if known is not None and not known.why:
        steps = [
            lambda: read_log(gateway, calls, group=known.group),
            *steps,
            lambda: check_counts(gateway, calls),
        ]
    _note_trouble(gateway, "\n".join(filter(None, map(_carry_out, steps))))


def keep_logs(gateway: Gateway) -> None:
    """See that calls are logged."""
    try:
        keep_call_logs(gateway)
    except (AwsError, SealBroken) as error:
        log.warning("usage.aws_log_not_kept", gateway=gateway.slug, why=str(error))


def _carry_out(step: Callable[[], object]) -> str:
    """Why a step was of no use; empty where it was, or goes on by itself when a limit of AWS lets it."""
    try:
        step()
    except MustWait:
        return ""
    except AwsError as error:
        return error.message
    return ""


def _note_trouble(gateway: Gateway, trouble: str) -> None:
    reading = AwsReading.objects.filter(checkpoint__gateway=gateway)
    if not trouble and not reading.exclude(trouble="").exists():
        return
    if trouble:
        log.warning("usage.aws_unread", gateway=gateway.slug, why=trouble)
        with transaction.atomic():
            reading_of(locked_checkpoint(gateway, NODE, SEGMENT))
    reading.update(trouble=trouble[:600])
