"""Finding what an address names, or 404 for whoever may not see it."""

from __future__ import annotations

from django.http import Http404
from django.shortcuts import get_object_or_404

from apis.models import Api, ApiVersion
from apis.queries import own_apis, own_versions
from gateways.models import Gateway, Publication
from gateways.queries.addresses import with_places
from teams.access import HtmxHttpRequest
from teams.models import Verb


def find_gateway(request: HtmxHttpRequest, slug: str) -> Gateway:
    """A gateway that the reader may see."""
    return get_object_or_404(Gateway.objects.visible_to(request.actor), slug=slug)


def managed_gateway(request: HtmxHttpRequest, slug: str) -> Gateway:
    """A gateway that the actor may change; 404 for those who may not see it. Raises PermissionDenied."""
    gateway = find_gateway(request, slug)
    request.actor.require(Verb.GATEWAY_MANAGE)
    return gateway


def find_version(request: HtmxHttpRequest, team: str, slug: str, major: int) -> ApiVersion:
    """A version that the reader may see."""
    visible = ApiVersion.objects.visible_to(request.actor).select_related("api__team", "spec")
    return get_object_or_404(visible, api__team__slug=team, api__slug=slug, major=major)


def own_api(request: HtmxHttpRequest, team: str, slug: str) -> Api:
    """An API in the publish area."""
    return get_object_or_404(own_apis(request.actor), team__slug=team, slug=slug)


def own_version(request: HtmxHttpRequest, team: str, slug: str, major: int) -> ApiVersion:
    """A version in the publish area."""
    return get_object_or_404(own_versions(request.actor), api__team__slug=team, api__slug=slug, major=major)


def publishable_version(request: HtmxHttpRequest, team: str, slug: str, major: int) -> ApiVersion:
    """A version that the actor may publish. Raises Http404, PermissionDenied."""
    version = own_version(request, team, slug, major)
    request.actor.require(Verb.API_PUBLISH, version.api.team)
    return version


def own_publication(request: HtmxHttpRequest, public_id: str) -> Publication:
    """A publication that the actor may roll back and withdraw. Raises Http404, PermissionDenied.

    Who sees the API in the catalogue alone gets a 404: these pages do not exist for them.
    """
    found = with_places(Publication.objects.visible_to(request.actor))
    publication: Publication = get_object_or_404(found, public_id=public_id)
    team = publication.api_version.api.team
    if not request.actor.may(Verb.API_VIEW, team):
        raise Http404
    request.actor.require(Verb.API_PUBLISH, team)
    return publication
