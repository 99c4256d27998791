"""moto's server: what Gatehouse reads and writes where no call is answered, and what this double cannot show."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.aws.doubles.functions import ECHO, ROLE, make_function, wait_until_settled, zipped
from tests.aws.doubles.gaps import Gap, Gaps, hold
from tests.aws.doubles.rest import (
    deploy,
    document,
    flip,
    make_key,
    make_plan,
    make_rest_api,
    mock,
    operation,
    proxy,
    put,
)
from tests.aws.doubles.servers import ACCOUNT, REGION, Double, refusal, unique

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("moto")]
GAPS = Gaps()


@pytest.fixture(scope="module")
def moto(moto_server: Double) -> Double:
    """moto with the role of functions, which it wants to be there."""
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam, name = moto_server.client("iam"), ROLE.rpartition("/")[2]
    with contextlib.suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_role(RoleName=name, Path="/portal/", AssumeRolePolicyDocument=document)
    return moto_server


def test_versions_and_aliases_are_kept(moto: Double) -> None:
    client, name = (
        moto.client("lambda"),
        make_function(moto, ECHO, Tags={"portal:object": "fn_1"})["FunctionName"],
    )
    assert client.publish_version(FunctionName=name)["Version"] == "1"
    assert client.publish_version(FunctionName=name)["Version"] == "1", "nothing changed"
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    client.update_function_code(FunctionName=name, ZipFile=zipped("def handler(event, context): ..."))
    wait_until_settled(client, name)
    assert client.publish_version(FunctionName=name)["Version"] == "2"
    client.update_alias(FunctionName=name, Name="live", FunctionVersion="2")
    assert client.get_alias(FunctionName=name, Name="live")["FunctionVersion"] == "2"
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"
    assert client.list_tags(Resource=arn)["Tags"] == {"portal:object": "fn_1"}


def test_a_stage_moves_between_deployments(moto: Double) -> None:
    api, arn = make_rest_api(moto), make_function(moto, ECHO)["FunctionArn"]
    put(moto, api, document({"/orders": {"get": operation(proxy(arn))}}))
    first = deploy(moto, api)
    deploy(moto, api)
    flip(moto, api, first)
    stage = moto.client("apigateway").get_stage(restApiId=api, stageName="production")
    assert stage["deploymentId"] == first


def test_plans_and_keys_are_kept(moto: Double) -> None:
    client, api = moto.client("apigateway"), make_rest_api(moto)
    put(moto, api, document({"/orders": {"get": operation(proxy(make_function(moto, ECHO)["FunctionArn"]))}}))
    deploy(moto, api)
    plan = make_plan(
        moto, api, throttle={"rateLimit": 5.0, "burstLimit": 10}, quota={"limit": 9, "period": "DAY"}
    )
    key, value = make_key(moto, plan)
    assert [one["id"] for one in client.get_usage_plan_keys(usagePlanId=plan)["items"]] == [key]
    assert client.get_api_key(apiKey=key, includeValue=True)["value"] == value
    client.update_api_key(
        apiKey=key, patchOperations=[{"op": "replace", "path": "/enabled", "value": "false"}]
    )
    assert client.get_api_key(apiKey=key)["enabled"] is False


def test_metrics_and_logs_that_were_put_are_found(moto: Double) -> None:
    now, group = datetime.now(UTC), unique("/portal/access")
    metrics, logs = moto.client("cloudwatch"), moto.client("logs")
    name = {"Namespace": "AWS/ApiGateway", "Dimensions": [{"Name": "ApiName", "Value": unique("portal")}]}
    metrics.put_metric_data(
        Namespace=name["Namespace"],
        MetricData=[{"MetricName": "Count", "Dimensions": name["Dimensions"], "Value": 3, "Timestamp": now}],
    )
    statistic = {"Metric": {**name, "MetricName": "Count"}, "Period": 60, "Stat": "Sum"}
    found = metrics.get_metric_data(
        MetricDataQueries=[{"Id": "calls", "MetricStat": statistic}],
        StartTime=now - timedelta(minutes=5),
        EndTime=now + timedelta(minutes=5),
    )
    assert found["MetricDataResults"][0]["Values"] == [3.0]
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="one")
    event = {"timestamp": int(now.timestamp() * 1000), "message": '{"apiKeyId": "k1", "status": "200"}'}
    logs.put_log_events(logGroupName=group, logStreamName="one", logEvents=[event])
    assert [one["message"] for one in logs.filter_log_events(logGroupName=group)["events"]] == [
        event["message"]
    ]


@GAPS.gap("a stage answers calls")
def no_stage_answers(double: Double) -> bool:
    api = make_rest_api(double)
    put(
        double,
        api,
        document({"/orders": {"get": operation(proxy(make_function(double, ECHO)["FunctionArn"]))}}),
    )
    deploy(double, api)
    return double.call(api, "production", "/orders").status_code == httpx.codes.NOT_FOUND


@GAPS.gap("a function runs")
def functions_do_not_run(double: Double) -> bool:
    name = make_function(double, ECHO)["FunctionName"]
    return "FunctionError" in double.client("lambda").invoke(FunctionName=name)


@GAPS.gap("mock integrations are imported")
def a_mock_integration_breaks_the_import(double: Double) -> bool:
    return (
        refusal(put, double, make_rest_api(double), document({"/orders": {"get": operation(mock({}))}}))
        == "500"
    )


@GAPS.gap("an imported operation asks for a key where the document says so")
def security_is_lost_in_the_import(double: Double) -> bool:
    client, api = double.client("apigateway"), make_rest_api(double)
    get = operation(proxy(make_function(double, ECHO)["FunctionArn"]), security=[{"key": []}])
    put(double, api, document({"/orders": {"get": get}}))
    resources = {one["path"]: one["id"] for one in client.get_resources(restApiId=api)["items"]}
    asked = {"restApiId": api, "resourceId": resources["/orders"], "httpMethod": "GET"}
    return client.get_method(**asked)["apiKeyRequired"] is False


@GAPS.gap(
    "ImportApiKeys, GetUsage, TagResource, ImportApi, UpdateStage of HTTP APIs, provisioned concurrency answer"
)
def operations_are_missing(double: Double) -> bool:
    rest, v2, api = double.client("apigateway"), double.client("apigatewayv2"), make_rest_api(double)
    plan = rest.create_usage_plan(name=unique("plan"))["id"]
    made = v2.create_api(Name=unique("portal"), ProtocolType="HTTP")["ApiId"]
    v2.create_stage(ApiId=made, StageName="$default", AutoDeploy=True)
    usage = {"usagePlanId": plan, "startDate": "2026-01-01", "endDate": "2026-01-02"}
    tags = {"resourceArn": f"arn:aws:apigateway:{REGION}::/restapis/{api}", "tags": {"a": "b"}}
    provisioned = {"FunctionName": "x", "Qualifier": "1", "ProvisionedConcurrentExecutions": 1}
    refused = [
        refusal(rest.import_api_keys, body=b"Name,Key\n", format="csv"),
        refusal(rest.get_usage, **usage),
        refusal(rest.tag_resource, **tags),
        refusal(v2.import_api, Body="{}"),
        refusal(v2.update_stage, ApiId=made, StageName="$default", AutoDeploy=False),
        refusal(double.client("lambda").put_provisioned_concurrency_config, **provisioned),
    ]
    return refused == ["500", "404", "404", "500", "500", "404"]


@GAPS.gap("CreateRestApi is taken once in 3 s, and lists come in pages of 25")
def nothing_is_throttled_and_lists_have_no_pages(double: Double) -> bool:
    made = {make_rest_api(double) for _ in range(30)}
    return made <= {one["id"] for one in double.client("apigateway").get_rest_apis(limit=5)["items"]}


@GAPS.gap("a second statement with the same Sid is a ResourceConflictException")
def a_permission_is_given_twice(double: Double) -> bool:
    client, name = double.client("lambda"), make_function(double, ECHO)["FunctionName"]
    given = {"StatementId": "s", "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com"}
    return [refusal(client.add_permission, FunctionName=name, **given) for _ in range(2)] == ["", ""]


@GAPS.gap("sts:AssumeRole needs a role that trusts the caller, and its external id")
def every_role_may_be_assumed(double: Double) -> bool:
    asked = {"RoleArn": ROLE, "RoleSessionName": "portal", "ExternalId": "wrong"}
    return refusal(double.client("sts").assume_role, **asked) == ""


@GAPS.gap("what there is not is a NotFoundException")
def a_delete_of_nothing_is_a_broken_server(double: Double) -> bool:
    return refusal(double.client("apigateway").delete_rest_api, restApiId="nope") == "500"


@GAPS.gap("a function is Pending first")
def a_function_is_active_at_once(double: Double) -> bool:
    return bool(make_function(double, ECHO)["State"] == "Active")


@GAPS.gap("a deployment that there is not cannot be given to a stage; one in use cannot be deleted")
def a_stage_takes_any_deployment(double: Double) -> bool:
    api = make_rest_api(double)
    put(
        double,
        api,
        document({"/orders": {"get": operation(proxy(make_function(double, ECHO)["FunctionArn"]))}}),
    )
    deployment = deploy(double, api)
    client = double.client("apigateway")
    in_use = refusal(client.delete_deployment, restApiId=api, deploymentId=deployment)
    flip(double, api, "nope")
    return in_use == ""


@GAPS.gap("a plan's stages exist, its quota is positive, its period DAY, WEEK or MONTH")
def a_plan_may_be_nonsense(double: Double) -> bool:
    stages, quota = [{"apiId": "nope", "stage": "none"}], {"limit": -1, "period": "YEAR"}
    create = double.client("apigateway").create_usage_plan
    return refusal(create, name=unique("plan"), apiStages=stages, quota=quota) == ""


@GAPS.gap("the value of a key has 128 characters at most")
def a_key_may_be_too_long(double: Double) -> bool:
    return (
        refusal(double.client("apigateway").create_api_key, name=unique("k"), value=unique("v" * 129)) == ""
    )


@GAPS.parameters()
def test_moto_still_cannot_show(moto: Double, gap: Gap) -> None:
    hold(gap, moto)
