"""The page of one API, as a reader sees it: overview, reference, plans, versions, and its document."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render

from apis.models import Api, ApiVersion, UpstreamBinding
from apis.queries import (
    listed_versions,
    offered_plans,
    operations_of,
    sees_drafts,
    shown_spec,
    text_without_addresses,
)
from apis.views.lookup import find_api, find_version
from teams.access import OPEN, HtmxHttpRequest, htmx_partial, page


@page(OPEN)
def api_detail(request: HtmxHttpRequest, team: str, slug: str) -> HttpResponseBase:
    """The overview of the version to start with."""
    api = find_api(request, team, slug)
    versions = listed_versions(api, request.actor)
    return _overview(request, api, versions[0] if versions else None)


@page(OPEN)
def api_version(request: HtmxHttpRequest, team: str, slug: str, major: int) -> HttpResponseBase:
    """The overview of one version."""
    version = find_version(request, team, slug, major)
    return _overview(request, version.api, version)


@page(OPEN)
def api_reference(request: HtmxHttpRequest, team: str, slug: str, major: int) -> HttpResponseBase:
    """The reference by Scalar, with the operations as a list for keyboards and readers without scripts."""
    version = find_version(request, team, slug, major)
    context = _context(request, version.api, version, "reference")
    context["operations"] = operations_of(context["spec"])
    return render(request, "apis/api_reference.html", context)


@page(OPEN)
def api_plans(request: HtmxHttpRequest, team: str, slug: str, major: int) -> HttpResponseBase:
    """The plans on offer, side by side."""
    version = find_version(request, team, slug, major)
    context = _context(request, version.api, version, "plans") | {"plans": offered_plans(version.api)}
    return render(request, "apis/api_plans.html", context)


@page(OPEN)
def api_versions(request: HtmxHttpRequest, team: str, slug: str) -> HttpResponseBase:
    """Every version that the reader may see."""
    api = find_api(request, team, slug)
    versions = listed_versions(api, request.actor)
    context = _context(request, api, versions[0] if versions else None, "versions")
    return render(request, "apis/api_versions.html", context)


@page(OPEN)
def version_openapi(request: HtmxHttpRequest, team: str, slug: str, major: int) -> HttpResponseBase:
    """The document as stored, without addresses; the gateways app serves it with theirs."""
    version = find_version(request, team, slug, major)
    spec = shown_spec(version, request.actor)
    if spec is None:
        raise Http404
    answer = HttpResponse(text_without_addresses(spec), content_type="application/json")
    if "download" in request.GET:
        name = f"{version.api.slug}-v{version.major}.json"
        answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _overview(request: HtmxHttpRequest, api: Api, version: ApiVersion | None) -> HttpResponseBase:
    text = request.GET.get("q", "")[:200]
    context = _context(request, api, version, "overview")
    context |= {
        "operations": operations_of(context["spec"], text),
        "q": text,
        "keeps_bodies": UpstreamBinding.objects.that_keep_bodies_of(version) if version else (),
        "body_days": settings.USAGE_BODY_DAYS,
    }
    template = "apis/api_detail.html" + ("#operations" if htmx_partial(request) else "")
    return render(request, template, context)


def _context(request: HtmxHttpRequest, api: Api, version: ApiVersion | None, tab: str) -> dict[str, Any]:
    return {
        "api": api,
        "version": version,
        "versions": listed_versions(api, request.actor),
        "spec": shown_spec(version, request.actor) if version else None,
        "tab": tab,
        "own": sees_drafts(request.actor, api.team_id),
    }
