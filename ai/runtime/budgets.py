"""What a budget is, which budgets a call counts against, and what of its cost counts in each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ai.runtime.snapshot import Budget

type Budgets = Mapping[tuple[str, str], tuple[Budget, ...]]
"""The budgets of a snapshot by scope and what it is of."""

MODEL = "model"


class OverBudget(Exception):
    """A hard budget has no room. `until` is when its next period begins."""

    def __init__(self, budget: Budget, until: datetime) -> None:
        super().__init__(budget.label)
        self.budget = budget
        self.until = until


class CountersAway(Exception):
    """A hard budget cannot be counted just now, and does not let calls in uncounted."""

    def __init__(self, budget: Budget) -> None:
        super().__init__(budget.label)
        self.budget = budget


@dataclass(frozen=True, slots=True)
class Cost:
    """Tokens, and billionths by currency. `is_known` False: the price of some of it is not known."""

    tokens: int = 0
    nanos: Mapping[str, int] = field(default_factory=dict)
    is_known: bool = True

    def amount(self, budget: Budget) -> int | None:
        """In the unit of a budget; None where it is not known."""
        if budget.unit == "tokens":
            return self.tokens
        return self.nanos.get(budget.currency, 0) if self.is_known else None


NO_COST = Cost()


@dataclass(frozen=True, slots=True)
class Bill:
    """What a call costs, or may cost at most: all of it, and what each model has of it, by the model's id."""

    whole: Cost
    of_models: Mapping[str, Cost]

    def amount(self, budget: Budget) -> int | None:
        """What counts in a budget: one of a model counts what that model consumed."""
        if budget.scope == MODEL:
            return self.of_models.get(budget.scope_id, NO_COST).amount(budget)
        return self.whole.amount(budget)


def budgets_of(budgets: Budgets, scopes: Iterable[tuple[str, str]]) -> list[Budget]:
    """All budgets that a call counts against."""
    return [budget for scope in scopes for budget in budgets.get(scope, ())]


def unheld(budgets: Sequence[Budget], bill: Bill) -> str:
    """Why a hard budget of money cannot hold a call, in words; empty where each can.

    It can where every price is known, and where the same scope has a hard budget in each currency that the call may
    cost: money of one currency is never counted as another's, and not as nothing either.
    """
    hard = [budget for budget in budgets if budget.hard and budget.unit == "money"]
    for budget in hard:
        cost = bill.of_models.get(budget.scope_id, NO_COST) if budget.scope == MODEL else bill.whole
        if not cost.is_known:
            return "The price of a model that may answer is not known, so that no budget can hold the call."
        held = {one.currency for one in hard if (one.scope, one.scope_id) == (budget.scope, budget.scope_id)}
        strange = sorted(currency for currency, nanos in cost.nanos.items() if nanos and currency not in held)
        if strange:
            return f"The budget {budget.label} is in {budget.currency}, and a model that may answer costs {strange[0]}."
    return ""


def all_of(budgets: Budgets) -> list[Budget]:
    """Every budget there is."""
    return [budget for of_scope in budgets.values() for budget in of_scope]
