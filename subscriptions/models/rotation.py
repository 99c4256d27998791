"""A key on its way out, and the key that takes its place."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.timesince import timeuntil
from django.utils.translation import gettext_lazy as _

from audit.models import Record, RecordQuerySet, Stateful, TonedChoices
from subscriptions.models.credential import Credential
from subscriptions.models.subscription import Subscription

if TYPE_CHECKING:
    from teams.models import Actor

MOST_OVERLAP = timedelta(days=30)
"""Both keys work for at most so long, extensions included: after that it is no rotation any more."""
WARN_BEFORE = timedelta(hours=1)
"""The team is warned so long before the old key ends, if that key is still used."""


class RotationQuerySet(RecordQuerySet["Rotation"]):
    def visible_to(self, actor: Actor) -> RotationQuerySet:
        """Rotations of the keys of visible subscriptions."""
        return self.filter(old__subscription__in=Subscription.objects.visible_to(actor))

    def manageable_by(self, actor: Actor) -> RotationQuerySet:
        return self.filter(old__subscription__in=Subscription.objects.manageable_by(actor))

    def running(self) -> RotationQuerySet:
        """Both keys work."""
        return self.filter(state=Rotation.State.RUNNING)

    def due(self, now: datetime) -> RotationQuerySet:
        """Running although their overlap is over."""
        return self.running().filter(ends_at__lte=now)

    def to_warn(self, now: datetime) -> RotationQuerySet:
        """Running, near their end, and the team was not warned yet."""
        return self.running().filter(warn_at__lte=now, ends_at__gt=now)


class Rotation(Stateful, Record):
    """The replacement of one key by another. Both work until `ends_at`; then the old one is revoked.

    It began when the row was made. `warn_at` is when to look whether the old key is still used; empty once
    the team was warned. Of one that has ended, `ending` says how.
    """

    public_id_prefix = "rot"
    locked_after = ("subscription",)

    class State(TonedChoices):
        RUNNING = "running", "hold", _("Running")
        FINISHED = "finished", "live", _("Finished")
        ABORTED = "aborted", "off", _("Aborted")

    class Ending(models.TextChoices):
        AT_ONCE = "at_once", _("no overlap was wanted")
        ON_TIME = "on_time", _("the overlap was over")
        BY_HAND = "by_hand", _("ended by hand")
        OLD_KEY_ENDED = "old_key_ended", _("the old key had ended by itself")
        NEW_KEY_ENDED = "new_key_ended", _("the new key had ended")
        SUBSCRIPTION_CLOSED = "subscription_closed", _("the subscription was closed")

    moves: ClassVar = {
        State.RUNNING: frozenset({State.FINISHED, State.ABORTED}),
        State.FINISHED: frozenset(),
        State.ABORTED: frozenset(),
    }

    old = models.ForeignKey(Credential, on_delete=models.PROTECT, related_name="rotations")
    new = models.OneToOneField(Credential, on_delete=models.PROTECT, related_name="made_by")
    state = models.CharField(max_length=10, choices=State, default=State.RUNNING)
    started_by = models.CharField(max_length=200)
    ends_at = models.DateTimeField(_("overlap ends"))
    warn_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.CharField(max_length=200, blank=True)
    ending = models.CharField(max_length=20, choices=Ending, blank=True)

    objects: ClassVar[RotationQuerySet] = RotationQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["old"],
                condition=Q(state="running"),
                name="rotation_running_once",
                violation_error_message=_("This key is being rotated already."),
            ),
            models.CheckConstraint(condition=~Q(old=F("new")), name="rotation_of_two_keys"),
            models.CheckConstraint(
                condition=Q(state="running", ended_at=None, ending="")
                | (~Q(state="running") & Q(ended_at__isnull=False) & ~Q(ending="")),
                name="rotation_ended_says_how",
            ),
        ]
        indexes = [
            models.Index(fields=["ends_at"], name="rotation_ending", condition=Q(state="running")),
        ]

    @property
    def is_running(self) -> bool:
        return self.state == self.State.RUNNING

    @property
    def subscription(self) -> Subscription:
        """Whose keys they are."""
        return self.old.subscription

    @property
    def subscription_id(self) -> int:
        return self.old.subscription_id

    @property
    def both(self) -> tuple[tuple[Credential, object], tuple[Credential, object]]:
        """Both keys, each with its part in words."""
        return (self.new, _("new key")), (self.old, _("old key"))

    @property
    def time_left(self) -> str:
        """In words, to the largest unit: "21 hours"."""
        return timeuntil(self.ends_at, depth=1)

    @property
    def share_over(self) -> float:
        """How much of the overlap is over, 0 to 100."""
        whole = (self.ends_at - self.created_at) / timedelta(seconds=1)
        gone = (timezone.now() - self.created_at) / timedelta(seconds=1)
        return min(100.0, max(0.0, 100 * gone / whole)) if whole > 0 else 100.0

    @property
    def latest_end(self) -> datetime:
        """How far the overlap may be extended: neither key need outlive it."""
        ends = (self.created_at + MOST_OVERLAP, self.old.expires_at, self.new.expires_at)
        return min(end for end in ends if end is not None)

    def end_at(self, moment: datetime) -> None:
        """Set the end (not saved), and when to warn of it: an hour before, or halfway through a short overlap."""
        began = self.new.created_at if self._state.adding else self.created_at
        self.ends_at = moment
        self.warn_at = max(moment - WARN_BEFORE, began + (moment - began) / 2)

    def __str__(self) -> str:
        return f"{self.old} to {self.new}"

    @property
    def audit_team_id(self) -> str:
        return self.subscription.application.team.public_id
