"""Answers kept so that a repeated POST is answered again instead of being done again."""

from __future__ import annotations

from django.db import models


class IdempotentAnswer(models.Model):
    """The first answer to a POST with an `Idempotency-Key`, kept for a day.

    `status` is 0 while the first call still runs. Source: draft-ietf-httpapi-idempotency-key-header.
    """

    actor_id = models.CharField(max_length=40)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(default=0)
    body = models.BinaryField(default=bytes)
    headers = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["actor_id", "key"], name="idempotent_answer_once")]
        indexes = [models.Index(fields=["created_at"], name="idempotent_answer_age")]

    def __str__(self) -> str:
        return self.key
