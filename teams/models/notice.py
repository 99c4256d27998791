"""What a person is told, in the page and by mail. The row is the outbox: it commits with its cause."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from audit.models import Record, RecordQuerySet

if TYPE_CHECKING:
    from teams.models.actor import Actor


class NoticeQuerySet(RecordQuerySet["Notice"]):
    def visible_to(self, actor: Actor) -> NoticeQuerySet:
        """The actor's own notices; nobody reads those of another."""
        return self.filter(user=actor.user) if actor.user else self.none()

    def waiting_for_mail(self) -> NoticeQuerySet:
        """What is to be mailed and has not been, oldest first."""
        return self.filter(mailed_at=None, mail_wanted=True).order_by("id")


class Notice(Record):
    """One message to one user. `path` is where it leads; `mailed_at` is set once the mail server took it.

    `mail_due_at` is when the next attempt may start; whoever moves it on owns that attempt.
    """

    public_id_prefix = "ntc"

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notices")
    name = models.CharField(max_length=80)
    title = models.CharField(max_length=200)
    body = models.TextField(blank=True)
    path = models.CharField(max_length=300, blank=True)
    read_at = models.DateTimeField(null=True, blank=True)
    mail_wanted = models.BooleanField(default=True)
    mail_attempts = models.PositiveSmallIntegerField(default=0)
    mail_due_at = models.DateTimeField(default=timezone.now)
    mailed_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[NoticeQuerySet] = NoticeQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["user", "-id"], name="notice_inbox"),
            models.Index(
                fields=["id"], name="notice_unmailed", condition=Q(mailed_at=None, mail_wanted=True)
            ),
        ]

    def __str__(self) -> str:
        return self.title
