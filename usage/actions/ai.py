"""Taking in what AI runtimes tell: runs, the ledger and its sums, within the transaction of a batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import connection

from usage.actions.arrays import as_array
from usage.actions.bodies import keep_bodies
from usage.ai_feed import AiAttempt, AiCall
from usage.dimensions import CallerFacts, RouteFacts
from usage.models import AiBucket, AiRun, FeedCheckpoint, LedgerEntry

DIMENSIONS = (
    "environment", "api", "api_version", "application", "subscription", "plan", "team", "prompt", "model", "currency",
)  # fmt: skip
MEASURES = (
    "calls", "failed", "from_cache", "input_tokens", "output_tokens", "cached_input_tokens", "reasoning_tokens",
    "cost_nano", "unpriced", "estimated",
)  # fmt: skip
_STARTS: Mapping[str, Callable[[datetime], datetime]] = {
    "m": lambda minute: minute,
    "h": lambda minute: minute.replace(minute=0),
    "d": lambda minute: minute.replace(hour=0, minute=0),
}


class KnownAiCall(NamedTuple):
    """A call with what it belongs to; a run of the editor belongs to no API. `position` is its place in the segment."""

    position: int
    call: AiCall
    endpoint: RouteFacts | None
    caller: CallerFacts | None


def keep_ai_calls(checkpoint: FeedCheckpoint, calls: Sequence[KnownAiCall]) -> None:
    """Write the runs with what was said in them, and the ledger, and add to the sums."""
    runs = AiRun.objects.bulk_create([_run(checkpoint, known) for known in calls], batch_size=1_000)
    keep_bodies((run, known.call.bodies) for run, known in zip(runs, calls, strict=True) if known.call.bodies)
    LedgerEntry.objects.bulk_create(
        [entry for known in calls for entry in _entries(checkpoint, known)], batch_size=1_000
    )
    _add(_sums(calls))


def _run(checkpoint: FeedCheckpoint, known: KnownAiCall) -> AiRun:
    call, endpoint, caller = known.call, known.endpoint, known.caller
    return AiRun(
        feed=checkpoint.pk,
        offset=known.position,
        at=call.at,
        run=call.run,
        request_id=call.request_id,
        surface=call.surface,
        environment=endpoint.environment if endpoint else "",
        endpoint=call.endpoint,
        api=endpoint.api if endpoint else "",
        api_version=endpoint.api_version if endpoint else "",
        application=caller.application if caller else "",
        subscription=call.subscription if caller else "",
        plan=caller.plan if caller else "",
        team=call.team,
        prompt=call.prompt,
        status=call.status,
        code=call.code,
        cache=call.cache,
        first_ms=call.first_ms,
        duration_ms=call.duration_ms,
        vendor_ms=call.vendor_ms,
        bytes_in=call.bytes_in,
        bytes_out=call.bytes_out,
    )


def _entries(checkpoint: FeedCheckpoint, known: KnownAiCall) -> Iterator[LedgerEntry]:
    call, endpoint, caller = known.call, known.endpoint, known.caller
    for number, attempt in enumerate(call.attempts):
        yield LedgerEntry(
            feed=checkpoint.pk,
            offset=known.position,
            number=number,
            at=call.at,
            run=call.run,
            request_id=call.request_id,
            surface=call.surface,
            environment=endpoint.environment if endpoint else "",
            endpoint=call.endpoint,
            api=endpoint.api if endpoint else "",
            api_version=endpoint.api_version if endpoint else "",
            application=caller.application if caller else "",
            subscription=call.subscription if caller else "",
            team=call.team,
            prompt=call.prompt,
            model=attempt.model,
            provider_key=attempt.provider_key,
            status=attempt.status,
            code=attempt.code,
            vendor_ms=attempt.vendor_ms,
            input_tokens=attempt.input,
            output_tokens=attempt.output,
            cached_input_tokens=attempt.cached_input,
            cache_write_tokens=attempt.cache_write,
            reasoning_tokens=attempt.reasoning,
            estimated=attempt.estimated,
            cost_nano=attempt.cost_nano,
            currency=attempt.currency,
            price_version=attempt.price_version,
        )


# ---- sums ----

type Kind = tuple[str, ...]
type Key = tuple[str, datetime, Kind]


def _sums(calls: Iterable[KnownAiCall]) -> dict[Key, list[int]]:
    """What is added to each bucket: by span, slot and dimensions."""
    sums: dict[Key, list[int]] = defaultdict(lambda: [0] * len(MEASURES))
    for known in calls:
        minute = known.call.at.replace(second=0, microsecond=0)
        for kind, measures in _parts(known):
            for span, start in _STARTS.items():
                total = sums[span, start(minute), kind]
                for place, value in enumerate(measures):
                    total[place] += value
    return sums


def _parts(known: KnownAiCall) -> Iterator[tuple[Kind, tuple[int, ...]]]:
    """A call by its attempts: it counts itself with the last one, or with no model where there was none."""
    call = known.call
    failed, hit = int(call.status >= 400), int(call.cache == "HIT")
    for number, attempt in enumerate(call.attempts):
        is_last = number == len(call.attempts) - 1
        counted = (1, failed, hit) if is_last else (0, 0, 0)
        yield _kind(known, attempt.model, attempt.currency), (*counted, *_consumed(attempt))
    if not call.attempts:
        yield _kind(known, "", ""), (1, failed, hit, 0, 0, 0, 0, 0, 0, 0)


def _consumed(attempt: AiAttempt) -> tuple[int, ...]:
    return (
        attempt.input,
        attempt.output,
        attempt.cached_input,
        attempt.reasoning,
        attempt.cost_nano or 0,
        int(attempt.cost_nano is None),
        int(attempt.estimated),
    )


def _kind(known: KnownAiCall, model: str, currency: str) -> Kind:
    call, endpoint, caller = known.call, known.endpoint, known.caller
    return (
        endpoint.environment if endpoint else "",
        endpoint.api if endpoint else "",
        endpoint.api_version if endpoint else "",
        caller.application if caller else "",
        call.subscription if caller else "",
        caller.plan if caller else "",
        call.team,
        call.prompt,
        model,
        currency,
    )


def _add(sums: dict[Key, list[int]]) -> None:
    """One statement for all rows, in one order, so that two batches never wait for each other in a circle."""
    if not sums:
        return
    rows = [(span, at, *kind, *total) for (span, at, kind), total in sorted(sums.items())]
    columns = ("span", "at", *DIMENSIONS, *MEASURES)
    own = ", ".join(("span", "at", *DIMENSIONS))
    add = ", ".join(f"{name} = {_TABLE}.{name} + excluded.{name}" for name in MEASURES)
    types = ["text", "timestamptz", *["text"] * len(DIMENSIONS), *["bigint"] * len(MEASURES)]
    arrays = ", ".join(f"%s::{name}[]" for name in types)
    statement = f"""
        INSERT INTO {_TABLE} ({", ".join(columns)}) SELECT * FROM unnest({arrays})
        ON CONFLICT ({own}) DO UPDATE SET {add}
    """  # noqa: S608 - built from the names above, no value is in it
    with connection.cursor() as cursor:
        cursor.execute(statement, [as_array(column) for column in zip(*rows, strict=True)])


_TABLE = AiBucket._meta.db_table
