"""Roles, logs, metrics and quotas of the fake, and the fake itself."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from aws.client.account import Account
from aws.client.calls import Calls
from aws.client.errors import Conflict, Missing, Throttled
from tests.aws.fake import FakeAWS
from tests.aws.fake.acts import make_api
from tests.aws.fake.place import OPERATIONS
from tests.aws.fake.telemetry import add_events, add_points, add_quota

TRUST = '{"Statement": [{"Principal": {"Service": "lambda.amazonaws.com"}}]}'


def test_a_role_is_made_and_goes_when_its_policies_have(calls: Calls) -> None:
    tags = [{"Key": "portal:object", "Value": "fn_1"}, {"Key": "portal:rev", "Value": "1"}]
    role = calls.call(
        "iam", "CreateRole", RoleName="r", Path="/portal/", AssumeRolePolicyDocument=TRUST, Tags=tags
    )
    assert role["Role"]["Arn"] == "arn:aws:iam::111122223333:role/portal/r"
    assert role["Role"]["Tags"] == tags
    policy = {"RoleName": "r", "PolicyName": "p"}
    calls.call("iam", "PutRolePolicy", **policy, PolicyDocument='{"Statement": []}')
    assert calls.call("iam", "GetRolePolicy", **policy)["PolicyDocument"] == {"Statement": []}
    with pytest.raises(Conflict, match="must delete policies first"):
        calls.call("iam", "DeleteRole", RoleName="r")
    calls.call("iam", "DeleteRolePolicy", **policy)
    calls.call("iam", "DeleteRole", RoleName="r")
    with pytest.raises(Missing):
        calls.call("iam", "GetRole", RoleName="r")


def test_log_events_come_in_their_time(fake: FakeAWS, account: Account, calls: Calls) -> None:
    calls.call("logs", "CreateLogGroup", logGroupName="/portal/orders")
    calls.call("logs", "PutRetentionPolicy", logGroupName="/portal/orders", retentionInDays=14)
    now = fake.clock()
    add_events(fake.at(account), "/portal/orders", [(now - 60, "old"), (now, json.dumps({"status": 200}))])
    (group,) = calls.pages("logs", "DescribeLogGroups", "logGroups", logGroupNamePrefix="/portal")
    assert group["retentionInDays"] == 14
    found = calls.pages(
        "logs", "FilterLogEvents", "events", logGroupName="/portal/orders", startTime=int(now * 1000)
    )
    assert [json.loads(one["message"]) for one in found] == [{"status": 200}]
    with pytest.raises(Conflict):
        calls.call("logs", "CreateLogGroup", logGroupName="/portal/orders")


def test_metrics_are_added_up_by_period(fake: FakeAWS, account: Account, calls: Calls) -> None:
    begin = fake.clock.date.replace(second=0)
    dimensions = {"ApiName": "portal-orders"}
    values = [(begin, 3.0), (begin + timedelta(seconds=30), 4.0), (begin + timedelta(seconds=60), 5.0)]
    add_points(fake.at(account), "AWS/ApiGateway", "Count", dimensions, *values)
    metric = {
        "Namespace": "AWS/ApiGateway",
        "MetricName": "Count",
        "Dimensions": [{"Name": "ApiName", "Value": "portal-orders"}],
    }
    query = {"Id": "count", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}}
    found = calls.call(
        "cloudwatch",
        "GetMetricData",
        MetricDataQueries=[query],
        StartTime=begin,
        EndTime=begin + timedelta(minutes=5),
    )
    assert found["MetricDataResults"][0]["Values"] == [5.0, 7.0]
    assert found["MetricDataResults"][0]["Timestamps"] == [begin + timedelta(minutes=1), begin]


def test_quotas_are_told(fake: FakeAWS, account: Account, calls: Calls) -> None:
    add_quota(fake.at(account), "lambda", "L-B99A9384", "Concurrent executions", 400, is_adjustable=True)
    (quota,) = calls.pages("service-quotas", "ListServiceQuotas", "Quotas", ServiceCode="lambda")
    assert (quota["QuotaCode"], quota["Value"], quota["Adjustable"]) == ("L-B99A9384", 400.0, True)
    with pytest.raises(Missing):
        calls.call("service-quotas", "GetServiceQuota", ServiceCode="lambda", QuotaCode="no")


def test_accounts_and_regions_are_apart(fake: FakeAWS, calls: Calls, buckets: object) -> None:
    make_api(calls)
    for other in (fake.account("222233334444"), fake.account(region="us-east-1")):
        there = fake.calls(other, calls._buckets)
        assert there.call("apigateway", "GetRestApis")["items"] == []


def test_the_rates_are_those_of_an_account(fake: FakeAWS, account: Account, calls: Calls) -> None:
    """What others call counts, too."""
    client = fake.sessions.client(account, "apigateway", "somebody else")
    told = {"name": "b", "endpointConfiguration": {"types": ["REGIONAL"]}}
    make_api(calls)
    with pytest.raises(client.exceptions.TooManyRequestsException) as caught:
        client.create_rest_api(**told)
    assert caught.value.response["retryAfterSeconds"] == "3"
    fake.clock.advance(3.3)
    client.create_rest_api(**told)
    with pytest.raises(Throttled):
        fake.calls(account, calls._buckets, who="late", patience_s=1).call(
            "apigateway", "CreateRestApi", **told
        )


def test_what_the_fake_does_not_do_fails_the_test(calls: Calls) -> None:
    with pytest.raises(AssertionError, match="does not do apigateway GetSdkTypes"):
        calls.call("apigateway", "GetSdkTypes")


def test_a_method_is_tried_past_its_key(calls: Calls) -> None:
    api_id = make_api(calls)
    found = calls.pages("apigateway", "GetResources", "items", restApiId=api_id, embed=["methods"])
    (orders,) = (one for one in found if one["path"] == "/orders")
    assert orders["resourceMethods"]["GET"]["apiKeyRequired"] is True
    said = calls.call(
        "apigateway", "TestInvokeMethod", restApiId=api_id, resourceId=orders["id"], httpMethod="GET"
    )
    assert said["status"] == 200


@pytest.mark.parametrize(
    ("service", "names"),
    [
        (
            "apigateway",
            "CreateRestApi GetRestApi GetRestApis UpdateRestApi DeleteRestApi PutRestApi ImportRestApi",
        ),
        (
            "apigateway",
            "GetExport GetResources CreateDeployment GetDeployment GetDeployments DeleteDeployment",
        ),
        ("apigateway", "CreateStage GetStage GetStages UpdateStage DeleteStage CreateUsagePlan GetUsagePlan"),
        ("apigateway", "GetUsagePlans UpdateUsagePlan DeleteUsagePlan CreateUsagePlanKey GetUsagePlanKey"),
        ("apigateway", "GetUsagePlanKeys DeleteUsagePlanKey CreateApiKey GetApiKey GetApiKeys UpdateApiKey"),
        (
            "apigateway",
            "DeleteApiKey ImportApiKeys GetUsage GetAccount UpdateAccount TagResource UntagResource",
        ),
        ("apigateway", "GetTags TestInvokeMethod"),
        ("apigatewayv2", "CreateApi GetApi GetApis UpdateApi DeleteApi ImportApi ReimportApi ExportApi"),
        (
            "lambda",
            "CreateFunction GetFunction DeleteFunction ListFunctions GetAccountSettings Invoke GetPolicy",
        ),
        ("sts", "AssumeRole GetCallerIdentity"),
        ("logs", "FilterLogEvents CreateLogGroup PutRetentionPolicy DescribeLogGroups"),
    ],
)
def test_what_the_driver_needs_is_there(service: str, names: str) -> None:
    assert {(service, name) for name in names.split()} <= OPERATIONS.keys()
