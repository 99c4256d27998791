"""What dashboards read: buckets only, so that their time does not depend on how many calls there were."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Max, QuerySet
from django.utils import timezone

from apis.models import Api
from gateways.models import GatewayNode, Publication
from subscriptions.models import Application, Subscription
from teams.models import Actor, Verb
from usage.latency import percentile
from usage.models import FeedCheckpoint, FeedLoss
from usage.ranges import Window

BREAKDOWNS = ("plan", "operation", "application", "environment", "gateway", "status", "key_id", "api")
SCOPES = (
    "api",
    "api_version",
    "application",
    "subscription",
    "environment",
    "gateway",
    "key_id",
    "plan",
    "operation",
)

LATE = timedelta(seconds=30)
"""A node whose last word is older than this holds the others up; each speaks every two seconds."""

MOST_LOSSES = 20


@dataclass(frozen=True, slots=True)
class UsageScope:
    """Whose calls: equalities over bucket dimensions, by public id. Made from objects the actor may see."""

    equal: Mapping[str, str]

    def __post_init__(self) -> None:
        if not self.equal or set(self.equal) - set(SCOPES):
            raise ValueError(f"a usage scope needs some of {SCOPES}, not {sorted(self.equal)}")

    def narrowed(self, **more: str) -> UsageScope:
        """The same with more equalities; empty values narrow nothing."""
        return UsageScope({**self.equal, **{name: value for name, value in more.items() if value}})

    def where(self, window: Window) -> tuple[str, list[Any]]:
        """The SQL condition and its parameters."""
        names = [f"{name} = %s" for name in self.equal]
        condition = " AND ".join(["span = %s", "at >= %s", "at < %s", *names])
        return condition, [window.range.span, window.start, window.end, *self.equal.values()]


@dataclass(slots=True)
class Figures:
    """Sums over some buckets."""

    calls: int = 0
    by_class: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    bytes_out: int = 0
    latency: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def errors(self) -> int:
        """Calls answered 4xx or 5xx, or broken off (0)."""
        return sum(calls for group, calls in self.by_class.items() if group in (0, 4, 5))

    @property
    def error_rate(self) -> float:
        """Share of errors, 0..1."""
        return self.errors / self.calls if self.calls else 0.0

    @property
    def p50(self) -> float | None:
        return percentile(self.latency, 0.50)

    @property
    def p95(self) -> float | None:
        return percentile(self.latency, 0.95)

    @property
    def p99(self) -> float | None:
        return percentile(self.latency, 0.99)


def summary(scope: UsageScope, window: Window) -> Figures:
    """All calls of the window in one."""
    return _figures(scope, window, "''").get("", Figures())


def summaries(dimension: str, ids: Iterable[str], window: Window) -> dict[str, Figures]:
    """The figures of many objects of one dimension, in two queries; without those that had no calls."""
    if dimension not in SCOPES:
        raise ValueError(f"{dimension!r} is none of {', '.join(SCOPES)}")
    condition = f"span = %s AND at >= %s AND at < %s AND {dimension} = ANY(%s)"
    return _sums(dimension, condition, [window.range.span, window.start, window.end, list(ids)])


def timeseries(scope: UsageScope, window: Window) -> list[tuple[datetime, Figures]]:
    """A point per slot, oldest first, empty ones included."""
    seconds = int(window.range.step.total_seconds())
    slot = f"date_bin(interval '{seconds} seconds', at, %s)"
    found = _figures(scope, window, slot, [window.start])
    return [(at, found.get(at, Figures())) for at in window.slots()]


def breakdown(scope: UsageScope, window: Window, by: str) -> list[tuple[str, Figures]]:
    """Figures per value of one dimension, most calls first. Raises ValueError for an unknown dimension."""
    if by not in BREAKDOWNS:
        raise ValueError(f"{by!r} is none of {', '.join(BREAKDOWNS)}")
    found = _figures(scope, window, f"{by}::text")
    return sorted(found.items(), key=lambda item: (-item[1].calls, item[0]))


def _figures(scope: UsageScope, window: Window, group: str, before: Iterable[Any] = ()) -> dict[Any, Figures]:
    condition, values = scope.where(window)
    return _sums(group, condition, [*before, *values])


def _sums(group: str, condition: str, values: list[Any]) -> dict[Any, Figures]:
    found: dict[Any, Figures] = defaultdict(Figures)
    # `group` and `condition` are made of names that stand in this file; every value is a parameter.
    sums = f"""
        SELECT {group} AS grp, status / 100, sum(calls)::bigint, sum(bytes_out)::bigint
        FROM usage_usagebucket WHERE {condition} GROUP BY 1, 2
    """  # noqa: S608
    steps = f"""
        SELECT {group} AS grp, step.key::int, sum(step.value::bigint)::bigint
        FROM usage_usagebucket, jsonb_each_text(latency) AS step WHERE {condition} GROUP BY 1, 2
    """  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(sums, values)
        for name, status_class, calls, sent in cursor.fetchall():
            figures = found[name]
            figures.calls += calls
            figures.by_class[status_class] += calls
            figures.bytes_out += sent
        cursor.execute(steps, values)
        for name, step, calls in cursor.fetchall():
            found[name].latency[step] += calls
    return found


def apis_of(actor: Actor) -> QuerySet[Api]:
    """APIs whose usage `actor` may see: those of own teams, or all by platform role."""
    if actor.everywhere(Verb.USAGE_VIEW):
        return Api.objects.all()
    return Api.objects.filter(team_id__in=actor.team_ids(Verb.USAGE_VIEW))


def applications_of(actor: Actor) -> QuerySet[Application]:
    """Applications whose usage `actor` may see."""
    if actor.everywhere(Verb.USAGE_VIEW):
        return Application.objects.all()
    return Application.objects.filter(team_id__in=actor.team_ids(Verb.USAGE_VIEW))


def subscriptions_of(actor: Actor) -> QuerySet[Subscription]:
    """Subscriptions whose usage `actor` may see, from either side."""
    mine = Subscription.objects.filter(application__in=applications_of(actor))
    return mine | Subscription.objects.filter(api_version__api__in=apis_of(actor))


@dataclass(frozen=True, slots=True)
class Completeness:
    """Up to when the figures are whole: every call that ended before `until` is counted, but for `losses`.

    None while some node has never said so. `waits_for` are the nodes that hold it up, `more_losses` those that
    are not listed.
    """

    until: datetime | None
    waits_for: list[GatewayNode]
    losses: list[FeedLoss]
    more_losses: int


def completeness(gateways: Collection[int], window: Window) -> Completeness:
    """How whole the feeds of `gateways` (primary keys) are in a window.

    A node that is silent may go on serving and keep its calls for later, so it counts until it is retired.
    """
    nodes = GatewayNode.objects.filter(gateway__in=gateways, retired_at=None, gateway__retired_at=None)
    marks = _marks(gateways)
    told = [(node, marks.get((node.gateway_id, node.name))) for node in nodes.select_related("gateway")]
    late = timezone.now() - LATE
    known = [mark for _node, mark in told if mark is not None]
    losses = FeedLoss.objects.filter(
        gateway__in=gateways, ends_at__gte=window.start, starts_at__lt=window.end
    ).select_related("gateway")
    listed = list(losses[:MOST_LOSSES])
    return Completeness(
        until=min(known) if known and len(known) == len(told) else None,
        waits_for=[node for node, mark in told if mark is None or mark < late],
        losses=listed,
        more_losses=losses.count() - len(listed) if len(listed) == MOST_LOSSES else 0,
    )


def _marks(gateways: Collection[int]) -> dict[tuple[int, str], datetime]:
    """The newest word of each node, by gateway and name."""
    told = FeedCheckpoint.objects.filter(gateway__in=gateways, complete_until__isnull=False)
    rows = told.values_list("gateway", "node").annotate(until=Max("complete_until"))
    return {(gateway, node): until for gateway, node, until in rows}


def gateways_of_api(api: int) -> list[int]:
    """Primary keys of the gateways on which an API was ever published."""
    return list(
        Publication.objects.filter(api_version__api=api)
        .order_by()
        .values_list("gateway", flat=True)
        .distinct()
    )


def gateways_of_application(application: int) -> list[int]:
    """Primary keys of the gateways on which an application may call."""
    versions = Publication.objects.filter(api_version__subscriptions__application=application)
    return list(versions.order_by().values_list("gateway", flat=True).distinct())


def last_seen(key_ids: Iterable[str]) -> dict[str, datetime]:
    """When each key was last used, to the minute, within the month that minutes are kept."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT key_id, max(at) FROM usage_usagebucket
            WHERE span = 'm' AND key_id = ANY(%s) AND key_id <> '' GROUP BY 1
            """,
            [list(key_ids)],
        )
        return dict(cursor.fetchall())


def calls_today(key_ids: Iterable[str], today: datetime) -> dict[str, int]:
    """Calls of each key in the UTC day that starts at `today`."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT key_id, sum(calls)::bigint FROM usage_usagebucket
            WHERE span = 'd' AND at = %s AND key_id = ANY(%s) AND key_id <> '' GROUP BY 1
            """,
            [today, list(key_ids)],
        )
        return dict(cursor.fetchall())
