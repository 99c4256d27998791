"""Reading the audit trail: filters, export rows, and the proof that nothing in it was altered."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection
from django.db.models import Q, QuerySet

from audit.chain import GENESIS, next_link
from audit.models import AuditEvent, AuditSeal

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
EXPORT_COLUMNS = (
    "public_id", "occurred_at", "name", "team_id", "actor_kind", "actor_id", "actor_label", "target_kind",
    "target_id", "target_label", "before", "after", "note", "request_id",
)  # fmt: skip
APPLICATION_ROLE = "gatehouse_app"


@dataclass(frozen=True, slots=True)
class Filters:
    """What to look for; empty means everything. Times are aware, `after` included, `until` not."""

    team_id: str = ""
    name: str = ""
    target: str = ""
    actor: str = ""
    after: datetime | None = None
    until: datetime | None = None


def find_events(events: QuerySet[AuditEvent], filters: Filters) -> QuerySet[AuditEvent]:
    """Those of `events` that match, newest first. Names match by how they begin, objects and actors by id or label."""
    wanted = Q()
    if filters.team_id:
        wanted &= Q(team_id=filters.team_id)
    if filters.name:
        wanted &= Q(name__startswith=filters.name)
    if filters.target:
        wanted &= Q(target_id=filters.target) | Q(target_label__icontains=filters.target)
    if filters.actor:
        wanted &= Q(actor_id=filters.actor) | Q(actor_label__icontains=filters.actor)
    if filters.after:
        wanted &= Q(occurred_at__gte=filters.after)
    if filters.until:
        wanted &= Q(occurred_at__lt=filters.until)
    return events.filter(wanted).order_by("-id")


def export_lines(events: QuerySet[AuditEvent]) -> Iterator[str]:
    """The events as CSV (RFC 4180), header first, without holding them in memory."""
    yield csv_line(EXPORT_COLUMNS)
    for event in events.iterator(chunk_size=2_000):
        yield csv_line([getattr(event, column) for column in EXPORT_COLUMNS])


def csv_line(cells: Sequence[object]) -> str:
    """One line of CSV. A cell that a spreadsheet would run as a formula gets a ' in front (T36)."""
    buffer = io.StringIO()
    csv.writer(buffer).writerow([_inert(cell) for cell in cells])
    return buffer.getvalue()


def _inert(cell: object) -> str:
    text = cell.isoformat() if isinstance(cell, datetime) else str(cell)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What verification found. `head` is the last link: keep it elsewhere, as an anchor for the next time."""

    checked: int
    unsealed: int
    head: str
    findings: list[str] = field(default_factory=list)


def verify_chain(*, anchor: str = "") -> ChainReport:
    """Walk the chain of seals from its beginning and name each event that is not what was sealed.

    `anchor` is the head of an earlier verification: when it is gone, the end of the chain was cut off.
    """
    chain, checked, anchored, findings = GENESIS, 0, not anchor, list[str]()
    for seal, event in _links():
        expected = next_link(chain, event) if event else None
        if event is None:
            findings.append(
                f"event row {seal.event_id} is gone; seal {seal.pk} of {seal.sealed_at} covers it"
            )
        elif seal.chain != expected:
            findings.append(_describe(seal, event, chain))
        chain, checked = seal.chain, checked + 1
        anchored = anchored or chain == anchor
    if not anchored:
        findings.append(f"the anchor {anchor} is not in the chain: links were cut off or replaced")
    unsealed = AuditEvent.objects.filter(seal=None).count()
    return ChainReport(checked, unsealed, chain, findings)


def _links() -> Iterator[tuple[AuditSeal, AuditEvent | None]]:
    """Every seal in order with its event, None where the row is gone."""
    batch: list[AuditSeal] = []
    for seal in AuditSeal.objects.order_by("id").iterator(chunk_size=2_000):
        batch.append(seal)
        if len(batch) == 2_000:
            yield from _with_events(batch)
            batch = []
    yield from _with_events(batch)


def _with_events(seals: list[AuditSeal]) -> Iterator[tuple[AuditSeal, AuditEvent | None]]:
    events = AuditEvent.objects.in_bulk([seal.event_id for seal in seals])
    return ((seal, events.get(seal.event_id)) for seal in seals)


def _describe(seal: AuditSeal, event: AuditEvent, chain: str) -> str:
    """Either this event was altered, or a link before it was taken out: the text says which rows to look at."""
    return (
        f"seal {seal.pk} does not fit: event {event.public_id} ({event.name}, row {event.pk}) was altered, "
        f"or the link between chain {chain[:12]} and it was taken out"
    )


def trail_is_insert_only() -> Iterator[str]:
    """A finding for each right by which the application's database role could alter the trail."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [APPLICATION_ROLE])
        if cursor.fetchone() is None:
            return
        for table in (AuditEvent._meta.db_table, AuditSeal._meta.db_table):
            for right in ("UPDATE", "DELETE", "TRUNCATE"):
                cursor.execute("SELECT has_table_privilege(%s, %s, %s)", [APPLICATION_ROLE, table, right])
                row = cursor.fetchone()
                if row and row[0]:
                    yield f"role {APPLICATION_ROLE} may {right} {table}: revoke it"
