"""Adding calls to the sums that dashboards read."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import connection

from gateways.models import Gateway
from usage.latency import step_of
from usage.models import UsageBucket

if TYPE_CHECKING:
    from usage.actions.ingest import KnownCall

DIMENSIONS = (
    "span", "at", "gateway", "environment", "api", "api_version", "operation",
    "application", "subscription", "plan", "key_id", "status",
)  # fmt: skip
MEASURES = ("calls", "bytes_in", "bytes_out", "duration_ms")

_ADD = ", ".join(f"{name} = usage_usagebucket.{name} + excluded.{name}" for name in MEASURES)
UPSERT = f"""
    INSERT INTO usage_usagebucket ({", ".join(DIMENSIONS)}, {", ".join(MEASURES)}, latency)
    VALUES ({", ".join(["%s"] * (len(DIMENSIONS) + len(MEASURES)))}, %s::jsonb)
    ON CONFLICT ({", ".join(DIMENSIONS)}) DO UPDATE
    SET {_ADD}, latency = usage_add_steps(usage_usagebucket.latency, excluded.latency)
"""  # noqa: S608 - built from the names above, no value is in it

type Dimensions = tuple[datetime, *tuple[object, ...]]
"""The start of the slot, then the other values in the order of DIMENSIONS (without the span)."""


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
    """Add `calls` to minute, hour and day buckets. Rows are taken in one order, so that two batches never
    wait for each other in a circle."""
    minutes = _by_minute(gateway, calls)
    rows = [
        ((span, *dimensions), total)
        for span in UsageBucket.Span.values
        for dimensions, total in _wider(minutes, span).items()
    ]
    rows.sort(key=lambda row: tuple(map(str, row[0])))
    with connection.cursor() as cursor:
        values: list[Any] = [(*dimensions, *_measures(total)) for dimensions, total in rows]
        cursor.executemany(UPSERT, values)


def _measures(total: Sum) -> tuple[object, ...]:
    return (total.calls, total.bytes_in, total.bytes_out, total.duration_ms, json.dumps(total.latency))


def _by_minute(gateway: Gateway, calls: Sequence[KnownCall]) -> dict[Dimensions, Sum]:
    sums: dict[Dimensions, Sum] = defaultdict(Sum)
    for known in calls:
        sums[_dimensions(gateway, known)].add(known)
    return sums


def _dimensions(gateway: Gateway, known: KnownCall) -> Dimensions:
    call, route, caller = known.call, known.route, known.caller
    return (
        call.at.replace(second=0, microsecond=0), gateway.public_id, route.environment, route.api, route.api_version,
        known.operation, caller.application if caller else "", call.subscription if caller else "",
        caller.plan if caller else "", call.key_id, call.status,
    )  # fmt: skip


def _wider(minutes: dict[Dimensions, Sum], span: str) -> dict[Dimensions, Sum]:
    """The sums of minutes as sums of `span`."""
    if span == UsageBucket.Span.MINUTE:
        return minutes
    sums: dict[Dimensions, Sum] = defaultdict(Sum)
    for (at, *dimensions), total in minutes.items():
        start = at.replace(minute=0) if span == UsageBucket.Span.HOUR else at.replace(hour=0, minute=0)
        sums[(start, *dimensions)].merge(total)
    return sums
