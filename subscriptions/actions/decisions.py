"""Deciding: approve, reject, withdraw, lapse. One decision per request, never by the one who asked."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from audit.actions import record_event
from audit.models import ActionRefused, ActorKind
from subscriptions.actions.blocks import lift_open_blocks
from subscriptions.actions.eligibility import require_grantable
from subscriptions.actions.locks import lock_request, lock_subscription
from subscriptions.actions.telling import tell_decision, tell_owners
from subscriptions.models import AccessRequest, DecisionStep, Subscription
from subscriptions.queries import limits_of, may_decide
from teams.models import SYSTEM, Actor, Verb
from teams.queries import lacks_second_factor

NOTE_LENGTH = 2_000
_STEP_AFTER = {
    AccessRequest.State.APPROVED: DecisionStep.State.APPROVED,
    AccessRequest.State.REJECTED: DecisionStep.State.REJECTED,
}


@transaction.atomic
def approve_request(request: AccessRequest, *, actor: Actor, note: str = "") -> Subscription:
    """Grant what a pending request asks: a new subscription, or another plan on the one it names.

    Raises TransitionNotAllowed unless it is pending, PermissionDenied unless `actor` may decide it,
    ActionRefused when what it asks is no longer offered.
    """
    request = lock_request(request)
    _require_move(request, AccessRequest.State.APPROVED)
    _require_decider(request, actor)
    require_grantable(request)
    return grant(request, actor=actor, note=note)


def grant(request: AccessRequest, *, actor: Actor, note: str) -> Subscription:
    """Carry out an approval. The caller holds the locks and has checked who decides and what is offered."""
    _decide(request, AccessRequest.State.APPROVED, actor=actor, note=note, save=False)
    before = limits_of(request.subscription.plan_revision) if request.subscription else {}
    subscription = _changed(request) if request.subscription else _opened(request)
    request.subscription = subscription
    request.save()
    tell_decision(request, actor=actor)
    tell_owners(request, actor=actor)
    after = limits_of(request.plan_revision)
    record_event("request.approved", request, actor=actor, after=after, note=note)
    # The request stands in the trail of those who asked; this is what the API's team finds in its own.
    name = "subscription.plan_changed" if before else "subscription.opened"
    owners = request.api_version.api.team.public_id
    record_event(name, subscription, actor=actor, team_id=owners, before=before, after=after)
    return subscription


def _opened(request: AccessRequest) -> Subscription:
    accepted = bool(request.plan_revision.terms)
    subscription = Subscription(
        application=request.application,
        api_version=request.api_version,
        environment=request.environment,
        plan_revision=request.plan_revision,
        terms_accepted_by=request.requested_by_label if accepted else "",
        terms_accepted_at=request.created_at if accepted else None,
    )
    subscription.full_clean()
    subscription.save()
    return subscription


def _changed(request: AccessRequest) -> Subscription:
    """The subscription on its new plan. Its blocks are lifted: usage sets them again where the new quota is used up."""
    subscription = lock_subscription(request.subscription_id)  # type: ignore[arg-type]
    accepted = bool(request.plan_revision.terms)
    subscription.plan_revision = request.plan_revision
    subscription.terms_accepted_by = request.requested_by_label if accepted else ""
    subscription.terms_accepted_at = request.created_at if accepted else None
    subscription.full_clean()
    subscription.save()
    lift_open_blocks(subscription, actor=SYSTEM)
    return subscription


@transaction.atomic
def reject_request(request: AccessRequest, *, actor: Actor, note: str) -> AccessRequest:
    """Turn a pending request down. The reason is mandatory: those who asked read it.

    Raises TransitionNotAllowed, PermissionDenied as approve_request, ValidationError without a reason.
    """
    request = lock_request(request)
    _require_move(request, AccessRequest.State.REJECTED)
    _require_decider(request, actor)
    if not note.strip():
        raise ValidationError({"note": _("Give a reason: those who asked read it and know what to change.")})
    _decide(request, AccessRequest.State.REJECTED, actor=actor, note=note)
    tell_decision(request, actor=actor)
    tell_owners(request, actor=actor)
    record_event("request.rejected", request, actor=actor, note=note)
    return request


@transaction.atomic
def withdraw_request(request: AccessRequest, *, actor: Actor) -> AccessRequest:
    """Take a pending request back. Raises TransitionNotAllowed unless pending, PermissionDenied outside its team."""
    request = lock_request(request)
    actor.require(Verb.APPLICATION_EDIT, request.application.team)
    _decide(request, AccessRequest.State.WITHDRAWN, actor=actor, note="")
    tell_owners(request, actor=actor)
    record_event("request.withdrawn", request, actor=actor)
    return request


def lapse_requests(*, now: datetime, most: int = 200) -> int:
    """End up to `most` requests that nobody decided in time, each in its own transaction; the number ended."""
    due = AccessRequest.objects.filter(state=AccessRequest.State.PENDING, lapses_at__lte=now)
    return sum(_lapse(request, _("Nobody decided in time.")) for request in due.order_by("pk")[:most])


def lapse_open_requests(requests: Any, why: str) -> None:
    """End those of `requests` that wait, since what they ask for has gone. The caller holds the application's lock."""
    for request in requests.filter(state=AccessRequest.State.PENDING).order_by("pk"):
        _lapse(request, why)


@transaction.atomic
def _lapse(request: AccessRequest, why: str) -> bool:
    request = lock_request(request)
    if not request.may_move_to(AccessRequest.State.LAPSED):
        return False
    _decide(request, AccessRequest.State.LAPSED, actor=SYSTEM, note=why)
    tell_decision(request, actor=SYSTEM)
    tell_owners(request, actor=SYSTEM)
    record_event("request.lapsed", request, actor=SYSTEM, note=why)
    return True


def _decide(
    request: AccessRequest, state: AccessRequest.State, *, actor: Actor, note: str, save: bool = True
) -> None:
    """Move `request`, freeze who decided when and why, and close its step."""
    if len(note) > NOTE_LENGTH:
        raise ValidationError(
            {"note": _("Shorten the reason to %(most)s characters.") % {"most": NOTE_LENGTH}}
        )
    request.move_to(state)
    request.decided_by_kind, request.decided_by_id = actor.kind, actor.public_id
    request.decided_by_label, request.decided_at = actor.label[:200], timezone.now()
    request.decision_note = note.strip()
    request.full_clean(validate_unique=False)
    if save:
        request.save()
    for step in request.steps.filter(state=DecisionStep.State.WAITING):
        step.state = _STEP_AFTER.get(state, DecisionStep.State.SKIPPED)
        step.decided_by_label, step.decided_at = request.decided_by_label, request.decided_at
        step.note = request.decision_note
        step.save()


def _require_move(request: AccessRequest, state: AccessRequest.State) -> None:
    """Raise TransitionNotAllowed before anything else, so that the second of two deciders learns the true reason."""
    was = request.state
    request.move_to(state)
    request.state = was


def _require_decider(request: AccessRequest, actor: Actor) -> None:
    if may_decide(request, actor):
        if lacks_second_factor(actor):
            raise ActionRefused(
                _("Set up a second factor first: this installation demands one of whoever decides."),
                code="second_factor_missing",
            )
        return
    if not actor.within_scope(Verb.REQUEST_DECIDE):
        actor.require(Verb.REQUEST_DECIDE, request.api_version.api.team)
    if actor.kind != ActorKind.SYSTEM and actor.public_id == request.requested_by_id:
        raise PermissionDenied(_("You asked for this yourself. Somebody else decides it."))
    raise PermissionDenied(
        _(
            "You may not decide this request: an owner or publisher of %(team)s, the plan's approver group or a "
            "platform approver does, and never one who stands on the asking side alone."
        )
        % {"team": request.api_version.api.team}
    )
