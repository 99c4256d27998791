"""How far a feed was taken in."""

from __future__ import annotations

from django.db import models

from gateways.models import Gateway


class FeedCheckpoint(models.Model):
    """A segment of one node's usage feed: `offset` is the byte up to which its records are durable here."""

    gateway = models.ForeignKey(Gateway, on_delete=models.PROTECT, related_name="feed_checkpoints")
    node = models.CharField(max_length=80)
    segment = models.CharField(max_length=80)
    offset = models.BigIntegerField(default=0)
    complete_until = models.DateTimeField(null=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["gateway", "node", "segment"], name="feed_checkpoint_once")
        ]

    def __str__(self) -> str:
        return f"{self.node}/{self.segment}@{self.offset}"
