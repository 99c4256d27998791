"""Which gateways a reconcile should look at."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now

from gateways.models import Deployment, Gateway


def due_gateways() -> QuerySet[Gateway]:
    """Active gateways that were rung, that are to be tried again by now, or that a person asked about.

    A push that was begun and waits for a limit of a vendor is due when its time has come.
    """
    rung = Q(retry_at=None, behind_since__isnull=False) | Q(retry_at__lte=Now())
    asked = Exists(
        Deployment.objects.filter(gateway=OuterRef("pk"), state=Deployment.State.QUEUED, started_at=None)
    )
    return Gateway.objects.active().filter(rung | asked)


def is_due(gateway_id: int) -> bool:
    """Whether there is something to do at this gateway now."""
    return due_gateways().filter(pk=gateway_id).exists()


def lease_is_free() -> Q:
    """Gateways at which no reconcile is at work, by the database's clock."""
    return Q(lease_until=None) | Q(lease_until__lt=Now())
