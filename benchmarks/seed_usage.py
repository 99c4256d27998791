"""Buckets of months of calls, written in bulk as ingestion would have left them."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

from benchmarks.seed import DRAW, Company, falling
from usage.latency import step_of
from usage.totals import DIMENSIONS, KEPT

DAYS = 90
HOURS_READ, MINUTES_READ = timedelta(days=14), timedelta(hours=12)
"""How far back pages look into hours and minutes: the longest range of each, and the time before it to compare with."""

_SIZES = sorted({int(1.25**power) for power in range(60)})
_VARIANTS = 6
_SHARES = {200: 0.90, 404: 0.07, 500: 0.03}
_OPERATIONS = (0.40, 0.25, 0.20, 0.10, 0.05)

_SCRATCH = """
    CREATE TEMPORARY TABLE bench_latency (size int, variant int, calls int, latency jsonb);
    CREATE TEMPORARY TABLE bench_caller (
        share float8, gateway text, environment text, api text, api_version text, application text, subscription text,
        plan text, key_id text
    );
    CREATE TEMPORARY TABLE bench_kind (operation text, status int, share float8);
"""
_FILL = """
    INSERT INTO usage_usagebucket (
        span, at, gateway, environment, api, api_version, operation, application, subscription, plan, key_id, status,
        calls, bytes_in, bytes_out, duration_ms, latency
    )
    SELECT %(span)s, slot, caller.gateway, caller.environment, caller.api, caller.api_version, kind.operation,
        caller.application, caller.subscription, caller.plan, caller.key_id, kind.status,
        drawn.calls, 0, drawn.calls * 2000::bigint, drawn.calls * 30, drawn.latency
    FROM bench_caller caller CROSS JOIN bench_kind kind
    CROSS JOIN generate_series(%(start)s::timestamptz, %(end)s::timestamptz, %(step)s::interval) AS slot
    CROSS JOIN LATERAL (
        SELECT floor(%(calls)s::float8 * caller.share * kind.share + random())::int AS calls
    ) AS made
    JOIN bench_latency drawn ON drawn.size = width_bucket(made.calls, %(sizes)s::int[])
        AND drawn.variant = (made.calls + extract(epoch FROM slot)::bigint / 60) %% %(variants)s
    WHERE made.calls > 0
"""

_TOTAL = """
    INSERT INTO usage_usagetotal (kind, span, at, {0}, calls, bytes_in, bytes_out, duration_ms, latency)
    SELECT %s, total.*, drawn.latency FROM (
        SELECT span, at, {1}, sum(calls)::bigint AS calls, 0, sum(bytes_out)::bigint, sum(duration_ms)
        FROM usage_usagebucket GROUP BY {2}
    ) AS total JOIN bench_latency drawn ON drawn.variant = 0
        AND drawn.size = width_bucket(least(total.calls, 2000000000)::int, %s::int[])
"""
"""As many calls as the buckets have; their latency is drawn as that of buckets is."""

_TABLES = ("usage_usagebucket", "usage_usagetotal")


def fill(company: Company, calls: int, *, everything: bool = False) -> tuple[int, int]:
    """Have about `calls` calls of all subscriptions in DAYS; the numbers of buckets and of totals.

    Few subscriptions make most calls. Days are whole; hours and minutes reach as far back as pages read, or with
    `everything` as far as they are kept.
    """
    now = timezone.now()
    minute = now.replace(second=0, microsecond=0)
    hour = minute.replace(minute=0)
    day = hour.replace(hour=0)
    hours, minutes = (timedelta(days=DAYS), timedelta(days=32)) if everything else (HOURS_READ, MINUTES_READ)
    with connection.cursor() as cursor:
        kept = [again for table in _TABLES for again in _without_indexes(cursor, table)]
        cursor.execute(f"TRUNCATE {', '.join(_TABLES)}")
        _draw(cursor, company)
        rows = _fill(cursor, "d", day - timedelta(days=DAYS), day, timedelta(days=1), calls)
        rows += _fill(cursor, "h", hour - hours, hour, timedelta(hours=1), calls)
        rows += _fill(cursor, "m", minute - minutes, minute, timedelta(minutes=1), calls)
        totals = 0
        for kind, kept_dimensions in KEPT.items():
            names = {name: name if name in kept_dimensions else "''" for name in DIMENSIONS}
            grouped = ", ".join(["span", "at", *(name for name in DIMENSIONS if name in kept_dimensions)])
            statement = _TOTAL.format(", ".join(DIMENSIONS), ", ".join(names.values()), grouped)
            cursor.execute(statement, [kind, _SIZES])
            totals += cursor.rowcount
        for statement in kept:
            cursor.execute(statement)
    return rows, totals


def _fill(cursor: object, span: str, start: datetime, end: datetime, step: timedelta, calls: int) -> int:
    values = {
        "span": span,
        "start": start,
        "end": end,
        "step": step,
        "calls": calls * (step / timedelta(days=DAYS)),
        "sizes": _SIZES,
        "variants": _VARIANTS,
    }
    cursor.execute(_FILL, values)  # type: ignore[attr-defined]
    return int(cursor.rowcount)  # type: ignore[attr-defined]


def _without_indexes(cursor: object, table: str) -> list[str]:
    """Drop all indexes of `table`, which are made much faster at the end; the statements that do."""
    run = cursor.execute  # type: ignore[attr-defined]
    run(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE conrelid = %s::regclass AND contype IN ('p', 'u')",
        [table],
    )
    constraints = cursor.fetchall()  # type: ignore[attr-defined]
    for name, _definition in constraints:
        run(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    run("SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s", [table])
    indexes = cursor.fetchall()  # type: ignore[attr-defined]
    for name, _definition in indexes:
        run(f"DROP INDEX {name}")
    again = [f"ALTER TABLE {table} ADD CONSTRAINT {name} {text}" for name, text in constraints]
    return [*again, *(definition for _name, definition in indexes)]


def _draw(cursor: object, company: Company) -> None:
    run, many = cursor.execute, cursor.executemany  # type: ignore[attr-defined]
    run("DROP TABLE IF EXISTS bench_latency, bench_caller, bench_kind")
    run(_SCRATCH)
    for index, calls in enumerate(_SIZES, start=1):
        for variant in range(_VARIANTS):
            many(
                "INSERT INTO bench_latency VALUES (%s, %s, %s, %s::jsonb)",
                [(index, variant, calls, _latency(calls))],
            )
    weights = falling(len(company.subscriptions))
    keys = {key.subscription_id: key.key_id for key in company.credentials}
    many(
        "INSERT INTO bench_caller VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            (
                weight / sum(weights), company.gateway.public_id, held.environment.public_id,
                held.api_version.api.public_id, held.api_version.public_id, held.application.public_id,
                held.public_id, held.plan_revision.plan.public_id, keys[held.pk],
            )
            for weight, held in zip(weights, DRAW.sample(company.subscriptions, len(weights)), strict=True)
        ],
    )  # fmt: skip
    many(
        "INSERT INTO bench_kind VALUES (%s, %s, %s)",
        [
            (f"operation{number}", status, share * of_status)
            for number, share in enumerate(_OPERATIONS)
            for status, of_status in _SHARES.items()
        ],
    )


def _latency(calls: int) -> str:
    """The steps of so many calls, drawn from at most 5,000."""
    drawn = Counter(step_of(DRAW.lognormvariate(3.2, 0.8)) for _ in range(min(calls, 5_000)))
    times, rest = divmod(calls, sum(drawn.values()))
    steps = {step: count * times for step, count in drawn.items()}
    steps[step_of(24.5)] = steps.get(step_of(24.5), 0) + rest
    return "{" + ",".join(f'"{step}":{count}' for step, count in steps.items() if count) + "}"
