"""Model routes: the list, one in words, and its editor."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from django.contrib import messages
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from ai import actions
from ai.forms.providers import EndForm
from ai.forms.routes import NewRouteForm, RouteForm
from ai.models import AiModel, ModelRoute
from ai.queries import choosable_models, may_manage, prompts_through, with_targets
from ai.views.lookup import find_route, managed_route
from ai.views.providers import INVALID
from teams.access import HtmxHttpRequest, page
from teams.access.refusals import tried
from teams.models import Verb


@page(Verb.AI_VIEW)
def route_list(request: HtmxHttpRequest) -> HttpResponseBase:
    """Every alias the reader may use."""
    visible = ModelRoute.objects.visible_to(request.actor)
    context = {
        "routes": with_targets(visible.usable().order_by("alias", "pk")),
        "retired": visible.filter(retired_at__isnull=False).count(),
        "may_add": request.actor.may(Verb.AI_MANAGE),
        "has_models": AiModel.objects.visible_to(request.actor).usable().exists(),
    }
    return render(request, "ai/routes/route_list.html", context)


@page(Verb.AI_VIEW)
def route_detail(request: HtmxHttpRequest, public_id: str) -> HttpResponseBase:
    """One alias: what is tried, in which order, and when."""
    route = find_route(request, public_id)
    context = {
        "route": route,
        "steps": steps_of(route),
        "prompts": prompts_through(route).visible_to(request.actor).order_by("name"),  # type: ignore[attr-defined]
        "may_manage": may_manage(request.actor, route) and route.retired_at is None,
        "end_form": EndForm(),
    }
    return render(request, "ai/routes/route_detail.html", context)


def steps_of(route: ModelRoute) -> list[list[dict[str, Any]]]:
    """The targets by order, those of one order with their shares of a hundred."""
    steps = []
    for _rank, group in groupby(route.targets.all(), key=lambda target: target.rank):
        targets = list(group)
        total = sum(target.weight for target in targets)
        steps.append([{"target": target, "share": target.weight / total} for target in targets])
    return steps


@page(Verb.AI_MANAGE, methods=("GET", "POST"))
def route_create(request: HtmxHttpRequest) -> HttpResponseBase:
    """A new alias; "add" shows one more row and saves nothing."""
    models = AiModel.objects.visible_to(request.actor).usable().select_related("provider__team")
    more, data = "add" in request.POST, request.POST if request.method == "POST" else None
    form = NewRouteForm(data, actor=request.actor, models=models, more=more)
    if data is not None and not more and form.is_valid():
        values = {"alias": form.cleaned_data["alias"], "team": form.team_chosen}
        route = tried(
            form,
            actions.create_route,
            actor=request.actor,
            targets=form.targets,
            values=form.values,
            **values,
        )
        if route is not None:
            messages.success(request, _("Saved."))
            return redirect("ai-route", route.public_id)
    return _editor(request, form, {}, more=more)


@page(Verb.AI_VIEW, methods=("GET", "POST"))
def route_edit(request: HtmxHttpRequest, public_id: str) -> HttpResponseBase:
    """Another choice of models, or another behaviour."""
    route = managed_route(request, public_id)
    more, data = "add" in request.POST, request.POST if request.method == "POST" else None
    models = choosable_models(request.actor, route.team)
    form = RouteForm(data, models=models, route=route, more=more)
    if data is not None and not more and form.is_valid():
        changed = tried(
            form, actions.change_route, route, actor=request.actor, targets=form.targets, values=form.values
        )
        if changed is not None:
            messages.success(request, _("Saved."))
            return redirect("ai-route", public_id)
    return _editor(request, form, {"route": route}, more=more)


def _editor(
    request: HtmxHttpRequest, form: RouteForm, context: dict[str, Any], *, more: bool
) -> HttpResponseBase:
    wrong = request.method == "POST" and not more
    context = {**context, "form": form}
    return render(request, "ai/routes/route_form.html", context, status=INVALID if wrong else 200)


@page(Verb.AI_VIEW, methods=("GET", "POST"))
def route_retire(request: HtmxHttpRequest, public_id: str) -> HttpResponseBase:
    """End an alias."""
    route = managed_route(request, public_id)
    form = EndForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        note = form.cleaned_data["note"]
        if tried(form, actions.retire_route, route, actor=request.actor, note=note) is not None:
            messages.success(request, _("%(route)s is retired.") % {"route": route})
            return redirect("ai-routes")
    status = INVALID if request.method == "POST" else 200
    return render(request, "ai/routes/route_retire.html", {"form": form, "route": route}, status=status)
