"""Where calls go: the upstream of a version, and the addresses of each upstream."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import Http404
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from apis.actions import choose_upstream, give_upstream, set_binding
from apis.forms import BindingForm, ChooseUpstreamForm, NewUpstreamForm, add_errors
from apis.models import ApiVersion, Environment, Upstream
from apis.queries import bound_environments
from apis.views.ai_upstreams import ai_upstream
from apis.views.lookup import editable_version, own_upstream
from teams.access import HtmxHttpRequest, page
from teams.models import Verb

INVALID = 422


@page(Verb.API_EDIT, methods=("GET", "POST"))
def version_upstream(request: HtmxHttpRequest, team: str, slug: str, major: int) -> HttpResponseBase:
    """A new upstream with its addresses, or one that the team has: the button pressed says which."""
    version = editable_version(request, team, slug, major)
    owner = version.api.team
    choosing = "choose" in request.POST
    choose = ChooseUpstreamForm(request.POST if choosing else None, team=owner)
    new = NewUpstreamForm(
        request.POST if request.method == "POST" and not choosing else None,
        initial={"name": f"{version.api.slug}-backend"[:48]},
    )
    form = choose if choosing else new
    if request.method == "POST" and form.is_valid():
        try:
            _give(request, version, form)
        except ValidationError as error:
            add_errors(form, error)
        else:
            return redirect("version-detail", team, slug, major)
    context = {"version": version, "api": version.api, "new_form": new, "choose_form": choose}
    context["has_upstreams"] = Upstream.objects.filter(team=owner).exists()
    return render(request, "apis/version_upstream.html", context, status=INVALID if form.is_bound else 200)


def _give(request: HtmxHttpRequest, version: ApiVersion, form: ChooseUpstreamForm | NewUpstreamForm) -> None:
    if isinstance(form, ChooseUpstreamForm):
        choose_upstream(version, actor=request.actor, upstream=form.cleaned_data["upstream"])
    else:
        give_upstream(version, actor=request.actor, name=form.cleaned_data["name"], bindings=form.bindings)


@page(Verb.API_VIEW, methods=("GET", "POST"))
def upstream_detail(request: HtmxHttpRequest, public_id: str) -> HttpResponseBase:
    """The addresses in each environment, one form each; "add" shows one more row and saves nothing."""
    upstream = own_upstream(request, public_id)
    environments = bound_environments(upstream)
    if upstream.is_ai:
        return ai_upstream(request, upstream, environments, _users_of(upstream))
    if request.method != "POST":
        return _upstream_page(request, upstream, environments)
    request.actor.require(Verb.API_EDIT, upstream.team)
    environment = _sent_environment(request, environments)
    form = BindingForm(
        request.POST,
        environment=environment,
        binding=environment.binding,  # type: ignore[attr-defined]
        more="add" in request.POST,
    )
    if "add" in request.POST:
        return _upstream_page(request, upstream, environments, form)
    if form.is_valid() and _bound(request, upstream, form):
        return redirect("upstream-detail", public_id)
    return _upstream_page(request, upstream, environments, form, status=INVALID)


def _users_of(upstream: Upstream) -> QuerySet[ApiVersion]:
    return ApiVersion.objects.filter(upstream=upstream).select_related("api__team").order_by("api__name")


def _sent_environment(request: HtmxHttpRequest, environments: list[Environment]) -> Environment:
    for environment in environments:
        if environment.slug == request.POST.get("environment"):
            return environment
    raise Http404


def _bound(request: HtmxHttpRequest, upstream: Upstream, form: BindingForm) -> bool:
    """Whether the addresses were taken; what was wrong with them stands in `form` otherwise."""
    try:
        set_binding(
            upstream,
            actor=request.actor,
            environment=form.environment,
            targets=form.targets,
            **form.cleaned_data,
        )
    except ValidationError as error:
        add_errors(form, error)
        return False
    messages.success(
        request,
        _("Saved. The gateways of %(environment)s take it up now.") % {"environment": form.environment},
    )
    return True


def _upstream_page(
    request: HtmxHttpRequest,
    upstream: Upstream,
    environments: list[Environment],
    sent: BindingForm | None = None,
    *,
    status: int = 200,
) -> HttpResponseBase:
    forms = [
        sent
        if sent is not None and sent.environment == row
        else BindingForm(environment=row, binding=row.binding)  # type: ignore[attr-defined]
        for row in environments
    ]
    context: dict[str, Any] = {
        "upstream": upstream,
        "forms": forms,
        "used_by": _users_of(upstream),
        "may_edit": request.actor.may(Verb.API_EDIT, upstream.team),
    }
    return render(request, "apis/upstream_detail.html", context, status=status)
