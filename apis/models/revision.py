"""An immutable snapshot of what a version serves."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from apis.models.api import ApiVersion
from apis.models.spec import SpecDocument
from apis.models.upstream import Upstream
from audit.models import Record


class Revision(Record):
    """Spec and policies of an ApiVersion at one moment; refers to its Upstream by name, never to addresses.

    `policies` is a JSON object: `cors_origins` (list of origins). `number` counts within the version.
    """

    public_id_prefix = "rev"

    api_version = models.ForeignKey(ApiVersion, on_delete=models.PROTECT, related_name="revisions")
    number = models.PositiveIntegerField()
    spec = models.ForeignKey(SpecDocument, on_delete=models.PROTECT, related_name="revisions")
    upstream = models.ForeignKey(Upstream, on_delete=models.PROTECT, related_name="revisions")
    policies = models.JSONField(default=dict, blank=True)
    note = models.CharField(_("what changed"), max_length=400, blank=True)
    frozen_by = models.CharField(max_length=200)

    class Meta:
        ordering = ["api_version", "-number"]
        constraints = [models.UniqueConstraint(fields=["api_version", "number"], name="revision_number_once")]

    def __str__(self) -> str:
        return f"{self.api_version} r{self.number}"

    @property
    def audit_team_id(self) -> str:
        return self.api_version.api.team.public_id
