"""Models of providers: added by hand, changed, switched on and off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from ai.actions.records import apply_changes, locked_provider
from ai.models import AiModel, Provider
from ai.queries import routes_naming
from audit.actions import record_event
from audit.models import ActionRefused
from teams.models import Actor

MOST_TOKENS = 100_000_000


@transaction.atomic
def add_model(
    provider: Provider,
    *,
    actor: Actor,
    remote: str,
    mode: str = AiModel.Mode.CHAT,
    context: int = 0,
    max_output: int = 0,
    capabilities: Sequence[str] = ("stream",),
    is_toy: bool = False,
) -> AiModel:
    """A model that the catalogue does not know. Its price is unknown until one is entered.

    Raises PermissionDenied, ValidationError, ActionRefused.
    """
    provider = locked_provider(provider, actor)
    model = AiModel(
        provider=provider,
        remote=remote.strip(),
        mode=mode,
        context=context,
        max_output=max_output,
        capabilities=clean_capabilities(capabilities),
        is_toy=is_toy,
    )
    _save(model)
    record_event("ai_model.added", model, actor=actor, after=_summary(model))
    return model


@transaction.atomic
def change_model(
    model: AiModel,
    *,
    actor: Actor,
    mode: str | None = None,
    context: int | None = None,
    max_output: int | None = None,
    capabilities: Sequence[str] | None = None,
    is_enabled: bool | None = None,
    is_toy: bool | None = None,
) -> AiModel:
    """Change what is given; the vendor's name for it stays.

    Raises PermissionDenied, ValidationError, and ActionRefused for switching off a model that routes name.
    """
    provider = locked_provider(model.provider, actor)
    model = AiModel.objects.select_for_update().get(pk=model.pk)
    model.provider = provider
    changes: dict[str, Any] = {
        "mode": mode,
        "context": context,
        "max_output": max_output,
        "capabilities": None if capabilities is None else clean_capabilities(capabilities),
        "is_enabled": is_enabled,
        "is_toy": is_toy,
    }
    before, after = apply_changes(model, changes)
    if not after:
        return model
    if after.get("is_enabled") is False:
        _require_unused([model])
    _save(model)
    record_event("ai_model.changed", model, actor=actor, before=before, after=after)
    return model


@transaction.atomic
def switch_models(
    provider: Provider, *, actor: Actor, models: Sequence[AiModel], is_enabled: bool
) -> list[AiModel]:
    """Switch several models of a provider on or off, all or none; those that changed.

    Raises PermissionDenied, and ActionRefused where routes name one that is to be switched off.
    """
    provider = locked_provider(provider, actor)
    chosen = AiModel.objects.select_for_update().filter(
        provider=provider, pk__in=[model.pk for model in models], is_enabled=not is_enabled
    )
    changed = sorted(chosen, key=lambda model: model.remote)
    if not is_enabled:
        _require_unused(changed)
    for model in changed:
        model.provider, model.is_enabled = provider, is_enabled
        _save(model)
    if changed:
        names = {"is_enabled": is_enabled, "models": [model.remote for model in changed][:100]}
        record_event("provider.models_switched", provider, actor=actor, after=names)
    return changed


def clean_capabilities(capabilities: Sequence[str]) -> list[str]:
    """Known capabilities, once each, in the usual order. Raises ValidationError."""
    unknown = sorted(set(capabilities) - set(AiModel.CAPABILITIES))
    if unknown:
        words = {"name": unknown[0], "known": ", ".join(AiModel.CAPABILITIES)}
        raise ValidationError({"capabilities": _("%(name)s is none of: %(known)s.") % words})
    return [name for name in AiModel.CAPABILITIES if name in capabilities]


def _require_unused(models: Sequence[AiModel]) -> None:
    using = sorted(routes_naming(models).values_list("alias", flat=True))
    if using:
        raise ActionRefused(
            _("These model routes use it: %(routes)s. Take the model out of them first.")
            % {"routes": ", ".join(using)},
            code="model_in_use",
        )


def _save(model: AiModel) -> None:
    for name in ("context", "max_output"):
        if not 0 <= getattr(model, name) <= MOST_TOKENS:
            raise ValidationError({name: _("A number of tokens from 0 (not known) to 100 million.")})
    model.full_clean()
    model.save()


def _summary(model: AiModel) -> dict[str, Any]:
    return {
        "provider": model.provider.slug,
        "remote": model.remote,
        "mode": model.mode,
        "context": model.context,
        "max_output": model.max_output,
        "capabilities": model.capabilities,
        "is_toy": model.is_toy,
    }
