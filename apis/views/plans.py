"""Plans in the publish area."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from apis.actions import change_plan, close_plan, create_plan, deprecate_plan, publish_plan
from apis.forms import PlanForm, add_errors
from apis.forms.plans import LimitsForm
from apis.models import Plan
from apis.views.lookup import editable_api, own_plan
from teams.access import SIGNED_IN, HtmxHttpRequest, page
from teams.models import Verb

INVALID = 422
MOVES: dict[str, Callable[..., Plan]] = {
    "publish": publish_plan,
    "deprecate": deprecate_plan,
    "close": close_plan,
}


@page(Verb.API_EDIT, methods=("GET", "POST"))
def plan_create(request: HtmxHttpRequest, team: str, slug: str) -> HttpResponseBase:
    """A new plan: a draft, or on offer at once by the button "publish"."""
    api = editable_api(request, team, slug)
    form = PlanForm(request.POST if request.method == "POST" else None, api=api)
    if request.method == "POST" and form.is_valid():
        try:
            plan = create_plan(api, actor=request.actor, publish="publish" in request.POST, **form.values)
        except ValidationError as error:
            add_errors(form, error)
        else:
            messages.success(request, _("%(plan)s is saved.") % {"plan": plan})
            return redirect("api-settings", team, slug)
    context = {"form": form, "api": api, "sentence": _sentence(form)}
    return render(request, "apis/plan_form.html", context, status=INVALID if form.is_bound else 200)


@page(Verb.API_VIEW, methods=("GET", "POST"))
def plan_detail(request: HtmxHttpRequest, team: str, slug: str, plan: str) -> HttpResponseBase:
    """A plan with its revisions; for editors also the form."""
    found = own_plan(request, team, slug, plan)
    if request.method == "POST":
        request.actor.require(Verb.API_EDIT, found.api.team)
    form = PlanForm(request.POST if request.method == "POST" else None, api=found.api, plan=found)
    if request.method == "POST" and form.is_valid():
        try:
            change_plan(found, actor=request.actor, **form.values)
        except ValidationError as error:
            add_errors(form, error)
        else:
            messages.success(request, _("Saved."))
            return redirect("plan-detail", team, slug, plan)
    context = {
        "form": form,
        "api": found.api,
        "plan": found,
        "revisions": found.revisions.order_by("-number"),
        "sentence": _sentence(form) if form.is_bound else str(found.newest[0].limits),  # type: ignore[attr-defined]
        "may_edit": request.actor.may(Verb.API_EDIT, found.api.team) and found.state != Plan.State.CLOSED,
        "moves": [move for move, state in _STATES.items() if found.may_move_to(state)],
    }
    return render(request, "apis/plan_detail.html", context, status=INVALID if form.is_bound else 200)


_STATES = {"publish": Plan.State.PUBLISHED, "deprecate": Plan.State.DEPRECATED, "close": Plan.State.CLOSED}


@page(Verb.API_PUBLISH, methods=("GET", "POST"))
def plan_move(request: HtmxHttpRequest, team: str, slug: str, plan: str, move: str) -> HttpResponseBase:
    """Publish, deprecate or close a plan, after a page that says what it means."""
    found = own_plan(request, team, slug, plan)
    request.actor.require(Verb.API_PUBLISH, found.api.team)
    if move not in MOVES:
        raise Http404
    if request.method == "POST":
        MOVES[move](found, actor=request.actor)
        return redirect("plan-detail", team, slug, plan)
    return render(request, "apis/plan_confirm_move.html", {"plan": found, "api": found.api, "move": move})


@page(SIGNED_IN)
def plan_sentence(request: HtmxHttpRequest) -> HttpResponseBase:
    """What the limits in the form mean, in words, while they are typed."""
    return render(request, "apis/plan_sentence.html", {"sentence": _sentence(LimitsForm(request.GET))})


def _sentence(form: LimitsForm) -> str:
    """The limits of `form` in words; empty while they make no sense."""
    if not form.is_bound:
        form = LimitsForm({name: field.initial for name, field in LimitsForm.base_fields.items()})
    limits_form = LimitsForm(form.data)
    return str(limits_form.limits) if limits_form.is_valid() else ""
