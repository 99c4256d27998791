"""What must hold when something is asked for, and again when it is granted."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from apis.models import ApiVersion, Plan
from audit.models import ActionRefused
from subscriptions.models import AccessRequest, Application, Subscription
from subscriptions.queries import is_offered_in, may_see, open_subscription


def require_grantable(request: AccessRequest) -> None:
    """Raise ActionRefused (or ValidationError for values that never fit) unless `request` can be granted now."""
    _require_fit(request)
    _require_offer(request)
    if request.kind == AccessRequest.Kind.PLAN_CHANGE:
        _require_other_plan(request)
    elif open_subscription(request.application, request.api_version, request.environment):
        raise ActionRefused(
            _("%(application)s already has a subscription here. Ask for another plan on it.")
            % {"application": request.application},
            code="already_subscribed",
        )


def _require_fit(request: AccessRequest) -> None:
    """Plan, API and environment belong together."""
    plan = request.plan_revision.plan
    if plan.api_id != request.api_version.api_id:
        raise ValidationError(
            {"plan": _("This plan belongs to another API. Choose one of this API's plans.")}
        )
    if not is_offered_in(plan, request.environment):
        raise ValidationError(
            {
                "environment": _(
                    "%(plan)s is not offered in %(environment)s. Choose another environment or plan."
                )
                % {"plan": plan, "environment": request.environment}
            }
        )


def _require_offer(request: AccessRequest) -> None:
    """Application active, version and plan on offer, API visible to the applying team."""
    application, version, plan = request.application, request.api_version, request.plan_revision.plan
    names = {"application": application, "version": version, "plan": plan, "team": application.team}
    if application.state != Application.State.ACTIVE:
        raise ActionRefused(
            _("%(application)s is archived and can be granted nothing.") % names, code="application_archived"
        )
    if version.state != ApiVersion.State.PUBLISHED:
        raise ActionRefused(
            _("%(version)s takes no new subscriptions. Choose a published version.") % names,
            code="version_not_offered",
        )
    if plan.state != Plan.State.PUBLISHED:
        raise ActionRefused(
            _("%(plan)s is no longer offered. Choose another plan.") % names, code="plan_not_offered"
        )
    if not may_see(application.team, version.api):
        raise ActionRefused(
            _("%(version)s is private and not shared with %(team)s. Its owners can share it.") % names,
            code="api_not_shared",
        )


def _require_other_plan(request: AccessRequest) -> None:
    """The subscription is open and stands on another revision."""
    held = request.subscription
    if held is None or held.state == Subscription.State.CLOSED:
        raise ActionRefused(_("This subscription is closed. Ask for a new one."), code="subscription_closed")
    if held.plan_revision_id == request.plan_revision_id:
        raise ActionRefused(
            _("The subscription is on %(plan)s already. Choose another plan.")
            % {"plan": request.plan_revision.plan},
            code="same_plan",
        )
