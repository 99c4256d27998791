"""Usage of an API for its team, of an application for its team, and an overview of both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone

from teams.access import HtmxHttpRequest, htmx_partial, page
from teams.models import Verb
from usage.ai_dashboards import ai_dashboard
from usage.ai_queries import ai_summaries
from usage.ai_sums import AiFigures
from usage.dashboards import dashboard, named_differences
from usage.queries import (
    UsageScope,
    apis_of,
    applications_of,
    completeness,
    gateways_of_api,
    gateways_of_application,
    summaries,
)
from usage.ranges import RANGES, Window, window
from usage.sums import Figures
from usage.views.filters import Filter, filters_of_api, filters_of_application

LIVE_RANGES = ("1h", "6h")
"""Ranges whose page follows calls as they arrive."""

PAGE_SIZE = 20


@page(Verb.USAGE_VIEW)
def usage_home(request: HtmxHttpRequest) -> HttpResponse:
    """The APIs and applications whose usage the actor may see, with their calls in the chosen range."""
    shown = window(request.GET.get("range", "24h"), timezone.now())
    context = {
        "apis": _listed(request, "api", apis_of(request.actor), shown),
        "applications": _listed(request, "application", applications_of(request.actor), shown),
        "window": shown,
        "ranges": RANGES.values(),
    }
    return render(request, "usage/usage_list.html", context)


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of targets, each with its figures and what its AI calls consumed. `parameter` names it in the URL."""

    parameter: str
    page: Page[Any]
    rows: list[tuple[Any, Figures, AiFigures]]
    has_ai: bool

    @property
    def before(self) -> dict[str, int]:
        """What the URL says on the page before."""
        return {self.parameter: self.page.previous_page_number()}

    @property
    def after(self) -> dict[str, int]:
        return {self.parameter: self.page.next_page_number()}


def _listed(request: HtmxHttpRequest, kind: str, targets: QuerySet[Any], shown: Window) -> Listed:
    """The page of `targets` that the URL asks for; as many queries for one as for all."""
    parameter = f"{kind}-page"
    ordered = targets.select_related("team").order_by("name", "pk")
    page = Paginator(ordered, PAGE_SIZE).get_page(request.GET.get(parameter))
    ids = [target.public_id for target in page]
    calls, consumed = summaries(kind, ids, shown), ai_summaries(kind, ids, shown)
    rows = [
        (one, calls.get(one.public_id, Figures()), consumed.get(one.public_id, AiFigures())) for one in page
    ]
    return Listed(parameter, page, rows, bool(consumed))


@page(Verb.USAGE_VIEW)
def usage_api(request: HtmxHttpRequest, team: str, slug: str) -> HttpResponse:
    """Calls to one API, for the team that offers it."""
    api = get_object_or_404(apis_of(request.actor).select_related("team"), team__slug=team, slug=slug)
    scope = UsageScope({"api": api.public_id})
    filters = filters_of_api(request, api)
    breakdowns = ("plan", "operation", "application", "status")
    context = {
        "api": api,
        "gateways": gateways_of_api(api.pk),
        "ai_by": ("model", "prompt", "application", "plan"),
        "runs_url": reverse("usage-api-runs", args=[team, slug]),
    }
    return _dashboard(request, "usage/usage_api.html", scope, filters, breakdowns, context)


@page(Verb.USAGE_VIEW)
def usage_application(request: HtmxHttpRequest, public_id: str) -> HttpResponse:
    """Calls of one application, for the team that runs it."""
    application = get_object_or_404(
        applications_of(request.actor).select_related("team"), public_id=public_id
    )
    scope = UsageScope({"application": application.public_id})
    filters = filters_of_application(request, application)
    breakdowns = ("api", "operation", "plan", "key_id", "status")
    context = {
        "application": application,
        "ai_by": ("api", "model", "prompt", "plan"),
        "runs_url": reverse("usage-application-runs", args=[public_id]),
        "gateways": gateways_of_application(application.pk),
        "subscriptions": application.subscriptions.open().select_related(
            "api_version__api", "environment", "plan_revision__plan"
        ),
    }
    return _dashboard(request, "usage/usage_application.html", scope, filters, breakdowns, context)


def _dashboard(
    request: HtmxHttpRequest,
    template: str,
    scope: UsageScope,
    filters: list[Filter],
    by: tuple[str, ...],
    context: dict[str, Any],
) -> HttpResponse:
    shown: Window = window(request.GET.get("range", ""), timezone.now())
    narrowed = scope.narrowed(**{one.name: one.chosen for one in filters})
    whole = completeness(context["gateways"], shown, narrowed)
    context |= {
        "dashboard": dashboard(narrowed, shown, by),
        "ai": ai_dashboard(narrowed, shown, context["ai_by"]),
        "completeness": whole,
        "differences": named_differences(whole.differences),
        "window": shown,
        "ranges": RANGES.values(),
        "filters": filters,
        "follows": shown.range.name in LIVE_RANGES,
        "kept": {one.name: one.chosen for one in filters if one.chosen},
    }
    return render(request, template + ("#figures" if htmx_partial(request) else ""), context)
