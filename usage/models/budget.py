"""From where on a runtime counts a budget itself."""

from __future__ import annotations

from django.db import models

from gateways.models import Gateway
from subscriptions.models import Budget
from usage.models.feed import FeedCheckpoint


class BudgetMark(models.Model):
    """A mark in the feed of an AI runtime, see `ai.runtime.recount`: calls behind it are counted in Redis under
    `generation`, those before it are in the ledger alone. `offset` is its place in the segment."""

    budget = models.ForeignKey(Budget, on_delete=models.CASCADE, related_name="marks")
    generation = models.CharField(max_length=32)
    gateway = models.ForeignKey(Gateway, on_delete=models.PROTECT, related_name="+")
    feed = models.ForeignKey(FeedCheckpoint, on_delete=models.PROTECT, related_name="+")
    offset = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["budget", "generation", "gateway", "feed", "offset"], name="usage_budget_mark_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.budget} {self.generation} {self.feed_id}@{self.offset}"
