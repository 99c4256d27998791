"""The journal of a push: each step is written down, and committed, before AWS is called and after it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from audit.actions import record_event
from aws.models import FunctionPush, FunctionPushStep
from teams.models import SYSTEM

ALIVE = timedelta(seconds=180)
"""A push that wrote nothing for so long has lost its worker: no single call takes longer, an upload neither."""
EARLY = timedelta(seconds=0.5)
_Step = FunctionPushStep.State


class Overtaken(Exception):
    """Another worker has taken the push up, or somebody ended it: this one writes no more."""


class Journal:
    """One worker's hold on a push. Raises Overtaken as soon as it has lost it."""

    def __init__(self, push: FunctionPush) -> None:
        self.push = push
        self._run = push.run

    @transaction.atomic
    def begin(self, name: str, operation: str, detail: str) -> FunctionPushStep:
        """A step that is about to be done; the last one again, where that one was not done yet."""
        push, now = self._held(), timezone.now()
        last = push.steps.order_by("-position").first()
        if (
            last is not None
            and last.state == _Step.AGAIN
            and (last.name, last.operation) == (name, operation)
        ):
            step = last
            step.state, step.detail, step.finished_at = _Step.RUNNING, detail, None
        else:
            position = last.position + 1 if last else 1
            step = FunctionPushStep(
                push=push, position=position, name=name, operation=operation, detail=detail, started_at=now
            )
        step.save()
        push.save(update_fields=["state"])
        return step

    @transaction.atomic
    def end(
        self, step: FunctionPushStep, state: _Step, *, detail: str | None = None, request_id: str = ""
    ) -> None:
        """What became of it."""
        push = self._held()
        step.state, step.request_id, step.finished_at = state, request_id[:100], timezone.now()
        step.detail = step.detail if detail is None else detail
        step.save()
        push.save(update_fields=["state"])

    @transaction.atomic
    def rest(self, seconds: float, why: str) -> float:
        """Let go of it for `seconds`, which come back for the task's countdown."""
        push = self._held()
        push.move_to(FunctionPush.State.WAITING)
        push.waits_on, push.waits_until = why[:300], timezone.now() + timedelta(seconds=seconds)
        push.save()
        return seconds

    @transaction.atomic
    def fail(self, words: str) -> None:
        """End it; what was done stays done, and it can be taken up again."""
        push = self._held()
        self._close(push, FunctionPush.State.FAILED, words)

    def _close(self, push: FunctionPush, state: FunctionPush.State, words: str) -> None:
        """Whoever calls holds the row lock."""
        push.move_to(state)
        push.message, push.waits_on, push.waits_until, push.finished_at = words, "", None, timezone.now()
        push.save()
        after: dict[str, Any] = {"push": push.public_id, "outcome": str(state)}
        record_event("function.push_ended", push.function, actor=SYSTEM, after=after, note=words[:400])

    def succeed(self, push: FunctionPush) -> None:
        """End it well. Whoever calls holds the locks of the function and of `push`."""
        self._close(push, FunctionPush.State.SUCCEEDED, "")

    def held(self) -> FunctionPush:
        """The push under a row lock, within a transaction of the caller's."""
        return self._held()

    def _held(self) -> FunctionPush:
        rows = FunctionPush.objects.select_for_update(of=("self",)).select_related("function__team")
        push = rows.get(pk=self.push.pk)
        if push.run != self._run or push.state != FunctionPush.State.RUNNING:
            raise Overtaken
        return push


@transaction.atomic
def taken_up(push_id: int) -> Journal | None:
    """Hold on to a push that is due; None when it is over, waits yet, or another worker is at it."""
    push = FunctionPush.objects.select_for_update(of=("self",)).filter(pk=push_id).first()
    if push is None or push.is_over or not _is_due(push, timezone.now()):
        return None
    push.steps.filter(state=_Step.RUNNING).update(state=_Step.UNKNOWN, finished_at=timezone.now())
    push.move_to(FunctionPush.State.RUNNING)
    push.run, push.waits_on, push.waits_until = push.run + 1, "", None
    push.began_at = push.began_at or timezone.now()
    push.save()
    return Journal(push)


def _is_due(push: FunctionPush, now: datetime) -> bool:
    if push.state == FunctionPush.State.WAITING:
        return push.waits_until is None or push.waits_until <= now + EARLY
    return push.state == FunctionPush.State.QUEUED or now - push.updated_at > ALIVE
