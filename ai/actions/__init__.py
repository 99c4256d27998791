"""Every write to providers, models, prices, routes and prompts. Other apps import from here."""

from ai.actions.keys import add_key, change_key, pause_key, remove_key, replace_key, resume_key
from ai.actions.models import add_model, change_model, switch_models
from ai.actions.prices import clear_override, override_price
from ai.actions.providers import (
    ProviderValues,
    change_provider,
    create_provider,
    pause_provider,
    remove_provider,
    resume_provider,
)
from ai.actions.routes import RouteValues, TargetValues, change_route, create_route, retire_route
from ai.actions.seed import Seeded, seed_provider, update_models

__all__ = [
    "ProviderValues",
    "RouteValues",
    "Seeded",
    "TargetValues",
    "add_key",
    "add_model",
    "change_key",
    "change_model",
    "change_provider",
    "change_route",
    "clear_override",
    "create_provider",
    "create_route",
    "override_price",
    "pause_key",
    "pause_provider",
    "remove_key",
    "remove_provider",
    "replace_key",
    "resume_key",
    "resume_provider",
    "retire_route",
    "seed_provider",
    "switch_models",
    "update_models",
]
