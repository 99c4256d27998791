"""One reconcile per gateway at a time: a lease by conditional UPDATE, on the database's clock.

It is never a transaction: a push takes seconds on the network. While a run lives it is renewed beside its work,
however long one step takes; a worker that dies frees it by time, so that the next is soon at work. One that was
only cut off finds at its next step that it has lost it, and stops.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import NamedTuple

from django.db import Error, connection
from django.db.models import DateTimeField, ExpressionWrapper, QuerySet, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Now

from gateways.models import Gateway
from gateways.queries.due import lease_is_free

LEASE = timedelta(seconds=20)
"""How long a gateway waits for a worker that died."""
RENEW_EVERY_S = 4.0


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
    """Hold it for another while. Raises LeaseLost."""
    if not _held(lease).update(lease_until=_until()):
        raise LeaseLost


@contextlib.contextmanager
def kept(lease: Lease) -> Iterator[None]:
    """Renews `lease` beside the work that is done within. Whether it is still held is for the work to ask."""
    done = threading.Event()
    keeper = threading.Thread(target=_keep, args=(lease, done), name=f"lease-{lease.gateway_id}", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        done.set()
        keeper.join()


def _keep(lease: Lease, done: threading.Event) -> None:
    while not done.wait(RENEW_EVERY_S):
        # A database that is away for a moment is asked again; a lease that is lost stays lost.
        with contextlib.suppress(Error):
            _held(lease).update(lease_until=_until())
        connection.close()


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
