"""Which right a call needs, and which feature asks for it: what is said when AWS denies one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

from aws.client.sessions import process_sessions
from aws.policies.statements import ALWAYS, BY_FEATURE, Feature, Statement

GATEWAYS = ("apigateway", "apigatewayv2")
FREE = ("sts:GetCallerIdentity", "sts:AssumeRole")
"""Asks for nothing in the account, or for what the trust policy says."""
NAMES = {"service-quotas": "servicequotas"}
RENAMED = {"lambda:Invoke": "lambda:InvokeFunction"}
GAP = re.compile(r"\{[^}]*\}")


@dataclass(frozen=True, slots=True)
class Needed:
    """`action` as IAM names it, and the feature whose statements allow it; None: every account has it, or none does."""

    action: str
    feature: Feature | None
    is_asked_for: bool


def needed_for(service: str, operation: str) -> Needed:
    """What `operation` of `service`, as botocore names both, needs."""
    action, path = _action(service, operation)
    if action in FREE or any(_covers(one, action, path) for one in ALWAYS):
        return Needed(action, None, is_asked_for=True)
    for feature, statements in BY_FEATURE.items():
        if any(_covers(one, action, path) for one in statements):
            return Needed(action, feature, is_asked_for=True)
    return Needed(action, None, is_asked_for=False)


def _covers(statement: Statement, action: str, path: str) -> bool:
    if action not in statement.actions:
        return False
    return not path or any(fnmatchcase(path, one.partition("::/")[2]) for one in statement.resources)


def _action(service: str, operation: str) -> tuple[str, str]:
    """The IAM action and, for API Gateway, whose actions are HTTP methods, the path behind `::/` of its ARN."""
    if service not in GATEWAYS:
        name = f"{NAMES.get(service, service)}:{operation}"
        return RENAMED.get(name, name), ""
    http = process_sessions().model(service, operation).http
    path = GAP.sub("x", http["requestUri"]).removeprefix("/v2").lstrip("/").partition("?")[0]
    return f"apigateway:{http['method']}", path
