"""AI calls one by one: of an API for its team, of an application for its team, and what one of them did."""

from __future__ import annotations

from typing import Any

from django.db.models import Q
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apis.models import Api
from subscriptions.models import Application
from teams.access import HtmxHttpRequest, htmx_partial, page
from teams.models import Verb
from usage.ai_dashboards import labels_in
from usage.ai_queries import ai_values, body_of, may_read_body, record_of, run_named, runs_in
from usage.models import AiRun
from usage.queries import UsageScope, apis_of, applications_of
from usage.ranges import RANGES, window
from usage.run_words import told
from usage.views.filters import Filter, choice, filters_of_api, filters_of_application

PAGE_SIZE = 25
NEWEST = 8
"""Runs that stand below the sums of a usage page."""


@page(Verb.USAGE_VIEW)
def usage_api_runs(request: HtmxHttpRequest, team: str, slug: str) -> HttpResponse:
    """AI calls to one API, newest first."""
    api = get_object_or_404(apis_of(request.actor).select_related("team"), team__slug=team, slug=slug)
    context = {"title": api.name, "usage_url": reverse("usage-api", args=[team, slug])}
    return _runs(request, UsageScope({"api": api.public_id}), filters_of_api(request, api), context)


@page(Verb.USAGE_VIEW)
def usage_application_runs(request: HtmxHttpRequest, public_id: str) -> HttpResponse:
    """AI calls of one application, newest first."""
    application = get_object_or_404(applications_of(request.actor), public_id=public_id)
    context = {"title": application.name, "usage_url": reverse("usage-application", args=[public_id])}
    filters = filters_of_application(request, application)
    return _runs(request, UsageScope({"application": public_id}), filters, context)


def _runs(
    request: HtmxHttpRequest, scope: UsageScope, filters: list[Filter], context: dict[str, Any]
) -> HttpResponse:
    """The list; the URL says the range, the filters, what is searched for and after which run it goes on."""
    shown = window(request.GET.get("range", "24h"), timezone.now())
    for name, label in (("model", _("Model")), ("prompt", _("Prompt version"))):
        values = [value for value in ai_values(scope, shown, name) if value]
        filters = [*filters, choice(request, name, label, list(labels_in(name, values).items()))]
    found = runs_in(scope, shown, **{one.name: one.chosen for one in filters})
    if sought := request.GET.get("q", "").strip()[:64]:
        found = found.filter(Q(request_id=sought) | Q(run=sought))
    if last := found.filter(run=request.GET.get("after", "")).first():
        found = found.filter(Q(at__lt=last.at) | Q(at=last.at, pk__lt=last.pk))
    is_part = htmx_partial(request)
    size = NEWEST if is_part else PAGE_SIZE
    runs = list(found[: size + 1])
    context |= {
        "rows": told(runs[:size]),
        "goes_on": runs[size - 1].run if len(runs) > size else "",
        "is_later": last is not None,
        "sought": sought,
        "window": shown,
        "ranges": RANGES.values(),
        "filters": filters,
        "is_part": is_part,
    }
    return render(request, "usage/runs.html" + ("#runs" if is_part else ""), context)


@page(Verb.USAGE_VIEW)
def usage_run(request: HtmxHttpRequest, run: str) -> HttpResponse:
    """One AI call: its attempts, what they consumed, and what was said where that is kept."""
    found = run_named(request.actor, run)
    if found is None:
        raise Http404
    may_read, body = may_read_body(request.actor, found), body_of(found)
    context = {
        "told": told([found])[0],
        "record": record_of(found),
        "may_read": may_read,
        "body": body if may_read else None,
        "kept_until": body.expires_at if body else None,
        **_sides(request, found),
    }
    return render(request, "usage/run_detail.html", context)


def _sides(request: HtmxHttpRequest, run: AiRun) -> dict[str, Api | Application | None]:
    """The API and the application whose usage the reader may see, too."""
    apis, applications = apis_of(request.actor), applications_of(request.actor)
    return {
        "api": apis.filter(public_id=run.api).select_related("team").first(),
        "application": applications.filter(public_id=run.application).first(),
    }
