"""Reading sums by several groupings at once, from totals where they suffice and from buckets where they do not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection

from usage.latency import percentile
from usage.ranges import Window
from usage.totals import kind_for, since

SLOT = "slot"
"""Grouping by the slots of the window, each named by its number."""
ALL = ""
"""Grouping into one."""


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

    def add(self, other: Figures) -> None:
        """Add up two of them."""
        self.calls += other.calls
        self.bytes_out += other.bytes_out
        for group, calls in other.by_class.items():
            self.by_class[group] += calls
        for step, calls in other.latency.items():
            self.latency[step] += calls


type ByValue = dict[str, Figures]
"""Figures by value of one grouping."""


@dataclass(frozen=True, slots=True)
class Place:
    """Rows of one table from `start` to `end`; `kind` is that of a total, empty for buckets."""

    kind: str
    start: datetime
    end: datetime

    @property
    def table(self) -> str:
        return "usage_usagetotal" if self.kind else "usage_usagebucket"


@dataclass(frozen=True, slots=True)
class Question:
    """Whose calls (values that are looked for, by dimension), and when."""

    whose: Mapping[str, Sequence[str]]
    window: Window

    def figures_by(self, groups: Iterable[str], *, most: int | None = None) -> dict[str, ByValue]:
        """Figures by value, of each of `groups` (dimensions, SLOT or ALL). The names of all dimensions stand in
        SQL: whoever asks has checked them.

        With `most`, only so many values with the most calls get their latency, in each group.
        """
        asked: dict[str, list[str]] = defaultdict(list)
        for group in dict.fromkeys(groups):
            asked[kind_for({*self.whose, *({group} - {SLOT, ALL})})].append(group)
        found: dict[str, ByValue] = {}
        for kind, together in asked.items():
            found |= self._read(list(self._places(kind)), together, most)
        return found

    def _places(self, kind: str) -> Iterator[Place]:
        start, end = self.window.start, self.window.end
        begun = since() if kind else end
        if begun is not None and start < begun:
            yield Place("", start, min(end, begun))
        if begun is None or begun < end:
            yield Place(kind, max(start, begun or start), end)

    def _read(self, places: list[Place], groups: list[str], most: int | None) -> dict[str, ByValue]:
        found: dict[str, ByValue] = {group: defaultdict(Figures) for group in groups}
        for place in places:
            self._add_calls(found, place)
        for only in _shown(found, most):
            for place in places:
                self._add_latency(found, place, only)
        return found

    def _add_calls(self, found: dict[str, ByValue], place: Place) -> None:
        rows = self._sums(place, list(found), "status / 100", "calls, bytes_out", "", {})
        for group, value, status_class, calls, sent in rows:
            figures = found[group][value]
            figures.calls += calls
            figures.by_class[status_class] += calls
            figures.bytes_out += sent

    def _add_latency(
        self, found: dict[str, ByValue], place: Place, only: Mapping[str, Sequence[str]]
    ) -> None:
        each = "CROSS JOIN LATERAL jsonb_each(latency) AS step (number, times)"
        rows = self._sums(place, list(only), "number", "times::bigint AS calls, 0 AS bytes_out", each, only)
        for group, value, step, calls, _sent in rows:
            found[group][value].latency[int(step)] += calls

    def _sums(
        self,
        place: Place,
        groups: list[str],
        by: str,
        measures: str,
        each: str,
        only: Mapping[str, Sequence[str]],
    ) -> list[tuple[str, str, Any, int, int]]:
        """Rows of group, value, `by`, calls and bytes: all groups in one pass over the rows."""
        names = [f"g{number}" for number in range(len(groups))]
        columns = ", ".join(f"{self._expression(g)} AS {name}" for g, name in zip(groups, names, strict=True))
        looked_for = {**self.whose, **{group: values for group, values in only.items() if values}}
        conditions = "".join(f" AND {name} = ANY(%s)" for name in looked_for)
        kind = f" AND kind = '{place.kind}'" if place.kind else ""
        # Every name in it stands in our own files; every value is a parameter.
        statement = f"""
            SELECT GROUPING({", ".join(names)}), coalesce({", ".join(names)}), part,
                sum(calls)::bigint, sum(bytes_out)::bigint
            FROM (
                SELECT {columns}, {by} AS part, {measures} FROM {place.table} {each}
                WHERE span = %s AND at >= %s AND at < %s{kind}{conditions}
            ) AS rows
            GROUP BY GROUPING SETS ({", ".join(f"({name}, part)" for name in names)})
        """  # noqa: S608
        starts = [self.window.start] * groups.count(SLOT)
        span = [self.window.range.span, place.start, place.end]
        with connection.cursor() as cursor:
            cursor.execute(statement, [*starts, *span, *map(list, looked_for.values())])
            return [(groups[_unset(mask, len(groups))], *row) for mask, *row in cursor.fetchall()]  # type: ignore[misc]

    def _expression(self, group: str) -> str:
        if group == SLOT:
            seconds = int(self.window.range.step.total_seconds())
            return f"floor(extract(epoch FROM at - %s) / {seconds})::int::text"
        return f"{group}::text" if group else "''::text"


def _unset(mask: int, count: int) -> int:
    """Which of `count` groupings a row is of: the one whose bit is not set, the last one being the lowest."""
    return next(number for number in range(count) if not mask >> (count - 1 - number) & 1)


def _shown(found: dict[str, ByValue], most: int | None) -> Iterator[dict[str, list[str]]]:
    """The groups whose latency is read in one pass; one with too many values gets a pass of its own over those
    with the most calls."""
    together: dict[str, list[str]] = {}
    for group, values in found.items():
        if most is None or group in (SLOT, ALL) or len(values) <= most:
            together[group] = []
        else:
            yield {group: sorted(values, key=lambda value: -values[value].calls)[:most]}
    if together:
        yield together
