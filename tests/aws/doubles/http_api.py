"""An HTTP API as Gatehouse makes it, and what stands behind it."""

from __future__ import annotations

from typing import Any

from tests.aws.doubles.functions import AUTHORIZER, integration_of, make_function
from tests.aws.doubles.servers import Double, unique


def make_api(double: Double, **given: Any) -> str:
    """An HTTP API with a stage that deploys by itself."""
    client = double.client("apigatewayv2")
    api = client.create_api(Name=unique("portal-orders"), ProtocolType="HTTP", **given)["ApiId"]
    client.create_stage(ApiId=api, StageName="$default", AutoDeploy=True)
    return str(api)


def add_route(double: Double, api: str, key: str, function: str, **given: Any) -> str:
    """A route to a function, an alias of one, or a version."""
    client = double.client("apigatewayv2")
    made = client.create_integration(
        ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=function, PayloadFormatVersion="2.0"
    )
    target = f"integrations/{made['IntegrationId']}"
    return str(client.create_route(ApiId=api, RouteKey=key, Target=target, **given)["RouteId"])


def make_alias(double: Double, source: str) -> str:
    """The address of the alias `live` of a new function's first version."""
    client, name = double.client("lambda"), make_function(double, source)["FunctionName"]
    version = client.publish_version(FunctionName=name)["Version"]
    return str(client.create_alias(FunctionName=name, Name="live", FunctionVersion=version)["AliasArn"])


def make_authorizer(double: Double, api: str, **given: Any) -> str:
    """An authorizer that reads the header x-api-key and is asked at every call."""
    asked = {
        "Name": "keys",
        "AuthorizerType": "REQUEST",
        "AuthorizerUri": integration_of(make_function(double, AUTHORIZER)["FunctionArn"]),
        "IdentitySource": ["$request.header.x-api-key"],
        "AuthorizerPayloadFormatVersion": "2.0",
        "EnableSimpleResponses": True,
        "AuthorizerResultTtlInSeconds": 0,
        **given,
    }
    return str(double.client("apigatewayv2").create_authorizer(ApiId=api, **asked)["AuthorizerId"])
