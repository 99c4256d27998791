"""What every page needs around its content: the rail, the menus of the signed-in person, the chosen theme."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, resolve, reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext_lazy as _

from aws.models import AwsAccount
from gateways.queries.drift import drift_waiting
from subscriptions.queries import approvals_waiting
from teams.access import SIGNED_IN, Rule
from teams.models import Actor, Verb
from teams.queries import unread_count

THEME_COOKIE = "gatehouse_theme"
THEMES = ("light", "dark")


def _nothing_waits(_actor: Actor) -> int:
    return 0


def _whoever_may_enter(_actor: Actor) -> bool:
    return True


def _overseer(actor: Actor) -> bool:
    """Platform administrators and auditors."""
    return actor.everywhere(Verb.AUDIT_VIEW)


def _concerned_with_aws(actor: Actor) -> bool:
    """Who may connect accounts, and who may use one."""
    return actor.everywhere(Verb.AWS_VIEW) or AwsAccount.objects.visible_to(actor).current().exists()


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a menu, as declared here. Whoever may enter its page sees it: the page's own rule decides."""

    label: Any
    url_name: str
    also: tuple[str, ...] = ()
    """Path prefixes beside its own under which the entry is the current one."""
    shown: Callable[[Actor], bool] = _whoever_may_enter
    """Who sees it beyond the page's rule, where the page itself asks for more."""
    count: Callable[[Actor], int] = _nothing_waits
    """How many things wait for the actor there."""
    whole: bool = False
    """Its own path must match as a whole: other entries' paths begin alike."""

    def is_current(self, path: str, url: str) -> bool:
        own = path == url if self.whole else path.startswith(url)
        return own or path.startswith(self.also)


@dataclass(frozen=True, slots=True)
class Link:
    """An entry as the template draws it."""

    label: Any
    url: str
    current: bool
    count: int


RAIL: tuple[Entry, ...] = (
    Entry(_("Catalogue"), "catalogue", also=("/apis/",)),
    Entry(
        _("My applications"),
        "applications",
        also=("/subscriptions/", "/requests/", "/credentials/", "/rotations/"),
    ),
    Entry(_("Approvals"), "approvals", count=approvals_waiting),
    Entry(_("Publish"), "publish", also=("/upstreams/",)),
    Entry(
        _("Gateways"), "gateways", also=("/publications/", "/deployments/", "/drift/"), count=drift_waiting
    ),
    Entry(_("AI"), "prompts", also=("/ai/", "/offer/prompts/", "/budgets/")),
    Entry(_("AWS"), "aws-accounts", also=("/aws/",), shown=_concerned_with_aws),
    Entry(_("Usage"), "usage"),
    Entry(_("Admin"), "administration", also=("/environments/", "/audit/"), shown=_overseer),
)
PERSON: tuple[Entry, ...] = (
    Entry(_("Notices"), "notices", count=lambda actor: unread_count(actor.user) if actor.user else 0),
    Entry(_("Teams"), "teams"),
    Entry(_("Tokens"), "tokens"),
    Entry(_("Account and security"), "profile", also=("/accounts/",), whole=True),
)
ACCOUNT: tuple[Entry, ...] = (
    Entry(_("Profile"), "profile", whole=True),
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
    """The entries whose pages the actor of `request` may enter; those that no app offers are left out."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    offered = [(entry, _url(entry)) for entry in entries]
    entered = [
        (entry, url) for entry, url in offered if url and _may_enter(actor, url) and entry.shown(actor)
    ]
    lengths = [_match(request.path, (url, *entry.also)) for entry, url in entered]
    longest = max(lengths, default=0)
    return [
        Link(entry.label, url, 0 < length == longest, entry.count(actor) if actor.is_signed_in else 0)
        for (entry, url), length in zip(entered, lengths, strict=True)
    ]


def _match(path: str, prefixes: tuple[str, ...]) -> int:
    """How much of `path` the best of `prefixes` covers; of several entries the closest one is the current."""
    return max((len(prefix) for prefix in prefixes if path.startswith(prefix)), default=0)


def _url(entry: Entry) -> str:
    try:
        return reverse(entry.url_name)
    except NoReverseMatch:
        return ""


def _may_enter(actor: Actor, url: str) -> bool:
    """Ask the rule that the page at `url` declares; pages that are not ours (allauth) are for those signed in."""
    rule: Rule = getattr(resolve(url).func, "access_rule", SIGNED_IN)
    return rule.admits(actor)
