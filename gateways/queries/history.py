"""A push as a page shows it: its steps by name, what is still to come, and what led to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from gateways.models import AppliedObject, Deployment, DeploymentStep

NAMES: dict[str, Any] = {
    "snapshot": _("Read what is decided"),
    "compare": _("Compare with the gateway"),
    "guard": _("Check the changes"),
    "render": _("Write the configuration"),
    "validate": _("Validate"),
    "push": _("Push"),
    "apply": _("Push"),
    "push removals": _("Push removals alone"),
    "hold back": _("Hold back what was refused"),
    "verify": _("Read back"),
}
EXPECTED = ("snapshot", "compare", "guard", "push", "verify")
SAME = {"apply": "push"}


@dataclass(frozen=True, slots=True)
class ShownStep:
    """One line of the stepper."""

    label: Any
    tone: str
    took: timedelta | None = None
    detail: str = ""


def shown_steps(deployment: Deployment, steps: Sequence[DeploymentStep], *, details: bool) -> list[ShownStep]:
    """What happened and, while it runs, what is still to come. `details` may name anybody's objects."""
    shown = [_shown(step, details=details) for step in steps]
    if deployment.is_over:
        return shown
    if deployment.is_waiting:
        return [*shown, ShownStep(_("Go on"), "hold", detail=deployment.waits_on)]
    done = {SAME.get(step.name, step.name) for step in steps}
    reached = max((EXPECTED.index(name) for name in done if name in EXPECTED), default=-1)
    return shown + [ShownStep(NAMES[name], "off") for name in EXPECTED[reached + 1 :]]


def _shown(step: DeploymentStep, *, details: bool) -> ShownStep:
    return ShownStep(
        NAMES.get(step.name, step.name.capitalize()),
        DeploymentStep.State(step.state).tone,
        step.finished_at - step.started_at if step.finished_at else None,
        step.detail if details else "",
    )


def proven_of(deployment: Deployment) -> int:
    """How many of the changes of a push that comes in parts are in force and read back by now."""
    total = deployment.created_count + deployment.updated_count + deployment.deleted_count
    since = AppliedObject.objects.filter(
        gateway=deployment.gateway_id, confirmed_at__gte=deployment.started_at, held_back_reason=""
    )
    names = {(change["kind"], change["id"]) for change in deployment.changes}
    if len(names) < total:  # not all of them were kept
        return min(total, since.count())
    return sum(1 for name in since.values_list("kind", "object_id") if name in names)


def elapsed(deployment: Deployment) -> timedelta | None:
    """How long it has taken, or takes so far; None while it waits for the worker."""
    if deployment.started_at is None:
        return None
    return (deployment.finished_at or timezone.now()) - deployment.started_at
