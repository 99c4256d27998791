"""Plans: drafted, offered, changed for those who come later, ended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apis.actions.records import apply_changes, short_name
from apis.models import Api, Environment, Plan, PlanLimits, PlanRevision
from apis.queries import is_ai
from audit.actions import record_event
from audit.models import ActionRefused
from teams.models import Actor, ApproverGroup, Verb


@transaction.atomic
def create_plan(
    api: Api,
    *,
    actor: Actor,
    name: str,
    limits: PlanLimits,
    slug: str = "",
    description: str = "",
    environments: Iterable[Environment] = (),
    approvers: ApproverGroup | None = None,
    publish: bool = False,
) -> Plan:
    """A new draft plan of `api` with its first revision; on offer at once with `publish`.

    No environments: offered in all of them.

    Raises PermissionDenied, ValidationError.
    """
    actor.require(Verb.API_EDIT, api.team)
    _require_own_group(api, approvers)
    plan = Plan(
        api=api,
        slug=slug or short_name(name, "plan"),
        name=name,
        description=description,
        approvers=approvers,
    )
    plan.full_clean()
    plan.save()
    plan.environments.set(environments)
    revision = _save_revision(PlanRevision(plan=plan, number=1), limits)
    record_event("plan.created", plan, actor=actor, after=_state(plan) | _values(revision))
    return publish_plan(plan, actor=actor) if publish else plan


@transaction.atomic
def change_plan(
    plan: Plan,
    *,
    actor: Actor,
    name: str | None = None,
    description: str | None = None,
    environments: Iterable[Environment] | None = None,
    approvers: ApproverGroup | bool | None = False,
    limits: PlanLimits | None = None,
) -> Plan:
    """Change what is given; `approvers` False leaves the group, None takes it away.

    Limits that were published never change: other `limits` make a new PlanRevision, on offer from now on,
    and existing subscriptions keep theirs. Raises PermissionDenied, ValidationError, and ActionRefused for
    a closed plan.
    """
    plan = _locked(plan, actor, Verb.API_EDIT)
    if plan.state == Plan.State.CLOSED:
        raise ActionRefused(_("This plan is closed. Make a new plan instead."), code="plan_closed")
    was = _state(plan) | _values(_current(plan))
    apply_changes(plan, {"name": name, "description": description})
    if not isinstance(approvers, bool):
        _require_own_group(plan.api, approvers)
        plan.approvers = approvers
    plan.full_clean()
    if environments is not None:
        plan.environments.set(environments)
    if limits is not None:
        _revise(plan, limits)
    now = _state(plan) | _values(_current(plan))
    if now == was:
        return plan
    plan.save()
    before = {key: value for key, value in was.items() if now[key] != value}
    record_event("plan.changed", plan, actor=actor, before=before, after={key: now[key] for key in before})
    return plan


@transaction.atomic
def publish_plan(plan: Plan, *, actor: Actor) -> Plan:
    """Offer a draft, or a deprecated plan again. Its newest limits are fixed from now on."""
    plan, before = _move(plan, Plan.State.PUBLISHED, actor)
    revision = _current(plan)
    if revision.published_at is None:
        revision.published_at = timezone.now()
        revision.save()
    record_event("plan.published", plan, actor=actor, before=before, after=_values(revision))
    return plan


@transaction.atomic
def deprecate_plan(plan: Plan, *, actor: Actor, note: str = "") -> Plan:
    """No new subscriptions from now on; the present ones go on. It can be offered again."""
    plan, before = _move(plan, Plan.State.DEPRECATED, actor)
    record_event("plan.deprecated", plan, actor=actor, before=before, note=note)
    return plan


@transaction.atomic
def close_plan(plan: Plan, *, actor: Actor, note: str = "") -> Plan:
    """End the offer for good. Subscriptions on it go on until they are moved or closed."""
    plan, before = _move(plan, Plan.State.CLOSED, actor)
    record_event("plan.closed", plan, actor=actor, before=before, note=note)
    return plan


def _move(plan: Plan, state: str, actor: Actor) -> tuple[Plan, dict[str, str]]:
    """The plan, locked, in its new state, and what it was in. Raises TransitionNotAllowed."""
    plan = _locked(plan, actor, Verb.API_PUBLISH)
    before = {"state": str(plan.state)}
    plan.move_to(state)
    plan.full_clean()
    plan.save()
    return plan, before


def _locked(plan: Plan, actor: Actor, verb: Verb) -> Plan:
    plan = Plan.objects.select_for_update(of=("self",)).select_related("api__team").get(pk=plan.pk)
    actor.require(verb, plan.api.team)
    return plan


def _current(plan: Plan) -> PlanRevision:
    return plan.revisions.order_by("-number")[0]


def _revise(plan: Plan, limits: PlanLimits) -> None:
    """Put `limits` on offer: in place while unpublished, else as the next revision."""
    revision = _current(plan)
    if revision.limits == limits:
        return
    if revision.published_at is not None:
        revision = PlanRevision(plan=plan, number=revision.number + 1, published_at=timezone.now())
    _save_revision(revision, limits)


def _save_revision(revision: PlanRevision, limits: PlanLimits) -> PlanRevision:
    if limits.rate_tokens is not None and not is_ai(revision.plan.api):
        text = _("Only calls of a prompt or a model consume tokens. Leave this empty for other APIs.")
        raise ValidationError({"rate_tokens": text})
    for name, value in asdict(limits).items():
        setattr(revision, name, value)
    revision.full_clean()
    revision.save()
    return revision


def _require_own_group(api: Api, group: ApproverGroup | None) -> None:
    if group is not None and group.team_id != api.team_id:
        raise ActionRefused(_("This approver group belongs to another team. Choose one of your own."))


def _state(plan: Plan) -> dict[str, Any]:
    """What the audit trail keeps of the plan itself."""
    return {
        "name": plan.name,
        "description": plan.description,
        "environments": sorted(plan.environments.values_list("slug", flat=True)),
        "approvers": plan.approvers.name if plan.approvers else "",
    }


def _values(revision: PlanRevision) -> dict[str, Any]:
    return {"revision": revision.number, **asdict(revision.limits)}
