"""Writing the audit trail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from django.db import connection, models, transaction
from psycopg import sql

from audit.chain import GENESIS, next_link
from audit.models import ActorRef, AuditEvent, AuditSeal
from audit.queries import APPLICATION_ROLE
from audit.signals import event_recorded

SEAL_LOCK = 0x6761_7465  # one sealer at a time, by advisory lock


def record_event(
    name: str,
    target: models.Model,
    *,
    actor: ActorRef,
    team_id: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    note: str = "",
) -> AuditEvent:
    """Record that `actor` did `name` ("request.approved") to `target`: the last statement of every action.

    Must run inside the action's transaction. `team_id` is the public id of the team that owns the target,
    read from `target.audit_team_id` when not given; `before` and `after` are JSON values without secrets.
    Sends `event_recorded` once the transaction has committed.
    """
    event = AuditEvent.objects.create(
        name=name,
        team_id=team_id or getattr(target, "audit_team_id", ""),
        actor_kind=actor.kind,
        actor_id=actor.public_id,
        actor_label=actor.label[:200],
        target_kind=target._meta.model_name or "",
        target_id=getattr(target, "public_id", str(target.pk)),
        target_label=str(target)[:300],
        before=dict(before or {}),
        after=dict(after or {}),
        note=note,
        request_id=structlog.contextvars.get_contextvars().get("request_id", "")[:64],
    )
    transaction.on_commit(lambda: event_recorded.send_robust(sender=AuditEvent, event=event))
    return event


@transaction.atomic
def seal_events(*, most: int = 5_000) -> int:
    """Append up to `most` unsealed events to the chain, oldest first; the number sealed.

    Events are taken in the order of their ids among those committed, so one that commits late is sealed
    after a younger one: the chain is an order of sealing, and verification follows the seals.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [SEAL_LOCK])
    last = AuditSeal.objects.order_by("-id").first()
    chain = last.chain if last else GENESIS
    seals = []
    for event in AuditEvent.objects.filter(seal=None).order_by("id")[:most]:
        chain = next_link(chain, event)
        seals.append(AuditSeal(event=event, chain=chain))
    AuditSeal.objects.bulk_create(seals)
    return len(seals)


def protect_trail() -> None:
    """Let the application's database role add to the trail and read it, nothing more (T32).

    The first migration does the same. A restore undoes it: new tables get the rights that the owner gives to
    every table. Must run as the owner; without that role there is nothing to do.
    """
    tables = sql.SQL(", ").join(sql.Identifier(model._meta.db_table) for model in (AuditEvent, AuditSeal))
    role = sql.Identifier(APPLICATION_ROLE)
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [APPLICATION_ROLE])
        if cursor.fetchone() is None:
            return
        cursor.execute(sql.SQL("REVOKE ALL ON {} FROM {}").format(tables, role))
        cursor.execute(sql.SQL("GRANT SELECT, INSERT ON {} TO {}").format(tables, role))
