"""What the actions of this app share: who may, what changed, short names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.utils.text import slugify
from django.utils.translation import gettext_lazy as _

from ai.models import Provider
from audit.models import ActionRefused
from teams.models import Actor, Team, Verb

SLUG_LENGTH = 48


def require_over(actor: Actor, verb: Verb, team: Team | None) -> None:
    """Raise PermissionDenied unless `verb` is allowed on what `team` owns; None: on what the installation shares."""
    if team is not None:
        actor.require(verb, team)
    elif not actor.everywhere(verb):
        raise PermissionDenied(
            _(
                "This is shared by the whole installation. Ask an administrator, or set up one of your team's own."
            )
        )


def apply_changes(target: Model, changes: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Set the values of `changes` that are not None on `target` (not saved).

    Returns what they were and what they became, for those that differ; both empty when nothing did.
    """
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for name, value in changes.items():
        old = getattr(target, name)
        if value is not None and value != old:
            before[name], after[name] = old, value
            setattr(target, name, value)
    return before, after


def short_name(text: str, fallback: str) -> str:
    """A slug out of a name that a person typed; `fallback` when no letter or digit is left."""
    return slugify(text)[:SLUG_LENGTH].strip("-_").replace("_", "-") or fallback


def locked_provider(provider: Provider, actor: Actor) -> Provider:
    """The provider under a row lock, for a change. Raises PermissionDenied, and ActionRefused for a removed one."""
    provider = Provider.objects.select_for_update(of=("self",)).select_related("team").get(pk=provider.pk)
    require_over(actor, Verb.AI_MANAGE, provider.team)
    if provider.state == Provider.State.REMOVED:
        raise ActionRefused(
            _("%(provider)s was removed. Add it anew.") % {"provider": provider}, code="provider_removed"
        )
    return provider
