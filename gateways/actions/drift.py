"""What a person does about a finding: overwrite it, adopt it, or let it be with a reason."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apis.actions import set_binding
from apis.models import UpstreamBinding
from audit.actions import record_event
from audit.models import ActionRefused
from gateways.actions.deployments import ask_deployment
from gateways.actions.inspection import push_over
from gateways.actions.ringing import ring
from gateways.models import Deployment, DriftFinding, Gateway
from teams.models import Actor, Verb

State = DriftFinding.State


@transaction.atomic
def overwrite_drift(finding: DriftFinding, *, actor: Actor) -> Deployment:
    """Push what was decided over all that stands on the gateway of `finding`; the push that does it.

    The finding ends as overwritten once a look after that push does not see it any more. Raises PermissionDenied,
    TransitionNotAllowed, and ActionRefused while a push is due: its own changes have to be decided on first.
    """
    actor.require(Verb.GATEWAY_MANAGE)
    gateway, finding = _locked(finding)
    _require_standing(finding, State.OVERWRITTEN)
    if gateway.retired_at is not None:
        raise ActionRefused(_("%(gateway)s is retired: nothing is pushed to it.") % {"gateway": gateway})
    if gateway.behind_since is not None:
        raise ActionRefused(
            _(
                "A push to %(gateway)s is due or waits for confirmation. Look at it first; it overwrites this too."
            )
            % {"gateway": gateway},
            code="push_due",
        )
    finding.decided_by, finding.asked_at = actor.label[:200], timezone.now()
    finding.save()
    push_over(gateway)
    deployment = ask_deployment(gateway, asked_by=actor.label, forced=True)
    transaction.on_commit(lambda: ring([gateway.pk]))
    record_event("drift.overwrite_asked", finding, actor=actor, after=_what(finding))
    return deployment


@transaction.atomic
def ignore_drift(finding: DriftFinding, *, actor: Actor, reason: str) -> DriftFinding:
    """Let it be, with the reason, until something else is there. Nothing is pushed over it for its own sake.

    Raises PermissionDenied, ValidationError without a reason, TransitionNotAllowed, and ActionRefused where access
    is at stake.
    """
    actor.require(Verb.GATEWAY_MANAGE)
    _gateway, finding = _locked(finding)
    if not reason.strip():
        raise ValidationError({"reason": _("Say why this may stay.")})
    if finding.urgent:
        raise ActionRefused(
            _(
                "Access is at stake, so this is put right and can't be ignored. Decide on the access in the portal."
            ),
            code="access_at_stake",
        )
    finding.move_to(State.IGNORED)
    finding.reason, finding.decided_by, finding.decided_at = reason.strip(), actor.label[:200], timezone.now()
    finding.full_clean()
    finding.save()
    record_event("drift.ignored", finding, actor=actor, after=_what(finding), note=finding.reason)
    return finding


@transaction.atomic
def adopt_drift(finding: DriftFinding, *, actor: Actor) -> UpstreamBinding:
    """Make what the gateway does the decision: an upstream's addresses and times become those of its binding.

    Every other gateway that serves the upstream is pushed to as well. Nothing else can be adopted: a route,
    a plan or a subscription is decided on with its own checks, and access never comes from a gateway. Whoever
    adopts must also be able to edit the upstream. Raises PermissionDenied, TransitionNotAllowed, ActionRefused,
    and ValidationError for addresses that calls must not go to.
    """
    actor.require(Verb.GATEWAY_MANAGE)
    _gateway, finding = _locked(finding)
    binding = (
        UpstreamBinding.objects.filter(public_id=finding.object_id).select_related("upstream__team").first()
    )
    _require_standing(finding, State.ADOPTED)
    if binding is not None:
        actor.require(Verb.API_EDIT, binding.upstream.team)
    if not finding.is_adoptable or binding is None:
        raise ActionRefused(
            _(
                "Only changed addresses and times of an upstream can be adopted. Overwrite this, or decide it anew."
            ),
            code="not_adoptable",
        )
    adopted = set_binding(
        binding.upstream, actor=actor, environment=binding.environment, **_values(finding.seen)
    )
    for same in DriftFinding.objects.select_for_update().standing().filter(**_same(finding)):
        same.move_to(State.ADOPTED)
        same.decided_by, same.decided_at = actor.label[:200], timezone.now()
        same.save()
        record_event("drift.adopted", same, actor=actor, after=_what(same))
    return adopted


def _values(seen: dict[str, Any]) -> dict[str, Any]:
    health = seen.get("health") or {}
    return {
        "targets": [{"url": target["url"], "weight": target["weight"]} for target in seen["targets"]],
        "health_path": str(health.get("path", "")),
        "timeout_ms": seen["timeout_ms"],
        "connect_timeout_ms": seen["connect_timeout_ms"],
    }


def _same(finding: DriftFinding) -> dict[str, Any]:
    """The very same drift on the other nodes of the gateway."""
    return {
        "gateway": finding.gateway_id,
        "kind": finding.kind,
        "object_id": finding.object_id,
        "digest": finding.digest,
    }


def _locked(finding: DriftFinding) -> tuple[Gateway, DriftFinding]:
    """The gateway's row first, as every look and push takes it, then the finding's."""
    gateway = Gateway.objects.select_for_update().get(pk=finding.gateway_id)
    found = DriftFinding.objects.select_for_update(of=("self",)).select_related("gateway").get(pk=finding.pk)
    return gateway, found


def _require_standing(finding: DriftFinding, then: str) -> None:
    """Raises TransitionNotAllowed for a finding that is over."""
    if not finding.may_move_to(then):
        finding.move_to(then)


def _what(finding: DriftFinding) -> dict[str, Any]:
    return {
        "gateway": finding.gateway.slug,
        "node": finding.node,
        "object": f"{finding.kind}/{finding.object_id}",
        "sort": finding.sort,
        "state": finding.state,
    }
