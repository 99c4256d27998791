"""Sums of buckets: what dashboards read where they need not tell everything apart."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class UsageTotal(models.Model):
    """Buckets that differ only in what a chart or table does not ask for, summed.

    An API with a hundred subscribers has a thousand buckets for each day and only a handful of these rows, so that
    its page costs the same whoever calls. `kind` says which dimensions are kept (usage.totals); the others are
    empty. Written by ingestion in the transaction that adds to the buckets, from `usage.totals.since` on.
    """

    class Kind(models.TextChoices):
        PLAN = "p", _("by plan")
        OPERATION = "o", _("by operation")
        CALLER = "c", _("by application and key")
        APPLICATION = "a", _("by application")

    kind = models.CharField(max_length=1, choices=Kind)
    span = models.CharField(max_length=1)
    at = models.DateTimeField()
    environment = models.CharField(max_length=40)
    api = models.CharField(max_length=40)
    api_version = models.CharField(max_length=40)
    operation = models.CharField(max_length=300)
    application = models.CharField(max_length=40)
    plan = models.CharField(max_length=40)
    key_id = models.CharField(max_length=16)
    status = models.PositiveSmallIntegerField()
    calls = models.BigIntegerField(default=0)
    bytes_in = models.BigIntegerField(default=0)
    bytes_out = models.BigIntegerField(default=0)
    duration_ms = models.FloatField(default=0)
    latency = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "api", "span", "kind", "at", "environment", "api_version", "operation", "application", "plan",
                    "key_id", "status",
                ],
                name="usage_total_once",
            )
        ]  # fmt: skip
        indexes = [
            models.Index(
                fields=["application", "span", "kind", "at"],
                name="usage_total_application",
                condition=models.Q(kind__in=["c", "a"]),
            ),
            models.Index(fields=["at"], name="usage_total_minutes", condition=models.Q(span="m")),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.span} {self.at}: {self.calls}"
