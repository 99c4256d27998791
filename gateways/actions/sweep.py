"""The sweep: finds every gateway that has not got what was decided, whatever was lost on the way.

Bells get lost with a broker, notes with a process that dies between commit and note, nodes come back with an
old configuration. None of that needs to be told: it is seen here.
"""

from __future__ import annotations

from datetime import timedelta

from django.db.models import DateTimeField, ExpressionWrapper, F, Q, Value
from django.db.models.functions import Now
from django.utils import timezone

from gateways.actions.proofs import proven_objects, unproven
from gateways.actions.ringing import mark_behind, ring_due
from gateways.desired import desired_objects
from gateways.models import Gateway, GatewayNode
from gateways.queries.due import lease_is_free

COMPARE_EVERY = timedelta(seconds=30)
RETIRE_SILENT_AFTER = timedelta(minutes=15)
"""A node that was silent for so long is not waited for any more; when it reports again it counts again."""


def sweep() -> list[int]:
    """Look at every active gateway and ring those that are behind; their primary keys."""
    retire_silent_nodes()
    mark_behind(_with_stale_nodes())
    for gateway in _to_compare():
        if differs(gateway):
            mark_behind([gateway.pk])
        Gateway.objects.filter(pk=gateway.pk).update(compared_at=Now())
    return ring_due()


def differs(gateway: Gateway) -> bool:
    """Whether what is desired and what is proven differ: the truth, from PostgreSQL alone."""
    proven = proven_objects(gateway.pk)
    held = {name: proof.held_back_reason for name, proof in proven.items() if proof.held_back_reason}
    desired = desired_objects(gateway)
    digests = desired.digests()
    corrected = any(
        proven[name].held_back_digest not in ("", digests[name]) for name in held if name in digests
    )
    return corrected or bool(unproven(desired, proven, held))


def retire_silent_nodes() -> int:
    """Stop waiting for nodes that have been silent for long; their number."""
    limit = timezone.now() - RETIRE_SILENT_AFTER
    silent = GatewayNode.objects.filter(retired_at=None, heartbeat_at__lt=limit)
    gateways = list(silent.values_list("gateway_id", flat=True))
    retired = silent.update(retired_at=timezone.now())
    if retired:
        mark_behind(gateways)
    return retired


def _with_stale_nodes() -> list[int]:
    """Gateways at rest of which a live node serves something else than was pushed last."""
    stale = GatewayNode.objects.filter(GatewayNode.alive()).exclude(digest=F("gateway__pushed_digest"))
    at_rest = Gateway.objects.active().filter(
        lease_is_free(), behind_since=None, retry_at=None, pushed_version__gt=0
    )
    return list(at_rest.filter(nodes__in=stale).distinct().values_list("pk", flat=True))


def _to_compare() -> list[Gateway]:
    """Gateways at rest that were not compared lately."""
    due = Q(compared_at=None) | Q(
        compared_at__lt=ExpressionWrapper(Now() - Value(COMPARE_EVERY), output_field=DateTimeField())
    )
    return list(Gateway.objects.active().filter(due, lease_is_free(), behind_since=None))
