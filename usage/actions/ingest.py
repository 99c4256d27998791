"""Taking a batch of a usage feed in, exactly once.

Records, buckets, quota counters and the checkpoint move in one transaction. The agent moves on only after
the answer, so a batch sent twice counts once and an agent killed anywhere loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import structlog
from django.db import connection, transaction
from django.utils import timezone

from gateways.models import Gateway
from usage.actions.ai import KnownAiCall, keep_ai_calls
from usage.actions.buckets import add_to_buckets
from usage.actions.checkpoints import FeedGap, locked_checkpoint
from usage.actions.quotas import count_against_quotas
from usage.actions.recount import keep_marks, take_stock
from usage.ai_feed import AiCall, AiMark, as_call, read_ai_lines
from usage.dimensions import CallerFacts, RouteFacts, callers_of, operation_of, routes_of
from usage.feed import Call, read_calls
from usage.metrics import RECORDS
from usage.models import FeedCheckpoint, UsageRecord

log = structlog.get_logger(__name__)

COLUMNS = tuple(field.column for field in UsageRecord._meta.concrete_fields)


class KnownCall(NamedTuple):
    """A call with what it belongs to. `position` is its byte offset in the segment."""

    position: int
    call: Call
    route: RouteFacts
    caller: CallerFacts | None
    operation: str


@transaction.atomic
def ingest_batch(
    gateway: Gateway,
    *,
    node: str,
    segment: str,
    offset: int,
    body: bytes,
    complete_until: datetime | None = None,
) -> int:
    """Take in the complete lines of `body`, the bytes of `segment` from `offset` on; the durable offset.

    Bytes already durable are passed over. `complete_until` is the gateway's time up to which this feed is
    whole with this batch. Raises FeedGap and usage.feed.FeedMalformed, both with nothing changed.
    """
    checkpoint = locked_checkpoint(gateway, node, segment)
    if offset > checkpoint.offset:
        raise FeedGap(checkpoint.offset)
    fresh = body[checkpoint.offset - offset :]
    whole = fresh[: fresh.rfind(b"\n") + 1]
    if gateway.kind == Gateway.Kind.AI_RUNTIME:
        count = _take_ai_calls(checkpoint, gateway, whole)
    else:
        calls = list(read_calls(whole, base=checkpoint.offset, now=timezone.now()))
        count = _take_calls(checkpoint, gateway, _known(gateway, calls))
    count_records(gateway, count)
    checkpoint.offset += len(whole)
    note_completeness(checkpoint, complete_until)
    checkpoint.save()
    return checkpoint.offset


def take_calls(checkpoint: FeedCheckpoint, gateway: Gateway, calls: list[tuple[int, Call]]) -> int:
    """Count calls, each at its place in the feed whose locked checkpoint this is, in the transaction of the caller;
    the number of those that belong to a publication of `gateway`."""
    return _take_calls(checkpoint, gateway, _known(gateway, calls))


def count_records(gateway: Gateway, count: int) -> None:
    """Tell Prometheus, when they are durable."""
    transaction.on_commit(lambda: RECORDS.labels(gateway.slug).inc(count))


def _take_calls(checkpoint: FeedCheckpoint, gateway: Gateway, calls: list[KnownCall]) -> int:
    if calls:
        _store(checkpoint, gateway, calls)
        add_to_buckets(gateway, calls)
        count_against_quotas(calls)
    return len(calls)


def _take_ai_calls(checkpoint: FeedCheckpoint, gateway: Gateway, body: bytes) -> int:
    """What models consumed; and the calls themselves where no gateway in front tells of them."""
    lines = list(read_ai_lines(body, base=checkpoint.offset, now=timezone.now()))
    _take_marks(checkpoint, [(at, line) for at, line in lines if isinstance(line, AiMark)])
    read = [(at, line) for at, line in lines if isinstance(line, AiCall)]
    routes = routes_of(gateway, (call.endpoint for _at, call in read))
    callers = callers_of(call.subscription for _at, call in read)
    known = [
        KnownAiCall(at, call, routes.get(call.endpoint), callers.get(call.subscription)) for at, call in read
    ]
    keep_ai_calls(checkpoint, known)
    own = [
        (one.position, as_call(one.call, one.endpoint.base_path))
        for one in known
        if one.call.key_id and one.endpoint
    ]
    _take_calls(checkpoint, gateway, _known(gateway, own))
    return len(known)


def _take_marks(checkpoint: FeedCheckpoint, marks: list[tuple[int, AiMark]]) -> None:
    """Runtimes wait for the sum of what came before their marks."""
    if marks:
        budgets = keep_marks(checkpoint, marks)
        transaction.on_commit(lambda: take_stock(budgets))


def note_completeness(checkpoint: FeedCheckpoint, until: datetime | None) -> None:
    """The feed is whole up to `until`; it never goes back. The caller saves."""
    if until is not None and (checkpoint.complete_until is None or until > checkpoint.complete_until):
        checkpoint.complete_until = min(until, timezone.now())


def _known(gateway: Gateway, calls: list[tuple[int, Call]]) -> list[KnownCall]:
    """Calls of publications that this gateway has; a line about anything else is logged and counted nowhere."""
    routes = routes_of(gateway, (call.publication for _at, call in calls))
    callers = callers_of(call.subscription for _at, call in calls)
    known = []
    for at, call in calls:
        route = routes.get(call.publication)
        if route is None:
            log.warning("usage.unknown_publication", publication=call.publication, gateway=gateway.slug)
            continue
        operation = operation_of(route, call.method, call.path)
        known.append(KnownCall(at, call, route, callers.get(call.subscription), operation))
    return known


def _store(checkpoint: FeedCheckpoint, gateway: Gateway, calls: Iterable[KnownCall]) -> None:
    """COPY the records; their days get partitions first."""
    calls = list(calls)
    with connection.cursor() as cursor:
        for day in sorted({known.call.at.date() for known in calls}):
            cursor.execute("SELECT usage_ensure_day(%s)", [day])
        names = ", ".join(f'"{column}"' for column in COLUMNS)
        with cursor.copy(f"COPY usage_usagerecord ({names}) FROM STDIN") as copy:
            for known in calls:
                copy.write_row(_row(checkpoint, gateway, known))


def _row(checkpoint: FeedCheckpoint, gateway: Gateway, known: KnownCall) -> tuple[object, ...]:
    """One record, in the order of COLUMNS."""
    call, route, caller = known.call, known.route, known.caller
    return (
        checkpoint.pk, known.position, call.at, gateway.public_id, checkpoint.node, route.environment, route.api,
        route.api_version, route.revision, known.operation, caller.application if caller else "",
        call.subscription if caller else "", caller.plan if caller else "", call.key_id, call.method, call.path,
        call.status, call.reason, call.duration_ms, call.upstream_ms, call.bytes_in, call.bytes_out,
        call.request_id,
    )  # fmt: skip
