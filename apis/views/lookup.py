"""Finding what an address names, or 404 for whoever may not see it."""

from __future__ import annotations

from django.http import Http404
from django.shortcuts import get_object_or_404

from apis.models import Api, ApiVersion, Plan, Upstream
from apis.queries import all_plans, own_apis, own_versions
from teams.access import HtmxHttpRequest
from teams.models import Verb


def find_api(request: HtmxHttpRequest, team: str, slug: str) -> Api:
    """An API that the reader may see."""
    visible = Api.objects.visible_to(request.actor).select_related("team")
    return get_object_or_404(visible, team__slug=team, slug=slug)


def find_version(request: HtmxHttpRequest, team: str, slug: str, major: int) -> ApiVersion:
    """A version that the reader may see."""
    visible = ApiVersion.objects.visible_to(request.actor).select_related("api__team", "spec")
    return get_object_or_404(visible, api__team__slug=team, api__slug=slug, major=major)


def own_api(request: HtmxHttpRequest, team: str, slug: str) -> Api:
    """An API in the publish area; 404 for outsiders even when they find it in the catalogue."""
    return get_object_or_404(own_apis(request.actor), team__slug=team, slug=slug)


def editable_api(request: HtmxHttpRequest, team: str, slug: str, verb: Verb = Verb.API_EDIT) -> Api:
    """An API that the actor may change. Raises Http404, PermissionDenied."""
    api = own_api(request, team, slug)
    request.actor.require(verb, api.team)
    return api


def own_version(request: HtmxHttpRequest, team: str, slug: str, major: int) -> ApiVersion:
    """A version in the publish area."""
    return get_object_or_404(own_versions(request.actor), api__team__slug=team, api__slug=slug, major=major)


def editable_version(
    request: HtmxHttpRequest, team: str, slug: str, major: int, verb: Verb = Verb.API_EDIT
) -> ApiVersion:
    """A version that the actor may change. Raises Http404, PermissionDenied."""
    version = own_version(request, team, slug, major)
    request.actor.require(verb, version.api.team)
    return version


def own_plan(request: HtmxHttpRequest, team: str, slug: str, plan: str) -> Plan:
    """A plan in the publish area, with `newest`."""
    for found in all_plans(own_api(request, team, slug)):
        if found.slug == plan:
            return found
    raise Http404


def own_upstream(request: HtmxHttpRequest, public_id: str) -> Upstream:
    """An upstream of one of the actor's teams."""
    visible = Upstream.objects.visible_to(request.actor).select_related("team")
    return get_object_or_404(visible, public_id=public_id)
