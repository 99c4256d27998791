"""AI calls one by one, and what was said in them where a team keeps that."""

from __future__ import annotations

from django.db import models


class AiRun(models.Model):
    """One call as an AI runtime told it; its attempts are the ledger's rows of the same place in the feed.

    Identity is that place. Objects are named by public id; `plan` is the one in force when the call was taken in.
    Times are ms, sizes bytes. Kept as long as the calls of gateways are, the ledger for ever.
    """

    feed = models.BigIntegerField()
    offset = models.BigIntegerField()
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
    plan = models.CharField(max_length=40)
    team = models.CharField(max_length=40)
    prompt = models.CharField(max_length=40)
    status = models.PositiveSmallIntegerField()
    code = models.CharField(max_length=40)
    cache = models.CharField(max_length=8)
    first_ms = models.FloatField(null=True)
    duration_ms = models.FloatField()
    vendor_ms = models.FloatField()
    bytes_in = models.BigIntegerField()
    bytes_out = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["feed", "offset"], name="usage_ai_run_once")]
        indexes = [
            models.Index(fields=["api", "-at", "-id"], name="usage_ai_run_api"),
            models.Index(fields=["application", "-at", "-id"], name="usage_ai_run_application"),
            models.Index(fields=["run"], name="usage_ai_run_name"),
            models.Index(fields=["request_id"], name="usage_ai_run_request"),
            models.Index(fields=["at"], name="usage_ai_run_at"),
        ]

    def __str__(self) -> str:
        return self.run

    @property
    def is_from_cache(self) -> bool:
        """Whether no model was asked, since the answer was known."""
        return self.cache == "HIT"


class LoggedBody(models.Model):
    """What was asked and answered in one call, redacted by the runtime, where the team of the API keeps that.

    `asked` and `answered` are JSON as text; empty where there was nothing. `is_cut` says that something of them was
    too long to be kept. Nobody is shown it from `expires_at` on, and it is deleted within the hour.
    """

    run = models.OneToOneField(AiRun, on_delete=models.CASCADE, related_name="body")
    asked = models.TextField()
    answered = models.TextField()
    is_cut = models.BooleanField()
    expires_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["expires_at"], name="usage_logged_body_expiry")]

    def __str__(self) -> str:
        return f"body of {self.run_id}"
