"""Headers that every page carries, and what browsers say of where a request comes from."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

from portal.rest import API_PREFIXES
from portal.views import csrf_failure

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
OWN_SITES = frozenset({"", "same-origin", "none"})
"""No header (not a browser, or an old one), our own pages, and what a person typed or opened from a bookmark."""


class PrivatePagesMiddleware:
    """Pages are personal: nobody stores them. A fragment and its full page share a URL, hence Vary."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not response.has_header("Cache-Control"):
            response["Cache-Control"] = "no-store"
        patch_vary_headers(response, ["HX-Request", "Cookie"])
        response["Cross-Origin-Opener-Policy"] = "same-origin"
        response["Permissions-Policy"] = "camera=(), microphone=(), geolocation=(), payment=()"
        return response


class CrossSiteMiddleware:
    """Refuses changes that a browser says were sent from another site, signed out or not: signing somebody in
    under a stranger's name is a change, too (Fetch Metadata, https://www.w3.org/TR/fetch-metadata/).

    It stands beside the CSRF token, which is asked for in any case. A call with a bearer token is exempt: a
    browser adds none by itself.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *_view: object) -> HttpResponse | None:
        """The page that says so, before any view runs."""
        bearer = request.path.startswith(API_PREFIXES) and "Authorization" in request.headers
        site = request.headers.get("Sec-Fetch-Site", "")
        if request.method in SAFE_METHODS or bearer or site in OWN_SITES:
            return None
        return csrf_failure(request, "cross-site")
