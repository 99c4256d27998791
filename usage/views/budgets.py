"""Budgets: how they stand, and setting, changing and ending them."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from subscriptions.actions import change_budget, retire_budget, set_budget, teams_over
from subscriptions.budget_targets import find_target, read_value, uses_ai, value_of
from subscriptions.models import Budget
from teams.access import HtmxHttpRequest, page
from teams.access.refusals import tried
from teams.models import Verb
from usage.budgets import Standing, standings
from usage.forms import BudgetChangeForm, BudgetForm, EndBudgetForm

PAGE_SIZE = 50
INVALID = 422


@page(Verb.BUDGET_VIEW)
def budget_list(request: HtmxHttpRequest) -> HttpResponse:
    """Every budget that the reader may see, those nearest to their limit first."""
    shown = "retired" if request.GET.get("show") == "retired" else "standing"
    visible = Budget.objects.visible_to(request.actor)
    found = visible.filter(state=Budget.State.RETIRED) if shown == "retired" else visible.standing()
    page_of = Paginator(found.told().order_by("name", "pk"), PAGE_SIZE).get_page(request.GET.get("page"))
    rows = sorted(standings(page_of.object_list), key=lambda one: -one.percent)
    context = {
        "rows": rows,
        "page": page_of,
        "shown": shown,
        "retired": visible.filter(state=Budget.State.RETIRED).count(),
        "may_set": request.actor.may(Verb.BUDGET_MANAGE),
    }
    return render(request, "usage/budgets/budget_list.html", context)


@page(Verb.BUDGET_VIEW)
def budget_detail(request: HtmxHttpRequest, public_id: str) -> HttpResponse:
    """One budget: what is spent, since when it is counted, and which runtimes hold calls against it."""
    budget = _found(request, public_id)
    context = {
        "budget": budget,
        "standing": _standing(budget),
        "may_manage": _may_manage(request, budget),
    }
    return render(request, "usage/budgets/budget_detail.html", context)


@page(Verb.BUDGET_VIEW)
def budgets_of(request: HtmxHttpRequest, scope: str, public_id: str) -> HttpResponse:
    """A piece of the page of an application, a subscription or a model: its budgets; nothing where AI is no matter."""
    target = find_target(request.actor, scope, public_id)
    if target is None:
        raise Http404
    found = Budget.objects.visible_to(request.actor).standing().filter(**{f"of_{scope}": target})
    own = {team.pk for team in teams_over(target)} & request.actor.team_ids(Verb.BUDGET_MANAGE)
    context = {
        "rows": standings(found.told().order_by("name")),
        "of": value_of(target),
        "may_set": bool(own) or request.actor.everywhere(Verb.BUDGET_MANAGE),
        "matters": uses_ai(target),
    }
    return render(request, "usage/budgets/budgets_of.html", context)


@page(Verb.BUDGET_MANAGE, methods=("GET", "POST"))
def budget_create(request: HtmxHttpRequest) -> HttpResponse:
    """Set a budget; `?of=` names what it is for."""
    also = read_value(request.actor, request.GET.get("of", ""))
    form = BudgetForm(request.POST if request.method == "POST" else None, actor=request.actor, also=also)
    if request.method == "POST" and form.is_valid():
        assert form.target is not None  # noqa: S101 - the form would not be valid
        budget = tried(
            form,
            set_budget,
            form.cleaned_data["name"],
            form.target,
            form.values,
            actor=request.actor,
            team=form.team_chosen,
        )
        if budget is not None:
            messages.success(request, _("%(budget)s is set.") % {"budget": budget})
            return redirect("budget", budget.public_id)
    return _form(request, form, {})


@page(Verb.BUDGET_MANAGE, methods=("GET", "POST"))
def budget_edit(request: HtmxHttpRequest, public_id: str) -> HttpResponse:
    """Another limit or consequence."""
    budget = _managed(request, public_id)
    form = BudgetChangeForm(request.POST if request.method == "POST" else None, budget=budget)
    if request.method == "POST" and form.is_valid():
        changed = tried(form, change_budget, budget, actor=request.actor, **form.values)
        if changed is not None:
            messages.success(request, _("Saved."))
            return redirect("budget", public_id)
    return _form(request, form, {"budget": budget})


@page(Verb.BUDGET_MANAGE, methods=("GET", "POST"))
def budget_retire(request: HtmxHttpRequest, public_id: str) -> HttpResponse:
    """End it."""
    budget = _managed(request, public_id)
    form = EndBudgetForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        done = tried(form, retire_budget, budget, actor=request.actor, reason=form.cleaned_data["reason"])
        if done is not None:
            messages.success(request, _("%(budget)s has ended.") % {"budget": budget})
            return redirect("budgets")
    status = INVALID if request.method == "POST" else 200
    return render(
        request, "usage/budgets/budget_retire.html", {"form": form, "budget": budget}, status=status
    )


def _form(request: HtmxHttpRequest, form: Any, context: dict[str, Any]) -> HttpResponse:
    status = INVALID if request.method == "POST" else 200
    return render(request, "usage/budgets/budget_form.html", {**context, "form": form}, status=status)


def _found(request: HtmxHttpRequest, public_id: str) -> Budget:
    return get_object_or_404(Budget.objects.visible_to(request.actor).told(), public_id=public_id)


def _managed(request: HtmxHttpRequest, public_id: str) -> Budget:
    """Raises Http404 for what is not seen, PermissionDenied for what others set."""
    budget = _found(request, public_id)
    if not request.actor.everywhere(Verb.BUDGET_MANAGE):
        request.actor.require(Verb.BUDGET_MANAGE, budget.team)
    return budget


def _may_manage(request: HtmxHttpRequest, budget: Budget) -> bool:
    own = Budget.objects.manageable_by(request.actor).filter(pk=budget.pk, state=Budget.State.ACTIVE)
    return own.exists()


def _standing(budget: Budget) -> Standing:
    return standings([budget])[0]
