"""Tokens for our own REST API: shown once, kept as a digest."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from audit.models import Record, RecordQuerySet
from teams.models.team import ServiceAccount, Team
from teams.permissions import Scope, Verb

if TYPE_CHECKING:
    from teams.models.actor import Actor


class ApiTokenQuerySet(RecordQuerySet["ApiToken"]):
    def visible_to(self, actor: Actor) -> ApiTokenQuerySet:
        """The actor's own tokens, and those of service accounts that the actor manages."""
        own = Q(user=actor.user) if actor.user else Q(service_account=actor.service_account)
        if not actor.is_signed_in:
            return self.none()
        return self.filter(own | Q(service_account__team_id__in=actor.team_ids(Verb.SERVICE_ACCOUNT_MANAGE)))

    def usable(self) -> ApiTokenQuerySet:
        """Neither revoked nor expired; says nothing about the bearers."""
        return self.filter(revoked_at=None, expires_at__gt=timezone.now())


class ApiToken(Record):
    """A bearer token of a user or a service account, limited by `scopes` and `expires_at`.

    `token_id` is the part that may be shown and logged; the whole token is compared by `digest`.
    """

    public_id_prefix = "tok"

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="api_tokens"
    )
    service_account = models.ForeignKey(
        ServiceAccount, on_delete=models.PROTECT, null=True, blank=True, related_name="api_tokens"
    )
    name = models.CharField(_("name"), max_length=80)
    token_id = models.CharField(max_length=16, unique=True, editable=False)
    digest = models.BinaryField(max_length=32, editable=False)
    digest_key = models.PositiveSmallIntegerField(editable=False)
    scopes = ArrayField(models.CharField(max_length=32, choices=[(s.value, s.value) for s in Scope]))
    expires_at = models.DateTimeField(_("expires"))
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[ApiTokenQuerySet] = ApiTokenQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(user__isnull=True) ^ Q(service_account__isnull=True), name="api_token_one_bearer"
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_usable(self) -> bool:
        """Neither revoked nor expired; says nothing about its bearer."""
        return self.revoked_at is None and self.expires_at > timezone.now()

    @property
    def audit_team_id(self) -> str:
        """The service account's team; a personal token belongs to its bearer's personal team."""
        if self.service_account is not None:
            return self.service_account.team.public_id
        personal = Team.objects.filter(personal_of=self.user).values_list("public_id", flat=True)
        return personal.first() or ""
