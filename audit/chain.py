"""The links of the chain of seals: what one covers, and how it holds on to the one before."""

from __future__ import annotations

import hashlib
import json

from audit.models import AuditEvent

GENESIS = "0" * 64
"""What the first link holds on to."""
SEALED_COLUMNS = (
    "id", "public_id", "occurred_at", "name", "team_id", "actor_kind", "actor_id", "actor_label", "target_kind",
    "target_id", "target_label", "before", "after", "note", "request_id",
)  # fmt: skip
"""What seals made until now cover. A column added later must not change the text of an event sealed before."""


def canonical_text(event: AuditEvent) -> str:
    """The text of `event` that its seal covers, as sorted JSON."""
    fields = {column: getattr(event, column) for column in SEALED_COLUMNS}
    return json.dumps(fields, sort_keys=True, default=str, ensure_ascii=False)


def next_link(chain: str, event: AuditEvent) -> str:
    """The link that follows `chain` for `event`: SHA-256 over both, in hex."""
    return hashlib.sha256(f"{chain}\n{canonical_text(event)}".encode()).hexdigest()
