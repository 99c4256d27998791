"""Lets the reference's "try it" call the gateways: their origins join `connect-src` of that page alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csp import csp_override

from gateways.queries.origins import gateway_origins, origins_at_aws

PAGES = frozenset({"api-reference", "prompt-editor"})
CACHE_KEY = "gateways:origins"
CACHE_S = 30


class GatewayOriginsMiddleware:
    """Widens the policy of pages that call gateways. Stands inside the middleware that writes the header."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        match = request.resolver_match
        if match is None or match.url_name not in PAGES:
            return response
        policy = getattr(response, "_csp_config", settings.SECURE_CSP)
        origins = [*_origins(), *(_at_aws(match.kwargs) if response.status_code == HTTPStatus.OK else ())]
        widened = {**policy, "connect-src": [*policy.get("connect-src", ()), *origins]}
        return csp_override(widened)(lambda _request: response)(request)


def _at_aws(named: Mapping[str, Any]) -> list[str]:
    """Those of the version that the page is about, where it is about one."""
    names = ("team", "slug", "major")
    return origins_at_aws(**{name: named[name] for name in names}) if set(names) <= named.keys() else []


def _origins() -> list[str]:
    """The origins, at most half a minute old; the cache holds nothing that differs between readers."""
    return list(cache.get_or_set(CACHE_KEY, gateway_origins, CACHE_S) or ())
