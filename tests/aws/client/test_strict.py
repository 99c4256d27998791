"""What AWS would refuse is found before a call, and secrets are not repeated."""

from __future__ import annotations

from typing import Any

import pytest

from aws.client.errors import Invalid
from aws.client.strict import check
from tests.aws.fake import FakeAWS

ROLE = "arn:aws:iam::111122223333:role/portal/r"
FUNCTION = {"FunctionName": "f", "Role": ROLE, "Code": {"ZipFile": b"x"}}
STAGE = {"restApiId": "x", "stageName": "live", "deploymentId": "d"}
ALIAS = {"FunctionName": "f", "Name": "live", "FunctionVersion": "1"}
METHOD = {"restApiId": "x", "resourceId": "y", "httpMethod": "GET"}
TAGGED = {
    "endpointConfiguration": {"types": ["REGIONAL"]},
    "tags": {f"t{number}": "" for number in range(51)},
}
LARGE = {"Variables": {"AB": "x" * 5000}}
THREE = {"2": 0.1, "3": 0.1}
KEY = {"name": "k", "value": "k" * 30, "enabled": True}


@pytest.mark.parametrize(
    ("service", "operation", "params", "said"),
    [
        ("apigateway", "CreateUsagePlan", {"name": "p", "quota": {"period": "YEAR"}}, "quota.period must be one of"),
        ("apigateway", "CreateUsagePlan", {"name": "p", "quota": {"limit": -1}}, "must not be negative"),
        ("apigateway", "CreateUsagePlan", {}, "name is missing"),
        ("apigateway", "CreateUsagePlan", {"name": "p", "nam": "q"}, "nam is not known"),
        ("apigateway", "CreateUsagePlan", {"name": 5}, "name must be a string"),
        ("apigateway", "PutIntegration", {**METHOD, "type": "HTTPS_PROXY"}, "type must be one of"),
        ("apigateway", "CreateApiKey", {**KEY, "value": "short"}, "20 to 128 characters"),
        ("apigateway", "CreateApiKey", {"value": "k" * 30}, "enabled must be said"),
        ("apigateway", "CreateStage", {**STAGE, "stageName": "bad name/x"}, "stageName must be"),
        ("apigateway", "CreateStage", {**STAGE, "variables": {"a": "with space"}}, "variables.a must be"),
        ("apigateway", "CreateRestApi", {"name": "a"}, "endpointConfiguration.types must be said"),
        ("apigateway", "CreateRestApi", {"name": "a", **TAGGED}, "tags must be at most 50"),
        ("lambda", "CreateFunction", {**FUNCTION, "Role": "r1"}, "Role must match"),
        ("lambda", "CreateFunction", {**FUNCTION, "MemorySize": 127}, "MemorySize must be at least 128"),
        ("lambda", "CreateFunction", {**FUNCTION, "Environment": LARGE}, "at most 4096 bytes"),
        ("lambda", "CreateFunction", {**FUNCTION, "Environment": {"Variables": {"AWS_REGION": "x"}}}, "AWS's own"),
        ("lambda", "CreateAlias", {**ALIAS, "Name": "7"}, "Name must"),
        ("lambda", "CreateAlias", {**ALIAS, "RoutingConfig": {"AdditionalVersionWeights": {"2": 1.5}}}, "at most 1"),
        ("lambda", "CreateAlias", {**ALIAS, "RoutingConfig": {"AdditionalVersionWeights": THREE}}, "one more version"),
    ],
)  # fmt: skip
def test_what_aws_would_refuse(
    fake: FakeAWS, service: str, operation: str, params: dict[str, Any], said: str
) -> None:
    with pytest.raises(Invalid, match=said):
        check(fake.sessions.model(service, operation), params)


@pytest.mark.parametrize(
    ("service", "operation", "params"),
    [
        ("apigateway", "CreateApiKey", KEY),
        (
            "apigateway",
            "CreateStage",
            {**STAGE, "variables": {"alias": "live", "url": "https://a.test/?x=1"}},
        ),
        ("lambda", "CreateFunction", {**FUNCTION, "Runtime": "python3.13", "MemorySize": 512}),
        ("lambda", "CreateAlias", {**ALIAS, "RoutingConfig": {"AdditionalVersionWeights": {"2": 0.1}}}),
        ("lambda", "Invoke", {"FunctionName": "f", "Payload": b"{}"}),
        (
            "iam",
            "CreateRole",
            {"RoleName": "r", "Path": "/portal/", "AssumeRolePolicyDocument": '{"a":\n "b"}'},
        ),
        ("cloudwatch", "GetMetricData", {"MetricDataQueries": [{"Id": "a"}], "StartTime": 1, "EndTime": 2}),
    ],
)
def test_what_aws_takes(fake: FakeAWS, service: str, operation: str, params: dict[str, Any]) -> None:
    check(fake.sessions.model(service, operation), params)


def test_no_value_is_repeated(fake: FakeAWS) -> None:
    secret = "ghp-very-secret"
    with pytest.raises(Invalid) as caught:
        check(fake.sessions.model("apigateway", "CreateApiKey"), {**KEY, "value": secret})
    assert secret not in str(caught.value)
