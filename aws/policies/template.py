"""The CloudFormation template that connects an account: trust policy, least-privilege policies, boundary.

It holds no secret: the external id is a parameter. Limits that shape it: 10,240 characters of inline policies per
role, 6,144 per managed policy (IAM quotas).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aws.policies.names import ROLE_PATH, boundary, portal_role
from aws.policies.statements import Feature, Statement, bounds, denied, groups

VERSION = "2012-10-17"
EXTERNAL_ID = r"[A-Za-z0-9]{20,128}"
CAPABILITY = "CAPABILITY_NAMED_IAM"
UNKNOWN_THERE = ("aws:RequestTag/", "aws:ResourceTag/", "iam:PermissionsBoundary")
"""Conditions on these are left out for a simulated AWS: a key that it does not fill in would deny everything."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a template is made for. `principal`: who assumes the role, "" asks for it when the stack is made.

    `ambient`: the portal's own credentials are used, and the policies go to the role they belong to. `simulated`: for a
    simulated AWS, which does not know the keys of UNKNOWN_THERE.
    """

    prefix: str
    regions: tuple[str, ...]
    features: tuple[str, ...]
    principal: str = ""
    ambient: bool = False
    simulated: bool = False


def template_text(wanted: Wanted) -> str:
    """The template as JSON."""
    return json.dumps(template(wanted), indent=2) + "\n"


def template(wanted: Wanted) -> dict[str, Any]:
    """The template as plain values."""
    made = _ambient(wanted) if wanted.ambient else _by_role(wanted)
    resources = {**made, **_boundary(wanted)}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"Lets Gatehouse work in this account: {', '.join(wanted.features)}.",
        "Parameters": _parameters(wanted),
        "Resources": resources,
        "Outputs": _outputs(wanted, resources),
    }


def policies(wanted: Wanted) -> list[tuple[str, list[dict[str, Any]]]]:
    """Every policy of the portal's role by name, denies last."""
    named = [(name, _plain(statements, wanted)) for name, statements in groups(wanted.features)]
    return [*named, ("never", _plain(denied(wanted.regions), wanted))]


def _parameters(wanted: Wanted) -> dict[str, Any]:
    if wanted.ambient:
        words = "Name of the role whose credentials the portal runs with."
        return {"PortalRoleName": {"Type": "String", "Description": words, "MinLength": 1}}
    default = {"Default": wanted.principal} if wanted.principal else {}
    principal = "ARN of the role or user with whose credentials the portal runs."
    external_id = "Shown once by the portal when the account was connected, or when it was renewed."
    return {
        "PortalPrincipal": {
            "Type": "String",
            "Description": principal,
            "AllowedPattern": "arn:aws[a-z-]*:iam::[0-9]{12}:(root|(role|user)/.+)",
            **default,
        },
        "ExternalId": {
            "Type": "String",
            "Description": external_id,
            "NoEcho": True,
            "AllowedPattern": EXTERNAL_ID,
        },
    }


def _by_role(wanted: Wanted) -> dict[str, Any]:
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": {"Ref": "PortalPrincipal"}},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": {"Ref": "ExternalId"}}},
    }
    properties = {
        "RoleName": portal_role(wanted.prefix),
        "Description": "What Gatehouse may do in this account.",
        "MaxSessionDuration": 3600,
        "AssumeRolePolicyDocument": {"Version": VERSION, "Statement": [trust]},
        "Policies": [
            {"PolicyName": f"{wanted.prefix}-{name}", "PolicyDocument": _document(statements)}
            for name, statements in policies(wanted)
        ],
    }
    return {"PortalRole": {"Type": "AWS::IAM::Role", "Properties": properties}}


def _ambient(wanted: Wanted) -> dict[str, Any]:
    """The same policies, each a managed one that hangs on the role the portal runs with."""
    return {
        f"{name.title()}Policy": {
            "Type": "AWS::IAM::ManagedPolicy",
            "Properties": {
                "ManagedPolicyName": f"{wanted.prefix}-{name}",
                "Roles": [{"Ref": "PortalRoleName"}],
                "PolicyDocument": _document(statements),
            },
        }
        for name, statements in policies(wanted)
    }


def _boundary(wanted: Wanted) -> dict[str, Any]:
    if Feature.ROLES not in wanted.features:
        return {}
    properties = {
        "ManagedPolicyName": boundary(wanted.prefix),
        "Description": "The most that a role made by Gatehouse may do.",
        "PolicyDocument": _document(_plain(bounds(wanted.features), wanted)),
    }
    return {"Boundary": {"Type": "AWS::IAM::ManagedPolicy", "Properties": properties}}


def _outputs(wanted: Wanted, resources: Mapping[str, Any]) -> dict[str, Any]:
    outputs: dict[str, Any] = {}
    if not wanted.ambient:
        outputs["RoleArn"] = {
            "Description": "The role that the portal assumes.",
            "Value": {"Fn::GetAtt": ["PortalRole", "Arn"]},
        }
    if "Boundary" in resources:
        outputs["BoundaryArn"] = {
            "Description": "The boundary of the roles that the portal makes.",
            "Value": {"Ref": "Boundary"},
        }
    return outputs or {"Prefix": {"Description": "How things of the portal begin.", "Value": wanted.prefix}}


def _document(statements: list[dict[str, Any]]) -> dict[str, Any]:
    return {"Version": VERSION, "Statement": statements}


def _plain(statements: Iterable[Statement], wanted: Wanted) -> list[dict[str, Any]]:
    return [_statement(one, wanted) for one in statements]


def _statement(one: Statement, wanted: Wanted) -> dict[str, Any]:
    prefix = wanted.prefix
    resources = [*one.resources, *(_pathless(one) if wanted.simulated else ())]
    plain: dict[str, Any] = {
        "Sid": one.sid,
        "Effect": "Allow" if one.allows else "Deny",
        "Action": _one_or_all([*one.actions]),
        "Resource": _one_or_all([_filled(resource, prefix) for resource in resources]),
    }
    conditions = {
        operator: {key: _value(value, prefix) for key, value in tests.items()}
        for operator, tests in one.conditions.items()
        if not (wanted.simulated and any(key.startswith(UNKNOWN_THERE) for key in tests))
    }
    return {**plain, "Condition": conditions} if conditions else plain


def _pathless(one: Statement) -> list[str]:
    """The roles of a statement without their path, which a simulated AWS leaves out when it asks who may make one."""
    path = f":role{ROLE_PATH}"
    return [resource.replace(path, ":role/") for resource in one.resources if path in resource]


def _value(value: str | tuple[str, ...], prefix: str) -> Any:
    return _filled(value, prefix) if isinstance(value, str) else [_filled(each, prefix) for each in value]


def _filled(text: str, prefix: str) -> Any:
    """With our prefix; what is CloudFormation's to fill in is left to Fn::Sub."""
    text = text.replace("${prefix}", prefix)
    return {"Fn::Sub": text} if "${AWS::" in text else text


def _one_or_all(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values
