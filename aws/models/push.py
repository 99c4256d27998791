"""Pushes of functions: a journal of what was done in AWS, each step written down before it is done."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from audit.models import Record, RecordQuerySet, Stateful, TonedChoices
from aws.models.function import LambdaFunction

if TYPE_CHECKING:
    from teams.models import Actor


class FunctionPushQuerySet(RecordQuerySet["FunctionPush"]):
    def visible_to(self, actor: Actor) -> FunctionPushQuerySet:
        return self.filter(function__in=LambdaFunction.objects.visible_to(actor))

    def unfinished(self) -> FunctionPushQuerySet:
        return self.filter(state__in=FunctionPush.OPEN)


class FunctionPush(Stateful, Record):
    """Brings AWS to what is decided about a function: it reads what is there, does the next thing, and reads again.

    So it can break off anywhere and be taken up. `reasons` is a list of `{"what", "by"}`: decisions made meanwhile join
    the push that is under way. `run` rises each time a worker takes it up, so that one that was given up writes no
    more. `waits_on` and `waits_until` say why nothing happens now.
    """

    public_id_prefix = "lfp"
    locked_after = ("function",)

    class State(TonedChoices):
        QUEUED = "queued", "push", _("Queued")
        RUNNING = "running", "push", _("Running")
        WAITING = "waiting", "hold", _("Waiting for AWS")
        SUCCEEDED = "succeeded", "live", _("Succeeded")
        FAILED = "failed", "fail", _("Failed")

    OPEN: ClassVar = (State.QUEUED, State.RUNNING, State.WAITING)
    moves: ClassVar = {
        State.QUEUED: frozenset({State.RUNNING, State.FAILED}),
        State.RUNNING: frozenset({State.RUNNING, State.WAITING, State.SUCCEEDED, State.FAILED}),
        State.WAITING: frozenset({State.RUNNING, State.FAILED}),
        State.SUCCEEDED: frozenset(),
        State.FAILED: frozenset({State.QUEUED}),
    }

    function = models.ForeignKey(LambdaFunction, on_delete=models.PROTECT, related_name="pushes")
    state = models.CharField(max_length=9, choices=State, default=State.QUEUED)
    reasons = models.JSONField(default=list)
    message = models.TextField(blank=True)
    waits_on = models.CharField(max_length=300, blank=True)
    waits_until = models.DateTimeField(null=True)
    run = models.PositiveIntegerField(default=0)
    began_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects: ClassVar[FunctionPushQuerySet] = FunctionPushQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["function", "-id"], name="push_of_function")]
        constraints = [
            models.UniqueConstraint(
                fields=["function"],
                condition=Q(state__in=["queued", "running", "waiting"]),
                name="function_push_open_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.function}: {self.state}"

    @property
    def audit_team_id(self) -> str:
        return self.function.audit_team_id

    @property
    def is_over(self) -> bool:
        return self.state not in self.OPEN


class FunctionPushStep(models.Model):
    """One thing done in AWS: written down before the call (running), and after it with what AWS calls the request.

    A step that is found running when a worker takes the push up again broke off: AWS may have done it or not, which the
    next look tells.
    """

    class State(TonedChoices):
        RUNNING = "running", "push", _("Running")
        DONE = "done", "live", _("Done")
        AGAIN = "again", "hold", _("Not done yet, tried again")
        UNKNOWN = "unknown", "hold", _("Broke off: looked at again")
        FAILED = "failed", "fail", _("Failed")

    push = models.ForeignKey(FunctionPush, on_delete=models.CASCADE, related_name="steps")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=40)
    operation = models.CharField(max_length=60, blank=True)
    detail = models.TextField(blank=True)
    state = models.CharField(max_length=8, choices=State, default=State.RUNNING)
    request_id = models.CharField(max_length=100, blank=True)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["push", "position"]
        constraints = [models.UniqueConstraint(fields=["push", "position"], name="function_push_step_once")]

    def __str__(self) -> str:
        return self.name
