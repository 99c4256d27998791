"""A key of one subscription."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from audit.models import Record, RecordQuerySet, Stateful, TonedChoices
from subscriptions.models.subscription import Subscription

if TYPE_CHECKING:
    from teams.models import Actor


class CredentialQuerySet(RecordQuerySet["Credential"]):
    def visible_to(self, actor: Actor) -> CredentialQuerySet:
        """Keys (their public part) of visible subscriptions."""
        return self.filter(subscription__in=Subscription.objects.visible_to(actor))

    def manageable_by(self, actor: Actor) -> CredentialQuerySet:
        return self.filter(subscription__in=Subscription.objects.manageable_by(actor))

    def usable(self) -> CredentialQuerySet:
        """Keys that gateways should accept."""
        return self.filter(state__in=(Credential.State.ACTIVE, Credential.State.ROTATING))

    def active(self) -> CredentialQuerySet:
        """Usable and not on their way out."""
        return self.filter(state=Credential.State.ACTIVE)


class Credential(Stateful, Record):
    """A key. Several at once share the subscription's limits.

    `key_id` is the 16-character public id inside the key and may be shown and logged. The key itself is
    kept twice: as an HMAC (`digest`, pepper `digest_key`) and sealed for delivery to gateways (`sealed`).
    """

    public_id_prefix = "cred"
    locked_after = ("subscription",)

    class State(TonedChoices):
        ACTIVE = "active", "live", _("Active")
        ROTATING = "rotating", "hold", _("Rotating out")
        REVOKED = "revoked", "off", _("Revoked")
        EXPIRED = "expired", "off", _("Expired")

    moves: ClassVar = {
        State.ACTIVE: frozenset({State.ROTATING, State.REVOKED, State.EXPIRED}),
        State.ROTATING: frozenset({State.ACTIVE, State.REVOKED, State.EXPIRED}),
        State.REVOKED: frozenset(),
        State.EXPIRED: frozenset(),
    }

    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="credentials")
    name = models.CharField(_("name"), max_length=80, blank=True)
    state = models.CharField(max_length=10, choices=State, default=State.ACTIVE)
    key_id = models.CharField(max_length=16, unique=True, editable=False)
    prefix = models.CharField(max_length=3, editable=False)
    digest = models.BinaryField(max_length=32, editable=False)
    digest_key = models.PositiveSmallIntegerField(editable=False)
    sealed = models.BinaryField(editable=False)
    value_digest = models.CharField(max_length=64, editable=False)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    end_reason = models.CharField(max_length=400, blank=True)
    issued_by = models.CharField(max_length=200)

    objects: ClassVar[CredentialQuerySet] = CredentialQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["expires_at"],
                name="credential_expiring",
                condition=Q(state__in=["active", "rotating"], expires_at__isnull=False),
            )
        ]

    @property
    def is_usable(self) -> bool:
        """Whether gateways should accept it."""
        return self.state in (self.State.ACTIVE, self.State.ROTATING)

    def __str__(self) -> str:
        return f"{self.prefix}{self.key_id[:8]}…"

    @property
    def audit_team_id(self) -> str:
        return self.subscription.application.team.public_id
