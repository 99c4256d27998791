"""Parts of other apps' pages that show what gateways do; each is also a page of its own."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render

from gateways.enforcement import enforcement_of, objects_of
from gateways.models import Gateway, GatewayNode, Publication
from gateways.queries.addresses import (
    addresses_of,
    addresses_of_subscription,
    addresses_of_version,
    published_document,
    samples_for,
    with_places,
)
from gateways.queries.capabilities import Capability, limits_on
from gateways.views.lookup import find_version, own_api
from subscriptions.models import AccessRequest, Subscription
from teams.access import OPEN, SIGNED_IN, HtmxHttpRequest, htmx_partial, page
from teams.models import Verb


@page(SIGNED_IN)
def enforcement_strip(request: HtmxHttpRequest, kind: str, public_id: str) -> HttpResponseBase:
    """What each gateway does with a credential, subscription or publication; asks again while it moves."""
    visible = objects_of(kind, request.actor)
    if visible is None:
        raise Http404
    target = get_object_or_404(visible, public_id=public_id)
    small = request.GET.get("size") == "small"
    context = {
        "target": target,
        "kind": kind,
        "enforcement": enforcement_of(target, actor=request.actor),
        "small": small,
        "every": "1s" if not small else "3s",
    }
    return _part(request, "gateways/enforcement.html", "small" if small else "strip", context)


@page(SIGNED_IN)
def enforcement_preview(request: HtmxHttpRequest, public_id: str) -> HttpResponseBase:
    """Where a request would be enforced once it is approved, and how far each gateway can do that."""
    visible = AccessRequest.objects.visible_to(request.actor)
    asked = get_object_or_404(
        visible.select_related("api_version__api__team", "environment", "plan_revision"), public_id=public_id
    )
    rows = _capabilities(api_version=asked.api_version, environment=asked.environment)
    context = {"asked": asked, "rows": rows}
    return _part(request, "gateways/enforcement_preview.html", "preview", context)


@page(Verb.API_VIEW)
def plan_capabilities(request: HtmxHttpRequest, team: str, slug: str) -> HttpResponseBase:
    """How far each gateway that serves an API can keep the limits of its plans."""
    api = own_api(request, team, slug)
    context = {"api": api, "rows": _capabilities(api_version__api=api)}
    return _part(request, "gateways/plan_capabilities.html", "capabilities", context)


def _capabilities(**chosen: Any) -> list[dict[str, Any]]:
    """A row for each address where something is published."""
    published = Publication.objects.current().filter(gateway__retired_at=None, **chosen)
    return [
        {"gateway": found.gateway, "url": found.url, "limits": _limits(found.gateway)}
        for found in addresses_of(with_places(published))
    ]


def _limits(gateway: Gateway) -> list[Capability]:
    return limits_on(gateway, gateway.nodes.filter(GatewayNode.alive()).count())


@page(OPEN)
def addresses_of_api_version(request: HtmxHttpRequest, team: str, slug: str, major: int) -> HttpResponseBase:
    """Where a version answers, for its page in the catalogue."""
    version = find_version(request, team, slug, major)
    context = {"version": version, "api": version.api, "addresses": addresses_of_version(version)}
    return _part(request, "gateways/addresses.html", "addresses", context)


@page(OPEN)
def published_openapi(request: HtmxHttpRequest, team: str, slug: str, major: int) -> HttpResponseBase:
    """The OpenAPI document of what is published, with the addresses where it answers and the gateway's key."""
    version = find_version(request, team, slug, major)
    document = published_document(version, environment=request.GET.get("environment", ""))
    if document is None:  # on no gateway at present: the reference stays readable
        return redirect("version-openapi", team, slug, major)
    return JsonResponse(document, json_dumps_params={"ensure_ascii": False})


@page(SIGNED_IN)
def call_samples(request: HtmxHttpRequest, public_id: str) -> HttpResponseBase:
    """A first call of a subscription in three languages, with the real address and $KEY for the key."""
    subscription = get_object_or_404(
        Subscription.objects.visible_to(request.actor).select_related(
            "api_version__api__team", "environment"
        ),
        public_id=public_id,
    )
    found = addresses_of_subscription(subscription)
    addresses = [address for address in found if address.url]
    context = {
        "subscription": subscription,
        "addresses": addresses,
        "waits": found and not addresses,
        "samples": samples_for(addresses[0]) if addresses else [],
        "samples_id": f"call-{subscription.public_id}",
    }
    return _part(request, "gateways/call_samples.html", "samples", context)


def _part(request: HtmxHttpRequest, template: str, name: str, context: dict[str, Any]) -> HttpResponse:
    return render(request, template + (f"#{name}" if htmx_partial(request) else ""), context)
