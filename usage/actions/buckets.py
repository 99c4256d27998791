"""Adding calls to the sums that dashboards read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import connection

from gateways.models import Gateway
from usage.actions.arrays import as_array
from usage.latency import step_of
from usage.totals import DIMENSIONS

if TYPE_CHECKING:
    from usage.actions.ingest import KnownCall

MEASURES = ("calls", "bytes_in", "bytes_out", "duration_ms")
BUCKET = (
    "gateway", "environment", "api", "api_version", "operation", "application", "subscription", "plan", "key_id",
    "status",
)  # fmt: skip
"""The dimensions of a bucket beside its time."""

TOTAL = ("kind", *DIMENSIONS)
"""Those of a total."""

_TYPES = {
    "spans": "text", "minute": "bigint", "status": "smallint", "calls": "bigint", "bytes_in": "bigint",
    "bytes_out": "bigint", "duration_ms": "float8", "latency": "jsonb",
}  # fmt: skip
"""PostgreSQL's types of what is handed over; the others are text."""

_START = "date_trunc(CASE span WHEN 'm' THEN 'minute' WHEN 'h' THEN 'hour' ELSE 'day' END, to_timestamp(minute), 'UTC')"

type Kind = tuple[object, ...]
"""What calls have in common beside their time: the values of BUCKET or of TOTAL."""

type Sums = dict[Kind, dict[datetime, Sum]]
"""The sums of each minute, by kind of call."""


def _upsert(table: str, dimensions: Sequence[str]) -> str:
    """The statement that adds many sums to `table`, given as one array for each column. It takes rows in one
    order, so that two batches never wait for each other in a circle."""
    given = ("spans", "minute", *dimensions, *MEASURES, "latency")
    own = ", ".join(("span", "at", *dimensions))
    add = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in MEASURES)
    return f"""
        INSERT INTO {table} ({own}, {", ".join(MEASURES)}, latency)
        SELECT span, {_START}, {", ".join(dimensions)}, {", ".join(MEASURES)}, latency
        FROM unnest({", ".join(f"%s::{_TYPES.get(name, 'text')}[]" for name in given)}) AS given ({", ".join(given)}),
            string_to_table(spans, NULL) AS span
        ORDER BY {", ".join(str(number) for number in range(1, len(dimensions) + 3))}
        ON CONFLICT ({own}) DO UPDATE SET {add}, latency = usage_add_steps({table}.latency, excluded.latency)
    """  # noqa: S608 - built from the names above, no value is in it


ADD_BUCKETS = _upsert("usage_usagebucket", BUCKET)
ADD_TOTALS = _upsert("usage_usagetotal", TOTAL)


@dataclass(slots=True)
class Sum:
    """What is added to one bucket."""

    calls: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    duration_ms: float = 0.0
    latency: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, known: KnownCall) -> None:
        call = known.call
        self.calls += 1
        self.bytes_in += call.bytes_in
        self.bytes_out += call.bytes_out
        self.duration_ms += call.duration_ms
        self.latency[step_of(call.duration_ms)] += 1

    def merge(self, other: Sum) -> None:
        self.calls += other.calls
        self.bytes_in += other.bytes_in
        self.bytes_out += other.bytes_out
        self.duration_ms += other.duration_ms
        for step, calls in other.latency.items():
            self.latency[step] += calls


def add_to_buckets(gateway: Gateway, calls: Sequence[KnownCall]) -> None:
    """Add `calls` to minute, hour and day buckets, and to the totals of each."""
    add_sums(_by_kind(gateway, calls))


def add_sums(sums: Sums) -> None:
    """Add sums of minutes to minute, hour and day buckets, and to the totals of each."""
    if not sums:
        return
    with connection.cursor() as cursor:
        for statement, added in ((ADD_BUCKETS, sums), (ADD_TOTALS, _in_total(sums))):
            rows = [
                (spans, int(at.timestamp()), *kind, *_measures(total))
                for kind, minutes in added.items()
                for spans, at, total in _rows(minutes)
            ]
            cursor.execute(statement, [as_array(column) for column in zip(*rows, strict=True)])


def _measures(total: Sum) -> tuple[object, ...]:
    steps = ",".join([f'"{step}":{calls}' for step, calls in total.latency.items()])
    return (total.calls, total.bytes_in, total.bytes_out, total.duration_ms, f"{{{steps}}}")


def _by_kind(gateway: Gateway, calls: Iterable[KnownCall]) -> Sums:
    sums: Sums = defaultdict(lambda: defaultdict(Sum))
    for known in calls:
        sums[_kind(gateway, known)][known.call.at.replace(second=0, microsecond=0)].add(known)
    return sums


def _kind(gateway: Gateway, known: KnownCall) -> Kind:
    call, route, caller = known.call, known.route, known.caller
    return (
        gateway.public_id, route.environment, route.api, route.api_version, known.operation,
        caller.application if caller else "", call.subscription if caller else "", caller.plan if caller else "",
        call.key_id, call.status,
    )  # fmt: skip


def _in_total(sums: Sums) -> Sums:
    """`sums` by the fewer dimensions of each kind of total; a dimension that it does not keep is empty."""
    found: Sums = defaultdict(lambda: defaultdict(Sum))
    for kind, minutes in sums.items():
        _gateway, environment, api, version, operation, application, _subscription, plan, key_id, status = (
            kind
        )
        whose = environment, api, version
        for at, total in minutes.items():
            found["p", *whose, "", "", plan, "", status][at].merge(total)
            found["o", *whose, operation, "", "", "", status][at].merge(total)
            found["c", *whose, "", application, plan, key_id, status][at].merge(total)
            if application:
                found["a", environment, "", "", "", application, "", "", status][at].merge(total)
    return found


def _rows(minutes: dict[datetime, Sum]) -> Iterator[tuple[str, datetime, Sum]]:
    """Each sum once, with the spans that it is added to: mostly a batch lies within one minute, and so all three."""
    if len(minutes) == 1:
        yield from (("mhd", at, total) for at, total in minutes.items())
        return
    hours = _wider(minutes, minute=0)
    for span, sums in (("m", minutes), ("h", hours), ("d", _wider(hours, hour=0))):
        yield from ((span, at, total) for at, total in sums.items())


def _wider(sums: dict[datetime, Sum], **start: int) -> dict[datetime, Sum]:
    """`sums` of which those are added up that begin alike with these parts of their time at `start`."""
    found: dict[datetime, Sum] = defaultdict(Sum)
    for at, total in sums.items():
        found[at.replace(**start)].merge(total)  # type: ignore[arg-type]
    return found
