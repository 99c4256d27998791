"""Calls that no record can tell of any more."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from gateways.models import Gateway


class FeedLoss(models.Model):
    """A stretch of one node's feed that is lost for good: figures between `starts_at` and `ends_at` lack it.

    `position` is where it begins in the segment: in the feed for a malformed line, else in the gateway's log.
    `size` is its bytes, 0 where nobody can know (a killed gateway takes unwritten lines with it).
    """

    class Reason(models.TextChoices):
        SPOOL_FULL = "spool_full", _("the agent's disk space was used up while the portal was away")
        GATEWAY_KILLED = "gateway_killed", _("the gateway was killed before it had written them down")
        MALFORMED = "malformed", _("the gateway wrote a line that is not a call")

    gateway = models.ForeignKey(Gateway, on_delete=models.PROTECT, related_name="feed_losses")
    node = models.CharField(max_length=80)
    segment = models.CharField(max_length=80)
    reason = models.CharField(max_length=16, choices=Reason)
    position = models.BigIntegerField()
    size = models.BigIntegerField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    noted_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-ends_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["gateway", "node", "segment", "reason", "position"], name="feed_loss_once"
            ),
            models.CheckConstraint(
                condition=models.Q(ends_at__gte=models.F("starts_at")), name="feed_loss_in_order"
            ),
        ]
        indexes = [models.Index(fields=["gateway", "ends_at"], name="feed_loss_gateway")]

    def __str__(self) -> str:
        return f"{self.node}/{self.segment}@{self.position}: {self.size}"
