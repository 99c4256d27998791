"""What is not as it should be, as its readers may see it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any

from django.db.models import Count, Q, QuerySet

from apis.models import UpstreamBinding
from gateways.models import DriftFinding, Gateway
from gateways.queries.overview import OWN_KINDS, own_rows
from teams.models import Actor, Verb


def visible_findings(actor: Actor) -> QuerySet[DriftFinding]:
    """All of them for those who oversee the platform; to others those about objects of their own teams."""
    found = DriftFinding.objects.visible_to(actor).select_related("gateway")
    if actor.everywhere(Verb.GATEWAY_VIEW):
        return found
    mine = [Q(kind=kind, object_id__in=_ids(kind, actor)) for kind in OWN_KINDS]
    return found.filter(reduce(or_, mine))


def _ids(kind: str, actor: Actor) -> QuerySet[Any]:
    rows = own_rows(kind, actor)
    assert rows is not None  # noqa: S101 - OWN_KINDS are the kinds that have rows
    return rows.order_by().values("public_id")


def drift_waiting(actor: Actor) -> int:
    """How many findings wait for `actor`, for the navigation: for those who may do something about them."""
    if not actor.everywhere(Verb.GATEWAY_MANAGE):
        return 0
    return DriftFinding.objects.open().filter(gateway__retired_at=None).count()


@dataclass(frozen=True, slots=True)
class Look:
    """When a gateway was read last, and what could not be read since."""

    gateway: Gateway
    findings: int

    @property
    def inspected_at(self) -> datetime | None:
        return self.gateway.inspected_at

    @property
    def unread(self) -> list[dict[str, str]]:
        """`{"node", "why"}` of each node that could not be read; the node is empty for the gateway as a whole."""
        return [row for row in self.gateway.unread if isinstance(row, dict)]


def looks(gateways: Iterable[Gateway]) -> list[Look]:
    """The last look at each of `gateways`, with the number of open findings."""
    found = list(gateways)
    counted = DriftFinding.objects.open().filter(gateway__in=found).order_by().values("gateway")
    numbers = dict(counted.annotate(n=Count("pk")).values_list("gateway", "n"))
    return [Look(gateway, numbers.get(gateway.pk, 0)) for gateway in found]


def adoptable_by(findings: Iterable[DriftFinding], actor: Actor) -> set[int]:
    """The primary keys of those that `actor` could adopt: it takes the gateway and the upstream's team."""
    if not actor.everywhere(Verb.GATEWAY_MANAGE):
        return set()
    findings = list(findings)
    wanted = {row.object_id for row in findings if row.is_adoptable}
    own = UpstreamBinding.objects.filter(
        public_id__in=wanted, upstream__team__in=actor.team_ids(Verb.API_EDIT)
    )
    names = set(own.values_list("public_id", flat=True))
    return {row.pk for row in findings if row.is_adoptable and row.object_id in names}
