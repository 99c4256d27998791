"""Roles, as far as Gatehouse makes and reads them.

https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html; IAM is one for all Regions, and eventually
consistent (https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from tests.aws.fake.place import GLOBAL, Params, Place, operation
from tests.aws.fake.refusals import Refused


@dataclass(slots=True)
class Role:
    name: str
    path: str
    arn: str
    trust: str
    created: datetime
    assumable_at: float
    boundary: str = ""
    description: str = ""
    policies: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class RoleState:
    roles: dict[str, Role] = field(default_factory=dict)


def roles(place: Place) -> dict[str, Role]:
    """The roles of the account, by name."""
    everywhere: Place = place.world.place(place.number, GLOBAL)
    return everywhere.state(RoleState).roles


def may_be_assumed(place: Place, arn: str) -> bool:
    """Whether Lambda can assume it by now."""
    role = roles(place).get(arn.rsplit("/", 1)[-1])
    if role is None or role.arn != arn or "lambda.amazonaws.com" not in role.trust:
        return False
    return place.now >= role.assumable_at


def add_role(place: Place, name: str, *, path: str = "/portal/") -> str:
    """A role that has been there for long, for Lambda. Its ARN."""
    arn = f"arn:aws:iam::{place.number}:role{path}{name}"
    trust = '{"Statement": [{"Principal": {"Service": "lambda.amazonaws.com"}}]}'
    roles(place)[name] = Role(name, path, arn, trust, place.date, place.now)
    return arn


@operation("iam", "CreateRole")
def create_role(place: Place, params: Params) -> dict[str, Any]:
    name, path = params["RoleName"], params.get("Path", "/")
    if name in roles(place):
        raise Refused("EntityAlreadyExists", f"Role with name {name} already exists.", 409)
    role = Role(
        name,
        path,
        f"arn:aws:iam::{place.number}:role{path}{name}",
        params["AssumeRolePolicyDocument"],
        place.date,
        place.now + place.delays.roles,
        boundary=params.get("PermissionsBoundary", ""),
        description=params.get("Description", ""),
        tags={one["Key"]: one["Value"] for one in params.get("Tags", ())},
    )
    roles(place)[name] = role
    return {"Role": _shown(role)}


@operation("iam", "GetRole")
def get_role(place: Place, params: Params) -> dict[str, Any]:
    return {"Role": _shown(_role(place, params))}


@operation("iam", "DeleteRole")
def delete_role(place: Place, params: Params) -> dict[str, Any]:
    role = _role(place, params)
    if role.policies:
        raise Refused("DeleteConflict", "Cannot delete entity, must delete policies first.", 409)
    del roles(place)[role.name]
    return {}


@operation("iam", "PutRolePolicy")
def put_role_policy(place: Place, params: Params) -> dict[str, Any]:
    _role(place, params).policies[params["PolicyName"]] = params["PolicyDocument"]
    return {}


@operation("iam", "GetRolePolicy")
def get_role_policy(place: Place, params: Params) -> dict[str, Any]:
    role, name = _role(place, params), params["PolicyName"]
    if name not in role.policies:
        raise Refused("NoSuchEntity", f"The role policy with name {name} cannot be found.", 404)
    return {"RoleName": role.name, "PolicyName": name, "PolicyDocument": quote(role.policies[name])}


@operation("iam", "DeleteRolePolicy")
def delete_role_policy(place: Place, params: Params) -> dict[str, Any]:
    get_role_policy(place, params)
    del _role(place, params).policies[params["PolicyName"]]
    return {}


@operation("iam", "TagRole")
def tag_role(place: Place, params: Params) -> dict[str, Any]:
    _role(place, params).tags |= {one["Key"]: one["Value"] for one in params["Tags"]}
    return {}


def _role(place: Place, params: Params) -> Role:
    name = params["RoleName"]
    if name not in roles(place):
        raise Refused("NoSuchEntity", f"The role with name {name} cannot be found.", 404)
    return roles(place)[name]


def _shown(role: Role) -> dict[str, Any]:
    found: dict[str, Any] = {
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": f"AROA{role.name.upper()}",
        "Arn": role.arn,
        "CreateDate": role.created,
        "AssumeRolePolicyDocument": quote(role.trust),
        "Description": role.description,
        "Tags": [{"Key": name, "Value": value} for name, value in role.tags.items()],
    }
    if role.boundary:
        boundary = {
            "PermissionsBoundaryType": "PermissionsBoundaryPolicy",
            "PermissionsBoundaryArn": role.boundary,
        }
        found["PermissionsBoundary"] = boundary
    return found
