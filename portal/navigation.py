"""What every page needs around its content: the rail, the chosen theme. A context processor, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext_lazy as _

THEME_COOKIE = "gatehouse_theme"
THEMES = ("light", "dark")


@dataclass(frozen=True, slots=True)
class Section:
    """One entry of the rail."""

    label: Any
    url_name: str
    also: tuple[str, ...] = ()
    """Path prefixes beside its own under which the entry is the current one."""
    signed_in: bool = True
    shown: Callable[[Any], bool] = lambda actor: True
    count: Callable[[Any], int] = lambda actor: 0


@dataclass(frozen=True, slots=True)
class Link:
    """A section as the template draws it."""

    label: Any
    url: str
    current: bool
    count: int


SECTIONS: tuple[Section, ...] = (
    Section(_("Catalogue"), "apis:catalogue", signed_in=False),
    Section(_("My applications"), "subscriptions:application_list"),
    Section(_("Approvals"), "subscriptions:request_list"),
    Section(_("Publish"), "apis:publish"),
    Section(_("Gateways"), "gateways:gateway_list"),
    Section(_("Usage"), "usage:overview"),
    Section(_("Admin"), "portal:admin"),
)


def navigation(request: HttpRequest) -> Mapping[str, Any]:
    """Context processor: `theme` ("light", "dark" or "" for the system's) and `rail` (worked out on first use)."""
    theme = request.COOKIES.get(THEME_COOKIE, "")
    return {
        "theme": theme if theme in THEMES else "",
        "rail": SimpleLazyObject(lambda: links(request)),
    }


def links(request: HttpRequest) -> list[Link]:
    """The entries that the actor of `request` may enter."""
    actor = getattr(request, "actor", None)
    signed_in = bool(actor is not None and actor.is_signed_in)
    found = []
    for section in SECTIONS:
        url = _url(section)
        if url and (signed_in or not section.signed_in) and (not signed_in or section.shown(actor)):
            current = request.path.startswith((url, *section.also))
            found.append(Link(section.label, url, current, section.count(actor) if signed_in else 0))
    return found


def _url(section: Section) -> str:
    """The address of a section; empty while no app offers it."""
    try:
        return reverse(section.url_name)
    except NoReverseMatch:
        return ""
