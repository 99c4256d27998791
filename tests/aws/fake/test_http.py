"""HTTP and WebSocket APIs of the fake: what they take, and who gets in."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aws.client.account import Account
from aws.client.calls import Calls
from aws.client.errors import Conflict, Invalid, Missing, QuotaFull
from tests.aws.fake import FakeAWS, Verdict
from tests.aws.fake.acts import SECRET, let_in, make_function, make_key, make_plan
from tests.aws.fake.documents import HTTP, document

JWT = {
    "type": "jwt",
    "identitySource": "$request.header.Authorization",
    "jwtConfiguration": {"issuer": "https://issuer.example.test", "audience": ["orders"]},
}


def imported(calls: Calls, paths: dict[str, Any], **more: Any) -> str:
    """An HTTP API that deploys by itself, on its default stage; its id."""
    body = document(paths, **more).decode()
    api_id = calls.call("apigatewayv2", "ImportApi", Body=body, FailOnWarnings=True)["ApiId"]
    calls.call("apigatewayv2", "CreateStage", ApiId=api_id, StageName="$default", AutoDeploy=True)
    return str(api_id)


def route(**more: Any) -> dict[str, Any]:
    return {
        "responses": {},
        "x-amazon-apigateway-integration": {**HTTP, "payloadFormatVersion": "1.0"},
        **more,
    }


def test_an_import_makes_routes_and_deploys(fake: FakeAWS, account: Account, calls: Calls) -> None:
    paths = {"/orders": {"get": route()}, "/orders/{id}": {"x-amazon-apigateway-any-method": route()}}
    api_id = imported(calls, paths, components={})
    keys = {one["RouteKey"] for one in calls.pages("apigatewayv2", "GetRoutes", "Items", ApiId=api_id)}
    assert keys == {"GET /orders", "ANY /orders/{id}"}
    asked = [("GET", "/orders"), ("POST", "/orders"), ("DELETE", "/orders/1"), ("GET", "/no")]
    statuses = [fake.invoke(account, api_id, "$default", *one).status for one in asked]
    assert statuses == [200, 404, 200, 404]


def test_an_import_makes_a_new_api_each_time_and_a_reimport_does_not(calls: Calls) -> None:
    body = document({"/orders": {"get": route()}}, components={}).decode()
    first = calls.call("apigatewayv2", "ImportApi", Body=body)["ApiId"]
    calls.call("apigatewayv2", "ImportApi", Body=body)
    calls.call("apigatewayv2", "ReimportApi", ApiId=first, Body=body)
    assert len(list(calls.pages("apigatewayv2", "GetApis", "Items"))) == 2


def test_tags_come_with_the_import(calls: Calls) -> None:
    tags = [{"name": "portal:object", "x-amazon-apigateway-tag-value": "api_1"}]
    api_id = imported(calls, {"/orders": {"get": route()}}, components={}, tags=tags)
    arn = f"arn:aws:apigateway:{calls.account.region}::/apis/{api_id}"
    calls.call("apigatewayv2", "TagResource", ResourceArn=arn, Tags={"portal:rev": "2"})
    calls.call("apigatewayv2", "UntagResource", ResourceArn=arn, TagKeys=["portal:object"])
    assert calls.call("apigatewayv2", "GetTags", ResourceArn=arn)["Tags"] == {"portal:rev": "2"}


def test_keys_are_nothing_for_http_apis(calls: Calls) -> None:
    body = document({"/orders": {"get": route()}}).decode()
    with pytest.raises(Invalid, match="not supported by HTTP APIs"):
        calls.call("apigatewayv2", "ImportApi", Body=body, FailOnWarnings=True)
    api_id = imported(calls, {"/orders": {"get": route()}}, components={})
    with pytest.raises(Invalid, match="ApiKeyRequired"):
        calls.call("apigatewayv2", "CreateRoute", ApiId=api_id, RouteKey="GET /more", ApiKeyRequired=True)
    with pytest.raises(Missing, match="Invalid API Stage"):
        calls.call(
            "apigateway", "CreateUsagePlan", name="p", apiStages=[{"apiId": api_id, "stage": "$default"}]
        )


@pytest.mark.parametrize("kind", ["mock", "aws", "http"])
def test_other_integrations_are_refused(calls: Calls, kind: str) -> None:
    told = route(**{"x-amazon-apigateway-integration": {"type": kind, "uri": "https://a.test"}})
    with pytest.raises(Invalid, match="not supported for HTTP protocol type"):
        imported(calls, {"/orders": {"get": told}}, components={})


def test_a_jwt_authorizer_says_who_comes_in(fake: FakeAWS, account: Account, calls: Calls) -> None:
    schemes = {
        "securitySchemes": {"jwt": {"type": "oauth2", "flows": {}, "x-amazon-apigateway-authorizer": JWT}}
    }
    api_id = imported(calls, {"/orders": {"get": route(security=[{"jwt": ["read"]}])}}, components=schemes)
    (one,) = calls.pages("apigatewayv2", "GetRoutes", "Items", ApiId=api_id)
    assert (one["AuthorizationType"], one["AuthorizationScopes"]) == ("JWT", ["read"])
    fake.authorize(account, "jwt", lambda headers: Verdict("authorization" in headers) if headers else None)

    def status(headers: dict[str, str]) -> int:
        return fake.invoke(account, api_id, "$default", "GET", "/orders", headers).status

    assert [status({}), status({"x": "y"}), status({"Authorization": "Bearer t"})] == [401, 403, 200]


def test_a_function_behind_an_http_api_needs_a_permission(
    fake: FakeAWS, account: Account, calls: Calls
) -> None:
    arn = make_function(fake, calls)
    calls.call("lambda", "PublishVersion", FunctionName="portal-orders")
    api_id = calls.call("apigatewayv2", "CreateApi", Name="orders", ProtocolType="HTTP")["ApiId"]
    integration = calls.call(
        "apigatewayv2",
        "CreateIntegration",
        ApiId=api_id,
        IntegrationType="AWS_PROXY",
        IntegrationUri=f"{arn}:1",
        PayloadFormatVersion="2.0",
    )["IntegrationId"]
    target = f"integrations/{integration}"
    calls.call("apigatewayv2", "CreateRoute", ApiId=api_id, RouteKey="$default", Target=target)
    limits = {"ThrottlingRateLimit": 1.0, "ThrottlingBurstLimit": 2}
    calls.call(
        "apigatewayv2",
        "CreateStage",
        ApiId=api_id,
        StageName="$default",
        AutoDeploy=True,
        DefaultRouteSettings=limits,
    )
    assert fake.invoke(account, api_id, "$default", "GET", "/any").status == 500
    let_in(calls, api_id, "1")
    answers = [fake.invoke(account, api_id, "$default", "GET", "/any") for _ in range(2)]
    assert [(one.status, one.by) for one in answers] == [(200, "portal-orders:1"), (429, "")]
    with pytest.raises(Conflict, match="already exists for this API"):
        calls.call("apigatewayv2", "CreateRoute", ApiId=api_id, RouteKey="$default", Target=target)
    with pytest.raises(Conflict, match="referenced by a Route"):
        calls.call("apigatewayv2", "DeleteIntegration", ApiId=api_id, IntegrationId=integration)


def websocket(calls: Calls, key: str = "$connect", **more: Any) -> str:
    """A WebSocket API with a stage that is deployed by hand."""
    api_id = calls.call(
        "apigatewayv2",
        "CreateApi",
        Name="chat",
        ProtocolType="WEBSOCKET",
        RouteSelectionExpression="$request.body.action",
    )["ApiId"]
    integration = calls.call("apigatewayv2", "CreateIntegration", ApiId=api_id, IntegrationType="MOCK")
    target = f"integrations/{integration['IntegrationId']}"
    calls.call("apigatewayv2", "CreateRoute", ApiId=api_id, RouteKey=key, Target=target, **more)
    return str(api_id)


def test_a_websocket_api_takes_keys_and_is_deployed_by_hand(
    fake: FakeAWS, account: Account, calls: Calls
) -> None:
    api_id = websocket(calls, ApiKeyRequired=True)
    calls.call("apigatewayv2", "CreateStage", ApiId=api_id, StageName="live")
    assert fake.invoke(account, api_id, "live", "$connect", "").status == 404
    deployment = calls.call("apigatewayv2", "CreateDeployment", ApiId=api_id, StageName="live")[
        "DeploymentId"
    ]
    key = make_key(calls, make_plan(calls, api_id))
    fake.clock.advance(fake.delays.keys)
    assert fake.invoke(account, api_id, "live", "$connect", "").status == 403
    answer = fake.invoke(account, api_id, "live", "$connect", "", {"x-api-key": SECRET})
    assert (answer.status, answer.key_id) == (200, key)
    assert fake.invoke(account, api_id, "live", "sendMessage", "").status == 403
    with pytest.raises(Invalid, match="Active stages"):
        calls.call("apigatewayv2", "DeleteDeployment", ApiId=api_id, DeploymentId=deployment)


def test_only_connections_of_websockets_are_authorized(calls: Calls) -> None:
    with pytest.raises(Invalid, match=r"\$connect route only"):
        websocket(calls, "$default", AuthorizationType="AWS_IAM")


def test_the_quota_of_routes(fake: FakeAWS, calls: Calls) -> None:
    fake.quotas.http_routes = 1
    with pytest.raises(QuotaFull):
        imported(calls, {"/a": {"get": route()}, "/b": {"get": route()}}, components={})


def test_an_export_lists_the_routes(calls: Calls) -> None:
    api_id = imported(calls, {"/orders": {"get": route()}}, components={})
    said = calls.call("apigatewayv2", "ExportApi", ApiId=api_id, Specification="OAS30", OutputType="JSON")
    assert "get" in json.loads(said["body"])["paths"]["/orders"]
