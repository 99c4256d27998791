"""What AI calls consumed: every attempt as a row of the ledger, and their sums."""

from __future__ import annotations

from django.db import models

from usage.models.bucket import UsageBucket


class LedgerEntry(models.Model):
    """One attempt at a vendor, as the runtime's feed told it: kept for ever, since budgets and bills are made of it.

    Identity is the place in the feed and the number of the attempt. Objects are named by public id. Money is 1e-9 of
    `currency`; `cost_nano` null: the price was not known.
    """

    feed = models.BigIntegerField()
    offset = models.BigIntegerField()
    number = models.PositiveSmallIntegerField()
    at = models.DateTimeField()
    run = models.CharField(max_length=40)
    request_id = models.CharField(max_length=64)
    surface = models.CharField(max_length=16)
    environment = models.CharField(max_length=40)
    endpoint = models.CharField(max_length=40)
    api = models.CharField(max_length=40)
    api_version = models.CharField(max_length=40)
    application = models.CharField(max_length=40)
    subscription = models.CharField(max_length=40)
    team = models.CharField(max_length=40)
    prompt = models.CharField(max_length=40)
    model = models.CharField(max_length=40)
    provider_key = models.CharField(max_length=40)
    status = models.PositiveSmallIntegerField()
    code = models.CharField(max_length=40)
    vendor_ms = models.FloatField()
    input_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()
    cached_input_tokens = models.BigIntegerField()
    cache_write_tokens = models.BigIntegerField()
    reasoning_tokens = models.BigIntegerField()
    estimated = models.BooleanField()
    cost_nano = models.BigIntegerField(null=True)
    currency = models.CharField(max_length=3)
    price_version = models.CharField(max_length=40)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["feed", "offset", "number"], name="usage_ledger_once")]
        indexes = [
            models.Index(fields=["team", "at"], name="usage_ledger_team"),
            models.Index(fields=["application", "at"], name="usage_ledger_application"),
            models.Index(fields=["api", "at"], name="usage_ledger_api"),
            models.Index(fields=["run"], name="usage_ledger_run"),
        ]

    def __str__(self) -> str:
        return f"{self.run} #{self.number}"


class AiBucket(models.Model):
    """AI calls that share a time slot and all dimensions, summed: from the runtimes' feeds alone.

    A call is counted with the model that it ended with, tokens and cost with the model that consumed them. `unpriced`
    counts attempts whose price was not known, `estimated` those whose tokens the vendor did not count.
    """

    Span = UsageBucket.Span

    span = models.CharField(max_length=1, choices=UsageBucket.Span)
    at = models.DateTimeField()
    environment = models.CharField(max_length=40)
    api = models.CharField(max_length=40)
    api_version = models.CharField(max_length=40)
    application = models.CharField(max_length=40)
    subscription = models.CharField(max_length=40)
    plan = models.CharField(max_length=40)
    team = models.CharField(max_length=40)
    prompt = models.CharField(max_length=40)
    model = models.CharField(max_length=40)
    currency = models.CharField(max_length=3)
    calls = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0)
    from_cache = models.BigIntegerField(default=0)
    input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    cached_input_tokens = models.BigIntegerField(default=0)
    reasoning_tokens = models.BigIntegerField(default=0)
    cost_nano = models.BigIntegerField(default=0)
    unpriced = models.BigIntegerField(default=0)
    estimated = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=[
                    "span", "at", "environment", "api", "api_version", "application", "subscription", "plan", "team",
                    "prompt", "model", "currency",
                ],
                name="usage_ai_bucket_once",
            )
        ]  # fmt: skip
        indexes = [
            models.Index(fields=["span", "api", "at"], name="usage_ai_bucket_api"),
            models.Index(fields=["span", "application", "at"], name="usage_ai_bucket_application"),
            models.Index(fields=["span", "team", "at"], name="usage_ai_bucket_team"),
            models.Index(fields=["at"], name="usage_ai_bucket_minutes", condition=models.Q(span="m")),
        ]

    def __str__(self) -> str:
        return f"{self.get_span_display()} {self.at}: {self.calls}"
