"""The proof: what each gateway was seen to serve."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from audit.models import TonedChoices
from gateways.models.gateway import Gateway


class EnforcementState(TonedChoices):
    """What one gateway does with one object. Derived from desired state and proof, never stored."""

    PUSHING = "pushing", "push", _("Pushing")
    LIVE = "live", "live", _("Live")
    REMOVING = "removing", "push", _("Removing")
    REMOVED = "removed", "off", _("Removed")
    HELD_BACK = "held_back", "hold", _("Held back")
    FAILED = "failed", "fail", _("Failed")
    DRIFTED = "drifted", "fail", _("Drifted")


class AppliedObject(models.Model):
    """One object that a read-back confirmed on a gateway. Written after `verify`, never before.

    `digest` is that of the object as confirmed; empty where its removal is what was confirmed. An object is
    live when `digest` equals its digest in the desired snapshot. `held_back_reason` says why the desired
    form is not pushed; where the gateway itself refused it, `held_back_digest` is the digest of what it
    refused, so that the same form is not tried again and a corrected one is.
    """

    gateway = models.ForeignKey(Gateway, on_delete=models.CASCADE, related_name="applied_objects")
    kind = models.CharField(max_length=16)
    object_id = models.CharField(max_length=40)
    digest = models.CharField(max_length=64, blank=True)
    remote_id = models.CharField(max_length=200, blank=True)
    confirmed_at = models.DateTimeField()
    asked_at = models.DateTimeField(null=True, help_text=_("When the decision that led to this was taken."))
    held_back_reason = models.CharField(max_length=400, blank=True)
    held_back_digest = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["gateway", "kind", "object_id"]
        constraints = [
            models.UniqueConstraint(fields=["gateway", "kind", "object_id"], name="applied_object_once")
        ]
        indexes = [models.Index(fields=["kind", "object_id"], name="applied_object_name")]

    def __str__(self) -> str:
        return f"{self.kind}/{self.object_id} on {self.gateway}"
