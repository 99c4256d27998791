"""The publish area: the team's APIs, a new one, its settings and who shares it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from apis.actions import SpecNotAccepted, begin_api, change_api, read_document, share_api, unshare_api
from apis.forms import ApiCreateForm, ApiSettingsForm, ShareForm, add_errors
from apis.models import Api, ApiVersion
from apis.queries import all_plans, published_by, publishing_teams
from apis.views.lookup import editable_api, own_api
from teams.access import SIGNED_IN, HtmxHttpRequest, page
from teams.models import Team, Verb

INVALID = 422
PAGE_SIZE = 50


@page(SIGNED_IN)
def publish_list(request: HtmxHttpRequest) -> HttpResponseBase:
    """The APIs of the reader's teams with their states."""
    page_of_apis = Paginator(published_by(request.actor), PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "page": page_of_apis,
        "apis": page_of_apis.object_list,
        "may_create": request.actor.may(Verb.API_EDIT) and publishing_teams(request.actor).exists(),
        "may_offer": request.actor.may(Verb.PROMPT_VIEW),
    }
    return render(request, "apis/publish_list.html", context)


@page(Verb.API_EDIT, methods=("GET", "POST"))
def api_create(request: HtmxHttpRequest) -> HttpResponseBase:
    """A new API from a document or a name. The button "check" reads the document and saves nothing."""
    form = ApiCreateForm(request.POST or None, request.FILES or None, actor=request.actor)
    context: dict[str, Any] = {"form": form, "may_offer": request.actor.may(Verb.PROMPT_VIEW)}
    if request.method == "POST" and form.is_valid():
        try:
            if "check" in request.POST and form.document is not None:
                context["read"] = read_document(form.document, form.filename)
                form.keep(context["read"])
                return render(request, "apis/api_create.html", context)
            return _began(request, form)
        except SpecNotAccepted as refusal:
            context["refusal"] = refusal
            form.keep()
        except ValidationError as error:
            add_errors(form, error)
    return render(request, "apis/api_create.html", context, status=INVALID if form.is_bound else 200)


def _began(request: HtmxHttpRequest, form: ApiCreateForm) -> HttpResponseBase:
    version = begin_api(actor=request.actor, document=form.document, filename=form.filename, **form.values)
    messages.success(request, _("%(api)s is a draft now. Only your team sees it.") % {"api": version.api})
    return redirect("version-detail", version.api.team.slug, version.api.slug, version.major)


@page(Verb.API_VIEW)
def api_settings(request: HtmxHttpRequest, team: str, slug: str) -> HttpResponseBase:
    """One API in the publish area: versions, plans, who sees it."""
    api = own_api(request, team, slug)
    return render(request, "apis/publish_api.html", _api_context(request, api))


@page(Verb.API_EDIT, methods=("GET", "POST"))
def api_edit(request: HtmxHttpRequest, team: str, slug: str) -> HttpResponseBase:
    """Name, texts, tags, visibility."""
    api = editable_api(request, team, slug)
    form = ApiSettingsForm(request.POST or None, instance=api)
    if request.method == "POST" and form.is_valid():
        try:
            change_api(api, actor=request.actor, **form.values)
        except ValidationError as error:
            add_errors(form, error)
        else:
            messages.success(request, _("Saved."))
            return redirect("api-settings", team, slug)
    context = {"form": form, "api": api}
    return render(request, "apis/api_form.html", context, status=INVALID if form.is_bound else 200)


@page(Verb.API_EDIT, methods=("POST",))
def api_share(request: HtmxHttpRequest, team: str, slug: str) -> HttpResponseBase:
    """Let another team see a private API."""
    api = editable_api(request, team, slug)
    form = ShareForm(request.POST)
    if form.is_valid():
        share_api(api, actor=request.actor, team=form.cleaned_data["team"])
        return redirect("api-settings", team, slug)
    context = _api_context(request, api) | {"share_form": form}
    return render(request, "apis/publish_api.html", context, status=INVALID)


@page(Verb.API_EDIT, methods=("POST",))
def api_unshare(request: HtmxHttpRequest, team: str, slug: str, other: str) -> HttpResponseBase:
    """Take it from them again."""
    api = editable_api(request, team, slug)
    share = api.shares.select_related("team").filter(team__slug=other).first()
    if share is not None:
        unshare_api(api, actor=request.actor, team=share.team)
    return redirect("api-settings", team, slug)


def _api_context(request: HtmxHttpRequest, api: Api) -> dict[str, Any]:
    return {
        "api": api,
        "versions": ApiVersion.objects.filter(api=api).select_related("spec", "upstream").order_by("-major"),
        "plans": all_plans(api),
        "shared_with": Team.objects.filter(shared_apis__api=api).order_by("name"),
        "share_form": ShareForm(),
        "may_edit": request.actor.may(Verb.API_EDIT, api.team),
        "ever_published": api.first_published_at is not None,
    }
