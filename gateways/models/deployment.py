"""One recorded reconcile of one gateway."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from audit.models import Record, RecordQuerySet, Stateful, TonedChoices
from gateways.models.gateway import Gateway

if TYPE_CHECKING:
    from teams.models import Actor


class DeploymentQuerySet(RecordQuerySet["Deployment"]):
    def visible_to(self, actor: Actor) -> DeploymentQuerySet:
        """Deployments of visible gateways; what of their changes is shown is cut to the reader elsewhere."""
        return self.filter(gateway__in=Gateway.objects.visible_to(actor))

    def waiting(self) -> DeploymentQuerySet:
        """Those that were begun and go on when a vendor lets them; one of a gateway at most."""
        return self.filter(state=Deployment.State.QUEUED, started_at__isnull=False)


class Deployment(Stateful, Record):
    """What a reconcile set out to do (`changes`, without secrets), its steps and its outcome.

    `changes` is the list of `{"verb", "kind", "id", "label", "before", "after"}` that the preview shows,
    `message` says what did not go through, in the words of `speaker`. `cause` is the public id of the audit
    event that rang, where one did; `asked_by` names who asked for this run, and `forced` is set where that
    person confirmed deletions that were held back. One queued row per gateway is enough: a run takes
    everything with it. One that has to wait for a limit of a vendor is queued again: `message` says why, `waits_on`
    names the limit and nothing of anybody's, and `runs` counts how often it was taken up.
    """

    public_id_prefix = "dep"

    class State(TonedChoices):
        QUEUED = "queued", "push", _("Queued")
        RUNNING = "running", "push", _("Running")
        SUCCEEDED = "succeeded", "live", _("Succeeded")
        PARTIAL = "partial", "hold", _("Partly done")
        REFUSED = "refused", "fail", _("Refused by the gateway")
        FAILED = "failed", "fail", _("Failed")
        CANCELLED = "cancelled", "off", _("Cancelled")

    class Pause(TonedChoices):
        """Of one that was begun and is queued again."""

        WAITING = "waiting", "hold", _("Waits for a limit")

    moves: ClassVar = {
        State.QUEUED: frozenset({State.RUNNING, State.CANCELLED}),
        State.RUNNING: frozenset(
            {State.QUEUED, State.SUCCEEDED, State.PARTIAL, State.REFUSED, State.FAILED, State.CANCELLED}
        ),
        State.SUCCEEDED: frozenset(),
        State.PARTIAL: frozenset(),
        State.REFUSED: frozenset(),
        State.FAILED: frozenset(),
        State.CANCELLED: frozenset(),
    }

    class Speaker(models.TextChoices):
        GATEWAY = "gateway", _("In the gateway's own words")
        GUARD = "guard", _("Waits until a person has looked")
        PORTAL = "portal", _("What happened")

    gateway = models.ForeignKey(Gateway, on_delete=models.PROTECT, related_name="deployments")
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    cause = models.CharField(max_length=40, blank=True)
    cause_label = models.CharField(max_length=300, blank=True)
    asked_by = models.CharField(max_length=200, blank=True)
    forced = models.BooleanField(default=False)
    version = models.PositiveBigIntegerField(default=0)
    attempt = models.PositiveSmallIntegerField(default=1)
    changes = models.JSONField(default=list)
    created_count = models.PositiveIntegerField(default=0)
    updated_count = models.PositiveIntegerField(default=0)
    deleted_count = models.PositiveIntegerField(default=0)
    notes = models.JSONField(default=list)
    message = models.TextField(blank=True)
    speaker = models.CharField(max_length=8, choices=Speaker, default=Speaker.PORTAL, db_default="portal")
    started_at = models.DateTimeField(null=True)
    waits_on = models.CharField(max_length=200, blank=True, default="", db_default="")
    runs = models.PositiveIntegerField(default=0, db_default=0)
    finished_at = models.DateTimeField(null=True)

    objects: ClassVar[DeploymentQuerySet] = DeploymentQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["gateway", "-id"], name="deployment_history")]
        constraints = [
            models.UniqueConstraint(
                fields=["gateway"], condition=Q(state="queued"), name="deployment_queued_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.gateway} #{self.version}"

    @property
    def audit_team_id(self) -> str:
        """Gateways, and what is pushed to them, belong to no team."""
        return ""

    @property
    def waits_for_a_person(self) -> bool:
        """Whether deletions were held back that somebody may confirm."""
        return self.speaker == self.Speaker.GUARD

    @property
    def aftermath(self) -> str:
        """What is known of the gateway after a run that did not succeed. Only a refusal leaves it as it was for
        sure: a run that broke off may have been taken or not, which the next one finds out."""
        words = {
            self.State.REFUSED: _("The gateway serves on what it had before."),
            self.State.PARTIAL: _("What went through was read back; the rest is as it was."),
            self.State.FAILED: _("What the gateway serves meanwhile is found out by the next attempt."),
        }
        return str(words.get(self.State(self.state), ""))

    @property
    def is_over(self) -> bool:
        return self.finished_at is not None

    @property
    def is_waiting(self) -> bool:
        """Whether it was begun and goes on when a vendor lets it."""
        return self.state == self.State.QUEUED and self.started_at is not None

    @property
    def shown_state(self) -> TonedChoices:
        """Its state as people read it: one that waits for a limit is no longer in the queue for a worker."""
        return self.Pause.WAITING if self.is_waiting else self.State(self.state)

    @property
    def goes_on_at(self) -> datetime | None:
        """When one that waits goes on; None: now, or it does not wait."""
        at = self.gateway.retry_at if self.is_waiting else None
        return at if at is not None and at > timezone.now() else None

    @property
    def later(self) -> Deployment | None:
        """The latest run of the same gateway after this one."""
        return Deployment.objects.filter(gateway=self.gateway_id, pk__gt=self.pk).first()


class DeploymentStep(models.Model):
    """One step of a Deployment, written as it begins and as it ends, so that a page can follow it."""

    class State(TonedChoices):
        RUNNING = "running", "push", _("Running")
        DONE = "done", "live", _("Done")
        FAILED = "failed", "fail", _("Failed")

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="steps")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=40)
    detail = models.TextField(blank=True)
    state = models.CharField(max_length=8, choices=State, default=State.RUNNING)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["deployment", "position"]
        constraints = [
            models.UniqueConstraint(fields=["deployment", "position"], name="deployment_step_once")
        ]

    def __str__(self) -> str:
        return self.name
