"""The authorizer in the account: made with the first API that needs it, brought up to date, taken away with the last.

Each step looks before it does something again, and none is done twice: names of roles and functions are unique at AWS.
What is in force is noted only when GetFunctionConfiguration tells the digest of the code that was sent, and that the
update is over: until then running copies go on with the keys of before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from aws.client.errors import AwsError, Conflict, Missing, NotYet
from aws.client.regions import partition_of
from aws.policies.names import ROLE_PATH, boundary_arn
from gateways.drivers.aws.authorizer.package import HANDLER, code_digest, packed
from gateways.drivers.aws.authorizer.table import Line, known_lines, narrows, table_of, wanted_lines
from gateways.drivers.aws.kinds import ApiType, is_guarded, parted
from gateways.drivers.aws.names import INSTANCE_TAG
from gateways.drivers.aws.work import AUTHORIZED, AUTHORIZER, STAGES, Work
from gateways.engine.document import Route, canonical_json

NAME = "function"
SETTLES_S = 2.0
"""When to look again while Lambda makes or updates a function: it takes seconds."""
ROLE_OPTION = "authorizer_role"
"""The gateway's option that names a role, for accounts in which the portal makes none."""
STATEMENT = "portal-apis"
POLICY = "logs"
CONFIGURATION: Mapping[str, Any] = {
    "Runtime": "python3.13",
    "Handler": HANDLER,
    "MemorySize": 256,
    "Timeout": 5,
    "Description": "Lets callers of Gatehouse's HTTP and WebSocket APIs in by their keys.",
}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "lambda.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


def arn_of(work: Work) -> str:
    """The ARN of the function, which follows from its name."""
    account = work.calls.account
    partition = partition_of(account.region)
    return f"arn:{partition}:lambda:{account.region}:{account.number}:function:{work.names.authorizer}"


def is_made(work: Work) -> bool:
    """Whether API Gateway may ask it."""
    return bool(work.resource(AUTHORIZER, NAME).get("permitted"))


def demand_made(work: Work) -> None:
    """Raises NotYet while API Gateway may not ask it."""
    if not is_made(work):
        raise NotYet("It waits for the authorizer that checks its keys.", retry_in_s=SETTLES_S)


def missing_for(work: Work) -> Route | None:
    """The first API that needs it, where it is not there, or not as this version of the portal makes it."""
    if is_made(work) and work.resource(AUTHORIZER, NAME).get("configured") == _configuration_digest():
        return None
    return _first_guarded(work)


def _first_guarded(work: Work) -> Route | None:
    routes = work.desired.of_kind(Route)
    return next((route for route in routes if is_guarded(work.desired, route.id)), None)


def must_stop(work: Work) -> bool:
    """Whether somebody who is let in should not be, or it is not known who is."""
    known = work.resource(AUTHORIZER, NAME)
    return bool(known.get("function")) and (
        bool(known.get("sending")) or narrows(wanted_lines(work), known_lines(work))
    )


def is_outdated(work: Work) -> bool:
    """Whether it lets in others than it should. One that is not made is not outdated."""
    if not is_made(work):
        return False
    lines, known = wanted_lines(work), work.resource(AUTHORIZER, NAME)
    return bool(known.get("sending")) or known.get("content") != _content(lines) or lines != known_lines(work)


def is_idle(work: Work) -> bool:
    """Whether it is there and no API needs it any more."""
    kept = [name for name in work.holdings.resources(STAGES) if parted(name)[1] is not ApiType.REST]
    return bool(work.resource(AUTHORIZER, NAME)) and not kept and _first_guarded(work) is None


def make(work: Work) -> None:
    """Make it, with the keys that there are. Raises AwsError; called again it goes on where it stopped."""
    _make_function(work, _role(work))
    _permit(work)
    bring_up(work)


def bring_up(work: Work) -> None:
    """Have it let in who should be. Raises AwsError; NotYet while Lambda has not finished."""
    lines = wanted_lines(work)
    content, known = _content(lines), work.resource(AUTHORIZER, NAME)
    there, is_settled = _look(work)
    if (known.get("sending") or known.get("content"), known.get("sha")) != (content, there):
        _send(work, packed(table_of(lines)), content)
        there, is_settled = _look(work)
    known = work.resource(AUTHORIZER, NAME)
    if there != known["sha"] or not is_settled:
        raise NotYet("Lambda still brings the new table of keys to the authorizer.", retry_in_s=SETTLES_S)
    _note(work, lines)
    work.keep(AUTHORIZER, NAME, {**known, "sending": "", "content": content})
    _configure(work)


def confirmed(work: Work) -> bool:
    """Whether AWS shows the code, and so the keys, that were noted as in force. Raises AwsError."""
    known = work.resource(AUTHORIZER, NAME)
    if not known:
        return not known_lines(work)
    try:
        return _look(work) == (known.get("sha"), True)
    except NotYet:
        return False


def remove(work: Work) -> None:
    """Take it away with its role. Raises AwsError."""
    name, known = work.names.authorizer, work.resource(AUTHORIZER, NAME)
    with suppress(Missing):
        if _is_ours(work, _function_tags(work)):
            work.call("DeleteFunction", "lambda", FunctionName=name)
    work.holdings.drop(AUTHORIZED, list(known_lines(work)))
    with suppress(Missing):
        if known.get("role_is_ours") and _is_ours(work, _role_tags(work)):
            with suppress(Missing):
                work.call("DeleteRolePolicy", "iam", RoleName=name, PolicyName=POLICY)
            work.call("DeleteRole", "iam", RoleName=name)
    work.holdings.drop(AUTHORIZER, [NAME])


def _content(lines: Mapping[str, Line]) -> str:
    """Names the code and its table, whatever the zip of them looks like."""
    whole = canonical_json(table_of(lines)) + code_digest(packed({}))
    return hashlib.sha256(whole.encode()).hexdigest()


def _configuration_digest() -> str:
    return hashlib.sha256(canonical_json(CONFIGURATION).encode()).hexdigest()


def _send(work: Work, zipped: bytes, content: str) -> None:
    """What is being sent is written down before: after a crash nobody knows who is let in."""
    known = work.resource(AUTHORIZER, NAME)
    work.keep(AUTHORIZER, NAME, {**known, "sending": content, "sha": code_digest(zipped)})
    work.call("UpdateFunctionCode", "lambda", FunctionName=work.names.authorizer, ZipFile=zipped)


def _look(work: Work) -> tuple[str, bool]:
    """The digest of the code that is there, and whether it is what runs. Raises NotYet for a function that somebody
    deleted: it is made anew."""
    try:
        found = work.call("GetFunctionConfiguration", "lambda", FunctionName=work.names.authorizer)
    except Missing:
        work.holdings.drop(AUTHORIZED, list(known_lines(work)))
        ours = bool(work.resource(AUTHORIZER, NAME).get("role_is_ours"))
        work.keep(AUTHORIZER, NAME, {"role_is_ours": ours})  # the role may still have to go
        raise NotYet("Somebody deleted the authorizer. It is made again.", retry_in_s=SETTLES_S) from None
    is_settled = found.get("State", "Active") == "Active"
    return str(found["CodeSha256"]), is_settled and found.get(
        "LastUpdateStatus", "Successful"
    ) == "Successful"


def _configure(work: Work) -> None:
    known = work.resource(AUTHORIZER, NAME)
    if known.get("configured") == _configuration_digest():
        return
    work.call("UpdateFunctionConfiguration", "lambda", FunctionName=work.names.authorizer, **CONFIGURATION)
    work.keep(AUTHORIZER, NAME, {**known, "configured": _configuration_digest()})


def _note(work: Work, lines: Mapping[str, Line]) -> None:
    work.holdings.keep(AUTHORIZED, lines)
    work.holdings.drop(AUTHORIZED, [name for name in known_lines(work) if name not in lines])


def _role(work: Work) -> str:
    """The role that the function runs as: one that the gateway names, or one of ours, which may write its log."""
    if work.options.get(ROLE_OPTION):
        return work.options[ROLE_OPTION]
    known, name, account = work.resource(AUTHORIZER, NAME), work.names.authorizer, work.calls.account
    if known.get("role"):
        return str(known["role"])
    work.keep(AUTHORIZER, NAME, {**known, "role_is_ours": True})
    try:
        _create_role(work)
    except Conflict as taken:
        _demand_ours(work, _role_tags(work), taken)
    work.call("PutRolePolicy", "iam", RoleName=name, PolicyName=POLICY, PolicyDocument=_may_log(work))
    role = f"arn:{partition_of(account.region)}:iam::{account.number}:role{ROLE_PATH}{name}"
    work.keep(AUTHORIZER, NAME, {**work.resource(AUTHORIZER, NAME), "role": role})
    return role


def _create_role(work: Work) -> None:
    account = work.calls.account
    work.call(
        "CreateRole",
        "iam",
        RoleName=work.names.authorizer,
        Path=ROLE_PATH,
        AssumeRolePolicyDocument=canonical_json(TRUST),
        PermissionsBoundary=boundary_arn(work.names.prefix, account.number, partition_of(account.region)),
        Tags=[{"Key": name, "Value": value} for name, value in _tags(work).items()],
    )


def _may_log(work: Work) -> str:
    account = work.calls.account
    group = f"log-group:/aws/lambda/{work.names.authorizer}"
    resource = f"arn:{partition_of(account.region)}:logs:{account.region}:{account.number}:{group}:*"
    statement = {
        "Effect": "Allow",
        "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "Resource": resource,
    }
    return canonical_json({"Version": "2012-10-17", "Statement": [statement]})


def _make_function(work: Work, role: str) -> None:
    known = work.resource(AUTHORIZER, NAME)
    if known.get("function"):
        return
    lines = wanted_lines(work)
    zipped = packed(table_of(lines))
    noted = {**known, "sending": _content(lines), "sha": code_digest(zipped)}
    work.keep(AUTHORIZER, NAME, noted)
    try:
        _create_function(work, role, zipped)
        noted["configured"] = _configuration_digest()
    except Conflict as taken:  # made by a call whose answer was lost
        _demand_ours(work, _function_tags(work), taken)
    work.keep(AUTHORIZER, NAME, {**noted, "function": arn_of(work)})


def _create_function(work: Work, role: str, zipped: bytes) -> None:
    work.call(
        "CreateFunction",
        "lambda",
        FunctionName=work.names.authorizer,
        Role=role,
        Code={"ZipFile": zipped},
        Tags=_tags(work),
        **CONFIGURATION,
    )


def _function_tags(work: Work) -> dict[str, str]:
    return dict(work.call("ListTags", "lambda", Resource=arn_of(work)).get("Tags") or {})


def _role_tags(work: Work) -> dict[str, str]:
    role = work.call("GetRole", "iam", RoleName=work.names.authorizer)["Role"]
    return {tag["Key"]: tag["Value"] for tag in role.get("Tags") or ()}


def _demand_ours(work: Work, tags: Mapping[str, str], taken: AwsError) -> None:
    """What has our name and not our mark is somebody else's, and is left alone."""
    if not _is_ours(work, tags):
        raise taken


def _is_ours(work: Work, tags: Mapping[str, str]) -> bool:
    return tags.get(INSTANCE_TAG) == work.names.prefix


def _tags(work: Work) -> dict[str, str]:
    return work.names.tags(work.names.gateway)


def _permit(work: Work) -> None:
    """One statement for the authorizers of all APIs of this account and Region: a function's policy has room for some
    fifty single ones. Who may make APIs in the account learns by it no more than whether a key is let in."""
    if is_made(work):
        return
    account = work.calls.account
    with suppress(Conflict):  # it is there already, from an answer that was lost
        work.call(
            "AddPermission",
            "lambda",
            FunctionName=work.names.authorizer,
            StatementId=STATEMENT,
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
            SourceArn=(
                f"arn:{partition_of(account.region)}:execute-api:{account.region}:{account.number}:*/authorizers/*"
            ),
        )
    work.keep(AUTHORIZER, NAME, {**work.resource(AUTHORIZER, NAME), "permitted": True})
