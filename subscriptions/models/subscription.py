"""What was granted, and what stops it for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apis.models import ApiVersion, Environment, PlanRevision
from audit.models import Record, RecordQuerySet, Stateful, TonedChoices
from subscriptions.models.application import Application
from teams.models import Verb

if TYPE_CHECKING:
    from teams.models import Actor


class SubscriptionQuerySet(RecordQuerySet["Subscription"]):
    def visible_to(self, actor: Actor) -> SubscriptionQuerySet:
        """Subscriptions of the actor's own applications, and those to the APIs of the actor's teams."""
        if actor.everywhere(Verb.APPLICATION_VIEW):
            return self
        asks = Q(application__team_id__in=actor.team_ids(Verb.APPLICATION_VIEW))
        gives = Q(api_version__api__team_id__in=actor.team_ids(Verb.API_VIEW))
        return self.filter(asks | gives)

    def manageable_by(self, actor: Actor) -> SubscriptionQuerySet:
        """Subscriptions whose keys the actor may issue and revoke: those of own applications."""
        if actor.is_system:
            return self
        return self.filter(application__team_id__in=actor.team_ids(Verb.CREDENTIAL_MANAGE))

    def open(self) -> SubscriptionQuerySet:
        """Not closed."""
        return self.exclude(state=Subscription.State.CLOSED)


class Subscription(Stateful, Record):
    """Application x ApiVersion x Environment on a PlanRevision, with the terms accepted by whom and when."""

    public_id_prefix = "sub"
    locked_after = ("application",)

    class State(TonedChoices):
        ACTIVE = "active", "live", _("Active")
        SUSPENDED = "suspended", "hold", _("Suspended")
        CLOSED = "closed", "off", _("Closed")

    moves: ClassVar = {
        State.ACTIVE: frozenset({State.SUSPENDED, State.CLOSED}),
        State.SUSPENDED: frozenset({State.ACTIVE, State.CLOSED}),
        State.CLOSED: frozenset(),
    }

    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="subscriptions")
    api_version = models.ForeignKey(ApiVersion, on_delete=models.PROTECT, related_name="subscriptions")
    environment = models.ForeignKey(Environment, on_delete=models.PROTECT, related_name="subscriptions")
    plan_revision = models.ForeignKey(PlanRevision, on_delete=models.PROTECT, related_name="subscriptions")
    state = models.CharField(max_length=10, choices=State, default=State.ACTIVE)
    terms_accepted_by = models.CharField(max_length=200, blank=True)
    terms_accepted_at = models.DateTimeField(null=True, blank=True)
    ends_on = models.DateField(_("ends"), null=True, blank=True)
    state_reason = models.CharField(_("reason"), max_length=400, blank=True)
    suspended_with = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
    )
    """The disabled person because of whom it rests: it is resumed when they are enabled."""
    closed_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[SubscriptionQuerySet] = SubscriptionQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["application", "api_version", "environment"],
                condition=~Q(state="closed"),
                name="subscription_open_once",
                violation_error_message=_(
                    "This application already has a subscription here. Ask for another plan on it."
                ),
            ),
            models.CheckConstraint(
                condition=Q(state="active") | ~Q(state_reason=""), name="subscription_stopped_has_reason"
            ),
            models.CheckConstraint(
                condition=Q(state="suspended") | Q(suspended_with=None),
                name="subscription_suspended_with_person",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.application} to {self.api_version} in {self.environment}"

    @property
    def audit_team_id(self) -> str:
        return self.application.team.public_id


class Block(Record):
    """A used-up quota: gateways answer 429 until `until`. Lifted rows stay as history."""

    public_id_prefix = "blk"

    class Reason(models.TextChoices):
        QUOTA_DAY = "quota_day", _("daily quota used up")
        QUOTA_MONTH = "quota_month", _("monthly quota used up")

    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="blocks")
    reason = models.CharField(max_length=12, choices=Reason)
    until = models.DateTimeField()
    lifted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["subscription", "reason"], condition=Q(lifted_at__isnull=True), name="block_open_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.subscription}: {self.get_reason_display()}"

    @property
    def audit_team_id(self) -> str:
        return self.subscription.application.team.public_id
