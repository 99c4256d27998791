"""The state of things as numbers, read from the database when somebody asks: a fixed number of queries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from django.db.models import Count, Max, Min
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from audit.models import AuditEvent
from gateways.models import AppliedObject, Gateway, GatewayNode
from subscriptions.models import AccessRequest, Block
from teams.models import Invitation, Notice
from usage.models import FeedCheckpoint


class StateCollector(Collector):
    """Everything that the rows tell. Only web hands it out, so that each number has one source."""

    def describe(self) -> list[Any]:
        """Nothing beforehand: registering must not read the database."""
        return []

    def collect(self) -> Iterator[Any]:
        now = timezone.now()
        gateways = list(Gateway.objects.active().order_by("slug"))
        yield from _of_gateways(gateways, now)
        yield from _of_nodes(gateways)
        yield from _of_feeds(gateways, now)
        yield from _of_queues(now)


def _of_gateways(gateways: list[Gateway], now: datetime) -> Iterator[Any]:
    yield _by_gateway(
        "gatehouse_gateway_behind_seconds",
        "For how long a gateway has not got all that was decided; 0 when it has",
        ((one.slug, _age(one.behind_since, now)) for one in gateways),
    )
    yield _by_gateway(
        "gatehouse_gateway_failures",
        "Pushes that failed in a row",
        ((one.slug, one.failures) for one in gateways),
    )
    yield _by_gateway(
        "gatehouse_gateway_held",
        "1 while a gateway knows more than the database and waits for a person",
        ((one.slug, one.held_since is not None) for one in gateways),
    )
    yield _by_gateway(
        "gatehouse_gateway_leased",
        "1 while a worker pushes to it",
        ((one.slug, one.lease_until is not None and one.lease_until > now) for one in gateways),
    )
    rows = AppliedObject.objects.exclude(held_back_reason="").order_by().values_list("gateway")
    held = dict(rows.annotate(n=Count("pk")))
    yield _by_gateway(
        "gatehouse_objects_held_back",
        "Objects that a gateway does not hold as decided, with a reason",
        ((one.slug, held.get(one.pk, 0)) for one in gateways),
    )


def _of_nodes(gateways: list[Gateway]) -> Iterator[Any]:
    slugs = {one.pk: one.slug for one in gateways}
    counts = {(slug, state.value): 0 for slug in slugs.values() for state in GatewayNode.State}
    for node in GatewayNode.objects.filter(gateway__in=gateways, retired_at=None):
        counts[slugs[node.gateway_id], node.state.value] += 1
    family = GaugeMetricFamily(
        "gatehouse_gateway_nodes", "Nodes by what they last told", labels=["gateway", "state"]
    )
    for labels, count in sorted(counts.items()):
        family.add_metric(labels, count)
    yield family


def _of_feeds(gateways: list[Gateway], now: datetime) -> Iterator[Any]:
    rows = FeedCheckpoint.objects.order_by().values_list("gateway", "node").annotate(at=Max("complete_until"))
    oldest: dict[int, datetime] = {}
    live = set(GatewayNode.objects.filter(GatewayNode.alive()).values_list("gateway_id", "name"))
    for gateway, node, at in rows:
        if at is not None and (gateway, node) in live:
            oldest[gateway] = min(at, oldest.get(gateway, at))
    yield _by_gateway(
        "gatehouse_usage_lag_seconds",
        "How old the latest moment is up to which all calls of all live nodes are counted",
        ((one.slug, _age(oldest[one.pk], now)) for one in gateways if one.pk in oldest),
    )


def _of_queues(now: datetime) -> Iterator[Any]:
    pending = AccessRequest.objects.filter(state=AccessRequest.State.PENDING)
    waiting = [model.objects.waiting_for_mail().order_by() for model in (Notice, Invitation)]
    oldest = [found.aggregate(at=Min("created_at"))["at"] for found in waiting]
    known = [at for at in oldest if at is not None]
    values = (
        ("gatehouse_requests_open", "Access requests that wait for a decision", pending.count()),
        (
            "gatehouse_quota_blocks",
            "Subscriptions that are blocked now because a quota is used up",
            Block.objects.filter(lifted_at=None, until__gt=now).count(),
        ),
        ("gatehouse_mail_waiting", "Mails that have not gone out", sum(found.count() for found in waiting)),
        (
            "gatehouse_mail_oldest_seconds",
            "How long the oldest of them has waited",
            _age(min(known), now) if known else 0,
        ),
        (
            "gatehouse_audit_unsealed",
            "Audit events that are not in the chain yet",
            AuditEvent.objects.filter(seal=None).count(),
        ),
    )
    for name, text, value in values:
        yield GaugeMetricFamily(name, text, value=value)


def _by_gateway(name: str, text: str, values: Iterable[tuple[str, float]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=["gateway"])
    for slug, value in values:
        family.add_metric([slug], float(value))
    return family


def _age(at: datetime | None, now: datetime) -> float:
    return 0.0 if at is None else max(0.0, (now - at).total_seconds())
