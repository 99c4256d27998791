"""Passing the turn between AI runtimes and the gateways in front of them.

A gateway gets the route of a prompt when the runtimes have proved that they hold it, and a runtime lets go of it when
the gateway has proved that it leads there no more: each proof is the other side's bell.
"""

from __future__ import annotations

from django.db.models import QuerySet

from apis.models.upstream import AI_KINDS
from gateways.actions.proofs import Finding
from gateways.actions.ringing import mark_behind, ring
from gateways.engine.document import Kind
from gateways.models import Gateway, Publication


def hand_over(gateway: Gateway, finding: Finding) -> None:
    """Ring those who waited for what `finding` proves about `gateway`."""
    waiting = _waiting(gateway, finding)
    if waiting is not None:
        ring(mark_behind(waiting))


def _waiting(gateway: Gateway, finding: Finding) -> QuerySet[Gateway] | None:
    if gateway.kind == Gateway.Kind.AI_RUNTIME:
        proved = {name.id for name in finding.confirmed if name.kind is Kind.ENDPOINT}
        fronts = Publication.objects.current().filter(public_id__in=proved)
        return Gateway.objects.filter(pk__in=fronts.values("gateway")) if proved else None
    gone = {name.id for name in finding.gone if name.kind is Kind.ROUTE}
    behind = Publication.objects.filter(public_id__in=gone, revision__upstream__kind__in=AI_KINDS)
    if not gone or not behind.exists():
        return None
    return Gateway.objects.filter(kind=Gateway.Kind.AI_RUNTIME)
