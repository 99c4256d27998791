"""How far calls at AWS were read, and where AWS counts otherwise."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from gateways.models import Gateway
from usage.models.feed import FeedCheckpoint


class AwsReading(models.Model):
    """How far the log of a gateway at AWS was read. The records themselves are the feed `checkpoint`, whose offset
    counts lines.

    `read_until`: of all before it everything was read that was there, once at least. A reading under way goes over the
    times from `range_start` to `range_end` and goes on at `next_token` (empty: at its beginning). Lines come late: each
    reading begins a little before the end of the last one, and seldom, at `swept_at`, long before. `metrics_until` is
    how far stages without a log were taken from CloudWatch's sums; `checked_until` the first day that was not compared
    with what AWS counted yet, `checked_plan` the usage plan of that day that was the last to be compared. `trouble` is
    why the last look was of no use, in words for people.
    """

    checkpoint = models.OneToOneField(FeedCheckpoint, on_delete=models.CASCADE, related_name="reading")
    read_until = models.DateTimeField(null=True)
    range_start = models.DateTimeField(null=True)
    range_end = models.DateTimeField(null=True)
    next_token = models.TextField(blank=True, default="")
    swept_at = models.DateTimeField(null=True)
    metrics_until = models.DateTimeField(null=True)
    checked_until = models.DateField(null=True)
    checked_plan = models.CharField(max_length=120, blank=True, default="")
    trouble = models.CharField(max_length=600, blank=True, default="")

    def __str__(self) -> str:
        return f"{self.checkpoint} until {self.read_until}"


class SeenLine(models.Model):
    """A line of a log that was taken in, so that it counts once however often it is read. Kept an hour longer than
    anything is read again. `at` is when AWS wrote it."""

    checkpoint = models.ForeignKey(FeedCheckpoint, on_delete=models.CASCADE, related_name="seen_lines")
    event = models.CharField(max_length=80)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["checkpoint", "event"], name="aws_line_once")]
        indexes = [models.Index(fields=["at"], name="aws_line_at")]

    def __str__(self) -> str:
        return self.event


class CountDifference(models.Model):
    """AWS counted otherwise than we did: calls of one stage or one key in one UTC day. Shown, and never put right.

    `calls_least` and `calls_most` are what stands here: AWS does not say whether it counts calls that it refused, so
    that its own `calls_there` should lie between them. Objects are named by public id, as in buckets; `key_id` is empty
    for a stage as a whole.
    """

    class Source(models.TextChoices):
        METRICS = "metrics", _("CloudWatch's metrics")
        PLAN = "plan", _("AWS's usage plans")

    gateway = models.ForeignKey(Gateway, on_delete=models.PROTECT, related_name="count_differences")
    day = models.DateField()
    source = models.CharField(max_length=8, choices=Source)
    environment = models.CharField(max_length=40)
    api = models.CharField(max_length=40)
    api_version = models.CharField(max_length=40)
    application = models.CharField(max_length=40, blank=True)
    key_id = models.CharField(max_length=16, blank=True)
    calls_least = models.BigIntegerField()
    calls_most = models.BigIntegerField()
    calls_there = models.BigIntegerField()
    noted_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["-day", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["gateway", "day", "source", "environment", "api_version", "key_id"],
                name="count_difference_once",
            )
        ]
        indexes = [
            models.Index(fields=["api", "day"], name="count_difference_api"),
            models.Index(fields=["application", "day"], name="count_difference_application"),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.api} {self.key_id}: {self.calls_most}, {self.calls_there}"

    @property
    def is_exact(self) -> bool:
        """Whether one number stands here: AWS refused none of these calls."""
        return self.calls_least == self.calls_most
