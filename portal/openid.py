"""Sign-in by an OpenID provider: leaving for it under the strict policy, and calling it behind the egress guard."""

from __future__ import annotations

import io
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

import httpx
import requests
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from requests.adapters import BaseAdapter

from teams.accounts import SocialAccountAdapter
from teams.egress import EgressRefused, EgressRules, checked_url
from teams.fetching import guarded_client

LOGIN = "openid_connect_login"
TOTAL_S = 20.0
MOST_BYTES = 1_000_000
FAILURES = (requests.RequestException, OAuth2Error, LookupError, ValueError)
"""What allauth raises on the way out when discovery fails, or answers with what is no discovery document."""


class LeavingMiddleware:
    """Answers "Continue" with a page that goes to the provider, instead of a redirect.

    `form-action 'self'` holds for every redirect that a form leads to, and where a provider sends people on
    (to the sign-in of their company) cannot be known beforehand. A page that moves on is no form.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        match = request.resolver_match
        if match is None or match.url_name != LOGIN or response.status_code != 302:
            return response
        context = {"address": response["Location"], "provider": settings.OIDC_NAME}
        return render(request, "socialaccount/leaving.html", context)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """A provider that cannot be asked where people sign in is told as a page."""
        match = request.resolver_match
        if match is None or match.url_name != LOGIN or not isinstance(error, FAILURES):
            return None
        return render(request, "socialaccount/authentication_error.html", status=502)


class GuardedAdapter(BaseAdapter):
    """Carries the calls of a requests session through the egress guard: checked addresses, no redirects."""

    def send(self, request: requests.PreparedRequest, *_args: Any, **_options: Any) -> requests.Response:
        rules = EgressRules(tuple(ip_network(block) for block in settings.OIDC_NETWORKS), ports=None)
        try:
            checked_url(str(request.url))
            with guarded_client(rules, total_s=TOTAL_S) as client:
                return _sent(client, request)
        except (EgressRefused, httpx.HTTPError) as error:
            raise requests.ConnectionError(str(error), request=request) from error

    def close(self) -> None:
        """Each call closes its own client."""


class GuardedSocialAccountAdapter(SocialAccountAdapter):
    """Named in the settings (SOCIALACCOUNT_ADAPTER)."""

    def get_requests_session(self) -> requests.Session:
        """For discovery, tokens, keys and user data: their addresses come from the provider."""
        session = requests.Session()
        session.trust_env = False
        for scheme in ("http://", "https://"):
            session.mount(scheme, GuardedAdapter())
        return session


def _sent(client: httpx.Client, request: requests.PreparedRequest) -> requests.Response:
    headers = {name: str(value) for name, value in request.headers.items() if name != "Accept-Encoding"}
    body = request.body if isinstance(request.body, (bytes, str)) else None  # forms only, no files
    with client.stream(str(request.method), str(request.url), headers=headers, content=body) as answer:
        if answer.is_redirect:
            raise EgressRefused("redirect", "The provider redirects elsewhere. Name the final address.")
        response = requests.Response()
        response.status_code, response.url, response.request = answer.status_code, str(request.url), request
        response.headers.update(answer.headers)
        response.encoding = "utf-8"
        response.raw = io.BytesIO(_body(answer))
        return response


def _body(answer: httpx.Response) -> bytes:
    body = bytearray()
    for chunk in answer.iter_bytes():
        body += chunk
        if len(body) > MOST_BYTES:
            raise EgressRefused("too-large", "The provider's answer is too large.")
    return bytes(body)
