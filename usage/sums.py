"""Reading sums by several groupings at once, from totals where they suffice and from buckets where they do not."""

from __future__ import annotations

import json
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
CHUNK = 5_000
"""Rows that are in memory at a time."""


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
        self.add_latency(other.latency)

    def add_latency(self, steps: Mapping[str, int] | Mapping[int, int]) -> None:
        """Add calls by step."""
        for step, calls in steps.items():
            self.latency[int(step)] += calls


type Steps = dict[str, int]
"""Calls by latency step, as JSON names it."""

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

    def _add_latency(
        self, found: dict[str, ByValue], place: Place, only: Mapping[str, Sequence[str]]
    ) -> None:
        """Added up here: PostgreSQL takes a JSON object apart some times more slowly than Python does.

        A row is added twice at most, to its slot and to what its other values have in common; the sums of those
        are few, and make up the groups.
        """
        groups = [group for group in only if group != SLOT]
        slots: dict[str, Steps] = defaultdict(lambda: defaultdict(int))
        alike: dict[tuple[str, ...], Steps] = defaultdict(lambda: defaultdict(int))
        for slot, latency, *values in self._latencies(place, groups, only):
            into = ([slots[slot]] if SLOT in only else []) + ([alike[tuple(values)]] if groups else [])
            counted = json.loads(latency)
            for steps in into:
                for step, calls in counted.items():
                    steps[step] += calls
        for slot, steps in slots.items():
            found[SLOT][slot].add_latency(steps)
        for key, steps in alike.items():
            for group, value in zip(groups, key, strict=True):
                found[group][value].add_latency(steps)

    def _latencies(
        self, place: Place, groups: list[str], only: Mapping[str, Sequence[str]]
    ) -> Iterator[tuple[str, ...]]:
        """Slot, latency and the values of `groups` of each row, some thousand at a time."""
        columns = ", ".join([self._expression(SLOT), "latency", *map(self._expression, groups)])
        rows, values = self._rows(place, only)
        with connection.chunked_cursor() as cursor:
            cursor.execute(f"SELECT {columns} FROM {rows}", [self.window.start, *values])  # noqa: S608
            while some := cursor.fetchmany(CHUNK):
                yield from some

    def _add_calls(self, found: dict[str, ByValue], place: Place) -> None:
        groups = list(found)
        names = [f"g{number}" for number in range(len(groups))]
        values = ", ".join(f"{self._expression(g)} AS {name}" for g, name in zip(groups, names, strict=True))
        rows, conditions = self._rows(place, {})
        statement = f"""
            SELECT GROUPING({", ".join(names)}), coalesce({", ".join(names)}),
                class, sum(calls)::bigint, sum(bytes_out)::bigint
            FROM (SELECT {values}, status / 100 AS class, calls, bytes_out FROM {rows}) AS rows
            GROUP BY GROUPING SETS ({", ".join(f"({name}, class)" for name in names)})
        """  # noqa: S608
        with connection.cursor() as cursor:
            cursor.execute(statement, [*[self.window.start] * groups.count(SLOT), *conditions])
            for mask, value, status_class, calls, sent in cursor.fetchall():
                figures = found[groups[group_of(mask, len(groups))]][value]
                figures.calls += calls
                figures.by_class[status_class] += calls
                figures.bytes_out += sent

    def _rows(self, place: Place, only: Mapping[str, Sequence[str]]) -> tuple[str, list[Any]]:
        """The rows that are asked about, as SQL with its parameters. Every name in it stands in our own files."""
        looked_for = {**self.whose, **{group: wanted for group, wanted in only.items() if wanted}}
        kind = f" AND kind = '{place.kind}'" if place.kind else ""
        conditions = "".join(f" AND {name} = ANY(%s)" for name in looked_for)
        where = f"{place.table} WHERE span = %s AND at >= %s AND at < %s{kind}{conditions}"
        return where, [self.window.range.span, place.start, place.end, *map(list, looked_for.values())]

    def _expression(self, group: str) -> str:
        if group == SLOT:
            return slot_expression(self.window)
        return f"{group}::text" if group else "''::text"


def slot_expression(window: Window) -> str:
    """The number of a row's slot in `window` as SQL, whose one parameter is the start of the window."""
    return f"floor(extract(epoch FROM at - %s) / {int(window.range.step.total_seconds())})::int::text"


def group_of(mask: int, count: int) -> int:
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
