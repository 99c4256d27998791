"""Keeping the first answer to a POST with an `Idempotency-Key`, to give it again instead of doing it again.

The whole call runs in one transaction with its kept answer: after a crash there is neither the deed nor the
answer, after a commit there are both. One call at a time holds the key, by an advisory lock that ends with its
transaction. Only answers that say something was done (2xx) are kept; a refused call may be corrected and sent
again. Source: draft-ietf-httpapi-idempotency-key-header.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from audit.sealing import SealBroken, keyed_digest, seal, unseal
from teams.models import IdempotentAnswer

PURPOSE = "idempotent-answer"
KEPT_FOR = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer as it was given first. `headers` are those that belong to the body (ETag, Location)."""

    status: int
    body: bytes
    headers: dict[str, str]
    fingerprint: str


def hold_key(actor_id: str, key: str) -> bool:
    """Whether this transaction now is the only one at work under `key`. Must run inside a transaction."""
    number = int.from_bytes(keyed_digest(f"{actor_id}|{key}", purpose=PURPOSE)[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [number])
        row = cursor.fetchone()
    return bool(row and row[0])


def find_answer(actor_id: str, key: str) -> KeptAnswer | None:
    """The answer kept under `key` in the last day; None when there is none that can be opened."""
    row = IdempotentAnswer.objects.filter(
        actor_id=actor_id, key=_name(key), created_at__gt=timezone.now() - KEPT_FOR
    ).first()
    if row is None:
        return None
    try:
        body = unseal(row.body, purpose=PURPOSE, place=_place(actor_id, key))
    except SealBroken:  # the master key that sealed it is gone: as if it had never been kept
        return None
    return KeptAnswer(row.status, body.encode(), row.headers, row.fingerprint)


def keep_answer(actor_id: str, key: str, answer: KeptAnswer) -> None:
    """Keep `answer`, sealed, since it can hold a new key. Replaces one past its day."""
    IdempotentAnswer.objects.filter(actor_id=actor_id, key=_name(key)).delete()
    IdempotentAnswer.objects.create(
        actor_id=actor_id,
        key=_name(key),
        fingerprint=answer.fingerprint,
        status=answer.status,
        body=seal(answer.body.decode(), purpose=PURPOSE, place=_place(actor_id, key)),
        headers=answer.headers,
    )


def fingerprint_of(*parts: Any) -> str:
    """A keyed digest of what makes two calls the same; says nothing about a secret inside."""
    text = json.dumps([str(part) for part in parts])
    return keyed_digest(text, purpose=f"{PURPOSE}-fingerprint").hex()


def forget_old_answers() -> int:
    """Drop the answers past their day; their number."""
    return IdempotentAnswer.objects.filter(created_at__lte=timezone.now() - KEPT_FOR).delete()[0]


def _name(key: str) -> str:
    """What stands in the row for a caller's key: a digest, since callers put all sorts of things there."""
    return keyed_digest(key, purpose=f"{PURPOSE}-key").hex()


def _place(actor_id: str, key: str) -> str:
    return f"idempotent_answer|{actor_id}|{_name(key)}|body"
