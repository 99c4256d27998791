"""Calls counted against a quota."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from subscriptions.models import Subscription


class QuotaCounter(models.Model):
    """Calls of one subscription that the gateway let through in one UTC day or calendar month.

    `starts_on` is the first day of the period. Kept by ingestion, in the transaction that counts the calls.
    """

    class Period(models.TextChoices):
        DAY = "d", _("day")
        MONTH = "m", _("month")

    subscription = models.ForeignKey(Subscription, on_delete=models.PROTECT, related_name="quota_counters")
    period = models.CharField(max_length=1, choices=Period)
    starts_on = models.DateField()
    calls = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["subscription", "period", "starts_on"], name="quota_counter_once")
        ]

    def __str__(self) -> str:
        return f"{self.subscription} {self.starts_on}: {self.calls}"
