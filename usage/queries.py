"""What dashboards read: sums only, so that their time does not depend on how many calls there were."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from django.db import connection
from django.db.models import Max, Q, QuerySet
from django.utils import timezone

from apis.models import Api
from apis.models.upstream import AI_KINDS
from gateways.models import Gateway, GatewayNode, Publication
from subscriptions.models import Application, Credential, Subscription
from teams.models import Actor, Verb
from usage.ai_sums import DIMENSIONS as AI_DIMENSIONS
from usage.ai_sums import AiQuestion
from usage.aws_queries import AtAws, at_aws, differences
from usage.models import CountDifference, FeedCheckpoint, FeedLoss
from usage.ranges import Window
from usage.sums import ALL, SLOT, Figures, Question

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

    def ask_ai(self, window: Window) -> AiQuestion | None:
        """The question for what these calls consumed at models; None where that is not told apart so far."""
        if set(self.equal) - AI_DIMENSIONS:
            return None
        return AiQuestion({name: [value] for name, value in self.equal.items()}, window)

    def ask(self, window: Window) -> Question:
        """The question for figures of these calls in `window`."""
        return Question({name: [value] for name, value in self.equal.items()}, window)


def summary(scope: UsageScope, window: Window) -> Figures:
    """All calls of the window in one."""
    return scope.ask(window).figures_by([ALL])[ALL].get("", Figures())


def summaries(dimension: str, ids: Iterable[str], window: Window) -> dict[str, Figures]:
    """The figures of many objects of one dimension, in as many queries as for one; without those that had no
    calls."""
    if dimension not in SCOPES:
        raise ValueError(f"{dimension!r} is none of {', '.join(SCOPES)}")
    return Question({dimension: list(ids)}, window).figures_by([dimension])[dimension]


def timeseries(scope: UsageScope, window: Window) -> list[tuple[datetime, Figures]]:
    """A point per slot, oldest first, empty ones included."""
    return _points(scope.ask(window).figures_by([SLOT])[SLOT], window)


def breakdown(
    scope: UsageScope, window: Window, by: str, *, most: int | None = None
) -> list[tuple[str, Figures]]:
    """Figures per value of one dimension, most calls first; with `most`, those beyond it lack their latency.

    Raises ValueError for an unknown dimension.
    """
    if by not in BREAKDOWNS:
        raise ValueError(f"{by!r} is none of {', '.join(BREAKDOWNS)}")
    return _largest(scope.ask(window).figures_by([by], most=most)[by])


@dataclass(frozen=True, slots=True)
class Overview:
    """What a usage page shows of a window: figures in sum, per slot, and per value of some dimensions."""

    whole: Figures
    points: list[tuple[datetime, Figures]]
    breakdowns: Mapping[str, list[tuple[str, Figures]]]


def overview(scope: UsageScope, window: Window, by: Iterable[str], *, most: int) -> Overview:
    """Everything at once, which reads the calls far fewer times than asking for each.

    Raises ValueError for an unknown dimension.
    """
    dimensions = list(by)
    if unknown := set(dimensions) - set(BREAKDOWNS):
        raise ValueError(f"{sorted(unknown)} are none of {', '.join(BREAKDOWNS)}")
    found = scope.ask(window).figures_by([SLOT, *dimensions], most=most)
    points, whole = _points(found[SLOT], window), Figures()
    for _at, figures in points:
        whole.add(figures)
    return Overview(whole, points, {name: _largest(found[name]) for name in dimensions})


def _points(found: Mapping[str, Figures], window: Window) -> list[tuple[datetime, Figures]]:
    return [(at, found.get(str(number), Figures())) for number, at in enumerate(window.slots())]


def _largest(found: Mapping[str, Figures]) -> list[tuple[str, Figures]]:
    return sorted(found.items(), key=lambda item: (-item[1].calls, item[0]))


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


def credentials_of(actor: Actor) -> QuerySet[Credential]:
    """Keys whose usage `actor` may see, from either side."""
    return Credential.objects.filter(subscription__in=subscriptions_of(actor))


@dataclass(frozen=True, slots=True)
class Completeness:
    """Up to when the figures are whole: every call that ended before `until` is counted, but for `losses`.

    None while some node has never said so. `waits_for` are the nodes that hold it up, `more_losses` those that
    are not listed. `at_aws` are gateways at AWS, of which those that are not counted hold nothing up; `differences` are
    days of which AWS itself counted otherwise.
    """

    until: datetime | None
    waits_for: list[GatewayNode]
    losses: list[FeedLoss]
    more_losses: int
    at_aws: list[AtAws] = field(default_factory=list)
    differences: list[CountDifference] = field(default_factory=list)

    @property
    def late_at_aws(self) -> list[AtAws]:
        """Gateways at AWS that are further behind than usual."""
        return [one for one in self.at_aws if one.is_late]


def completeness(gateways: Collection[int], window: Window, scope: UsageScope | None = None) -> Completeness:
    """How whole the feeds of `gateways` (primary keys) are in a window; of which days AWS counted calls of `scope`
    otherwise.

    A node that is silent may go on serving and keep its calls for later, so it counts until it is retired.
    """
    nodes = GatewayNode.objects.filter(gateway__in=gateways, retired_at=None, gateway__retired_at=None)
    marks = _marks(gateways)
    told = [(node, marks.get((node.gateway_id, node.name))) for node in nodes.select_related("gateway")]
    late = timezone.now() - LATE
    there = at_aws(gateways)
    words = [mark for _node, mark in told] + [one.until for one in there if one.counted_by]
    known = [mark for mark in words if mark is not None]
    losses = FeedLoss.objects.filter(
        gateway__in=gateways, ends_at__gte=window.start, starts_at__lt=window.end
    ).select_related("gateway")
    listed = list(losses[:MOST_LOSSES])
    return Completeness(
        until=min(known) if known and len(known) == len(words) else None,
        waits_for=[node for node, mark in told if mark is None or mark < late],
        losses=listed,
        more_losses=losses.count() - len(listed) if len(listed) == MOST_LOSSES else 0,
        at_aws=there,
        differences=differences(gateways, window, scope.equal) if scope and there else [],
    )


def _marks(gateways: Collection[int]) -> dict[tuple[int, str], datetime]:
    """The newest word of each node, by gateway and name."""
    told = FeedCheckpoint.objects.filter(gateway__in=gateways, complete_until__isnull=False)
    rows = told.values_list("gateway", "node").annotate(until=Max("complete_until"))
    return {(gateway, node): until for gateway, node, until in rows}


def gateways_of_api(api: int) -> list[int]:
    """Primary keys of the gateways on which an API was ever published, and of the AI runtimes behind them."""
    return _with_runtimes(Publication.objects.filter(api_version__api=api))


def gateways_of_application(application: int) -> list[int]:
    """Primary keys of the gateways on which an application may call, and of the AI runtimes behind them."""
    return _with_runtimes(Publication.objects.filter(api_version__subscriptions__application=application))


def _with_runtimes(publications: QuerySet[Publication]) -> list[int]:
    """Figures of AI calls are whole only when the runtimes have told of them, too."""
    behind = publications.filter(revision__upstream__kind__in=AI_KINDS)
    runtimes = Gateway.objects.filter(
        kind=Gateway.Kind.AI_RUNTIME, listeners__environment__in=behind.values("environment")
    )
    found = Gateway.objects.filter(Q(pk__in=publications.values("gateway")) | Q(pk__in=runtimes.values("pk")))
    return list(found.order_by().values_list("pk", flat=True))


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


@dataclass(frozen=True, slots=True)
class KeyUse:
    """The use of one key: calls in the UTC day `day`, and when it was last seen, to the minute."""

    day: date
    calls_today: int
    last_seen: datetime | None


def use_of(key_id: str) -> KeyUse:
    """The use of the key with this public part, from all gateways together."""
    day = timezone.now().date()
    calls = calls_today([key_id], datetime.combine(day, time(), UTC)).get(key_id, 0)
    return KeyUse(day, calls, last_seen([key_id]).get(key_id))
