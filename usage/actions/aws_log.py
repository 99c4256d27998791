"""Reading the access log of a gateway at AWS, each line once.

A line that was read is known by its event id, written down in the transaction that counts it: pages may be read again
and overlap, workers may die or read at the same time. AWS shows lines late and in no order that could be relied on; so
each reading begins before the end of the last one, and once in a while long before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import structlog
from django.db import connection, transaction
from django.utils import timezone

from aws.client.calls import Calls
from aws.client.errors import Invalid
from gateways.models import Gateway, Publication
from gateways.queries.remote import keys_by_id, publications_by_stage, stages_of
from subscriptions.models import Credential
from usage.actions.checkpoints import locked_checkpoint
from usage.actions.ingest import count_records, note_completeness, take_calls
from usage.aws.lines import Line, read_line
from usage.feed import PAST_LIMIT, Call
from usage.models import AwsReading, FeedCheckpoint, FeedLoss, SeenLine

NODE, SEGMENT = "aws", "access-log"
"""The name of the feed."""

OVERLAP = timedelta(minutes=5)
"""So long before the end of a reading the next one begins: most lines are there within it."""
SWEEP_EVERY = timedelta(hours=1)
SWEEP_BACK = timedelta(hours=3)
"""What is later than this is not counted any more; the comparison with AWS's own counts shows it."""
SEEN_FOR = SWEEP_BACK + timedelta(hours=1)
FAR = timedelta(hours=1)
"""A call that says it began so long before its line was written is put where the line is."""
MOST_PAGES = 50
"""Of one run; the next one goes on."""
PAGE = 10_000

_SEEN = """
    INSERT INTO usage_seenline (checkpoint_id, event, at)
    SELECT %s, * FROM unnest(%s::text[], %s::timestamptz[])
    ON CONFLICT (checkpoint_id, event) DO NOTHING RETURNING event
"""

log = structlog.get_logger(__name__)


class Range(NamedTuple):
    """What is read: the lines that AWS wrote from `start` to `end`, from `token` on."""

    start: datetime
    end: datetime
    token: str


class Names(NamedTuple):
    """What the names in a page stand for: publications by API and stage, their base paths, Credentials by key."""

    publications: Mapping[tuple[str, str], str]
    paths: Mapping[str, str]
    keys: Mapping[str, tuple[str, str]]


def read_log(gateway: Gateway, calls: Calls, *, group: str) -> int:
    """Read on in the log group `group`; the number of calls that were new.

    Raises aws.client.errors.AwsError: what was read until then is counted, and the next run goes on from there.
    """
    taken = 0
    for _page in range(MOST_PAGES):
        asked = _range(gateway)
        if asked is None:
            break
        answer = _page_of(gateway, calls, group, asked)
        token = str(answer.get("nextToken") or "")
        taken += _take_page(gateway, asked, answer.get("events", ()), token)
        if not token:
            break
    return taken


def reading_of(checkpoint: FeedCheckpoint) -> AwsReading:
    """How far the log was read, by its locked checkpoint."""
    return AwsReading.objects.get_or_create(checkpoint=checkpoint)[0]


# ---- which lines ----


@transaction.atomic
def _range(gateway: Gateway) -> Range | None:
    """The range under way, or a new one; None while nothing is logged."""
    reading = reading_of(locked_checkpoint(gateway, NODE, SEGMENT))
    if reading.range_start is None or reading.range_end is None:
        since = _begin(gateway, reading, timezone.now())
        if since is None:
            return None
        reading.range_start, reading.range_end, reading.next_token = since, timezone.now(), ""
        reading.save()
    return Range(reading.range_start, reading.range_end, reading.next_token)


def _begin(gateway: Gateway, reading: AwsReading, now: datetime) -> datetime | None:
    if reading.read_until is None:
        logged = [one.logged_at for one in stages_of(gateway) if one.logged_at is not None]
        return max(min(logged), now - PAST_LIMIT) - OVERLAP if logged else None
    if reading.swept_at is None or now - reading.swept_at >= SWEEP_EVERY:
        reading.swept_at = now
        return reading.read_until - SWEEP_BACK
    return reading.read_until - OVERLAP


def _page_of(gateway: Gateway, calls: Calls, group: str, asked: Range) -> dict[str, Any]:
    """A page. A token that AWS does not know any more leads to the beginning of the range, next time."""
    more = {"nextToken": asked.token} if asked.token else {}
    times = {"startTime": _milliseconds(asked.start), "endTime": _milliseconds(asked.end)}
    try:
        return calls.call("logs", "FilterLogEvents", logGroupName=group, limit=PAGE, **times, **more)
    except Invalid:
        if asked.token:
            AwsReading.objects.filter(checkpoint__gateway=gateway, next_token=asked.token).update(
                next_token=""
            )
        raise


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


# ---- what they say ----


@transaction.atomic
def _take_page(gateway: Gateway, asked: Range, events: Sequence[Mapping[str, Any]], token: str) -> int:
    """Count what is new of a page, and move on; the number of calls counted."""
    checkpoint = locked_checkpoint(gateway, NODE, SEGMENT)
    fresh = _fresh(checkpoint, events)
    lines = _lines(gateway, checkpoint, fresh)
    names = _names(gateway, [line for _place, line in lines])
    counted = [(place, call) for place, line in lines if (call := _call(line, names)) is not None]
    count = take_calls(checkpoint, gateway, counted)
    count_records(gateway, count)
    checkpoint.offset += len(fresh)
    _move(checkpoint, asked, token)
    checkpoint.save()
    return count


def _fresh(checkpoint: FeedCheckpoint, events: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The events that were not taken in before, in one order, each once."""
    given = {str(event["eventId"])[-80:]: event for event in events}
    if not given:
        return []
    times = [_written(event) for event in given.values()]
    with connection.cursor() as cursor:
        cursor.execute(_SEEN, [checkpoint.pk, list(given), times])
        new = {event for (event,) in cursor.fetchall()}
    return [event for name, event in given.items() if name in new]


def _written(event: Mapping[str, Any]) -> datetime:
    return datetime.fromtimestamp(event["timestamp"] / 1000, timezone.now().tzinfo)


def _lines(
    gateway: Gateway, checkpoint: FeedCheckpoint, events: Iterable[Mapping[str, Any]]
) -> list[tuple[int, Line]]:
    """The calls in `events`, each with its place; what is none is noted as lost."""
    found = []
    for place, event in enumerate(events, checkpoint.offset):
        try:
            line = read_line(str(event.get("message", "")))
        except (ValueError, OverflowError) as error:
            log.warning("usage.aws_line_malformed", gateway=gateway.slug, why=str(error)[:200])
            _note_loss(checkpoint, place, event)
            continue
        far = abs(line.at - _written(event)) > FAR
        found.append((place, line._replace(at=_written(event)) if far else line))
    return found


def _note_loss(checkpoint: FeedCheckpoint, place: int, event: Mapping[str, Any]) -> None:
    FeedLoss.objects.create(
        gateway_id=checkpoint.gateway_id,
        node=checkpoint.node,
        segment=checkpoint.segment,
        reason=FeedLoss.Reason.MALFORMED,
        position=place,
        size=len(str(event.get("message", "")).encode(errors="replace")),
        starts_at=_written(event),
        ends_at=_written(event),
    )


def _names(gateway: Gateway, lines: Sequence[Line]) -> Names:
    if not lines:
        return Names({}, {}, {})
    publications = publications_by_stage(gateway)
    here = {publications[line.api, line.stage] for line in lines if (line.api, line.stage) in publications}
    paths = Publication.objects.filter(public_id__in=here).values_list("public_id", "claim__path")
    by_id = keys_by_id(gateway, (line.key for line in lines if line.key))
    rows = Credential.objects.filter(public_id__in=set(by_id.values())).values_list(
        "public_id", "key_id", "subscription__public_id"
    )
    known = {name: (key_id, subscription) for name, key_id, subscription in rows}
    keys = {at_aws: known[name] for at_aws, name in by_id.items() if name in known}
    return Names(publications, dict(paths), keys)


def _call(line: Line, names: Names) -> Call | None:
    """The call as all feeds tell it; None for a stage that is not ours. A key that is not ours belongs to nobody."""
    publication = names.publications.get((line.api, line.stage))
    if publication is None:
        return None
    key_id, subscription = names.keys.get(line.key, ("", ""))
    return Call(
        at=line.at,
        publication=publication,
        subscription=subscription,
        key_id=key_id,
        method=line.method,
        path=names.paths.get(publication, "") + line.route,
        status=line.status,
        duration_ms=line.duration_ms,
        upstream_ms=line.upstream_ms,
        bytes_in=0,
        bytes_out=line.bytes_out,
        request_id=line.request_id,
        reason=line.reason,
    )


# ---- how far ----


def _move(checkpoint: FeedCheckpoint, asked: Range, token: str) -> None:
    """Note where to go on. Another worker may have moved on meanwhile: then its place stands."""
    reading = reading_of(checkpoint)
    if (reading.range_start, reading.range_end, reading.next_token) != asked:
        return
    reading.next_token = token
    if not token:
        reading.read_until, reading.range_start, reading.range_end = asked.end, None, None
        note_completeness(checkpoint, asked.end - OVERLAP)
        SeenLine.objects.filter(checkpoint=checkpoint, at__lt=asked.end - SEEN_FOR).delete()
    reading.save()
