"""Every route of the portal, with the rule that it declares: read from the URL conf, so that none escapes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from teams.access import AGENT, OPEN, SIGNED_IN, Rule, rule_of_view

KWARG = re.compile(r"\(\?P<(\w+)>[^()]*\)|<(?:\w+:)?(\w+)>")
STAFF = Rule("staff")
"""The operators' admin site: Django's own check of `is_staff`, on every page of it."""

FOREIGN: dict[str, Rule] = {
    "account_login": OPEN,
    "account_signup": OPEN,
    "account_signup_by_passkey": OPEN,
    "account_logout": OPEN,
    "account_inactive": OPEN,
    "account_email_verification_sent": OPEN,
    "account_confirm_email": OPEN,
    "account_reset_password": OPEN,
    "account_reset_password_done": OPEN,
    "account_reset_password_from_key": OPEN,
    "account_reset_password_from_key_done": OPEN,
    "account_confirm_login_code": OPEN,
    "account_request_login_code": OPEN,
    "mfa_authenticate": OPEN,
    "mfa_trust": OPEN,
    "mfa_login_webauthn": OPEN,
    "mfa_signup_webauthn": OPEN,
    "socialaccount_login_cancelled": OPEN,
    "socialaccount_login_error": OPEN,
    "socialaccount_signup": OPEN,
    "openid_connect_login": OPEN,
    "openid_connect_callback": OPEN,
    "rest-schema": OPEN,
}
"""Routes of libraries: what they admit, by name. Those of allauth that are not named need a sign-in."""

OPEN_PATHS = ("accounts/social/", "admin/login/", "admin/logout/")
"""The old addresses of some of these, which lead to the new ones, and the ways in and out of the operators' site."""


@dataclass(frozen=True, slots=True)
class Route:
    """One route and method. `action` is the REST action, empty for pages."""

    path: str
    name: str
    method: str
    rule: Rule | None
    kwargs: tuple[str, ...]
    action: str = ""
    view: Any = None

    @property
    def is_rest(self) -> bool:
        """Whether bearer tokens open it; the page of its documentation is a page."""
        return self.path.startswith("api/") and self.name != "rest-docs"

    @property
    def is_ours(self) -> bool:
        return not self.path.startswith(("admin/", "accounts/"))

    @property
    def is_write(self) -> bool:
        return self.method not in ("GET", "HEAD")

    def url(self, values: Mapping[str, str]) -> str:
        """The address with `values` in the places of the parameters; some routes of libraries have no name."""
        return "/" + KWARG.sub(lambda found: values[found[1] or found[2]], self.path).removesuffix("$")

    def __str__(self) -> str:
        return f"{self.method} /{self.path} ({self.name})"


def all_routes() -> list[Route]:
    """Every route and method of the portal."""
    return [route for pattern, prefix in _patterns(get_resolver(), "") for route in _of(pattern, prefix)]


def _patterns(resolver: URLResolver, prefix: str) -> Iterator[tuple[URLPattern, str]]:
    for entry in resolver.url_patterns:
        path = prefix + str(entry.pattern).removeprefix("^")
        if isinstance(entry, URLResolver):
            yield from _patterns(entry, path)
        else:
            yield entry, path


def _of(pattern: URLPattern, path: str) -> Iterator[Route]:
    view, name = pattern.callback, pattern.name or ""
    kwargs = tuple(one or other for one, other in KWARG.findall(path))
    actions = getattr(view, "actions", None)
    if actions:
        for method, action in actions.items():
            rule = rule_of_view(view.cls, action)
            yield Route(path, name, method.upper(), rule, kwargs, action, view.cls)
        return
    ours = hasattr(view, "access_methods") or name == "rest-schema"
    for method in getattr(view, "access_methods", ("GET",) if ours else ("GET", "POST")):
        yield Route(path, name, method, _rule(view, path, name), kwargs, view=view)


def _rule(view: Any, path: str, name: str) -> Rule | None:
    declared = getattr(view, "access_rule", None)
    if declared is not None:
        return declared
    if path.startswith(OPEN_PATHS):
        return OPEN
    if path.startswith("admin/"):
        return STAFF
    if name in FOREIGN:
        return FOREIGN[name]
    return SIGNED_IN if path.startswith("accounts/") else None


__all__ = ["AGENT", "OPEN", "SIGNED_IN", "STAFF", "Route", "all_routes"]
