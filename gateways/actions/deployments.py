"""The record of a push: a Deployment and its steps, written while it happens."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from audit.actions import record_event
from audit.models import AuditEvent
from gateways.engine.changes import ChangeSet
from gateways.engine.document import Ref
from gateways.engine.driver import Wait
from gateways.models import Deployment, DeploymentStep, Gateway
from teams.models import SYSTEM

MOST_CHANGES_KEPT = 500
"""A record is read by people; a first push of ten thousand keys is counted in full and listed in part."""
MOST_STEPS = 60
DETAIL_EVERY_S = 0.5

_State = Deployment.State
_PORTAL = Deployment.Speaker.PORTAL
_Step = DeploymentStep.State


def ask_deployment(
    gateway: Gateway, *, cause: AuditEvent | None = None, asked_by: str = "", forced: bool = False
) -> Deployment:
    """The queued Deployment of `gateway`, made if there is none. The caller holds the gateway's row lock."""
    queued = Deployment.objects.select_for_update().filter(gateway=gateway, state=_State.QUEUED).first()
    if queued is None:
        queued = Deployment(gateway=gateway, asked_by=asked_by[:200], forced=forced)
    if cause is not None:
        queued.cause, queued.cause_label = cause.public_id, f"{cause.name} {cause.target_label}"[:300]
    queued.asked_by = queued.asked_by or asked_by[:200]
    queued.forced = queued.forced or forced
    queued.save()
    return queued


def abandon_running(gateway_id: int) -> None:
    """Close what a run left open that died: this one, which holds the lease, starts anew."""
    now = timezone.now()
    orphans = Deployment.objects.filter(gateway_id=gateway_id, state=_State.RUNNING)
    DeploymentStep.objects.filter(deployment__in=orphans, state=_Step.RUNNING).update(
        state=_Step.FAILED, finished_at=now
    )
    orphans.update(
        state=_State.FAILED,
        finished_at=now,
        message="The worker stopped in the middle of this push. The next one carries on from what it left.",
    )


@dataclass(slots=True)
class Step:
    name: str
    detail: str
    started_at: datetime
    state: str = _Step.RUNNING
    finished_at: datetime | None = None


@dataclass(slots=True)
class Journal:
    """The steps of one run. They are kept here until a Deployment is worth recording, and then written live."""

    gateway_id: int
    deployment: Deployment | None = None
    steps: list[Step] = field(default_factory=list)
    _written_at: float = 0.0

    def begin(self, name: str, detail: str = "") -> bool:
        """The step before is done, this one runs. The same name again only changes the detail: False."""
        current = self.steps[-1] if self.steps else None
        if current and current.name == name and current.state == _Step.RUNNING:
            current.detail = detail
            if time.monotonic() - self._written_at > DETAIL_EVERY_S:
                self._write(current)
            return False
        self.end()
        if len(self.steps) < MOST_STEPS:
            self.steps.append(Step(name, detail, timezone.now()))
            self._write(self.steps[-1])
        return True

    def end(self, state: str = _Step.DONE, detail: str = "") -> None:
        """Close the step that runs, if one does."""
        if self.steps and self.steps[-1].state == _Step.RUNNING:
            current = self.steps[-1]
            current.state, current.finished_at = state, timezone.now()
            current.detail = detail or current.detail
            self._write(current)

    def record(
        self, changes: ChangeSet, held: Mapping[Ref, str], notes: Mapping[Ref, str], version: int
    ) -> None:
        """Write down what is about to be pushed; makes the Deployment if nobody asked for one."""
        deployment = self.deployment or self._begin()
        self._add(deployment, changes)
        deployment.notes = [
            {"kind": str(name.kind), "id": name.id, "text": text, "held": name in held}
            for name, text in [*held.items(), *((n, t) for n, t in notes.items() if n not in held)]
        ][:MOST_CHANGES_KEPT]
        deployment.version = version
        deployment.save()

    def _add(self, deployment: Deployment, changes: ChangeSet) -> None:
        """Beside what an earlier part of the same push set out to do, which then had to wait."""
        known = {(one["verb"], one["kind"], one["id"]) for one in deployment.changes}
        plain = changes.to_plain()["changes"]
        new = [one for one in plain if (one["verb"], one["kind"], one["id"]) not in known]
        counts = Counter(one["verb"] for one in new)
        deployment.changes = [*deployment.changes, *new][:MOST_CHANGES_KEPT]
        deployment.created_count += counts["create"]
        deployment.updated_count += counts["update"]
        deployment.deleted_count += counts["delete"]

    def wait(self, wait: Wait) -> Deployment | None:
        """Put the Deployment, if there is one, back to those that wait for a run; it goes on where it stopped."""
        self.end(_Step.DONE)
        if self.deployment is None:
            return None
        with transaction.atomic():
            deployment = Deployment.objects.select_for_update().get(pk=self.deployment.pk)
            if deployment.state != _State.RUNNING:
                return deployment
            if Deployment.objects.filter(gateway_id=self.gateway_id, state=_State.QUEUED).exists():
                deployment.move_to(
                    _State.PARTIAL
                )  # somebody asked for another one, which takes the rest with it
                deployment.finished_at = timezone.now()
            else:
                deployment.move_to(_State.QUEUED)
            deployment.message, deployment.waits_on, deployment.speaker = wait.why, wait.on[:200], _PORTAL
            deployment.save()
        return deployment

    def adopt(self) -> None:
        """Make the queued Deployment of the gateway, if there is one, that of this run."""
        with transaction.atomic():
            queued = (
                Deployment.objects.select_for_update()
                .filter(gateway_id=self.gateway_id, state=_State.QUEUED)
                .first()
            )
            if queued is not None:
                self._start(queued)

    def finish(
        self, state: str, *, message: str = "", speaker: str = _PORTAL, attempt: int = 1
    ) -> Deployment | None:
        """Close the Deployment, if there is one, and tell the audit trail."""
        self.end(_Step.DONE if state in (_State.SUCCEEDED, _State.PARTIAL) else _Step.FAILED)
        if self.deployment is None:
            return None
        with transaction.atomic():
            deployment = Deployment.objects.select_for_update().get(pk=self.deployment.pk)
            if deployment.state != _State.RUNNING:  # another run has closed it as abandoned
                return deployment
            deployment.move_to(state)
            deployment.message, deployment.speaker, deployment.attempt = message, speaker, attempt
            deployment.finished_at = timezone.now()
            deployment.save()
            record_event("deployment.finished", deployment, actor=SYSTEM, after=_summary(deployment))
        return deployment

    def said_last(self, message: str) -> bool:
        """Whether the latest Deployment of the gateway ended with these very words."""
        latest = Deployment.objects.filter(gateway_id=self.gateway_id).first()
        return latest is not None and latest.is_over and latest.message == message

    def fail_before_changes(self, message: str, attempt: int, speaker: str = _PORTAL) -> Deployment:
        """A run that could not even look: the same failure as before is counted on the same Deployment."""
        if self.deployment is None:
            latest = Deployment.objects.filter(gateway_id=self.gateway_id).first()
            if latest is not None and latest.state == _State.FAILED and latest.message == message:
                latest.attempt, latest.finished_at = attempt, timezone.now()
                latest.save(update_fields=["attempt", "finished_at"])
                return latest
            self._begin()
        finished = self.finish(_State.FAILED, message=message, speaker=speaker, attempt=attempt)
        assert finished is not None  # noqa: S101 - it was begun above
        return finished

    def _begin(self) -> Deployment:
        deployment = Deployment(gateway_id=self.gateway_id)
        self._start(deployment)
        return deployment

    def _start(self, deployment: Deployment) -> None:
        deployment.move_to(_State.RUNNING)
        begins = self.steps[0].started_at if self.steps else timezone.now()
        deployment.started_at = deployment.started_at or begins
        deployment.runs += 1
        deployment.message = deployment.waits_on = ""
        deployment.save()
        deployment.steps.all().delete()
        self.deployment = deployment
        for step in self.steps:
            self._write(step)

    def _write(self, step: Step) -> None:
        if self.deployment is None:
            return
        self._written_at = time.monotonic()
        DeploymentStep.objects.update_or_create(
            deployment=self.deployment,
            position=self.steps.index(step) + 1,
            defaults={
                "name": step.name[:40],
                "detail": step.detail,
                "state": step.state,
                "started_at": step.started_at,
                "finished_at": step.finished_at,
            },
        )


def _summary(deployment: Deployment) -> dict[str, Any]:
    return {
        "state": deployment.state,
        "version": deployment.version,
        "created": deployment.created_count,
        "updated": deployment.updated_count,
        "deleted": deployment.deleted_count,
    }
