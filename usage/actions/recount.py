"""Adding up the ledger for the counters of budgets, each time that runtimes begin to count anew.

`ai.runtime.recount` tells the whole way. Here marks are taken in with the feed, and once every runtime has marked the
same generation, the sum as far as the marks is given to them with the next push.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import NamedTuple

from django.db.models import F, Q, Sum
from django.utils import timezone

from ai.periods import period_start
from gateways.actions import mark_behind, ring
from gateways.connections import counted_nodes
from gateways.desired import snapshot
from gateways.models import Gateway
from subscriptions.models import Budget, BudgetCount
from usage.ai_feed import AiMark
from usage.budgets import filter_of, period_of, standings
from usage.models import BudgetMark, FeedCheckpoint, LedgerEntry


class Stock(NamedTuple):
    """What was spent in the period that began on `period`, as far as the marks of `generation`."""

    generation: str
    spent: int
    period: date


def keep_marks(checkpoint: FeedCheckpoint, marks: Iterable[tuple[int, AiMark]]) -> list[int]:
    """Write the marks of a batch down; a budget whose generation is another one waits for its sum again.

    Returns the primary keys of the budgets that are marked.
    """
    rows = [(at, name, generation) for at, mark in marks for name, generation in mark.generations.items()]
    known = dict(
        Budget.objects.filter(public_id__in={name for _, name, _ in rows}).values_list("public_id", "pk")
    )
    kept = [
        BudgetMark(
            budget_id=known[name],
            generation=generation,
            gateway_id=checkpoint.gateway_id,
            feed=checkpoint,
            offset=at,
        )
        for at, name, generation in rows
        if name in known
    ]
    BudgetMark.objects.bulk_create(kept, ignore_conflicts=True)
    for mark in kept:
        counts = BudgetCount.objects.filter(budget=mark.budget_id).exclude(generation=mark.generation)
        counts.update(base=None, begun_at=timezone.now())
    return [mark.budget_id for mark in kept]


def take_stock(budgets: Iterable[int] | None = None) -> int:
    """Add up for those of `budgets` (primary keys; None: all) that wait for it and can be; the number that could."""
    waiting = Budget.objects.filter(state=Budget.State.ACTIVE, count__base=None)
    if budgets is not None:
        waiting = waiting.filter(pk__in=list(budgets))
    taken = sum(take_stock_of(budget) for budget in waiting.told().order_by("pk"))
    if taken:
        ring(
            mark_behind(Gateway.objects.filter(kind=Gateway.Kind.AI_RUNTIME, retired_at=None).order_by("pk"))
        )
    return taken


def take_stock_of(budget: Budget) -> bool:
    """Add up for one budget, unless runtimes began yet another generation since `budget` was read: then the sum would
    be that of a generation which nobody counts under any more, and nobody would wait for another."""
    # One moment for the sum and for what is taken off it again: a batch that came in between would be in one alone.
    with snapshot():
        stock = _stock(budget, timezone.now())
    if stock is None:
        return False
    found = BudgetCount.objects.filter(budget=budget, base=None, begun_at=budget.count.begun_at)
    return bool(
        found.update(
            generation=stock.generation,
            base=stock.spent,
            base_period=stock.period,
            is_new=False,
            counted_at=timezone.now(),
        )
    )


def _stock(budget: Budget, now: datetime) -> Stock | None:
    """None while runtimes that are there have not all marked the same generation, and while there is none."""
    latest = _latest_marks(budget)
    marks = [latest.get(place) for place in _runtimes()]
    generations = {mark.generation if mark else "" for mark in marks}
    if len(generations) != 1 or "" in generations:
        return None
    spent = standings([budget], now)[0].spent - _behind(budget, [mark for mark in marks if mark], now)
    return Stock(generations.pop(), max(0, spent), period_of(budget, now))


def _runtimes() -> list[tuple[int, str]]:
    """The nodes of AI runtimes that answer, by gateway and name."""
    runtimes = Gateway.objects.active().filter(kind=Gateway.Kind.AI_RUNTIME)
    return [(gateway.pk, node.name) for gateway in runtimes for node in counted_nodes(gateway)[0]]


def _latest_marks(budget: Budget) -> dict[tuple[int, str], BudgetMark]:
    marks = BudgetMark.objects.filter(budget=budget).select_related("feed")
    ordered = marks.order_by("feed__segment", "offset")
    return {(mark.gateway_id, mark.feed.node): mark for mark in ordered}


def _behind(budget: Budget, marks: Iterable[BudgetMark], now: datetime) -> int:
    """What the ledger has from behind the marks: the runtimes count it themselves."""
    places = Q(pk__in=[])
    for mark in marks:
        later = FeedCheckpoint.objects.filter(
            gateway=mark.gateway_id, node=mark.feed.node, segment__gt=mark.feed.segment
        )
        places |= Q(feed=mark.feed_id, offset__gt=mark.offset) | Q(feed__in=later.values("pk"))
    entries = LedgerEntry.objects.filter(
        places, at__gte=period_start(budget.period, now), **filter_of(budget)
    )
    if budget.unit == Budget.Unit.TOKENS:
        return entries.aggregate(sum=Sum(F("input_tokens") + F("output_tokens")))["sum"] or 0
    return entries.filter(currency=budget.currency).aggregate(sum=Sum("cost_nano"))["sum"] or 0
