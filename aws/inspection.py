"""Looking at a function after a push: what else triggers it, who may call it, what AWS says of its state."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from aws.client.calls import Calls
from aws.client.errors import Denied, Missing
from aws.denials import words_of_denial
from aws.models import LambdaFunction
from aws.pushes.reality import Reality

MOST = 100


def inspected(function: LambdaFunction, calls: Calls, reality: Reality) -> dict[str, Any]:
    """What `LambdaFunction.seen` keeps; empty for one that is not there. What may not be read is named in `unread`.

    Raises AwsError as the calls do, but for a denial.
    """
    found = reality.function()
    if found is None:
        return {}
    told, unread = found["Configuration"], []
    triggers, policies = [], []
    try:
        pages = calls.pages(
            "lambda", "ListEventSourceMappings", "EventSourceMappings", FunctionName=function.remote_name
        )
        triggers = [_trigger(one) for one, _count in zip(pages, range(MOST), strict=False)]
    except Denied as error:
        unread.append(words_of_denial(error, function.account))
    try:
        policies = [one for name in _qualifiers(function) for one in _open_statements(calls, function, name)]
    except Denied as error:
        unread.append(words_of_denial(error, function.account))
    return {
        "sha256": told["CodeSha256"],
        "size": told.get("CodeSize", 0),
        "changed_at": told.get("LastModified", ""),
        "triggers": triggers,
        "open_policies": policies,
        "unread": unread,
    }


def _qualifiers(function: LambdaFunction) -> list[str]:
    return ["", *function.aliases.current().values_list("name", flat=True)]


def _trigger(told: Mapping[str, Any]) -> dict[str, Any]:
    """An event source mapping, without its filters."""
    return {
        "source": told.get("EventSourceArn", ""),
        "target": told.get("FunctionArn", ""),
        "state": told.get("State", ""),
        "batch": told.get("BatchSize"),
    }


def _open_statements(calls: Calls, function: LambdaFunction, qualifier: str) -> Iterator[dict[str, str]]:
    """Statements that let in more than one service or account, or any resource of a service."""
    named = {"Qualifier": qualifier} if qualifier else {}
    try:
        policy = json.loads(
            calls.call("lambda", "GetPolicy", FunctionName=function.remote_name, **named)["Policy"]
        )
    except Missing:
        return
    for statement in policy.get("Statement", ()):
        why = is_open(statement)
        if why:
            yield {"qualifier": qualifier, "sid": statement.get("Sid", ""), "why": why}


def is_open(statement: Mapping[str, Any]) -> str:
    """`anybody`, `service` (of any account) or `actions` for a statement that says more than it needs to; else ""."""
    if statement.get("Effect") != "Allow":
        return ""
    principal, conditions = statement.get("Principal"), statement.get("Condition") or {}
    keys = {key.lower() for condition in conditions.values() for key in condition}
    values = [value for condition in conditions.values() for value in condition.values()]
    if principal == "*" or (isinstance(principal, Mapping) and "*" in _listed(principal.get("AWS"))):
        return "" if keys & {"aws:principalorgid", "aws:sourceaccount", "aws:sourcearn"} else "anybody"
    if any(action in {"*", "lambda:*"} for action in _listed(statement.get("Action"))):
        return "actions"
    if (
        isinstance(principal, Mapping)
        and principal.get("Service")
        and not keys & {"aws:sourcearn", "aws:sourceaccount"}
    ):
        return "service"
    return "service" if "*" in values else ""


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())
