"""The audit trail: who did what to which object, frozen as text, sealed into a hash chain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from django.db import models
from django.utils.translation import gettext_lazy as _

from audit.models.record import PublicIdField


class ActorKind(models.TextChoices):
    """Who can act."""

    USER = "user", _("User")
    SERVICE = "service", _("Service account")
    SYSTEM = "system", _("Gatehouse")
    ANONYMOUS = "anonymous", _("Signed out")


class ActorRef(Protocol):
    """The part of an Actor that the audit trail keeps; teams.models.Actor is one."""

    @property
    def kind(self) -> ActorKind: ...
    @property
    def public_id(self) -> str: ...
    @property
    def label(self) -> str: ...


@dataclass(frozen=True, slots=True)
class FrozenActor:
    """An ActorRef of plain text, for events that the system records."""

    kind: ActorKind
    public_id: str
    label: str


class AuditEvent(models.Model):
    """One thing that happened. Rows are only ever inserted; the text in them outlives what they name."""

    public_id_prefix = "evt"

    public_id = PublicIdField()
    occurred_at = models.DateTimeField(auto_now_add=True)
    name = models.CharField(max_length=80)
    team_id = models.CharField(max_length=40, blank=True)
    actor_kind = models.CharField(max_length=12, choices=ActorKind)
    actor_id = models.CharField(max_length=40, blank=True)
    actor_label = models.CharField(max_length=200)
    target_kind = models.CharField(max_length=60)
    target_id = models.CharField(max_length=40)
    target_label = models.CharField(max_length=300)
    before = models.JSONField(default=dict, blank=True)
    after = models.JSONField(default=dict, blank=True)
    note = models.TextField(blank=True)
    request_id = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["team_id", "-id"], name="audit_event_team"),
            models.Index(fields=["target_kind", "target_id", "-id"], name="audit_event_target"),
            models.Index(fields=["name", "-id"], name="audit_event_name"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.target_label}"


class AuditSeal(models.Model):
    """A link of the chain: `chain` is SHA-256 over the previous link and the event's canonical text."""

    event = models.OneToOneField(AuditEvent, on_delete=models.PROTECT, related_name="seal")
    chain = models.CharField(max_length=64)
    sealed_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.chain
