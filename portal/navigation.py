"""What every page needs around its content: the rail, the menus of the signed-in person, the chosen theme."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext_lazy as _

THEME_COOKIE = "gatehouse_theme"
THEMES = ("light", "dark")


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a menu, as declared here."""

    label: Any
    url_name: str
    also: tuple[str, ...] = ()
    """Path prefixes beside its own under which the entry is the current one."""
    signed_out: bool = False
    shown: Callable[[Any], bool] = lambda _actor: True
    count: Callable[[Any], int] = lambda _actor: 0


@dataclass(frozen=True, slots=True)
class Link:
    """An entry as the template draws it."""

    label: Any
    url: str
    current: bool
    count: int


RAIL: tuple[Entry, ...] = (
    Entry(_("Catalogue"), "catalogue", signed_out=True),
    Entry(_("My applications"), "applications"),
    Entry(_("Approvals"), "requests"),
    Entry(_("Publish"), "publish"),
    Entry(_("Gateways"), "gateways"),
    Entry(_("Usage"), "usage"),
    Entry(_("Admin"), "administration"),
)
PERSON: tuple[Entry, ...] = (
    Entry(_("Notices"), "notices"),
    Entry(_("Teams"), "teams"),
    Entry(_("Tokens"), "tokens"),
    Entry(_("Account and security"), "account_email", also=("/accounts/",)),
)
ACCOUNT: tuple[Entry, ...] = (
    Entry(_("E-mail"), "account_email"),
    Entry(_("Password"), "account_change_password", also=("/accounts/password/",)),
    Entry(_("Two-factor sign-in"), "mfa_index"),
    Entry(_("Sign-in providers"), "socialaccount_connections"),
    Entry(_("Sessions"), "usersessions_list"),
)


def navigation(request: HttpRequest) -> Mapping[str, Any]:
    """Context processor. The menus are worked out on first use, so a fragment does not pay for them.

    `theme` is "light", "dark" or "" for the system's; `rail`, `user_links`, `account_links` are lists of Link.
    """
    theme = request.COOKIES.get(THEME_COOKIE, "")
    return {
        "theme": theme if theme in THEMES else "",
        "rail": SimpleLazyObject(lambda: links(request, RAIL)),
        "user_links": SimpleLazyObject(lambda: links(request, PERSON)),
        "account_links": SimpleLazyObject(lambda: links(request, ACCOUNT)),
    }


def links(request: HttpRequest, entries: Iterable[Entry]) -> list[Link]:
    """The entries that the actor of `request` may enter; those that no app offers are left out."""
    actor = getattr(request, "actor", None)
    signed_in = bool(actor is not None and actor.is_signed_in)
    found = []
    for entry in entries:
        url = _url(entry)
        if url and (entry.shown(actor) if signed_in else entry.signed_out):
            current = request.path.startswith((url, *entry.also))
            found.append(Link(entry.label, url, current, entry.count(actor) if signed_in else 0))
    return found


def _url(entry: Entry) -> str:
    try:
        return reverse(entry.url_name)
    except NoReverseMatch:
        return ""
