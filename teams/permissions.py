"""Who may what: one table, role x verb. Shown at /teams/roles/, read by every interface, walked by a test."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Verb(StrEnum):
    """What can be done. The part before the dot is the thing, the part behind it the deed."""

    TEAM_VIEW = "team.view"
    TEAM_MANAGE = "team.manage"
    SERVICE_ACCOUNT_MANAGE = "service_account.manage"
    API_VIEW = "api.view"
    API_EDIT = "api.edit"
    API_PUBLISH = "api.publish"
    REQUEST_DECIDE = "request.decide"
    APPLICATION_VIEW = "application.view"
    APPLICATION_EDIT = "application.edit"
    CREDENTIAL_MANAGE = "credential.manage"
    SUBSCRIPTION_SUSPEND = "subscription.suspend"
    USAGE_VIEW = "usage.view"
    BODY_VIEW = "body.view"
    GATEWAY_VIEW = "gateway.view"
    GATEWAY_COMPARE = "gateway.compare"
    GATEWAY_MANAGE = "gateway.manage"
    ENVIRONMENT_MANAGE = "environment.manage"
    AUDIT_VIEW = "audit.view"
    AWS_VIEW = "aws.view"
    AWS_MANAGE = "aws.manage"
    FUNCTION_VIEW = "function.view"
    FUNCTION_EDIT = "function.edit"
    AI_VIEW = "ai.view"
    AI_MANAGE = "ai.manage"
    PROMPT_VIEW = "prompt.view"
    PROMPT_EDIT = "prompt.edit"
    PROMPT_RELEASE = "prompt.release"
    BUDGET_VIEW = "budget.view"
    BUDGET_MANAGE = "budget.manage"


class Scope(StrEnum):
    """What a token is limited to. A verb needs the scope that SCOPE_OF names."""

    READ = "read"
    TEAMS_WRITE = "teams:write"
    APIS_WRITE = "apis:write"
    SUBSCRIPTIONS_WRITE = "subscriptions:write"
    APPROVALS_WRITE = "approvals:write"
    GATEWAYS_WRITE = "gateways:write"
    AI_WRITE = "ai-write"
    AWS_WRITE = "aws:write"


OWNER, PUBLISHER, DEVELOPER, VIEWER = "owner", "publisher", "developer", "viewer"
ADMINISTRATOR, APPROVER, AUDITOR = "administrator", "approver", "auditor"

TEAM_TABLE: Mapping[Verb, frozenset[str]] = {
    Verb.TEAM_VIEW: frozenset({OWNER, PUBLISHER, DEVELOPER, VIEWER}),
    Verb.TEAM_MANAGE: frozenset({OWNER}),
    Verb.SERVICE_ACCOUNT_MANAGE: frozenset({OWNER}),
    Verb.API_VIEW: frozenset({OWNER, PUBLISHER, DEVELOPER, VIEWER}),
    Verb.API_EDIT: frozenset({OWNER, PUBLISHER}),
    Verb.API_PUBLISH: frozenset({OWNER, PUBLISHER}),
    Verb.REQUEST_DECIDE: frozenset({OWNER, PUBLISHER}),
    Verb.APPLICATION_VIEW: frozenset({OWNER, PUBLISHER, DEVELOPER, VIEWER}),
    Verb.APPLICATION_EDIT: frozenset({OWNER, PUBLISHER, DEVELOPER}),
    Verb.CREDENTIAL_MANAGE: frozenset({OWNER, PUBLISHER, DEVELOPER}),
    Verb.SUBSCRIPTION_SUSPEND: frozenset({OWNER, PUBLISHER}),
    Verb.USAGE_VIEW: frozenset({OWNER, PUBLISHER, DEVELOPER, VIEWER}),
    Verb.BODY_VIEW: frozenset({OWNER, PUBLISHER, DEVELOPER}),
    Verb.GATEWAY_VIEW: frozenset({OWNER, PUBLISHER}),
    Verb.GATEWAY_COMPARE: frozenset({OWNER, PUBLISHER}),
    Verb.GATEWAY_MANAGE: frozenset(),
    Verb.ENVIRONMENT_MANAGE: frozenset(),
    Verb.AUDIT_VIEW: frozenset({OWNER}),
    Verb.AWS_VIEW: frozenset({OWNER, PUBLISHER, DEVELOPER}),
    Verb.AWS_MANAGE: frozenset(),
    Verb.FUNCTION_VIEW: frozenset({OWNER, PUBLISHER, DEVELOPER}),
    Verb.FUNCTION_EDIT: frozenset({OWNER, PUBLISHER, DEVELOPER}),
    Verb.AI_VIEW: frozenset({OWNER, PUBLISHER, DEVELOPER}),
    Verb.AI_MANAGE: frozenset({OWNER}),
    Verb.PROMPT_VIEW: frozenset({OWNER, PUBLISHER, DEVELOPER, VIEWER}),
    Verb.PROMPT_EDIT: frozenset({OWNER, PUBLISHER, DEVELOPER}),
    Verb.PROMPT_RELEASE: frozenset({OWNER, PUBLISHER}),
    Verb.BUDGET_VIEW: frozenset({OWNER, PUBLISHER, DEVELOPER, VIEWER}),
    Verb.BUDGET_MANAGE: frozenset({OWNER}),
}
"""What a role in a team allows on that team's objects."""

PLATFORM_TABLE: Mapping[Verb, frozenset[str]] = {
    Verb.TEAM_VIEW: frozenset({ADMINISTRATOR, AUDITOR}),
    Verb.TEAM_MANAGE: frozenset({ADMINISTRATOR}),
    Verb.SERVICE_ACCOUNT_MANAGE: frozenset(),
    Verb.API_VIEW: frozenset({ADMINISTRATOR, APPROVER, AUDITOR}),
    Verb.API_EDIT: frozenset(),
    Verb.API_PUBLISH: frozenset(),
    Verb.REQUEST_DECIDE: frozenset({APPROVER}),
    Verb.APPLICATION_VIEW: frozenset({ADMINISTRATOR, APPROVER, AUDITOR}),
    Verb.APPLICATION_EDIT: frozenset(),
    Verb.CREDENTIAL_MANAGE: frozenset(),
    Verb.SUBSCRIPTION_SUSPEND: frozenset({ADMINISTRATOR}),
    Verb.USAGE_VIEW: frozenset({ADMINISTRATOR, AUDITOR}),
    Verb.BODY_VIEW: frozenset(),
    Verb.GATEWAY_VIEW: frozenset({ADMINISTRATOR, APPROVER, AUDITOR}),
    Verb.GATEWAY_COMPARE: frozenset({ADMINISTRATOR}),
    Verb.GATEWAY_MANAGE: frozenset({ADMINISTRATOR}),
    Verb.ENVIRONMENT_MANAGE: frozenset({ADMINISTRATOR}),
    Verb.AUDIT_VIEW: frozenset({ADMINISTRATOR, AUDITOR}),
    Verb.AWS_VIEW: frozenset({ADMINISTRATOR, AUDITOR}),
    Verb.AWS_MANAGE: frozenset({ADMINISTRATOR}),
    Verb.FUNCTION_VIEW: frozenset({ADMINISTRATOR, AUDITOR}),
    Verb.FUNCTION_EDIT: frozenset(),
    Verb.AI_VIEW: frozenset({ADMINISTRATOR, AUDITOR}),
    Verb.AI_MANAGE: frozenset({ADMINISTRATOR}),
    Verb.PROMPT_VIEW: frozenset({ADMINISTRATOR, AUDITOR}),
    Verb.PROMPT_EDIT: frozenset(),
    Verb.PROMPT_RELEASE: frozenset(),
    Verb.BUDGET_VIEW: frozenset({ADMINISTRATOR, AUDITOR}),
    Verb.BUDGET_MANAGE: frozenset({ADMINISTRATOR}),
}
"""What a platform role allows on the objects of every team.

An administrator's `team.manage` takes people out and lowers roles; what it may give is in teams/actions/members.py.
"""

SCOPE_OF: Mapping[Verb, Scope] = {
    Verb.TEAM_VIEW: Scope.READ,
    Verb.TEAM_MANAGE: Scope.TEAMS_WRITE,
    Verb.SERVICE_ACCOUNT_MANAGE: Scope.TEAMS_WRITE,
    Verb.API_VIEW: Scope.READ,
    Verb.API_EDIT: Scope.APIS_WRITE,
    Verb.API_PUBLISH: Scope.APIS_WRITE,
    Verb.REQUEST_DECIDE: Scope.APPROVALS_WRITE,
    Verb.APPLICATION_VIEW: Scope.READ,
    Verb.APPLICATION_EDIT: Scope.SUBSCRIPTIONS_WRITE,
    Verb.CREDENTIAL_MANAGE: Scope.SUBSCRIPTIONS_WRITE,
    Verb.SUBSCRIPTION_SUSPEND: Scope.SUBSCRIPTIONS_WRITE,
    Verb.USAGE_VIEW: Scope.READ,
    Verb.BODY_VIEW: Scope.READ,
    Verb.GATEWAY_VIEW: Scope.READ,
    Verb.GATEWAY_COMPARE: Scope.GATEWAYS_WRITE,
    Verb.GATEWAY_MANAGE: Scope.GATEWAYS_WRITE,
    Verb.ENVIRONMENT_MANAGE: Scope.GATEWAYS_WRITE,
    Verb.AUDIT_VIEW: Scope.READ,
    Verb.AWS_VIEW: Scope.READ,
    Verb.AWS_MANAGE: Scope.AWS_WRITE,
    Verb.FUNCTION_VIEW: Scope.READ,
    Verb.FUNCTION_EDIT: Scope.AWS_WRITE,
    Verb.AI_VIEW: Scope.READ,
    Verb.AI_MANAGE: Scope.AI_WRITE,
    Verb.PROMPT_VIEW: Scope.READ,
    Verb.PROMPT_EDIT: Scope.AI_WRITE,
    Verb.PROMPT_RELEASE: Scope.AI_WRITE,
    Verb.BUDGET_VIEW: Scope.READ,
    Verb.BUDGET_MANAGE: Scope.AI_WRITE,
}

ROLE_ORDER = (VIEWER, DEVELOPER, PUBLISHER, OWNER)
"""Team roles from least to most; each holds all that those before it hold."""


def may_grant(own: str | None, role: str) -> bool:
    """Whether one who holds `own` may give `role`: nobody grants more than they hold, nor what is no role."""
    return own in ROLE_ORDER and role in ROLE_ORDER and ROLE_ORDER.index(role) <= ROLE_ORDER.index(own)
