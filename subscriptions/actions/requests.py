"""Asking: for a subscription, for another plan."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apis.models import ApiVersion, Environment, Plan, PlanRevision
from audit.actions import record_event
from audit.models import ActionRefused
from subscriptions.actions.applications import create_application
from subscriptions.actions.decisions import grant
from subscriptions.actions.eligibility import require_grantable
from subscriptions.actions.locks import lock_application, lock_subscription
from subscriptions.actions.telling import tell_deciders
from subscriptions.models import AccessRequest, Application, DecisionStep, Subscription
from subscriptions.queries import limits_of, offer_of, who_decides
from teams.models import SYSTEM, Actor, Team, Verb

ANSWER_WITHIN_DAYS = 2
"""Working days until the answer is due."""
LAPSES_AFTER = timedelta(days=30)
REASON_LENGTH = 2_000


@transaction.atomic
def request_access(
    application: Application,
    version: ApiVersion,
    environment: Environment,
    plan: Plan,
    *,
    actor: Actor,
    reason: str,
    accept_terms: bool = False,
) -> AccessRequest:
    """Ask for a subscription of `application` to `version` in `environment` on the current offer of `plan`.

    A plan that grants by itself is granted at once: the request comes back approved, with its subscription.
    Otherwise those who may decide are told. Raises ValidationError (reason, terms), ActionRefused (not
    offered, already waiting, already subscribed), PermissionDenied without application.edit in the team.
    """
    application = lock_application(application.pk)
    actor.require(Verb.APPLICATION_EDIT, application.team)
    request = AccessRequest(
        kind=AccessRequest.Kind.SUBSCRIPTION,
        application=application,
        api_version=ApiVersion.objects.select_related("api__team").get(pk=version.pk),
        environment=environment,
        plan_revision=_offer(plan, accept_terms=accept_terms),
        reason=reason.strip(),
    )
    return _ask(request, actor=actor)


@transaction.atomic
def request_access_for_new(
    team: Team,
    name: str,
    version: ApiVersion,
    environment: Environment,
    plan: Plan,
    *,
    actor: Actor,
    reason: str,
    accept_terms: bool = False,
) -> AccessRequest:
    """Register an application of `team` called `name` and ask for it: both, or neither. Errors: of both."""
    application = create_application(team, name, actor=actor)
    return request_access(
        application, version, environment, plan, actor=actor, reason=reason, accept_terms=accept_terms
    )


@transaction.atomic
def request_plan_change(
    subscription: Subscription, plan: Plan, *, actor: Actor, reason: str, accept_terms: bool = False
) -> AccessRequest:
    """Ask to move `subscription` to the current offer of `plan`. Errors and automatic plans: as request_access.

    Until it is decided the subscription stays on its plan.
    """
    application = lock_application(subscription.application_id)
    actor.require(Verb.APPLICATION_EDIT, application.team)
    subscription = lock_subscription(subscription.pk)
    request = AccessRequest(
        kind=AccessRequest.Kind.PLAN_CHANGE,
        application=application,
        api_version=subscription.api_version,
        environment=subscription.environment,
        plan_revision=_offer(plan, accept_terms=accept_terms),
        subscription=subscription,
        reason=reason.strip(),
    )
    return _ask(request, actor=actor)


def _offer(plan: Plan, *, accept_terms: bool) -> PlanRevision:
    """The offer that `plan` makes now, with its terms accepted."""
    offer = offer_of(plan)
    if offer is None:
        raise ActionRefused(
            _("%(plan)s is not offered. Choose another plan.") % {"plan": plan}, code="plan_not_offered"
        )
    if offer.terms and not accept_terms:
        raise ValidationError({"accept_terms": _("Accept the terms of this plan to ask for it.")})
    return offer


def _ask(request: AccessRequest, *, actor: Actor) -> AccessRequest:
    _require_reason(request)
    _require_nothing_waiting(request)
    require_grantable(request)
    now = timezone.now()
    automatic = request.plan_revision.approval == PlanRevision.Approval.AUTOMATIC
    request.requested_by_kind, request.requested_by_id = actor.kind, actor.public_id
    request.requested_by_label = actor.label[:200]
    request.due_at = None if automatic else working_days_after(now, ANSWER_WITHIN_DAYS)
    request.lapses_at = now + LAPSES_AFTER
    request.full_clean()
    request.save()
    _make_step(request, automatic=automatic)
    if not automatic:
        tell_deciders(request)
    _record(request, actor)
    if automatic:
        grant(
            request,
            actor=SYSTEM,
            note=_("%(plan)s is granted at once.") % {"plan": request.plan_revision.plan},
        )
    return request


def _require_reason(request: AccessRequest) -> None:
    if not request.reason:
        raise ValidationError(
            {"reason": _("Say what the application needs this for: the decision rests on it.")}
        )
    if len(request.reason) > REASON_LENGTH:
        raise ValidationError(
            {"reason": _("Shorten the reason to %(most)s characters.") % {"most": REASON_LENGTH}}
        )


def _require_nothing_waiting(request: AccessRequest) -> None:
    waiting = AccessRequest.objects.filter(
        application=request.application,
        api_version=request.api_version,
        environment=request.environment,
        state=AccessRequest.State.PENDING,
    )
    if waiting.exists():
        raise ActionRefused(
            _("A request for this is already waiting. Withdraw it to ask for something else."),
            code="already_waiting",
        )


def _make_step(request: AccessRequest, *, automatic: bool) -> None:
    label = _("Granted by the plan") if automatic else who_decides(request.plan_revision.plan)
    DecisionStep.objects.create(request=request, number=1, label=label)


def _record(request: AccessRequest, actor: Actor) -> None:
    record_event(
        "request.made",
        request,
        actor=actor,
        after={
            "kind": request.kind,
            "api_version": request.api_version.public_id,
            "environment": request.environment.slug,
            "limits": limits_of(request.plan_revision),
        },
        note=request.reason,
    )


def working_days_after(start: datetime, days: int) -> datetime:
    """The same time of day `days` working days (Monday to Friday) after `start`."""
    moment = start
    while days:
        moment += timedelta(days=1)
        days -= moment.weekday() < 5
    return moment
