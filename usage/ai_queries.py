"""What pages and REST read of AI calls: sums for dashboards, and single runs for whoever looks one up."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from apis.models import Api
from teams.models import Actor, Team, Verb
from usage.ai_sums import DIMENSIONS, AiFigures, AiQuestion
from usage.models import AiRun, LedgerEntry, LoggedBody, UsageRecord
from usage.queries import UsageScope, apis_of, applications_of
from usage.ranges import Window
from usage.sums import SLOT

AI_BREAKDOWNS = ("model", "prompt", "application", "subscription", "plan", "environment", "api")
NEAR = timedelta(minutes=1)
"""How far the clocks of a gateway and of the runtime behind it may be apart: both tell when a call began."""


# ---- sums ----


@dataclass(frozen=True, slots=True)
class AiOverview:
    """What AI calls of a window consumed: in sum, per slot, and per value of some dimensions."""

    whole: AiFigures
    points: list[tuple[datetime, AiFigures]]
    breakdowns: Mapping[str, list[tuple[str, AiFigures]]]


def ai_overview(scope: UsageScope, window: Window, by: Iterable[str] = ()) -> AiOverview | None:
    """Everything at once, in one query over the sums; None where a scope asks for what AI calls are not told apart by.

    Raises ValueError for an unknown dimension.
    """
    dimensions, question = list(by), scope.ask_ai(window)
    if unknown := set(dimensions) - set(AI_BREAKDOWNS):
        raise ValueError(f"{sorted(unknown)} are none of {', '.join(AI_BREAKDOWNS)}")
    if question is None:
        return None
    found = question.figures_by([SLOT, *dimensions])
    slots, whole = found[SLOT], AiFigures()
    points = [(at, slots.get(str(number), AiFigures())) for number, at in enumerate(window.slots())]
    for _at, figures in points:
        whole.add(figures)
    return AiOverview(whole, points, {name: _largest(found[name]) for name in dimensions})


def ai_summary(scope: UsageScope, window: Window) -> AiFigures | None:
    """All AI calls of a window in one; None where a scope asks for what AI calls are not told apart by."""
    question, named = scope.ask_ai(window), next(iter(scope.equal))
    if question is None:
        return None
    return question.figures_by([named])[named].get(scope.equal[named], AiFigures())


def ai_summaries(dimension: str, ids: Iterable[str], window: Window) -> dict[str, AiFigures]:
    """What calls of many objects of one dimension consumed, in one query; without those that had no AI calls."""
    if dimension not in DIMENSIONS:
        raise ValueError(f"{dimension!r} is none of {sorted(DIMENSIONS)}")
    return AiQuestion({dimension: list(ids)}, window).figures_by([dimension])[dimension]


def ai_values(scope: UsageScope, window: Window, dimension: str) -> list[str]:
    """What values of a dimension occur, most tokens first."""
    question = scope.ask_ai(window)
    found = question.figures_by([dimension])[dimension] if question else {}
    return [value for value, _figures in _largest(found)]


def _largest(found: Mapping[str, AiFigures]) -> list[tuple[str, AiFigures]]:
    """Most tokens first: costs of several currencies have no order."""
    return sorted(found.items(), key=lambda item: (-item[1].tokens, -item[1].calls, item[0]))


# ---- runs ----


def runs_of(actor: Actor) -> QuerySet[AiRun]:
    """Runs that `actor` may see, from either side, and those of the editors of own teams."""
    if actor.everywhere(Verb.USAGE_VIEW):
        return AiRun.objects.all()
    teams = Team.objects.filter(pk__in=actor.team_ids(Verb.USAGE_VIEW))
    return AiRun.objects.filter(
        Q(api__in=apis_of(actor).values("public_id"))
        | Q(application__in=applications_of(actor).values("public_id"))
        | Q(api="", application="", team__in=teams.values("public_id"))
    )


def run_named(actor: Actor, name: str) -> AiRun | None:
    """The run with this public id, if `actor` may see it."""
    return runs_of(actor).filter(run=name).order_by("-at", "-pk").first()


def runs_in(scope: UsageScope, window: Window, *, model: str = "", **equal: str | int) -> QuerySet[AiRun]:
    """Runs of a scope in a window, newest first; `model` is one that was asked. Empty values narrow nothing.

    Scopes that AI calls are not told apart by have none.
    """
    if set(scope.equal) - DIMENSIONS:
        return AiRun.objects.none()
    wanted = {name: value for name, value in equal.items() if value != ""}
    found = AiRun.objects.filter(at__gte=window.start, at__lt=window.end, **scope.equal, **wanted)
    if model:
        found = found.filter(Exists(_entries_of_outer().filter(model=model)))
    return found.order_by("-at", "-pk")


def _entries_of_outer() -> QuerySet[LedgerEntry]:
    return LedgerEntry.objects.filter(feed=OuterRef("feed"), offset=OuterRef("offset"))


def attempts_of(runs: Collection[AiRun]) -> dict[int, list[LedgerEntry]]:
    """The attempts of runs by the run's primary key, in their order; one query."""
    by_place = {(run.feed, run.offset): run.pk for run in runs}
    found = LedgerEntry.objects.filter(
        feed__in={run.feed for run in runs}, offset__in={run.offset for run in runs}
    )
    attempts: dict[int, list[LedgerEntry]] = {run.pk: [] for run in runs}
    for entry in found.order_by("feed", "offset", "number"):
        if (entry.feed, entry.offset) in by_place:
            attempts[by_place[entry.feed, entry.offset]].append(entry)
    return attempts


def consumed(attempts: Sequence[LedgerEntry]) -> AiFigures:
    """What the attempts of one run consumed together."""
    figures = AiFigures()
    for entry in attempts:
        figures.input_tokens += entry.input_tokens
        figures.output_tokens += entry.output_tokens
        figures.cached_input_tokens += entry.cached_input_tokens
        figures.reasoning_tokens += entry.reasoning_tokens
        figures.unpriced += entry.cost_nano is None
        figures.estimated += entry.estimated
        figures.add_cost(entry.currency, entry.cost_nano or 0)
    return figures


def record_of(run: AiRun) -> UsageRecord | None:
    """What the gateway in front tells of the same call: joined by request id, within those of the same caller."""
    if not run.request_id or not run.api:
        return None
    near = UsageRecord.objects.filter(at__gte=run.at - NEAR, at__lte=run.at + NEAR, api=run.api)
    return near.filter(request_id=run.request_id, subscription=run.subscription).order_by("at").first()


# ---- what was said ----


def body_of(run: AiRun) -> LoggedBody | None:
    """What was said in a run, while it is kept."""
    return LoggedBody.objects.filter(run=run, expires_at__gt=timezone.now()).first()


def may_read_body(actor: Actor, run: AiRun) -> bool:
    """Whether `actor` belongs to the team that owns the API of `run`, with a role that may read what was said."""
    return Api.objects.filter(public_id=run.api, team_id__in=actor.team_ids(Verb.BODY_VIEW)).exists()
