"""Providers: added, changed, paused, removed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from ai.actions.keys import remove_all_keys
from ai.actions.records import apply_changes, locked_provider, require_over, short_name
from ai.actions.seed import seed_provider
from ai.models import Provider
from ai.queries import routes_through
from ai.vendors import GAP, vendor_named
from audit.actions import record_event
from audit.models import ActionRefused
from teams.egress import EgressRefused, check_target_url
from teams.models import Actor, Team, Verb

MOST_HEADERS = 20
MOST_OPTIONS = 20
HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,60}")
HEADER_VALUE = re.compile(r"[\x20-\x7e]{0,300}")
AUTH = re.compile(r"bearer|none|header:[A-Za-z0-9-]{1,50}")
SECRET_HEADERS = frozenset(
    {"authorization", "proxy-authorization", "cookie", "x-api-key", "api-key", "x-goog-api-key"}
)
OWN_HEADERS = frozenset({"host", "content-length", "content-type", "connection", "transfer-encoding"})


@dataclass(frozen=True, slots=True)
class ProviderValues:
    """How a provider is reached; what is None is taken from its vendor, or is as usual."""

    dialect: str | None = None
    base_url: str | None = None
    auth: str | None = None
    headers: Sequence[Sequence[str]] = ()
    options: Mapping[str, str] = field(default_factory=dict)


@transaction.atomic
def create_provider(
    *,
    actor: Actor,
    name: str,
    team: Team | None = None,
    slug: str = "",
    vendor: str = "",
    values: ProviderValues | None = None,
) -> Provider:
    """A new provider of `team`, or shared by all for None; one of a known vendor comes with that vendor's models.

    Raises PermissionDenied, and ValidationError for an address that calls must not go to (teams.egress).
    """
    require_over(actor, Verb.AI_MANAGE, team)
    values, known = values or ProviderValues(), _vendor(vendor)
    provider = Provider(
        team=team,
        slug=slug or short_name(name, "provider"),
        name=name,
        vendor=vendor,
        dialect=values.dialect or (known.dialect if known else Provider.Dialect.OPENAI),
        base_url=clean_base_url(values.base_url or (known.base_url if known else "")),
        auth=clean_auth(values.auth or (known.auth if known else "bearer")),
        headers=clean_headers(values.headers),
        options=clean_options(values.options),
    )
    provider.full_clean()
    provider.save()
    record_event("provider.created", provider, actor=actor, after=_summary(provider))
    seed_provider(provider, actor=actor)
    return provider


@transaction.atomic
def change_provider(
    provider: Provider,
    *,
    actor: Actor,
    name: str | None = None,
    base_url: str | None = None,
    auth: str | None = None,
    headers: Sequence[Sequence[str]] | None = None,
    options: Mapping[str, str] | None = None,
) -> Provider:
    """Change what is given. Short name, vendor and dialect stay: names of models and their options hang on them.

    Raises PermissionDenied, ValidationError, and ActionRefused for a removed one.
    """
    cleaned_url = None if base_url is None else clean_base_url(base_url)  # looks a name up: before any lock
    provider = locked_provider(provider, actor)
    changes = {
        "name": name,
        "base_url": cleaned_url,
        "auth": None if auth is None else clean_auth(auth),
        "headers": None if headers is None else clean_headers(headers),
        "options": None if options is None else clean_options(options),
    }
    before, after = apply_changes(provider, changes)
    if not after:
        return provider
    provider.full_clean()
    provider.save()
    record_event("provider.changed", provider, actor=actor, before=before, after=after)
    return provider


@transaction.atomic
def pause_provider(provider: Provider, *, actor: Actor, note: str = "") -> Provider:
    """Call it no more until it is resumed; routes go on with their other models."""
    return _move(provider, Provider.State.PAUSED, actor, "provider.paused", note)


@transaction.atomic
def resume_provider(provider: Provider, *, actor: Actor) -> Provider:
    """Call it again."""
    return _move(provider, Provider.State.ACTIVE, actor, "provider.resumed", "")


@transaction.atomic
def remove_provider(provider: Provider, *, actor: Actor, note: str = "") -> Provider:
    """End a provider for good, and forget its keys. Its models and prices stay for what was billed.

    Raises PermissionDenied, and ActionRefused while model routes use it, naming them.
    """
    provider = locked_provider(provider, actor)
    using = sorted(routes_through(provider).values_list("alias", flat=True))
    if using:
        raise ActionRefused(
            _("These model routes still use %(provider)s: %(routes)s. Take its models out of them first.")
            % {"provider": provider, "routes": ", ".join(using)},
            code="provider_in_use",
        )
    remove_all_keys(provider, actor=actor)
    return _move(provider, Provider.State.REMOVED, actor, "provider.removed", note)


def _move(provider: Provider, state: str, actor: Actor, event: str, note: str) -> Provider:
    provider = locked_provider(provider, actor)
    before = {"state": str(provider.state)}
    provider.move_to(state)
    provider.full_clean()
    provider.save()
    record_event(event, provider, actor=actor, before=before, after={"state": str(state)}, note=note)
    return provider


def clean_base_url(url: str) -> str:
    """An address that may be called, without a slash at its end. Raises ValidationError."""
    url = url.strip().rstrip("/")
    gaps = GAP.findall(url)
    if not url:
        raise ValidationError({"base_url": _("Give an address, such as https://api.example.com/v1.")})
    if gaps:
        raise ValidationError(
            {"base_url": _("Put your own value in the place of {%(gap)s}.") % {"gap": gaps[0]}}
        )
    try:
        check_target_url(url, [ip_network(block) for block in settings.UPSTREAM_NETWORKS])
    except EgressRefused as refusal:
        raise ValidationError({"base_url": ValidationError(refusal.reason, code=refusal.code)}) from refusal
    if "?" in url or "#" in url:
        raise ValidationError({"base_url": _("Leave out what stands behind ? or #. Options go below.")})
    return url


def clean_auth(auth: str) -> str:
    """`bearer`, `none` or `header:NAME`. Raises ValidationError."""
    auth = auth.strip()
    if not AUTH.fullmatch(auth) or auth.partition(":")[2].lower() in OWN_HEADERS:
        raise ValidationError({"auth": _("Write bearer, none, or header:NAME, such as header:x-api-key.")})
    return auth


def clean_headers(headers: Sequence[Sequence[str]]) -> list[list[str]]:
    """Pairs of texts. A header that carries a secret is refused: keys are added as keys. Raises ValidationError."""
    if len(headers) > MOST_HEADERS:
        raise ValidationError({"headers": _("At most %(most)s headers.") % {"most": MOST_HEADERS}})
    return [_clean_header(pair) for pair in headers]


def _clean_header(pair: Sequence[str]) -> list[str]:
    name, value = (str(part).strip() for part in pair) if len(pair) == 2 else ("", "")
    if not HEADER_NAME.fullmatch(name) or not HEADER_VALUE.fullmatch(value) or name.lower() in OWN_HEADERS:
        raise ValidationError({"headers": _("A header is a name and a text, such as X-Project: blue.")})
    if name.lower() in SECRET_HEADERS:
        raise ValidationError(
            {"headers": _("%(name)s carries a secret. Add the key as a key instead.") % {"name": name}}
        )
    return [name, value]


def clean_options(options: Mapping[str, str]) -> dict[str, str]:
    """A flat object of texts. Raises ValidationError."""
    if len(options) > MOST_OPTIONS or not all(map(_is_option, options.items())):
        raise ValidationError({"options": _("Options are names with texts, such as region: eu-central-1.")})
    return {str(name): str(value) for name, value in options.items()}


def _is_option(pair: tuple[object, object]) -> bool:
    name, value = pair
    return isinstance(name, str) and isinstance(value, str) and 0 < len(name) <= 40 and len(value) <= 300


def _vendor(slug: str) -> Any:
    if not slug:
        return None
    found = vendor_named(slug)
    if found is None:
        raise ValidationError({"vendor": _("There is no such vendor in the table. Leave it out.")})
    return found


def _summary(provider: Provider) -> dict[str, Any]:
    """What the audit trail keeps; neither addresses nor headers carry secrets."""
    return {
        "slug": provider.slug,
        "vendor": provider.vendor,
        "dialect": provider.dialect,
        "base_url": provider.base_url,
        "auth": provider.auth,
        "headers": provider.headers,
        "options": provider.options,
    }
