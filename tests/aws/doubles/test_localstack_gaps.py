"""What LocalStack cannot show: each row is green while it does otherwise than AWS.

Throttles, quotas and authorizers are not on it: those are rules of our own plugin, so nothing of AWS is shown by them.
"""

from __future__ import annotations

import json

import httpx
import pytest

from tests.aws.doubles.functions import ECHO, ROLE, make_function, zipped
from tests.aws.doubles.gaps import Gap, Gaps, hold
from tests.aws.doubles.rest import (
    deploy,
    document,
    make_key,
    make_plan,
    make_rest_api,
    mock,
    operation,
    proxy,
    put,
)
from tests.aws.doubles.servers import Double, refusal, unique

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("localstack")]
GAPS = Gaps()


def published(double: Double, path: str = "/orders") -> str:
    """An API with one operation on the stage production."""
    api = make_rest_api(double)
    put(double, api, document({path: {"get": operation(mock({"said": "orders"}))}}))
    deploy(double, api)
    return api


@GAPS.gap("HTTP and WebSocket APIs, WAF, X-Ray and Service Quotas answer")
def services_are_missing(double: Double) -> bool:
    calls = (
        (double.client("apigatewayv2").get_apis, {}),
        (double.client("wafv2").list_web_acls, {"Scope": "REGIONAL"}),
        (double.client("xray").get_trace_summaries, {"StartTime": 0, "EndTime": 1}),
        (double.client("service-quotas").list_service_quotas, {"ServiceCode": "apigateway"}),
    )
    return {refusal(call, **given) for call, given in calls} == {"InternalFailure"}


@GAPS.gap("CreateRestApi is taken once in 3 s")
def nothing_is_throttled(double: Double) -> bool:
    create = double.client("apigateway").create_rest_api
    return [refusal(create, name=unique("fast")) for _ in range(10)] == [""] * 10


@GAPS.gap("lists come in pages of 25")
def lists_have_no_pages(double: Double) -> bool:
    client = double.client("apigateway")
    made = {client.create_rest_api(name=unique("page"))["id"] for _ in range(30)}
    return made <= {one["id"] for one in client.get_rest_apis(limit=5)["items"]}


@GAPS.gap("sts:AssumeRole needs a role that trusts the caller, and its external id")
def every_role_may_be_assumed(double: Double) -> bool:
    asked = {"RoleArn": ROLE, "RoleSessionName": "portal", "ExternalId": "wrong"}
    return refusal(double.client("sts").assume_role, **asked) == ""


@GAPS.gap("the role exists and Lambda may assume it")
def a_role_need_not_exist(double: Double) -> bool:
    missing = ROLE.replace("functions", unique("missing"))
    return bool(make_function(double, ECHO, Role=missing)["Role"] == missing)


@GAPS.gap("without lambda:InvokeFunction for the API a call ends with 500")
def the_permission_to_call_a_function_is_not_checked(double: Double) -> bool:
    api = make_rest_api(double)
    arn = make_function(double, ECHO)["FunctionArn"]
    put(double, api, document({"/orders": {"get": operation(proxy(arn))}}))
    deploy(double, api)
    return double.call(api, "production", "/orders").status_code == httpx.codes.OK


@GAPS.gap("CreateDeployment with the name of a stage keeps the stage's settings")
def a_deployment_to_a_stage_drops_its_variables(double: Double) -> bool:
    api, client = make_rest_api(double), double.client("apigateway")
    put(double, api, document({"/orders": {"get": operation(mock({}))}}))
    deploy(double, api, variables={"alias": "live"})
    client.create_deployment(restApiId=api, stageName="production")
    return not client.get_stage(restApiId=api, stageName="production").get("variables")


@GAPS.gap("OpenAPI 3.1 is refused")
def a_document_of_openapi_3_1_is_taken(double: Double) -> bool:
    newer = {**document({"/orders": {"get": operation(mock({}))}}), "openapi": "3.1.0"}
    put(double, make_rest_api(double), newer)
    return True


@GAPS.gap("an integration's timeout is 50 ms to 29 s")
def a_timeout_may_be_anything(double: Double) -> bool:
    late = {**mock({}), "timeoutInMillis": 99_999_999}
    put(double, make_rest_api(double), document({"/orders": {"get": operation(late)}}))
    return True


@GAPS.gap("GetExport tells who may call, and what answers any method")
def an_export_is_half_a_document(double: Double) -> bool:
    asked = {"stageName": "production", "exportType": "oas30", "parameters": {"extensions": "apigateway"}}
    api, export = make_rest_api(double), double.client("apigateway").get_export
    put(double, api, document({"/orders": {"get": operation(mock({}), security=[{"key": []}])}}))
    deploy(double, api)
    dropped = (
        "security" not in json.loads(export(restApiId=api, **asked)["body"].read())["paths"]["/orders"]["get"]
    )
    put(double, api, document({"/orders": {"x-amazon-apigateway-any-method": operation(mock({}))}}))
    deploy(double, api)
    return dropped and refusal(export, restApiId=api, **asked) == "InternalError"


@GAPS.gap("ImportApiKeys makes keys, GetUsage tells their calls")
def keys_are_not_imported_and_usage_is_not_told(double: Double) -> bool:
    client, plan = double.client("apigateway"), make_plan(double, published(double))
    rows = f"Name,Key,Description,Enabled,UsagePlanIds\n{unique('k')},{unique('v' * 24)},,true,{plan}\n"
    usage = {"usagePlanId": plan, "startDate": "2026-01-01", "endDate": "2026-01-02"}
    return (
        refusal(client.import_api_keys, body=rows.encode(), format="csv"),
        refusal(client.get_usage, **usage),
    ) == ("InternalError", "InternalFailure")


@GAPS.gap("a plan's stages exist and its quota is positive; a key is in one plan of a stage")
def a_plan_may_be_nonsense(double: Double) -> bool:
    client, api = double.client("apigateway"), published(double)
    create, key = client.create_usage_plan, make_key(double)[0]
    plans = [make_plan(double, api) for _ in range(2)]
    twice = [
        refusal(client.create_usage_plan_key, usagePlanId=p, keyId=key, keyType="API_KEY") for p in plans
    ]
    nonsense = refusal(
        create,
        name=unique("plan"),
        apiStages=[{"apiId": "no", "stage": "no"}],
        quota={"limit": -1, "period": "DAY"},
    )
    return [*twice, nonsense] == ["", "", ""]


@GAPS.gap("a plan with stages and an API in a plan cannot be deleted")
def what_is_in_a_plan_is_deleted(double: Double) -> bool:
    client, api = double.client("apigateway"), published(double)
    plan = make_plan(double, api)
    return (
        refusal(client.delete_rest_api, restApiId=api),
        refusal(client.delete_usage_plan, usagePlanId=plan),
    ) == ("", "")


@GAPS.gap("logging needs the account's CloudWatch role, and then calls are logged")
def access_logs_are_not_written(double: Double) -> bool:
    client, logs, api = double.client("apigateway"), double.client("logs"), published(double)
    group = unique("/portal/access")
    logs.create_log_group(logGroupName=group)
    arn = f"arn:aws:logs:eu-central-1:000000000000:log-group:{group}"
    patch = [
        {"op": "replace", "path": "/accessLogSettings/destinationArn", "value": arn},
        {"op": "replace", "path": "/accessLogSettings/format", "value": "$context.requestId"},
    ]
    client.update_stage(restApiId=api, stageName="production", patchOperations=patch)
    double.call(api, "production", "/orders")
    return logs.filter_log_events(logGroupName=group)["events"] == []


@GAPS.gap("memory is up to 10,240 MB, runtimes are those that AWS still takes")
def a_function_may_have_too_much_memory(double: Double) -> bool:
    create = double.client("lambda").create_function
    common = {
        "Role": ROLE,
        "Handler": "app.handler",
        "Code": {"ZipFile": zipped(ECHO)},
        "Runtime": "python3.12",
    }
    return refusal(create, FunctionName=unique("large"), MemorySize=99_999, **common) == ""


@GAPS.parameters()
def test_localstack_still_cannot_show(localstack: Double, gap: Gap) -> None:
    hold(gap, localstack)
