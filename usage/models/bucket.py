"""Sums of calls: what dashboards read."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class UsageBucket(models.Model):
    """Calls that share a time slot and all dimensions, summed.

    Dimensions are public ids (empty where unknown). `latency` counts calls per logarithmic step, as
    `{"step": calls}` (usage.latency), so that PostgreSQL can add two of them. Gateway feeds add calls,
    status, bytes and latency; token and cost columns of AI calls are for the AI runtime's feed alone.
    """

    class Span(models.TextChoices):
        MINUTE = "m", _("minute")
        HOUR = "h", _("hour")
        DAY = "d", _("day")

    span = models.CharField(max_length=1, choices=Span)
    at = models.DateTimeField()
    gateway = models.CharField(max_length=40)
    environment = models.CharField(max_length=40)
    api = models.CharField(max_length=40)
    api_version = models.CharField(max_length=40)
    operation = models.CharField(max_length=300)
    application = models.CharField(max_length=40)
    subscription = models.CharField(max_length=40)
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
                    "span", "at", "gateway", "environment", "api", "api_version", "operation",
                    "application", "subscription", "plan", "key_id", "status",
                ],
                name="usage_bucket_once",
            )
        ]  # fmt: skip
        indexes = [
            models.Index(fields=["span", "api", "at"], name="usage_bucket_api"),
            models.Index(fields=["span", "application", "at"], name="usage_bucket_application"),
            models.Index(fields=["span", "subscription", "at"], name="usage_bucket_subscription"),
            models.Index(fields=["span", "key_id", "-at"], name="usage_bucket_key"),
        ]

    def __str__(self) -> str:
        return f"{self.get_span_display()} {self.at}: {self.calls}"
