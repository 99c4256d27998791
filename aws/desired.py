"""From rows to what is wanted of a function in AWS: the one reader of them for pushes."""

from __future__ import annotations

from typing import Any

from aws.client.regions import partition_of
from aws.environments import open_environment
from aws.models import FunctionAlias, FunctionCode, FunctionVersion, LambdaFunction
from aws.policies.names import ROLE_PATH, TAG, boundary_arn, role_name
from aws.pushes.wanted import OBJECT_TAG, Code, Wanted, WantedAlias, WantedRole, WantedVersion

PACKAGES = {LambdaFunction.Package.ZIP: "Zip", LambdaFunction.Package.IMAGE: "Image"}
ASSUMED_BY_LAMBDA = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}


def wanted_of(function: LambdaFunction) -> Wanted:
    """What is decided about `function`. Raises audit.sealing.SealBroken."""
    aliases = list(function.aliases.current().select_related("version", "second").order_by("name"))
    removed = function.aliases.filter(removed_at__isnull=False, is_gone=False).values_list("name", flat=True)
    events = _events(function)
    return Wanted(
        id=function.public_id,
        prefix=function.account.prefix,
        name=function.remote_name,
        arn=function.arn,
        is_adopted=function.is_adopted,
        is_gone=function.state == LambdaFunction.State.LEAVING,
        package=PACKAGES[LambdaFunction.Package(function.package)],
        architecture=function.architecture,
        configuration=_configuration(function),
        tags=dict(function.tags) if function.is_adopted else {**function.tags, **_marks(function)},
        dropped_tags=tuple(function.dropped_tags),
        code=_code(function.code),
        role=_role(function),
        reserved=function.reserved,
        events=events or None,
        clears_events=function.events_set and not events,
        aliases=tuple(_alias(alias) for alias in aliases),
        removed_aliases=tuple(name for name in removed if name not in {alias.name for alias in aliases}),
        version=_version(function.versions.filter(state=FunctionVersion.State.WANTED).first()),
        pruned=tuple(
            str(one.number) for one in function.versions.filter(state=FunctionVersion.State.PRUNING)
        ),
    )


def role_arn_of(function: LambdaFunction) -> str:
    """The role that it runs with: the one that was named, or the one that the portal makes."""
    if function.role_arn or function.is_adopted:
        return function.role_arn
    partition, name = partition_of(function.region), _role_name(function)
    return f"arn:{partition}:iam::{function.account.number}:role{ROLE_PATH}{name}"


def _role_name(function: LambdaFunction) -> str:
    """The name of the function itself, without the prefix that both begin with."""
    return role_name(
        function.account.prefix, function.remote_name.removeprefix(f"{function.account.prefix}-")
    )


def _marks(function: LambdaFunction) -> dict[str, str]:
    return {TAG: function.account.prefix, OBJECT_TAG: function.public_id}


def _configuration(function: LambdaFunction) -> dict[str, Any]:
    found: dict[str, Any] = {
        "Role": role_arn_of(function),
        "MemorySize": function.memory_mb,
        "Timeout": function.timeout_s,
        "Environment": {"Variables": open_environment(function)},
        "VpcConfig": {
            "SubnetIds": sorted(function.subnets),
            "SecurityGroupIds": sorted(function.security_groups),
        },
        "DeadLetterConfig": {"TargetArn": function.dead_letter_arn},
        "TracingConfig": {"Mode": "Active" if function.tracing else "PassThrough"},
    }
    if function.is_image:
        return found
    return {
        **found,
        "Runtime": function.runtime,
        "Handler": function.handler,
        "Layers": list(function.layers),
    }


def _events(function: LambdaFunction) -> dict[str, str]:
    told = {"OnSuccess": function.on_success_arn, "OnFailure": function.on_failure_arn}
    return {name: arn for name, arn in told.items() if arn}


def _code(code: FunctionCode | None) -> Code | None:
    if code is None:
        return None
    return Code(code.sha256, code.image_uri, lambda: bytes(FunctionCode.objects.get(pk=code.pk).content))


def _version(version: FunctionVersion | None) -> WantedVersion | None:
    return WantedVersion(version.public_id, version.note) if version else None


def _alias(alias: FunctionAlias) -> WantedAlias:
    weights = {}
    if alias.second is not None and alias.weight is not None:
        weights = {str(alias.second.number): alias.weight / 100}
    return WantedAlias(alias.public_id, alias.name, str(alias.version.number), weights, alias.provisioned)


def _role(function: LambdaFunction) -> WantedRole | None:
    """None where a role was named, which the portal then never changes."""
    if function.role_arn or function.is_adopted:
        return None
    account = function.account
    return WantedRole(
        name=_role_name(function),
        path=ROLE_PATH,
        boundary_arn=boundary_arn(account.prefix, account.number, partition_of(function.region)),
        trust=ASSUMED_BY_LAMBDA,
        policy={"Version": "2012-10-17", "Statement": _rights(function)},
    )


def _rights(function: LambdaFunction) -> list[dict[str, Any]]:
    """What the function needs for what is configured, and nothing else."""
    partition, account = partition_of(function.region), function.account.number
    group = f"/aws/lambda/{function.remote_name}"
    logs = f"arn:{partition}:logs:{function.region}:{account}:log-group:{group}"
    rights = [
        _allow(["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], [logs, f"{logs}:*"])
    ]
    targets = sorted({function.dead_letter_arn, function.on_success_arn, function.on_failure_arn} - {""})
    rights += [_allow([SENDS[service]], found) for service, found in _by_service(targets)]
    if function.subnets:
        rights.append(_allow(NETWORK, ["*"]))
    if function.tracing:
        rights.append(_allow(["xray:PutTraceSegments", "xray:PutTelemetryRecords"], ["*"]))
    return rights


SENDS = {
    "sqs": "sqs:SendMessage",
    "sns": "sns:Publish",
    "lambda": "lambda:InvokeFunction",
    "events": "events:PutEvents",
}
NETWORK = [
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
]
"""https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html, "Execution role permissions"."""


def _allow(actions: list[str], resources: list[str]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources}


def _by_service(arns: list[str]) -> list[tuple[str, list[str]]]:
    services = sorted({arn.split(":")[2] for arn in arns})
    return [(service, [arn for arn in arns if arn.split(":")[2] == service]) for service in services]
