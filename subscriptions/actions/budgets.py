"""Budgets: set, changed, retired."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ai.models import AiModel
from audit.actions import record_event
from audit.models import new_public_id
from subscriptions.models import Application, Budget, BudgetCount, BudgetTarget, Endpoint, Subscription
from teams.models import Actor, Team, Verb


@dataclass(frozen=True, slots=True)
class BudgetValues:
    """How much, and what happens then; fields as those of Budget."""

    limit: int
    unit: str = Budget.Unit.MONEY
    currency: str = ""
    period: str = Budget.Period.MONTH
    hard: bool = True
    fail_open: bool = False


@transaction.atomic
def set_budget(
    name: str, target: BudgetTarget, values: BudgetValues, *, actor: Actor, team: Team | None = None
) -> Budget:
    """A new ceiling for `target`, set by `team`, or by the platform for None. What is spent already counts.

    A team sets it for itself, its applications and subscriptions, for those who subscribe to its APIs, for its
    endpoints and for models of its providers. Raises PermissionDenied, ValidationError.
    """
    _require(actor, team)
    if team is not None and team not in teams_over(target):
        raise PermissionDenied(
            _("%(team)s has no say over this. Choose something of your team, or ask an administrator.")
            % {"team": team}
        )
    fields = {name: getattr(values, name) for name in BudgetValues.__slots__}
    budget = Budget(name=name.strip(), team=team, **_named(target), **fields)
    budget.full_clean()
    budget.save()
    BudgetCount.objects.create(budget=budget, generation=new_public_id("gen"), begun_at=timezone.now())
    record_event("budget.set", budget, actor=actor, after=_facts(budget))
    return budget


@transaction.atomic
def change_budget(
    budget: Budget,
    *,
    actor: Actor,
    name: str | None = None,
    limit: int | None = None,
    hard: bool | None = None,
    fail_open: bool | None = None,
) -> Budget:
    """Another limit or another consequence; what is None stays. Raises TransitionNotAllowed for a retired one."""
    budget = _locked(budget, actor)
    budget.require_move_to(Budget.State.RETIRED)
    before = _facts(budget)
    if limit is not None and limit != budget.limit:
        budget.told_share = 0
    wanted = {"name": name, "limit": limit, "hard": hard, "fail_open": fail_open}
    for field, value in wanted.items():
        if value is not None:
            setattr(budget, field, value)
    budget.full_clean()
    budget.save()
    record_event("budget.changed", budget, actor=actor, before=before, after=_facts(budget))
    return budget


@transaction.atomic
def retire_budget(budget: Budget, *, actor: Actor, reason: str = "") -> Budget:
    """End it: nothing is held against it any more. Raises TransitionNotAllowed when it has ended."""
    budget = _locked(budget, actor)
    budget.move_to(Budget.State.RETIRED)
    budget.save()
    record_event("budget.retired", budget, actor=actor, before=_facts(budget), note=reason)
    return budget


def teams_over(target: BudgetTarget) -> set[Team]:
    """The teams that may set a budget for `target`."""
    match target:
        case Team():
            return {target}
        case Application():
            return {target.team}
        case Subscription():
            return {target.application.team, target.api_version.api.team}
        case Endpoint():
            return {target.version.api.team}
        case AiModel():
            return {target.provider.team} if target.provider.team else set()


def _named(target: BudgetTarget) -> dict[str, Any]:
    match target:
        case Team():
            return {"scope": Budget.Scope.TEAM, "of_team": target}
        case Application():
            return {"scope": Budget.Scope.APPLICATION, "of_application": target}
        case Subscription():
            return {"scope": Budget.Scope.SUBSCRIPTION, "of_subscription": target}
        case Endpoint():
            scope = Budget.Scope.ENDPOINT
            return {"scope": scope, "of_version": target.version, "of_environment": target.environment}
        case AiModel():
            return {"scope": Budget.Scope.MODEL, "of_model": target}


def _require(actor: Actor, team: Team | None) -> None:
    if team is not None:
        actor.require(Verb.BUDGET_MANAGE, team)
    elif not actor.everywhere(Verb.BUDGET_MANAGE):
        raise PermissionDenied(
            _("Only an administrator sets budgets for the platform. Set one for your team.")
        )


def _locked(budget: Budget, actor: Actor) -> Budget:
    found = Budget.objects.select_for_update(of=("self",), no_key=True).told().get(pk=budget.pk)
    if not actor.everywhere(Verb.BUDGET_MANAGE):
        _require(actor, found.team)
    return found


def _facts(budget: Budget) -> dict[str, Any]:
    return {
        "name": budget.name,
        "scope": budget.scope,
        "of": budget.scope_id,
        "period": budget.period,
        "unit": budget.unit,
        "currency": budget.currency,
        "limit": budget.limit,
        "hard": budget.hard,
        "fail_open": budget.fail_open,
    }
