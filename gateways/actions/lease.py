"""One reconcile per gateway at a time: a lease by conditional UPDATE, on the database's clock.

It is never a transaction: a push takes seconds on the network. A worker that dies frees it by time, and one
that was only slow finds at its next step that it has lost it, and stops.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import NamedTuple

from django.db.models import DateTimeField, ExpressionWrapper, QuerySet, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Now

from gateways.models import Gateway
from gateways.queries.due import lease_is_free

LEASE = timedelta(seconds=60)


class Lease(NamedTuple):
    """The right to push to one gateway."""

    gateway_id: int
    owner: str


class LeaseLost(Exception):
    """Somebody else pushes to this gateway by now: whatever this run does next would be stale."""


def take_lease(gateway_id: int) -> Lease | None:
    """The lease, or None while another run holds it (or the gateway is retired)."""
    lease = Lease(gateway_id, secrets.token_hex(16))
    free = Gateway.objects.active().filter(lease_is_free(), pk=gateway_id)
    return lease if free.update(lease_owner=lease.owner, lease_until=_until()) else None


def renew_lease(lease: Lease) -> None:
    """Hold it for another minute. Raises LeaseLost."""
    if not _held(lease).update(lease_until=_until()):
        raise LeaseLost


def release_lease(lease: Lease) -> None:
    """Give it back; nothing happens when it was lost."""
    _held(lease).update(lease_owner="", lease_until=None)


def take_version(lease: Lease, version: int) -> None:
    """Count the gateway's version up to `version`. Raises LeaseLost also when that number is gone already:
    an agent that fetches its configuration may take one, and what was compared is then not the latest."""
    if not _held(lease).filter(version__lt=version).update(version=version):
        raise LeaseLost


def lock_gateway(lease: Lease) -> Gateway:
    """The gateway's row, locked, inside a transaction. Raises LeaseLost."""
    gateway = Gateway.objects.select_for_update().filter(pk=lease.gateway_id, lease_owner=lease.owner).first()
    if gateway is None:
        raise LeaseLost
    return gateway


def _held(lease: Lease) -> QuerySet[Gateway]:
    return Gateway.objects.filter(pk=lease.gateway_id, lease_owner=lease.owner)


def _until() -> Combinable:
    return ExpressionWrapper(Now() + Value(LEASE), output_field=DateTimeField())
