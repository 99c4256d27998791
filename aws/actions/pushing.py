"""Pushes of functions: asked for with each decision, carried out by a task, resumable anywhere.

A run reads what is in AWS, does the next thing, and reads again, until nothing differs. Whatever broke off before, it
carries on from what is there.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.actions import record_event
from audit.sealing import SealBroken
from aws.actions.adopting import take_over
from aws.actions.function_locks import locked_function
from aws.actions.journal import ALIVE, Journal, Overtaken, taken_up
from aws.actions.learning import conclude, learn, version_published
from aws.client.calls import Calls
from aws.client.errors import (
    AwsError,
    Busy,
    Conflict,
    Denied,
    Lost,
    Missing,
    MustWait,
    NotYet,
    Throttled,
    Unreachable,
)
from aws.connections import calls_for
from aws.denials import words_of_denial
from aws.desired import wanted_of
from aws.environments import open_environment
from aws.inspection import inspected
from aws.models import FunctionPush, FunctionPushStep, LambdaFunction
from aws.policies.names import TAG
from aws.pushes.moves import next_move
from aws.pushes.reality import Reality
from aws.pushes.values import Call, Published, Rest
from teams.bell import ring
from teams.models import Actor

TASK = "aws.tasks.push_function"
MOST_TIME = timedelta(minutes=30)
NOT_YET_TIME = timedelta(minutes=5)
"""So long a fresh role may take until Lambda can assume it."""
QUEUED_TIME = timedelta(seconds=30)
LATE = timedelta(seconds=15)
RUN_S = 100.0
"""Then a run lets go and comes back, well within the time that a task may take."""
LOOKS = 4
"""So often in a row a run looks again at once when AWS says something else than was read."""
HIDDEN = "•••"
_State, _Step = FunctionPush.State, FunctionPushStep.State


def decided(function: LambdaFunction, *, actor: Actor, what: str) -> FunctionPush:
    """Save `function` with a decision, and see that it is carried out. The caller holds the row lock.

    A push that is under way takes the decision with it.
    """
    function.generation += 1
    function.save()
    reason = {"what": what, "by": actor.label[:200]}
    push = FunctionPush.objects.select_for_update().unfinished().filter(function=function).first()
    if push is None:
        push = FunctionPush(function=function, reasons=[reason])
        push.save()
        ring(TASK, push.pk)
    else:
        push.reasons = [*push.reasons, reason]
        push.save(update_fields=["reasons"])
    return push


@transaction.atomic
def push_again(function: LambdaFunction, *, actor: Actor) -> FunctionPush:
    """Take a push that failed up again, or look anew where none did; one that is under way is given back.

    Raises PermissionDenied, and ActionRefused for a function that is gone.
    """
    function = locked_function(function, actor, leaving=True)
    push = FunctionPush.objects.select_for_update().filter(function=function).first()
    if push is None or push.state == _State.SUCCEEDED:
        push = decided(function, actor=actor, what="look")
    elif push.state == _State.FAILED:
        push.move_to(_State.QUEUED)
        push.reasons = [*push.reasons, {"what": "resume", "by": actor.label[:200]}]
        push.message, push.began_at, push.finished_at = "", None, None
        push.save()
        ring(TASK, push.pk)
    record_event("function.push_asked", function, actor=actor, after={"push": push.public_id})
    return push


def carry_out_push(push_id: int) -> float | None:
    """Bring AWS to what is decided. Gives the seconds to wait when AWS has to do its part first.

    A push that another worker is at, that waits, or that is over, is left alone (None).
    """
    journal = taken_up(push_id)
    if journal is None:
        return None
    try:
        return _Run(journal).carry_on()
    except Overtaken:
        return None
    except Exception:
        journal.fail(_("The portal itself failed. Its log says why; then take the push up again."))
        raise


def overdue_pushes() -> list[int]:
    """Pushes whose bell was lost or whose worker died."""
    now = timezone.now()
    due = (
        Q(state=_State.QUEUED, updated_at__lt=now - QUEUED_TIME)
        | Q(state=_State.RUNNING, updated_at__lt=now - ALIVE)
        | Q(state=_State.WAITING, waits_until__lt=now - LATE)
    )
    return list(FunctionPush.objects.filter(due).order_by("pk").values_list("pk", flat=True)[:50])


class _Run:
    """One worker at one push, until it is over or has to wait."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._function = self._read()
        self._looks = 0

    def carry_on(self) -> float | None:
        """Seconds to wait, or None when it is over."""
        try:
            calls, reality = self._connected()
            ends_at = time.monotonic() + RUN_S
            while time.monotonic() < ends_at:
                try:
                    seconds, is_over = self._move(calls, reality)
                except AwsError as error:
                    reality.forget()
                    seconds, is_over = self._after(error)
                if is_over or seconds:
                    return self._rest(seconds) if seconds else None
        except SealBroken as error:
            self._journal.fail(
                _("A secret cannot be opened with the master keys that are configured: %s.") % error
            )
            return None
        return self._journal.rest(1.0, "")

    def _connected(self) -> tuple[Calls, Reality]:
        function, who = self._function, f"function {self._function.remote_name}"
        calls = calls_for(function.account, who=who, region=function.region)
        role = wanted_of(function).role
        return calls, Reality(calls, function.remote_name, role.name if role else "")

    def _move(self, calls: Calls, reality: Reality) -> tuple[float, bool]:
        """One thing. Gives the seconds to wait (0: none), and whether the push is over."""
        self._function = function = self._read()
        self._why = ""
        if function.is_adopted and function.state == LambdaFunction.State.NEW:
            take_over(self._journal, function, reality)
            return 0.0, False
        move = next_move(wanted_of(function), reality)
        if isinstance(move, Rest):
            self._why = move.why
            return move.seconds, False
        if isinstance(move, Published):
            version_published(self._journal, move.version_id, move.told)
        elif isinstance(move, Call):
            self._call(calls, reality, move)
        else:
            return 0.0, self._conclude(calls, reality)
        return 0.0, False

    def _conclude(self, calls: Calls, reality: Reality) -> bool:
        function = self._function
        step = self._journal.begin("look", "", "")
        seen = inspected(function, calls, reality)
        pruned = set(wanted_of(function).pruned) if seen else set()
        there = pruned & set(reality.versions()) if pruned else pruned
        self._journal.end(step, _Step.DONE)
        return conclude(self._journal, function, seen, there)

    def _call(self, calls: Calls, reality: Reality, move: Call) -> None:
        step = self._journal.begin(move.name, f"{move.service}:{move.operation}", move.detail)
        answer: Mapping[str, Any]
        try:
            answer = calls.call(move.service, move.operation, **move.params)
        except Missing as error:
            if not move.missing_is_done:
                self._ended(step, error)
                raise
            answer = {}
        except AwsError as error:
            self._ended(step, error)
            raise
        finally_id = answer.get("ResponseMetadata", {}).get("RequestId", "")
        self._journal.end(step, _Step.DONE, request_id=finally_id)
        reality.forget(move.forgets)
        self._looks = 0
        learn(self._journal, self._function, move, answer)

    def _ended(self, step: FunctionPushStep, error: AwsError) -> None:
        state = _Step.UNKNOWN if isinstance(error, Lost) else _Step.AGAIN
        if isinstance(error, NotYet) and timezone.now() - step.started_at > NOT_YET_TIME:
            error.is_permanent = True  # type: ignore[misc]
        if error.is_permanent and not isinstance(error, Conflict):
            state = _Step.FAILED
        self._journal.end(step, state, detail=self._words(error), request_id=error.request_id)

    def _after(self, error: AwsError) -> tuple[float, bool]:
        """What to do after an error: seconds to wait (0: look again at once), or the push is over."""
        self._why = self._words(error)
        if self._may_look_again(error):
            self._looks += 1
            return 0.0, False
        if error.is_permanent:
            self._journal.fail(self._why)
            return 0.0, True
        return _seconds(error), False

    def _may_look_again(self, error: AwsError) -> bool:
        """Whether AWS holds something else than was read; what we said ourselves has no operation."""
        is_other = isinstance(error, Lost) or (
            isinstance(error, Conflict | Missing) and bool(error.operation)
        )
        return is_other and self._looks < LOOKS

    def _rest(self, seconds: float) -> float | None:
        began = self._journal.push.began_at
        if began is not None and timezone.now() - began > MOST_TIME:
            minutes = MOST_TIME.seconds // 60
            words = _("It took longer than %(minutes)s minutes. The last thing was: %(why)s")
            self._journal.fail(words % {"minutes": minutes, "why": self._why})
            return None
        return self._journal.rest(seconds, self._why)

    def _read(self) -> LambdaFunction:
        return LambdaFunction.objects.select_related("team", "account").get(pk=self._journal.push.function_id)

    def _words(self, error: AwsError) -> str:
        """For people, without the values of the environment: AWS repeats them."""
        words = error.message
        if isinstance(error, Denied):
            words = words_of_denial(error, self._function.account)
            if self._function.is_adopted:
                told = _("Has the function the tag %(tag)s with the value %(value)s?")
                words = f"{words} {told % {'tag': TAG, 'value': self._function.account.prefix}}"
        for value in open_environment(self._function).values():
            words = words.replace(value, HIDDEN) if len(value) > 3 else words
        return words


def _seconds(error: AwsError) -> float:
    if isinstance(error, MustWait | Throttled):
        return max(error.retry_in_s or 0.0, 1.0)
    if isinstance(error, Busy):
        return random.uniform(2.0, 4.0)  # noqa: S311 - chance, so that two do not come back together
    if isinstance(error, NotYet):
        return 5.0
    return 10.0 if isinstance(error, Unreachable) else 5.0
