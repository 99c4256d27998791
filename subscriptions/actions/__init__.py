"""Every write of this app: applications, requests and their decisions, subscriptions, keys, blocks."""

from subscriptions.actions.applications import archive_application, change_application, create_application
from subscriptions.actions.blocks import block_until, lift_block, lift_blocks
from subscriptions.actions.budgets import (
    BudgetValues,
    change_budget,
    retire_budget,
    set_budget,
    teams_over,
)
from subscriptions.actions.credentials import (
    MOST_KEYS,
    expire_credentials,
    issue_credential,
    revoke_credential,
)
from subscriptions.actions.decisions import (
    approve_request,
    lapse_requests,
    reject_request,
    withdraw_request,
)
from subscriptions.actions.locks import lock_subscription
from subscriptions.actions.people import follow_people
from subscriptions.actions.requests import request_access, request_access_for_new, request_plan_change
from subscriptions.actions.rotations import (
    abort_rotation,
    end_rotations,
    extend_rotation,
    finish_rotation,
    start_rotation,
    warn_of_rotation,
)
from subscriptions.actions.subscriptions import (
    close_ended_subscriptions,
    close_subscription,
    resume_subscription,
    suspend_subscription,
)
from subscriptions.actions.telling import tell_subscribers

__all__ = [
    "MOST_KEYS",
    "BudgetValues",
    "abort_rotation",
    "approve_request",
    "archive_application",
    "block_until",
    "change_application",
    "change_budget",
    "close_ended_subscriptions",
    "close_subscription",
    "create_application",
    "end_rotations",
    "expire_credentials",
    "extend_rotation",
    "finish_rotation",
    "follow_people",
    "issue_credential",
    "lapse_requests",
    "lift_block",
    "lift_blocks",
    "lock_subscription",
    "reject_request",
    "request_access",
    "request_access_for_new",
    "request_plan_change",
    "resume_subscription",
    "retire_budget",
    "revoke_credential",
    "set_budget",
    "start_rotation",
    "suspend_subscription",
    "teams_over",
    "tell_subscribers",
    "warn_of_rotation",
    "withdraw_request",
]
