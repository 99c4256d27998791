"""Reading what AI calls consumed, by several groupings at once. Costs stay apart by currency, whoever asks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from usage.ranges import Window
from usage.sums import SLOT, group_of, slot_expression

COUNTS = (
    "calls", "failed", "from_cache", "input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens",
    "unpriced", "estimated",
)  # fmt: skip
"""What is added up whatever the currency."""

DIMENSIONS = frozenset(
    {"environment", "api", "api_version", "application", "subscription", "plan", "team", "prompt", "model"}
)


@dataclass(slots=True)
class AiFigures:
    """Sums over some buckets. `costs` are 1e-9 by currency and hold only what is known.

    Cached tokens are part of the input, reasoning part of the output. `unpriced` and `estimated` count requests to
    models, of which one call may need several: those whose price nobody knew, and those whose tokens the vendor did
    not count.
    """

    calls: int = 0
    failed: int = 0
    from_cache: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0
    unpriced: int = 0
    estimated: int = 0
    costs: dict[str, int] = field(default_factory=dict)

    @property
    def tokens(self) -> int:
        """All tokens, in and out."""
        return self.input_tokens + self.output_tokens

    @property
    def by_currency(self) -> list[tuple[str, int]]:
        """Costs in the order of their currencies."""
        return sorted(self.costs.items())

    @property
    def is_empty(self) -> bool:
        """Whether there were no AI calls at all."""
        return not (self.calls or self.tokens or self.unpriced)

    @property
    def cache_share(self) -> float | None:
        """The share of calls that the cache answered, 0..1."""
        return self.from_cache / self.calls if self.calls else None

    def add(self, other: AiFigures) -> None:
        """Add up two of them."""
        self.add_counts([getattr(other, name) for name in COUNTS])
        for currency, nano in other.costs.items():
            self.add_cost(currency, nano)

    def add_counts(self, values: Sequence[int]) -> None:
        """Add values in the order of COUNTS."""
        for name, value in zip(COUNTS, values, strict=True):
            setattr(self, name, getattr(self, name) + value)

    def add_cost(self, currency: str, nano: int) -> None:
        """Add money; what has no currency is not priced, or was not billed."""
        if currency:
            self.costs[currency] = self.costs.get(currency, 0) + nano


type ByValue = dict[str, AiFigures]


@dataclass(frozen=True, slots=True)
class AiQuestion:
    """Whose calls (values that are looked for, by dimension), and when."""

    whose: Mapping[str, Sequence[str]]
    window: Window

    def figures_by(self, groups: Iterable[str]) -> dict[str, ByValue]:
        """Figures by value, of each of `groups` (dimensions or SLOT), in one query over the sums.

        Raises ValueError for a dimension that AI calls do not have.
        """
        listed = list(dict.fromkeys(groups))
        if unknown := {*listed, *self.whose} - DIMENSIONS - {SLOT}:
            raise ValueError(f"{sorted(unknown)} are none of {sorted(DIMENSIONS)}")
        found: dict[str, ByValue] = {group: defaultdict(AiFigures) for group in listed}
        for mask, value, currency, cost, *counts in self._rows(listed):
            figures = found[listed[group_of(mask, len(listed))]][value]
            figures.add_counts(counts)
            figures.add_cost(currency, cost)
        return found

    def _rows(self, groups: Sequence[str]) -> list[tuple[Any, ...]]:
        names = [f"g{number}" for number in range(len(groups))]
        values = ", ".join(f"{self._expression(g)} AS {name}" for g, name in zip(groups, names, strict=True))
        whose = "".join(f" AND {name} = ANY(%s)" for name in self.whose)
        counts = ", ".join(f"sum({name})::bigint" for name in COUNTS)
        statement = f"""
            SELECT GROUPING({", ".join(names)}), coalesce({", ".join(names)}), currency,
                sum(cost_nano)::bigint, {counts}
            FROM (
                SELECT {values}, currency, cost_nano, {", ".join(COUNTS)}
                FROM usage_aibucket WHERE span = %s AND at >= %s AND at < %s{whose}
            ) AS rows
            GROUP BY GROUPING SETS ({", ".join(f"({name}, currency)" for name in names)})
        """  # noqa: S608 - every name in it stands in this file
        window = self.window
        with connection.cursor() as cursor:
            cursor.execute(
                statement,
                [
                    *[window.start] * groups.count(SLOT),
                    *(window.range.span, window.start, window.end),
                    *map(list, self.whose.values()),
                ],
            )
            return list(cursor.fetchall())

    def _expression(self, group: str) -> str:
        return slot_expression(self.window) if group == SLOT else f"{group}::text"
