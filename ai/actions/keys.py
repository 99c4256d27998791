"""Keys of providers: added, replaced, paused, removed. None of these values is ever shown, logged or recorded.

A rotation without a gap adds the new key, waits until the runtime has it, and removes the old one.
"""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from ai.actions.records import apply_changes, locked_provider
from ai.keys import forget, put_reference, put_value
from ai.models import Provider, ProviderKey
from audit.actions import record_event
from audit.models import ActionRefused
from teams.models import Actor

MOST_KEYS = 50


@sensitive_variables("value")
@transaction.atomic
def add_key(
    provider: Provider, *, actor: Actor, label: str, value: str = "", reference: str = "", weight: int = 100
) -> ProviderKey:
    """One more key of the provider's pool: by `value`, or by `reference` (`env:NAME`, `file:/path`).

    Raises PermissionDenied, ValidationError, ActionRefused.
    """
    provider = locked_provider(provider, actor)
    present = provider.keys.exclude(state=ProviderKey.State.REMOVED).count()
    if present >= MOST_KEYS:
        raise ActionRefused(_("At most %(most)s keys. Remove one first.") % {"most": MOST_KEYS})
    key = ProviderKey(provider=provider, label=label, weight=weight)
    _put(key, value, reference)
    _save(key)
    record_event("provider_key.added", key, actor=actor, after=_summary(key))
    return key


@transaction.atomic
def change_key(
    key: ProviderKey, *, actor: Actor, label: str | None = None, weight: int | None = None
) -> ProviderKey:
    """Another label or weight; the value stays."""
    key = _locked(key, actor)
    before, after = apply_changes(key, {"label": label, "weight": weight})
    if after:
        _save(key)
        record_event("provider_key.changed", key, actor=actor, before=before, after=after)
    return key


@sensitive_variables("value")
@transaction.atomic
def replace_key(key: ProviderKey, *, actor: Actor, value: str = "", reference: str = "") -> ProviderKey:
    """Another value under the same label: the old key is removed and forgotten, and a new one takes its place."""
    key = _locked(key, actor)
    new = ProviderKey(provider=key.provider, label=key.label, weight=key.weight)
    _put(new, value, reference)
    _remove(key)
    _save(new)
    record_event(
        "provider_key.replaced", new, actor=actor, before={"key": key.public_id}, after=_summary(new)
    )
    return new


@transaction.atomic
def pause_key(key: ProviderKey, *, actor: Actor) -> ProviderKey:
    """Send it no more until it is resumed."""
    return _move(key, ProviderKey.State.PAUSED, actor, "provider_key.paused")


@transaction.atomic
def resume_key(key: ProviderKey, *, actor: Actor) -> ProviderKey:
    """Send it again."""
    return _move(key, ProviderKey.State.ACTIVE, actor, "provider_key.resumed")


@transaction.atomic
def remove_key(key: ProviderKey, *, actor: Actor) -> ProviderKey:
    """End it for good; its value is forgotten."""
    key = _locked(key, actor)
    before = {"state": str(key.state)}
    _remove(key)
    after = {"state": str(key.state)}
    record_event("provider_key.removed", key, actor=actor, before=before, after=after)
    return key


def remove_all_keys(provider: Provider, *, actor: Actor) -> None:
    """Part of removing a provider, within its transaction and under its lock."""
    for key in provider.keys.exclude(state=ProviderKey.State.REMOVED).order_by("pk"):
        remove_key(key, actor=actor)


@sensitive_variables("value")
def _put(key: ProviderKey, value: str, reference: str) -> None:
    if bool(value) == bool(reference.strip()):
        raise ValidationError({"value": _("Give either the key itself or a reference to it.")})
    if value:
        put_value(key, value)
    else:
        put_reference(key, reference)


def _save(key: ProviderKey) -> None:
    key.full_clean(exclude=["sealed"])
    key.save()


def _move(key: ProviderKey, state: str, actor: Actor, event: str) -> ProviderKey:
    key = _locked(key, actor)
    before = {"state": str(key.state)}
    key.move_to(state)
    _save(key)
    record_event(event, key, actor=actor, before=before, after={"state": str(state)})
    return key


def _remove(key: ProviderKey) -> None:
    key.move_to(ProviderKey.State.REMOVED)
    forget(key)
    _save(key)


def _locked(key: ProviderKey, actor: Actor) -> ProviderKey:
    """The key under its row lock, its provider locked before it. Raises PermissionDenied, ActionRefused."""
    provider = locked_provider(key.provider, actor)
    key = ProviderKey.objects.select_for_update().get(pk=key.pk)
    key.provider = provider
    return key


def _summary(key: ProviderKey) -> dict[str, Any]:
    """What the audit trail keeps: how it is found and how often it is taken, never the value or its digest."""
    return {
        "provider": key.provider.slug,
        "label": key.label,
        "weight": key.weight,
        "reference": key.reference,
    }
