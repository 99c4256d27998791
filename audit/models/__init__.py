"""What every other app builds on: the abstract record, its states, its errors, and the audit trail."""

from audit.models.errors import ActionRefused, TransitionNotAllowed
from audit.models.event import ActorKind, ActorRef, AuditEvent, AuditSeal, FrozenActor
from audit.models.record import PublicIdField, Record, RecordQuerySet, Stateful, TonedChoices, new_public_id

__all__ = [
    "ActionRefused",
    "ActorKind",
    "ActorRef",
    "AuditEvent",
    "AuditSeal",
    "FrozenActor",
    "PublicIdField",
    "Record",
    "RecordQuerySet",
    "Stateful",
    "TonedChoices",
    "TransitionNotAllowed",
    "new_public_id",
]
