"""Adding calls to the sums that dashboards read."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import connection

from gateways.models import Gateway
from usage.latency import step_of

if TYPE_CHECKING:
    from usage.actions.ingest import KnownCall

DIMENSIONS = (
    "span", "at", "gateway", "environment", "api", "api_version", "operation",
    "application", "subscription", "plan", "key_id", "status",
)  # fmt: skip
MEASURES = ("calls", "bytes_in", "bytes_out", "duration_ms")

_GIVEN = {
    "spans": "text", "minute": "bigint", "environment": "text", "api": "text", "api_version": "text",
    "operation": "text", "application": "text", "subscription": "text", "plan": "text", "key_id": "text",
    "status": "smallint", "calls": "bigint", "bytes_in": "bigint", "bytes_out": "bigint", "duration_ms": "float8",
    "latency": "jsonb",
}  # fmt: skip
"""What is handed over of each row, column by column, with the types of PostgreSQL."""

_START = "date_trunc(CASE span WHEN 'm' THEN 'minute' WHEN 'h' THEN 'hour' ELSE 'day' END, to_timestamp(minute), 'UTC')"
_ADD = ", ".join(f"{name} = usage_usagebucket.{name} + excluded.{name}" for name in MEASURES)
UPSERT = f"""
    INSERT INTO usage_usagebucket ({", ".join(DIMENSIONS)}, {", ".join(MEASURES)}, latency)
    SELECT span, {_START}, %s, {", ".join(DIMENSIONS[3:])}, {", ".join(MEASURES)}, latency
    FROM unnest({", ".join(f"%s::{kind}[]" for kind in _GIVEN.values())}) AS given ({", ".join(_GIVEN)}),
        string_to_table(spans, NULL) AS span
    ORDER BY {", ".join(str(number) for number in range(1, len(DIMENSIONS) + 1))}
    ON CONFLICT ({", ".join(DIMENSIONS)}) DO UPDATE
    SET {_ADD}, latency = usage_add_steps(usage_usagebucket.latency, excluded.latency)
"""  # noqa: S608 - built from the names above, no value is in it

type Kind = tuple[object, ...]
"""What calls have in common beside their time: the values of DIMENSIONS from the environment on."""


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
    """Add `calls` to minute, hour and day buckets, in one statement. It takes rows in one order, so that two
    batches never wait for each other in a circle."""
    rows = [
        (spans, int(at.timestamp()), *kind, *_measures(total))
        for kind, minutes in _by_kind(calls).items()
        for spans, at, total in _rows(minutes)
    ]
    with connection.cursor() as cursor:
        cursor.execute(UPSERT, [gateway.public_id, *map(list, zip(*rows, strict=True))])


def _measures(total: Sum) -> tuple[object, ...]:
    return (total.calls, total.bytes_in, total.bytes_out, total.duration_ms, json.dumps(total.latency))


def _by_kind(calls: Iterable[KnownCall]) -> dict[Kind, dict[datetime, Sum]]:
    """The sums of each minute, by kind of call."""
    sums: dict[Kind, dict[datetime, Sum]] = defaultdict(lambda: defaultdict(Sum))
    for known in calls:
        sums[_kind(known)][known.call.at.replace(second=0, microsecond=0)].add(known)
    return sums


def _kind(known: KnownCall) -> Kind:
    call, route, caller = known.call, known.route, known.caller
    return (
        route.environment, route.api, route.api_version, known.operation, caller.application if caller else "",
        call.subscription if caller else "", caller.plan if caller else "", call.key_id, call.status,
    )  # fmt: skip


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
