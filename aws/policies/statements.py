"""Statements of the portal's role, one list per feature, and what is denied whatever is switched on.

Resources and conditions may hold `${prefix}` (ours), `${AWS::Partition}` and `${AWS::AccountId}` (CloudFormation's).
Sources: the service authorization reference of each service; "Using tags to control access to API Gateway REST API
resources" and "Control access based on the attributes of a REST API" of API Gateway's developer guide.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from aws.policies.names import ROLE_PATH, TAG


class Feature(StrEnum):
    """What an account is used for. Each one asks for the statements of its list and for nothing else."""

    REST = "rest"
    HTTP = "http"
    FUNCTIONS = "functions"
    ADOPTED = "adopted"
    INVOKE = "invoke"
    VPC = "vpc"
    IMAGES = "images"
    ROLES = "roles"
    SERVICES = "services"
    TRACING = "tracing"
    USAGE = "usage"


NEEDS: Mapping[Feature, Feature] = {
    Feature.ADOPTED: Feature.FUNCTIONS,
    Feature.INVOKE: Feature.FUNCTIONS,
    Feature.VPC: Feature.FUNCTIONS,
    Feature.IMAGES: Feature.FUNCTIONS,
    Feature.TRACING: Feature.ROLES,
    Feature.SERVICES: Feature.ROLES,
}
"""Features that mean nothing without another one."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a policy. `allows` False: an explicit deny, which beats everything."""

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    conditions: Mapping[str, Mapping[str, str | tuple[str, ...]]] = field(default_factory=dict)
    allows: bool = True


def _gateway(*paths: str) -> tuple[str, ...]:
    """API Gateway's ARNs carry no account number; regions are held by DENY_REGIONS."""
    return tuple(f"arn:${{AWS::Partition}}:apigateway:*::{path}" for path in paths)


def _verbs(*methods: str) -> tuple[str, ...]:
    return tuple(f"apigateway:{method}" for method in methods)


def _own(service: str, resource: str, region: str = "*") -> tuple[str, ...]:
    return (f"arn:${{AWS::Partition}}:{service}:{region}:${{AWS::AccountId}}:{resource}",)


OURS = {"StringEquals": {f"aws:ResourceTag/{TAG}": "${prefix}"}}
MADE_OURS = {"StringEquals": {f"aws:RequestTag/{TAG}": "${prefix}"}}
ROLES_OF_OURS = _own("iam", f"role{ROLE_PATH}${{prefix}}-*", region="")
BOUNDARY = _own("iam", "policy/${prefix}-boundary", region="")
BOUNDED = {"StringEquals": {"iam:PermissionsBoundary": BOUNDARY[0]}}
FUNCTIONS = _own("lambda", "function:${prefix}-*")
ALL_FUNCTIONS = _own("lambda", "function:*")
LOG_GROUPS = (
    *_own("logs", "log-group:/portal/${prefix}/*"),
    *_own("logs", "log-group:/aws/lambda/${prefix}-*"),
)

READ_FUNCTION = (
    "lambda:GetFunction",
    "lambda:GetFunctionConfiguration",
    "lambda:GetFunctionConcurrency",
    "lambda:GetFunctionEventInvokeConfig",
    "lambda:GetAlias",
    "lambda:GetPolicy",
    "lambda:GetProvisionedConcurrencyConfig",
    "lambda:ListAliases",
    "lambda:ListProvisionedConcurrencyConfigs",
    "lambda:ListTags",
    "lambda:ListVersionsByFunction",
)
CHANGE_FUNCTION = (
    "lambda:AddPermission",
    "lambda:CreateAlias",
    "lambda:DeleteAlias",
    "lambda:DeleteFunctionConcurrency",
    "lambda:DeleteFunctionEventInvokeConfig",
    "lambda:DeleteProvisionedConcurrencyConfig",
    "lambda:PublishVersion",
    "lambda:PutFunctionConcurrency",
    "lambda:PutFunctionEventInvokeConfig",
    "lambda:PutProvisionedConcurrencyConfig",
    "lambda:RemovePermission",
    "lambda:UpdateAlias",
    "lambda:UpdateFunctionCode",
    "lambda:UpdateFunctionConfiguration",
)

ALWAYS: tuple[Statement, ...] = (
    Statement("ReadQuotas", ("servicequotas:GetServiceQuota", "servicequotas:ListServiceQuotas"), ("*",)),
)
"""What every account is asked for."""

BY_FEATURE: Mapping[Feature, tuple[Statement, ...]] = {
    Feature.REST: (
        Statement("CreateRestApis", _verbs("POST"), _gateway("/restapis", "/usageplans"), MADE_OURS),
        Statement("ListRestApis", _verbs("GET"), _gateway("/restapis", "/usageplans", "/account")),
        Statement(
            "OwnRestApis",
            _verbs("GET", "POST", "PUT", "PATCH", "DELETE"),
            _gateway("/restapis/*", "/usageplans/*", "/tags/*"),
            OURS,
        ),
        Statement("OwnRestApiPolicies", ("apigateway:UpdateRestApiPolicy",), _gateway("/restapis/*"), OURS),
        # Keys come by import, whose file has no column for tags: nothing tells ours from others here.
        Statement("Keys", _verbs("GET", "POST", "PATCH", "DELETE"), _gateway("/apikeys", "/apikeys/*")),
    ),
    Feature.HTTP: (
        Statement("CreateHttpApis", _verbs("POST"), _gateway("/apis"), MADE_OURS),
        Statement("ListHttpApis", _verbs("GET"), _gateway("/apis")),
        Statement(
            "OwnHttpApis",
            _verbs("GET", "POST", "PUT", "PATCH", "DELETE"),
            _gateway("/apis/*", "/tags/*"),
            OURS,
        ),
    ),
    Feature.FUNCTIONS: (
        Statement("CreateFunctions", ("lambda:CreateFunction", "lambda:TagResource"), FUNCTIONS, MADE_OURS),
        Statement(
            "OwnFunctions",
            (*READ_FUNCTION, *CHANGE_FUNCTION, "lambda:DeleteFunction", "lambda:UntagResource"),
            FUNCTIONS,
        ),
        Statement("UseLayers", ("lambda:GetLayerVersion",), ("arn:${AWS::Partition}:lambda:*:*:layer:*:*",)),
        Statement(
            "ListFunctions",
            ("lambda:GetAccountSettings", "lambda:ListEventSourceMappings", "lambda:ListFunctions"),
            ("*",),
        ),
    ),
    Feature.ADOPTED: (
        Statement("AdoptedFunctions", (*READ_FUNCTION, *CHANGE_FUNCTION), ALL_FUNCTIONS, OURS),
    ),
    Feature.INVOKE: (Statement("TryFunctions", ("lambda:InvokeFunction",), FUNCTIONS),),
    Feature.VPC: (
        Statement(
            "ReadNetworks", ("ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs"), ("*",)
        ),
    ),
    Feature.IMAGES: (
        Statement(
            "ReadImages",
            ("ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:GetRepositoryPolicy"),
            _own("ecr", "repository/*"),
        ),
    ),
    Feature.ROLES: (
        Statement("CreateRoles", ("iam:CreateRole",), ROLES_OF_OURS, BOUNDED),
        Statement("ChangeRoles", ("iam:PutRolePolicy", "iam:DeleteRolePolicy"), ROLES_OF_OURS, BOUNDED),
        Statement(
            "OwnRoles",
            ("iam:GetRole", "iam:GetRolePolicy", "iam:DeleteRole", "iam:TagRole"),
            ROLES_OF_OURS,
        ),
        Statement(
            "PassRoles",
            ("iam:PassRole",),
            ROLES_OF_OURS,
            {"StringEquals": {"iam:PassedToService": ("lambda.amazonaws.com", "apigateway.amazonaws.com")}},
        ),
    ),
    Feature.SERVICES: (),  # the calls are made with a role that ROLES makes; they widen its boundary alone
    Feature.TRACING: (),
    Feature.USAGE: (
        Statement("ReadMetrics", ("cloudwatch:GetMetricData",), ("*",)),
        Statement(
            "OwnLogs", ("logs:CreateLogGroup", "logs:PutRetentionPolicy", "logs:FilterLogEvents"), LOG_GROUPS
        ),
        Statement("ListLogs", ("logs:DescribeLogGroups",), _own("logs", "log-group:*")),
        # The role by which API Gateway writes logs is one for the whole account and Region.
        Statement("AccountLogRole", _verbs("GET", "PATCH"), _gateway("/account")),
        # "Logging HTTP APIs": whoever switches access logs on needs these, and they know no resources.
        Statement(
            "DeliverLogs",
            (
                "logs:CreateLogDelivery",
                "logs:DeleteLogDelivery",
                "logs:DescribeResourcePolicies",
                "logs:GetLogDelivery",
                "logs:ListLogDeliveries",
                "logs:PutResourcePolicy",
                "logs:UpdateLogDelivery",
            ),
            ("*",),
        ),
    ),
}
"""What each feature asks for, on top of ALWAYS."""

DENIES: tuple[Statement, ...] = (
    Statement(
        "NeverEdge",
        _verbs("POST", "PATCH"),
        _gateway("/restapis", "/restapis/*"),
        {"ForAnyValue:StringEquals": {"apigateway:Request/EndpointType": ("EDGE",)}},
        allows=False,
    ),
    Statement(
        "NeverGiveAway",
        ("apigateway:DELETE", "lambda:UntagResource"),
        (*_gateway("/tags/*"), *ALL_FUNCTIONS),
        {"ForAnyValue:StringEquals": {"aws:TagKeys": (TAG,)}},
        allows=False,
    ),
    Statement(
        "NeverUnbound",
        ("iam:DeleteRolePermissionsBoundary", "iam:PutRolePermissionsBoundary", "iam:AttachRolePolicy"),
        ("*",),
        allows=False,
    ),
    Statement(
        "NeverTheBoundary",
        (
            "iam:CreatePolicyVersion",
            "iam:DeletePolicy",
            "iam:DeletePolicyVersion",
            "iam:SetDefaultPolicyVersion",
        ),
        BOUNDARY,
        allows=False,
    ),
    Statement("NeverItself", ("iam:*",), _own("iam", "role/${prefix}-portal", region=""), allows=False),
    Statement("NeverSecrets", ("secretsmanager:GetSecretValue",), ("*",), allows=False),
)
"""Denied whatever is switched on, also where somebody widens the role by hand."""

REGIONAL = ("apigateway:*", "cloudwatch:*", "ec2:*", "ecr:*", "lambda:*", "logs:*", "servicequotas:*")

BOUNDARY_ALWAYS: tuple[Statement, ...] = (
    Statement(
        "WriteLogs",
        ("logs:CreateLogStream", "logs:PutLogEvents"),
        _own("logs", "log-group:/aws/lambda/${prefix}-*:*"),
    ),
    Statement(
        "ReadOwnSecrets", ("secretsmanager:GetSecretValue",), _own("secretsmanager", "secret:${prefix}/*")
    ),
    Statement(
        "SendWhatFailed",
        ("sqs:SendMessage", "sns:Publish"),
        (*_own("sqs", "${prefix}-*"), *_own("sns", "${prefix}-*")),
    ),
)
BOUNDARY_BY_FEATURE: Mapping[Feature, tuple[Statement, ...]] = {
    Feature.SERVICES: (
        Statement("SendMessages", ("sqs:SendMessage",), _own("sqs", "*")),
        Statement(
            "StartExecutions",
            ("states:StartExecution", "states:StartSyncExecution"),
            _own("states", "stateMachine:*"),
        ),
    ),
    Feature.TRACING: (
        Statement("SendTraces", ("xray:PutTraceSegments", "xray:PutTelemetryRecords"), ("*",)),
    ),
    Feature.VPC: (
        Statement(
            "JoinNetworks",
            (
                "ec2:CreateNetworkInterface",
                "ec2:DeleteNetworkInterface",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeSubnets",
                "ec2:AssignPrivateIpAddresses",
                "ec2:UnassignPrivateIpAddresses",
            ),
            ("*",),
        ),
    ),
}
"""The most that a role made by the portal may ever do: the union of what generated functions need."""


def groups(features: Iterable[str]) -> list[tuple[str, tuple[Statement, ...]]]:
    """What is allowed, by policy: "base" for every account, then each feature that asks for something, in order."""
    wanted = {Feature(name) for name in features}
    chosen = [(feature.value, BY_FEATURE[feature]) for feature in Feature if feature in wanted]
    return [("base", ALWAYS), *((name, statements) for name, statements in chosen if statements)]


def denied(regions: Iterable[str]) -> tuple[Statement, ...]:
    """What is denied: DENIES, and every Region but those connected."""
    elsewhere = Statement(
        "NeverElsewhere",
        REGIONAL,
        ("*",),
        {"StringNotEquals": {"aws:RequestedRegion": tuple(sorted(regions))}},
        allows=False,
    )
    return (*DENIES, elsewhere)


def bounds(features: Iterable[str]) -> tuple[Statement, ...]:
    """The statements of the boundary."""
    wanted = {Feature(name) for name in features}
    return (
        *BOUNDARY_ALWAYS,
        *(one for feature in Feature if feature in wanted for one in BOUNDARY_BY_FEATURE.get(feature, ())),
    )
