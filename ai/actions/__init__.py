"""Every write to providers, models, prices, routes and prompts. Other apps import from here."""

from ai.actions.keys import add_key, change_key, pause_key, remove_key, replace_key, resume_key
from ai.actions.models import add_model, change_model, switch_models
from ai.actions.prices import clear_override, override_price
from ai.actions.prompts import (
    DraftMovedOn,
    PromptNotReady,
    change_prompt,
    create_prompt,
    freeze_version,
    move_label,
    retire_prompt,
    save_draft,
)
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
from ai.actions.testing import (
    change_test_case,
    create_test_case,
    fail_run,
    finish_run,
    record_result,
    retire_test_case,
    start_test_run,
)

__all__ = [
    "DraftMovedOn",
    "PromptNotReady",
    "ProviderValues",
    "RouteValues",
    "Seeded",
    "TargetValues",
    "add_key",
    "add_model",
    "change_key",
    "change_model",
    "change_prompt",
    "change_provider",
    "change_route",
    "change_test_case",
    "clear_override",
    "create_prompt",
    "create_provider",
    "create_route",
    "create_test_case",
    "fail_run",
    "finish_run",
    "freeze_version",
    "move_label",
    "override_price",
    "pause_key",
    "pause_provider",
    "record_result",
    "remove_key",
    "remove_provider",
    "replace_key",
    "resume_key",
    "resume_provider",
    "retire_prompt",
    "retire_route",
    "retire_test_case",
    "save_draft",
    "seed_provider",
    "start_test_run",
    "switch_models",
    "update_models",
]
