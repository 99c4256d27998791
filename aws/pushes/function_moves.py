"""Rules of the function itself: its role, code, configuration, tags, reserved concurrency, and what is published.

Texts and states: https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html,
https://docs.aws.amazon.com/lambda/latest/dg/configuration-versions.html.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aws.client.errors import Conflict, Invalid, Missing, QuotaFull
from aws.client.limits import QUOTAS
from aws.policies.names import TAG
from aws.pushes.differences import changed_members
from aws.pushes.reality import FUNCTION, POLICY, ROLE, ROOM, VERSIONS, Reality
from aws.pushes.values import Call, Move, Published, Rest
from aws.pushes.wanted import OBJECT_TAG, Code, Wanted, WantedRole

ACTIVE = ("Active", "Inactive")
"""Inactive: AWS took its environments away because nobody called; it may be changed."""


def role(wanted: Wanted, reality: Reality) -> Move | None:
    """The role that the portal makes for it, with one inline policy."""
    if wanted.role is None:
        return None
    found, name = reality.role(), wanted.role.name
    if found is None:
        return Call(
            "make_role", "iam", "CreateRole", _new_role(wanted, wanted.role), detail=name, forgets=(ROLE,)
        )
    _own_role(wanted, found)
    if found["Policy"] != wanted.role.policy:
        document = json.dumps(wanted.role.policy)
        params = {"RoleName": name, "PolicyName": POLICY, "PolicyDocument": document}
        return Call("set_rights", "iam", "PutRolePolicy", params, detail=name, forgets=(ROLE,))
    return None


def create(wanted: Wanted, reality: Reality) -> Move | None:
    """The function, unless it is there: then it has to be ours, or adopted by a person."""
    found = reality.function()
    if found is not None:
        own(wanted, found)
        return None
    if wanted.is_adopted:
        raise Missing(f"{wanted.name} is not in AWS any more. Let it go here, or make it again there.")
    if wanted.code is None:
        raise Invalid(f"{wanted.name} has no code yet. Hand in a zip or an image.")
    return Call(
        "make_function", "lambda", "CreateFunction", _new_function(wanted, wanted.code), detail=wanted.name
    )


def settled(wanted: Wanted, reality: Reality) -> Move | None:
    """Nothing is called while AWS is at it."""
    told = _told(reality)
    if told.get("State") == "Pending":
        return Rest("AWS starts the function")
    if told.get("LastUpdateStatus") == "InProgress":
        return Rest("AWS takes the last change over")
    return None


def tags(wanted: Wanted, reality: Reality) -> Move | None:
    """Ours and the team's; others' stay, except for those that were dropped here."""
    found = (reality.function() or {}).get("Tags", {})
    missing = {name: value for name, value in wanted.tags.items() if found.get(name) != value}
    if missing:
        params: dict[str, Any] = {"Resource": wanted.arn, "Tags": missing}
        return Call("tag", "lambda", "TagResource", params, detail=", ".join(missing))
    dropped = [name for name in wanted.dropped_tags if name in found and name not in wanted.tags]
    if dropped:
        params = {"Resource": wanted.arn, "TagKeys": dropped}
        return Call("untag", "lambda", "UntagResource", params, detail=", ".join(dropped))
    return None


def code(wanted: Wanted, reality: Reality) -> Move | None:
    """Compared by its hash; an image whose hash is not known yet is handed in."""
    told = _told(reality)
    if wanted.code is None or (wanted.code.sha256 and wanted.code.sha256 == told["CodeSha256"]):
        return None
    members = {**wanted.code.members(), "Architectures": [wanted.architecture]}
    params = {"FunctionName": wanted.name, **members, "RevisionId": told["RevisionId"]}
    return Call("set_code", "lambda", "UpdateFunctionCode", params, detail=wanted.code.image_uri)


def configuration(wanted: Wanted, reality: Reality) -> Move | None:
    """All that differs in one call; and a change that AWS could not carry out ends the push."""
    told = _told(reality)
    changed = changed_members(wanted.configuration, told)
    if changed:
        params = {"FunctionName": wanted.name, **changed, "RevisionId": told["RevisionId"]}
        name = "set_configuration"
        return Call(name, "lambda", "UpdateFunctionConfiguration", params, detail=", ".join(changed))
    for state, reason in (("State", "StateReason"), ("LastUpdateStatus", "LastUpdateStatusReason")):
        if told.get(state) == "Failed":
            raise Invalid(f"AWS could not start the function: {told.get(reason, 'no reason is told')}")
    return None


def loosen_reserved(wanted: Wanted, reality: Reality) -> Move | None:
    """More, or none at all: before warm environments need it."""
    now = _reserved(reality)
    if wanted.reserved == now or (wanted.reserved is not None and now is not None and wanted.reserved < now):
        return None
    _check_room(wanted, reality)
    return _set_reserved(wanted)


def tighten_reserved(wanted: Wanted, reality: Reality) -> Move | None:
    """Less: after warm environments were given up."""
    return None if wanted.reserved == _reserved(reality) else _set_reserved(wanted)


def publish(wanted: Wanted, reality: Reality) -> Move | None:
    """The wanted version. It is looked for by its mark first: an answer may have been lost."""
    if wanted.version is None:
        return None
    found = reality.version_marked(wanted.version.id)
    if found is not None:
        return Published(wanted.version.id, found)
    told = _told(reality)
    params = {
        "FunctionName": wanted.name,
        "Description": wanted.version.description,
        "CodeSha256": told["CodeSha256"],
        "RevisionId": told["RevisionId"],
    }
    return Call("publish", "lambda", "PublishVersion", params, forgets=(FUNCTION, VERSIONS))


def delete_function(wanted: Wanted, reality: Reality) -> Move | None:
    """With all versions and aliases; only what is ours, and nothing where somebody else has the name."""
    found = reality.function()
    if found is None or not _bears_our_marks(wanted, found.get("Tags", {})):
        return None
    params = {"FunctionName": wanted.name}
    return Call(
        "delete_function", "lambda", "DeleteFunction", params, detail=wanted.name, missing_is_done=True
    )


def delete_role(wanted: Wanted, reality: Reality) -> Move | None:
    """The role that the portal made, after the function."""
    found = reality.role() if wanted.role is not None else None
    if wanted.role is None or found is None or not _is_our_role(wanted, found):
        return None
    params, name = {"RoleName": wanted.role.name}, wanted.role.name
    if found["Policy"] is not None:
        params = {**params, "PolicyName": POLICY}
        return Call("drop_rights", "iam", "DeleteRolePolicy", params, name, (ROLE,), missing_is_done=True)
    return Call("delete_role", "iam", "DeleteRole", params, name, (ROLE,), missing_is_done=True)


def own(wanted: Wanted, found: Mapping[str, Any]) -> None:
    """Raises Conflict for a function that somebody else made and nobody adopted."""
    told = found.get("Tags", {})
    owner, record = told.get(TAG), told.get(OBJECT_TAG)
    if owner not in {None, wanted.prefix} or record not in {None, wanted.id}:
        raise Conflict(f"{wanted.name} in AWS belongs to {record or owner}. Nothing of it was changed.")
    if not wanted.is_adopted and (owner is None or record is None):
        raise Conflict(
            f"There is a function {wanted.name} in AWS already that the portal did not make. Choose another short name,"
            " or adopt it."
        )


def _bears_our_marks(wanted: Wanted, told: Mapping[str, str]) -> bool:
    return told.get(TAG) == wanted.prefix and told.get(OBJECT_TAG) == wanted.id


def _is_our_role(wanted: Wanted, found: Mapping[str, Any]) -> bool:
    return _bears_our_marks(wanted, {tag["Key"]: tag["Value"] for tag in found.get("Tags", ())})


def _own_role(wanted: Wanted, found: Mapping[str, Any]) -> None:
    if not _is_our_role(wanted, found):
        raise Conflict(
            f"There is a role {found['RoleName']} in AWS already that the portal did not make for this function. Name a"
            " role in the function's configuration, or delete that one."
        )


def _told(reality: Reality) -> dict[str, Any]:
    """The configuration of $LATEST. Whoever asks comes after `create`."""
    found: dict[str, Any] = (reality.function() or {})["Configuration"]
    return found


def _reserved(reality: Reality) -> int | None:
    found = (reality.function() or {}).get("Concurrency") or {}
    return found.get("ReservedConcurrentExecutions")


def _check_room(wanted: Wanted, reality: Reality) -> None:
    """Raises QuotaFull: AWS keeps a part for the functions that reserve nothing."""
    keeps = QUOTAS["unreserved_concurrency"].number
    room = reality.room() + (_reserved(reality) or 0) - keeps
    if wanted.reserved is not None and wanted.reserved > room:
        raise QuotaFull(
            f"{wanted.reserved} cannot be reserved: AWS keeps {keeps} for functions that reserve nothing, so"
            f" {max(0, room)} are left for this one. Reserve less, or ask AWS for more concurrency."
        )


def _set_reserved(wanted: Wanted) -> Call:
    params: dict[str, Any] = {"FunctionName": wanted.name}
    if wanted.reserved is None:
        return Call("drop_reserved", "lambda", "DeleteFunctionConcurrency", params, forgets=(FUNCTION, ROOM))
    params["ReservedConcurrentExecutions"] = wanted.reserved
    detail = str(wanted.reserved)
    return Call("set_reserved", "lambda", "PutFunctionConcurrency", params, detail, (FUNCTION, ROOM))


def _new_role(wanted: Wanted, role: WantedRole) -> dict[str, Any]:
    return {
        "RoleName": role.name,
        "Path": role.path,
        "AssumeRolePolicyDocument": json.dumps(role.trust),
        "PermissionsBoundary": role.boundary_arn,
        "Description": f"For the function {wanted.name}",
        "Tags": [{"Key": TAG, "Value": wanted.prefix}, {"Key": OBJECT_TAG, "Value": wanted.id}],
    }


def _new_function(wanted: Wanted, code: Code) -> dict[str, Any]:
    plain = {name: value for name, value in wanted.configuration.items() if value}
    if not plain.get("VpcConfig", {}).get("SubnetIds"):
        plain.pop("VpcConfig", None)
    if not plain.get("DeadLetterConfig", {}).get("TargetArn"):
        plain.pop("DeadLetterConfig", None)
    return {
        "FunctionName": wanted.name,
        "PackageType": wanted.package,
        "Architectures": [wanted.architecture],
        "Code": code.members(),
        "Tags": dict(wanted.tags),
        **plain,
    }
