"""Every write of AI. Other apps import from here."""

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
    "change_prompt",
    "change_test_case",
    "create_prompt",
    "create_test_case",
    "fail_run",
    "finish_run",
    "freeze_version",
    "move_label",
    "record_result",
    "retire_prompt",
    "retire_test_case",
    "save_draft",
    "start_test_run",
]
