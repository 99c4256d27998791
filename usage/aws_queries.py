"""How whole the figures of gateways at AWS are: calls are read there some minutes late, and AWS counts, too."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from aws.models import Feature as AccountFeature
from gateways.models import Gateway, Publication
from gateways.queries.remote import log_of
from subscriptions.models import Subscription
from usage.models import AwsReading, CountDifference
from usage.ranges import Window

LATE = timedelta(minutes=15)
"""A reading that is further behind is not merely AWS's usual delay."""
MOST_DIFFERENCES = 20
SHOWN_FOR = timedelta(days=30)
NARROWED_BY = frozenset({"api", "api_version", "application", "environment", "key_id"})

LOG, METRICS = "log", "metrics"


@dataclass(frozen=True, slots=True)
class AtAws:
    """How calls of one gateway are counted: one by one by its `log`, without keys by CloudWatch's `metrics`, or not at
    all (""); and up to when all are. `trouble` is for those who run the platform."""

    gateway: Gateway
    counted_by: str
    until: datetime | None
    trouble: str = ""

    @property
    def is_late(self) -> bool:
        return bool(self.counted_by) and (self.until is None or self.until < timezone.now() - LATE)

    @property
    def words(self) -> str:
        """How they are counted, for whoever looks at figures."""
        name = {"gateway": self.gateway.name}
        if self.counted_by == LOG:
            return _("calls on %(gateway)s come from AWS some minutes late") % name
        if self.counted_by == METRICS:
            return (
                _("calls on %(gateway)s are counted without their keys, since AWS keeps no log of them")
                % name
            )
        return _("calls on %(gateway)s are not counted: its AWS account is not used for that") % name


def at_aws(gateways: Collection[int]) -> list[AtAws]:
    """Those of `gateways` (primary keys) that are at AWS, by name."""
    found = Gateway.objects.active().filter(pk__in=gateways, kind=Gateway.Kind.AWS)
    rows = list(found.select_related("aws_account").order_by("name"))
    readings = AwsReading.objects.filter(checkpoint__gateway__in=rows).select_related("checkpoint")
    read = {reading.checkpoint.gateway_id: reading for reading in readings}
    return [_at_aws(gateway, read.get(gateway.pk)) for gateway in rows]


def _at_aws(gateway: Gateway, reading: AwsReading | None) -> AtAws:
    account = gateway.aws_account
    if account is None or AccountFeature.USAGE not in account.features:
        return AtAws(gateway, "", None)
    log, trouble = log_of(gateway), reading.trouble if reading else ""
    if log is not None and log.why:
        return AtAws(gateway, METRICS, reading.metrics_until if reading else None, trouble or log.why)
    return AtAws(gateway, LOG, reading.checkpoint.complete_until if reading else None, trouble)


def differences(gateways: Collection[int], window: Window, equal: Mapping[str, str]) -> list[CountDifference]:
    """The newest days of a window of which AWS counted otherwise, of calls that `equal` lets through."""
    narrowed: dict[str, Any] = {name: value for name, value in equal.items() if name in NARROWED_BY}
    if not narrowed:
        return []
    days = {"day__gte": window.start.astimezone(UTC).date(), "day__lte": window.end.astimezone(UTC).date()}
    found = CountDifference.objects.filter(gateway__in=gateways, **days, **narrowed)
    return list(found.select_related("gateway")[:MOST_DIFFERENCES])


def differences_on(gateway: Gateway) -> list[CountDifference]:
    """Those of a gateway of the last weeks, for who runs it."""
    since = timezone.now().date() - SHOWN_FOR
    return list(CountDifference.objects.filter(gateway=gateway, day__gte=since)[:MOST_DIFFERENCES])


def is_counted_late(subscription: Subscription) -> bool:
    """Whether some of its calls go over AWS, where a quota ends minutes late."""
    return (
        Publication.objects.current()
        .filter(
            api_version=subscription.api_version_id,
            environment=subscription.environment_id,
            gateway__kind=Gateway.Kind.AWS,
        )
        .exists()
    )
