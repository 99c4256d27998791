"""An OpenAPI document as read: canonical JSON, kept once per content, with its operations."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models

from audit.models import Record
from teams.models import Team


class SpecDocument(Record):
    """An OpenAPI 3.0 or 3.1 document of one team, immutable. `text` is canonical JSON in the order written."""

    public_id_prefix = "spec"

    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="spec_documents")
    digest = models.CharField(max_length=64, editable=False)
    openapi = models.CharField(max_length=16)
    title = models.CharField(max_length=300)
    version = models.CharField(max_length=100)
    filename = models.CharField(max_length=200, blank=True)
    size = models.PositiveIntegerField()
    text = models.TextField(editable=False)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["team", "digest"], name="spec_document_once")]

    def __str__(self) -> str:
        return f"{self.title} {self.version}"

    @property
    def audit_team_id(self) -> str:
        return self.team.public_id


METHOD_TONES = {"GET": "live", "POST": "push", "PUT": "hold", "PATCH": "hold", "DELETE": "fail"}


class Operation(models.Model):
    """Method and path in a spec. `key` names it within its document: operationId, or "GET /path"."""

    spec = models.ForeignKey(SpecDocument, on_delete=models.CASCADE, related_name="operations")
    position = models.PositiveIntegerField()
    key = models.CharField(max_length=300)
    method = models.CharField(max_length=8)
    path = models.CharField(max_length=1000)
    summary = models.CharField(max_length=500, blank=True)
    tags = ArrayField(models.CharField(max_length=200), default=list)
    deprecated = models.BooleanField(default=False)

    class Meta:
        ordering = ["spec", "position"]
        constraints = [
            models.UniqueConstraint(fields=["spec", "method", "path"], name="operation_once"),
            models.UniqueConstraint(fields=["spec", "key"], name="operation_key_once"),
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def tone(self) -> str:
        """The tone in which the method is shown: reading, making, changing, removing."""
        return METHOD_TONES.get(self.method, "neutral")
