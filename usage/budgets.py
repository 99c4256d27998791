"""What is spent of budgets, by the ledger's sums."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db.models import F, Sum
from django.utils import timezone

from ai.periods import period_end, period_start
from subscriptions.models import Budget
from usage.models import AiBucket

_DIMENSIONS = {
    Budget.Scope.TEAM: ("team",),
    Budget.Scope.APPLICATION: ("application",),
    Budget.Scope.SUBSCRIPTION: ("subscription",),
    Budget.Scope.ENDPOINT: ("api_version", "environment"),
    Budget.Scope.MODEL: ("model",),
}


@dataclass(frozen=True, slots=True)
class Standing:
    """A budget as it stands: `spent` in its own unit, `unpriced` attempts of which nobody knows the price."""

    budget: Budget
    spent: int
    unpriced: int
    starts: datetime
    ends: datetime

    @property
    def left(self) -> int:
        return max(0, self.budget.limit - self.spent)

    @property
    def percent(self) -> float:
        """0 to 100."""
        return min(100.0, 100 * self.spent / self.budget.limit)

    @property
    def tone(self) -> str:
        return "fail" if self.spent >= self.budget.limit else "hold" if self.percent >= 80 else "accent"

    @property
    def is_counted(self) -> bool:
        """Whether the runtimes hold calls against it: its counters stand on the ledger."""
        return self.budget.count.base is not None


def standings(budgets: Iterable[Budget], now: datetime | None = None) -> list[Standing]:
    """Each budget as it stands, in their order; one query for each scope and period among them.

    Needs what `BudgetQuerySet.told` loads.
    """
    rows, now = list(budgets), now or timezone.now()
    spent = _spent(rows, now)
    return [
        Standing(b, *spent.get(b.pk, (0, 0)), period_start(b.period, now), period_end(b.period, now))
        for b in rows
    ]


def period_of(budget: Budget, at: datetime) -> date:
    """The first day of the period in which `at` lies."""
    return period_start(budget.period, at).date()


def _spent(budgets: Sequence[Budget], now: datetime) -> dict[int, tuple[int, int]]:
    groups: dict[tuple[str, str], list[Budget]] = defaultdict(list)
    for budget in budgets:
        groups[budget.scope, budget.period].append(budget)
    found: dict[int, tuple[int, int]] = {}
    for (scope, period), rows in groups.items():
        sums = _sums(scope, {_name_of(b) for b in rows}, period_start(period, now))
        found.update({budget.pk: _of(budget, sums.get(_name_of(budget), {})) for budget in rows})
    return found


type Name = tuple[str, ...]
type Sums = dict[Name, dict[str, dict[str, int]]]
"""By what calls are of, by currency: `tokens`, `nanos`, `unpriced`."""


def _name_of(budget: Budget) -> Name:
    """How buckets name what it is of."""
    if budget.scope == Budget.Scope.ENDPOINT:
        return (budget.target.public_id, budget.of_environment.public_id)  # type: ignore[union-attr]
    return (budget.target.public_id,)


def _sums(scope: str, names: set[Name], since: datetime) -> Sums:
    dimensions = _DIMENSIONS[Budget.Scope(scope)]
    buckets = AiBucket.objects.filter(span=AiBucket.Span.DAY, at__gte=since)
    buckets = buckets.filter(**{f"{dimensions[0]}__in": {name[0] for name in names}})
    rows = buckets.values_list(*dimensions, "currency").annotate(
        tokens=Sum(F("input_tokens") + F("output_tokens")), nanos=Sum("cost_nano"), unknown=Sum("unpriced")
    )
    found: Sums = defaultdict(dict)
    for *name, currency, tokens, nanos, unpriced in rows.order_by():
        found[tuple(name)][currency] = {"tokens": tokens, "nanos": nanos, "unpriced": unpriced}
    return found


def _of(budget: Budget, by_currency: dict[str, dict[str, int]]) -> tuple[int, int]:
    unpriced = sum(one["unpriced"] for one in by_currency.values())
    if budget.unit == Budget.Unit.TOKENS:
        return sum(one["tokens"] for one in by_currency.values()), 0
    return by_currency.get(budget.currency, {}).get("nanos", 0), unpriced


def filter_of(budget: Budget) -> dict[str, Any]:
    """The ledger's entries and buckets that count in a budget, as arguments of `filter`."""
    return dict(zip(_DIMENSIONS[Budget.Scope(budget.scope)], _name_of(budget), strict=True))
