"""What MiniStack cannot show: each row is green while it does otherwise than AWS."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tests.aws.doubles.functions import ECHO, ROLE, make_function, wait_until_settled, zipped
from tests.aws.doubles.gaps import Gap, Gaps, hold
from tests.aws.doubles.http_api import add_route, make_alias, make_api
from tests.aws.doubles.rest import answer_with, deploy, make_key, make_mock_api, make_plan
from tests.aws.doubles.servers import Double, refusal, unique

pytestmark = pytest.mark.xdist_group("ministack")
GAPS = Gaps()
DOCUMENT = json.dumps(
    {
        "openapi": "3.0.1",
        "info": {"title": "Orders", "version": "1"},
        "paths": {"/orders": {"get": {"responses": {"200": {"description": "The orders."}}}}},
    }
).encode()


@GAPS.gap("ImportRestApi makes the API that the document describes")
def an_import_makes_an_empty_api(double: Double) -> bool:
    client = double.client("apigateway")
    made = client.import_rest_api(body=DOCUMENT)
    return made["name"] == "unnamed" and len(client.get_resources(restApiId=made["id"])["items"]) == 1


@GAPS.gap("PutRestApi replaces an API by a document")
def an_api_cannot_be_replaced_by_a_document(double: Double) -> bool:
    asked = {"restApiId": make_mock_api(double)[0], "mode": "overwrite", "body": DOCUMENT}
    return refusal(double.client("apigateway").put_rest_api, **asked) == "NotFoundException"


@GAPS.gap("ImportApi makes an HTTP API from a document")
def an_http_api_cannot_be_imported(double: Double) -> bool:
    return refusal(double.client("apigatewayv2").import_api, Body=DOCUMENT.decode()) == "NotFoundException"


@GAPS.gap("TestInvokeMethod calls a method without a stage")
def a_method_cannot_be_tried(double: Double) -> bool:
    api, resource = make_mock_api(double)
    asked = {"restApiId": api, "resourceId": resource, "httpMethod": "GET"}
    return refusal(double.client("apigateway").test_invoke_method, **asked) == "NotFoundException"


@GAPS.gap("ImportApiKeys makes keys and returns their ids")
def keys_are_not_imported(double: Double) -> bool:
    client, name = double.client("apigateway"), unique("key")
    rows = f"Name,Key,Description,Enabled,UsagePlanIds\n{name},{unique('v' * 24)},,true,\n"
    made = client.import_api_keys(body=rows.encode(), format="csv", failOnWarnings=False)
    return "ids" not in made and client.get_api_keys(nameQuery=name)["items"] == []


@GAPS.gap("GetUsage tells each key's calls of each day")
def usage_is_empty(double: Double) -> bool:
    client = double.client("apigateway")
    plan = client.create_usage_plan(name=unique("plan"))["id"]
    told = client.get_usage(usagePlanId=plan, startDate="2026-01-01", endDate="2026-01-02")
    return "items" not in told and "usagePlanId" not in told


@GAPS.gap("a deployment is a snapshot: an edit is live with the next one")
def an_edit_is_live_without_a_deployment(double: Double) -> bool:
    api, resource = make_mock_api(double)
    deploy(double, api)
    before = double.call(api, "production", "/orders").json()
    answer_with(double, api, resource, "second")
    return (before, double.call(api, "production", "/orders").json()) == (
        {"said": "first"},
        {"said": "second"},
    )


@GAPS.gap("a canary gets its share of the calls")
def a_canary_gets_no_calls(double: Double) -> bool:
    api, _ = make_mock_api(double)
    canary = {"percentTraffic": 100.0, "stageVariableOverrides": {"x": "y"}}
    deploy(double, api)
    client = double.client("apigateway")
    client.create_deployment(restApiId=api, stageName="production", canarySettings=canary)
    return "canarySettings" not in client.get_stage(restApiId=api, stageName="production")


@GAPS.gap("patch paths are JSON pointers: ~1 is a slash")
def a_pointer_is_not_decoded(double: Double) -> bool:
    patch = {"op": "add", "path": "/binaryMediaTypes/image~1png"}
    asked = {"restApiId": make_mock_api(double)[0], "patchOperations": [patch]}
    return bool(double.client("apigateway").update_rest_api(**asked)["binaryMediaTypes"] == ["image~1png"])


@GAPS.gap("a patch path that there is not is a BadRequestException")
def an_unknown_patch_path_is_taken(double: Double) -> bool:
    patch = {"op": "replace", "path": "/bogus", "value": "1"}
    asked = {"restApiId": make_mock_api(double)[0], "patchOperations": [patch]}
    return refusal(double.client("apigateway").update_rest_api, **asked) == ""


@GAPS.gap("a stage's name has letters, digits, _ and - alone")
def a_stage_may_be_called_anything(double: Double) -> bool:
    api = make_mock_api(double)[0]
    deploy(double, api, "bad name/x")
    return True


@GAPS.gap("the value of a key is unique: ConflictException API Key already exists")
def two_keys_have_one_value(double: Double) -> bool:
    value, create = unique("v" * 24), double.client("apigateway").create_api_key
    return [refusal(create, name=unique("key"), value=value) for _ in range(2)] == ["", ""]


@GAPS.gap("a key has 128 characters at most")
def a_key_may_be_too_long(double: Double) -> bool:
    return (
        refusal(double.client("apigateway").create_api_key, name=unique("k"), value=unique("v" * 129)) == ""
    )


@GAPS.gap("GetApiKeys tells values only when it is asked to")
def lists_of_keys_tell_their_values(double: Double) -> bool:
    client, name = double.client("apigateway"), unique("key")
    client.create_api_key(name=name, value=unique("v" * 24))
    return "value" in client.get_api_keys(nameQuery=name)["items"][0]


@GAPS.gap("a key that was disabled is refused")
def a_disabled_key_goes_on(double: Double) -> bool:
    api, _ = make_mock_api(double, apiKeyRequired=True)
    deploy(double, api)
    key, value = make_key(double, make_plan(double, api))
    patch = [{"op": "replace", "path": "/enabled", "value": "false"}]
    double.client("apigateway").update_api_key(apiKey=key, patchOperations=patch)
    return (
        double.call(api, "production", "/orders", headers={"x-api-key": value}).status_code == httpx.codes.OK
    )


@GAPS.gap("GetUsagePlans of a key tells the plans that it is in")
def all_plans_are_told_for_a_key(double: Double) -> bool:
    client = double.client("apigateway")
    key = client.create_api_key(name=unique("key"))["id"]
    plan = client.create_usage_plan(name=unique("plan"))["id"]
    return plan in [one["id"] for one in client.get_usage_plans(keyId=key, limit=500)["items"]]


@GAPS.gap("a plan's stages exist, its quota is positive, its period DAY, WEEK or MONTH")
def a_plan_may_be_nonsense(double: Double) -> bool:
    stages, quota = [{"apiId": "nope", "stage": "none"}], {"limit": -1, "period": "YEAR"}
    create = double.client("apigateway").create_usage_plan
    return refusal(create, name=unique("plan"), apiStages=stages, quota=quota) == ""


@GAPS.gap("a plan with stages, and a deployment under a stage, cannot be deleted")
def what_is_in_use_is_deleted(double: Double) -> bool:
    client, api = double.client("apigateway"), make_mock_api(double)[0]
    deployment = deploy(double, api)
    stages = [{"apiId": api, "stage": "production"}]
    plan = client.create_usage_plan(name=unique("plan"), apiStages=stages)["id"]
    deployed = refusal(client.delete_deployment, restApiId=api, deploymentId=deployment)
    return (refusal(client.delete_usage_plan, usagePlanId=plan), deployed) == ("", "")


@GAPS.gap("CreateRestApi is taken once in 3 s")
def nothing_is_throttled(double: Double) -> bool:
    create = double.client("apigateway").create_rest_api
    return [refusal(create, name=unique("fast")) for _ in range(10)] == [""] * 10


@GAPS.gap("a deployment of an HTTP API is a snapshot: what is not deployed is not called")
def a_route_is_live_without_a_deployment(double: Double) -> bool:
    client, echo = double.client("apigatewayv2"), make_alias(double, ECHO)
    api = client.create_api(Name=unique("portal-orders"), ProtocolType="HTTP")["ApiId"]
    add_route(double, api, "GET /orders", echo)
    deployment = client.create_deployment(ApiId=api)["DeploymentId"]
    client.create_stage(ApiId=api, StageName="production", DeploymentId=deployment)
    add_route(double, api, "GET /new", echo)
    return double.call(api, "production", "/new").status_code == httpx.codes.OK


@GAPS.gap("a route has one key in its API: ConflictException")
def two_routes_have_one_key(double: Double) -> bool:
    api = make_api(double)
    created = [
        refusal(double.client("apigatewayv2").create_route, ApiId=api, RouteKey="GET /orders")
        for _ in range(2)
    ]
    return created == ["", ""]


@GAPS.gap("without lambda:InvokeFunction for the API a call ends with 500")
def the_permission_to_call_a_function_is_not_checked(double: Double) -> bool:
    api = make_api(double)
    add_route(double, api, "GET /orders", make_alias(double, ECHO))
    return double.call(api, "$default", "/orders").status_code == httpx.codes.OK


@GAPS.gap("a function that was called by an alias is told the alias")
def the_alias_is_not_told(double: Double) -> bool:
    source = (
        "def handler(event, context):\n    return {'statusCode': 200, 'body': context.invoked_function_arn}\n"
    )
    api = make_api(double)
    add_route(double, api, "GET /orders", make_alias(double, source))
    return double.call(api, "$default", "/orders").text.endswith(":1")


@GAPS.gap("GetPolicy without a qualifier tells the function's own statements alone")
def the_policy_of_an_alias_is_told_for_the_function(double: Double) -> bool:
    client, alias = double.client("lambda"), make_alias(double, ECHO)
    name = alias.split(":")[6]
    given = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com"}
    client.add_permission(FunctionName=name, Qualifier="live", **given)
    return refusal(client.get_policy, FunctionName=name) == ""


@GAPS.gap("an alias with weights splits its calls")
def weights_are_stored_and_not_applied(double: Double) -> bool:
    client, name = double.client("lambda"), _two_versions(double)
    weights = {"AdditionalVersionWeights": {"2": 0.5}}
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1", RoutingConfig=weights)
    answers = {client.invoke(FunctionName=name, Qualifier="live")["Payload"].read() for _ in range(20)}
    return answers == {b'"one"'}


@GAPS.gap("a weight may not be given to $LATEST, nor an alias to a version that there is not")
def an_alias_may_be_nonsense(double: Double) -> bool:
    create, name = double.client("lambda").create_alias, make_function(double, ECHO)["FunctionName"]
    weights = {"AdditionalVersionWeights": {"$LATEST": 0.5}}
    return (
        refusal(create, FunctionName=name, Name="missing", FunctionVersion="9"),
        refusal(create, FunctionName=name, Name="12", FunctionVersion="$LATEST"),
        refusal(create, FunctionName=name, Name="live", FunctionVersion="1", RoutingConfig=weights),
    ) == ("", "", "")


@GAPS.gap("provisioned concurrency is refused for $LATEST, reserved concurrency above the account's")
def concurrency_may_be_nonsense(double: Double) -> bool:
    client, name = double.client("lambda"), make_function(double, ECHO)["FunctionName"]
    provisioned = {"Qualifier": "$LATEST", "ProvisionedConcurrentExecutions": 1}
    return (
        refusal(client.put_provisioned_concurrency_config, FunctionName=name, **provisioned),
        refusal(client.put_function_concurrency, FunctionName=name, ReservedConcurrentExecutions=5000),
    ) == ("", "")


@GAPS.gap(
    "environment of 4 KB without reserved names, runtimes that there are, memory up to 10,240 MB, names up to 64"
)
def a_function_may_be_nonsense(double: Double) -> bool:
    create = double.client("lambda").create_function
    common = {
        "Role": ROLE,
        "Handler": "app.handler",
        "Code": {"ZipFile": zipped(ECHO)},
        "Runtime": "python3.12",
    }
    odd: list[dict[str, Any]] = [
        {"Environment": {"Variables": {"LARGE": "x" * 5000}}},
        {"Environment": {"Variables": {"AWS_REGION": "x"}}},
        {"Runtime": "python2.7"},
        {"MemorySize": 99_999},
        {"FunctionName": unique("x" * 64)},
    ]
    return {refusal(create, **{"FunctionName": unique("odd"), **common, **one}) for one in odd} == {""}


@GAPS.gap("the role exists and Lambda may assume it")
def a_role_need_not_exist(double: Double) -> bool:
    missing = ROLE.replace("functions", unique("missing"))
    return bool(make_function(double, ECHO, Role=missing)["Role"] == missing)


@GAPS.gap("while a function is updated it takes no other update: ResourceConflictException")
def an_update_in_progress_stops_nothing(double: Double) -> bool:
    client, name = double.client("lambda"), make_function(double, ECHO)["FunctionName"]
    client.update_function_code(FunctionName=name, ZipFile=zipped("def handler(event, context): ..."))
    return refusal(client.update_function_configuration, FunctionName=name, Timeout=5) == ""


@GAPS.gap("Service Quotas and X-Ray answer")
def two_services_are_missing(double: Double) -> bool:
    quotas, traces = double.client("service-quotas"), double.client("xray")
    asked = {"StartTime": 0, "EndTime": 1}
    return (
        refusal(quotas.list_service_quotas, ServiceCode="apigateway"),
        refusal(traces.get_trace_summaries, **asked),
    ) == ("400", "400")


def _two_versions(double: Double) -> str:
    """A function whose versions 1 and 2 answer "one" and "two"."""
    client = double.client("lambda")
    name = make_function(double, "def handler(event, context):\n    return 'one'\n")["FunctionName"]
    client.publish_version(FunctionName=name)
    client.update_function_code(
        FunctionName=name, ZipFile=zipped("def handler(event, context):\n    return 'two'\n")
    )
    wait_until_settled(client, name)
    client.publish_version(FunctionName=name)
    return str(name)


@GAPS.parameters()
def test_ministack_still_cannot_show(ministack: Double, gap: Gap) -> None:
    hold(gap, ministack)
