"""REST APIs of the fake, through the client: what AWS does and says."""

from __future__ import annotations

import json

import pytest

from aws.client.account import Account
from aws.client.buckets import Buckets
from aws.client.calls import Calls
from aws.client.errors import Busy, Conflict, Invalid, Missing, QuotaFull
from tests.aws.fake import FakeAWS
from tests.aws.fake.acts import REGIONAL, make_api, patch_stage, publish, put
from tests.aws.fake.documents import KEY, document, operation


def test_an_api_is_made_published_and_found_by_its_tag(calls: Calls) -> None:
    api_id = make_api(calls)
    publish(calls, api_id)
    found = list(calls.pages("apigateway", "GetRestApis", "items"))
    assert [(one["id"], one["tags"]) for one in found] == [(api_id, {"portal:object": "api_1"})]
    assert calls.call("apigateway", "GetStage", restApiId=api_id, stageName="live")["methodSettings"] == {}


def test_lists_come_in_pages_and_are_read_whole(fake: FakeAWS, calls: Calls) -> None:
    fake.rates.is_on = False
    for number in range(30):
        calls.call("apigateway", "CreateRestApi", name=f"api {number}", endpointConfiguration=REGIONAL)
    assert len(calls.call("apigateway", "GetRestApis")["items"]) == 25
    assert len(list(calls.pages("apigateway", "GetRestApis", "items", limit=7))) == 30


def test_the_quota_of_apis_says_its_number(fake: FakeAWS, calls: Calls) -> None:
    fake.quotas.regional_apis = 1
    make_api(calls)
    with pytest.raises(QuotaFull) as caught:
        make_api(calls)
    assert caught.value.number == 600  # AWS's words have none: it is the documented one


def test_a_deployment_is_a_snapshot(fake: FakeAWS, account: Account, calls: Calls) -> None:
    api_id = make_api(calls, document({"/orders": {"get": operation(security=[])}}))
    first = publish(calls, api_id)
    put(calls, api_id, document({"/orders": {"get": operation()}}))
    assert fake.invoke(account, api_id, "live", "GET", "/orders").status == 200
    publish(calls, api_id)
    assert fake.invoke(account, api_id, "live", "GET", "/orders").status == 403
    patch_stage(calls, api_id, "replace", "/deploymentId", first)
    assert fake.invoke(account, api_id, "live", "GET", "/orders").status == 200


def test_what_a_stage_points_to_is_not_deleted(calls: Calls) -> None:
    api_id = make_api(calls)
    first = publish(calls, api_id)
    with pytest.raises(Invalid, match="Active stages pointing to this deployment"):
        calls.call("apigateway", "DeleteDeployment", restApiId=api_id, deploymentId=first)
    publish(calls, api_id)
    calls.call("apigateway", "DeleteDeployment", restApiId=api_id, deploymentId=first)
    with pytest.raises(Missing):
        calls.call("apigateway", "GetDeployment", restApiId=api_id, deploymentId=first)


@pytest.mark.parametrize(
    ("paths", "said"),
    [
        ({"/{proxy+}": {"get": operation()}, "/{proxy+}/more": {"get": operation()}}, "greedy path variable"),
        ({"/{a}": {"get": operation()}, "/{b}": {"get": operation()}}, "A sibling"),
        ({"/a-{b}": {"get": operation()}}, "path part only allow"),
        (
            {"/a": {"get": operation({"type": "http_proxy", "uri": "ftp://x", "httpMethod": "GET"})}},
            "Invalid HTTP",
        ),
        (
            {"/a": {"get": operation({"type": "aws_proxy", "uri": "arn:aws:apigateway:x:sqs:path/q"})}},
            "AWS_PROXY",
        ),
        (
            {"/a": {"get": operation({"type": "mock", "timeoutInMillis": 30_000})}},
            "Timeout should be between",
        ),
        ({"/a": {"get": operation(responses={"200": {}})}}, "Warnings found during import"),
        ({"/a": {"get": operation(security=[{"other": []}])}}, "Unable to find security definition"),
    ],
)
def test_traps_of_the_import_change_nothing(calls: Calls, paths: dict[str, object], said: str) -> None:
    api_id = make_api(calls)
    with pytest.raises(Invalid, match=said):
        put(calls, api_id, document(paths))
    assert {one["path"] for one in calls.pages("apigateway", "GetResources", "items", restApiId=api_id)} == {
        "/",
        "/orders",
    }


@pytest.mark.parametrize("version", ["3.1.0", "1.2", ""])
def test_other_versions_of_openapi_are_not_read(calls: Calls, version: str) -> None:
    api_id = make_api(calls)
    with pytest.raises(Invalid, match="Invalid OpenAPI input"):
        put(calls, api_id, document(openapi=version))


def test_security_at_the_root_leaves_operations_open(fake: FakeAWS, account: Account, calls: Calls) -> None:
    told = json.loads(document({"/orders": {"get": operation()}}, security=[{"key": []}]))
    del told["paths"]["/orders"]["get"]["security"]
    api_id = make_api(calls, json.dumps(told).encode())
    publish(calls, api_id)
    assert fake.invoke(account, api_id, "live", "GET", "/orders").status == 200


def test_an_overwrite_resets_what_the_document_does_not_hold(calls: Calls) -> None:
    api_id = make_api(calls, document(**{"x-amazon-apigateway-binary-media-types": ["image/png"]}))
    assert calls.call("apigateway", "GetRestApi", restApiId=api_id)["binaryMediaTypes"] == ["image/png"]
    put(calls, api_id, document())
    assert "binaryMediaTypes" not in calls.call("apigateway", "GetRestApi", restApiId=api_id)


def test_an_export_is_not_what_was_put(calls: Calls) -> None:
    api_id = make_api(calls, document({"/orders": {"get": operation(summary="All orders")}}))
    publish(calls, api_id)
    asked = {"restApiId": api_id, "stageName": "live", "exportType": "oas30"}
    plain = json.loads(calls.call("apigateway", "GetExport", **asked)["body"])
    whole = json.loads(
        calls.call("apigateway", "GetExport", **asked, parameters={"extensions": "apigateway"})["body"]
    )
    assert "summary" not in whole["paths"]["/orders"]["get"]
    assert whole["components"]["securitySchemes"] == {"key": KEY}
    assert "x-amazon-apigateway-integration" not in plain["paths"]["/orders"]["get"]


def test_a_stage_takes_only_what_it_knows(calls: Calls) -> None:
    api_id = make_api(calls)
    publish(calls, api_id)
    with pytest.raises(Invalid, match="Invalid method setting path: /bogus"):
        patch_stage(calls, api_id, "replace", "/bogus", "1")
    with pytest.raises(Invalid, match="CloudWatch Logs role ARN must be set"):
        patch_stage(calls, api_id, "replace", "/*/*/logging/loglevel", "INFO")
    stage = patch_stage(calls, api_id, "replace", "/~1orders/GET/throttling/rateLimit", "10.5")
    assert stage["methodSettings"]["orders/GET"]["throttlingRateLimit"] == 10.5


def test_two_writers_of_one_api_are_in_each_others_way(
    fake: FakeAWS, account: Account, buckets: Buckets
) -> None:
    fake.rates.is_on = False
    one = fake.calls(account, buckets, who="one", patience_s=0)
    other = fake.calls(account, buckets, who="other", patience_s=0)
    api_id = make_api(one)
    with pytest.raises(Busy, match="concurrent modification"):
        other.call("apigateway", "CreateDeployment", restApiId=api_id)


def test_a_canary_gets_its_share_and_is_promoted(fake: FakeAWS, account: Account, calls: Calls) -> None:
    api_id = make_api(calls, document({"/orders": {"get": operation(security=[])}}))
    first = publish(calls, api_id)
    other = {"type": "mock"}
    put(calls, api_id, document({"/orders": {"get": operation(other, security=[])}}))
    with pytest.raises(Invalid, match="must already be created"):
        calls.call(
            "apigateway",
            "CreateDeployment",
            restApiId=api_id,
            stageName="no",
            canarySettings={"percentTraffic": 1},
        )
    calls.call(
        "apigateway",
        "CreateDeployment",
        restApiId=api_id,
        stageName="live",
        canarySettings={"percentTraffic": 25},
    )
    answers = [fake.invoke(account, api_id, "live", "GET", "/orders").by for _ in range(100)]
    assert answers.count("mock") == 25
    with pytest.raises(Invalid, match="has a canary"):
        patch_stage(calls, api_id, "replace", "/deploymentId", first)
    promote = {"op": "copy", "from": "/canarySettings/deploymentId", "path": "/deploymentId"}
    gone = {"op": "remove", "path": "/canarySettings"}
    calls.call(
        "apigateway", "UpdateStage", restApiId=api_id, stageName="live", patchOperations=[promote, gone]
    )
    assert fake.invoke(account, api_id, "live", "GET", "/orders").by == "mock"


def test_tags_are_changed_and_told(calls: Calls) -> None:
    api_id = make_api(calls)
    arn = f"arn:aws:apigateway:{calls.account.region}::/restapis/{api_id}"
    calls.call("apigateway", "TagResource", resourceArn=arn, tags={"portal:rev": "2"})
    calls.call("apigateway", "UntagResource", resourceArn=arn, tagKeys=["portal:object"])
    assert calls.call("apigateway", "GetTags", resourceArn=arn)["tags"] == {"portal:rev": "2"}


def test_a_name_of_a_stage_is_there_once(calls: Calls) -> None:
    api_id = make_api(calls)
    deployment = publish(calls, api_id)
    with pytest.raises(Conflict, match="Stage already exists"):
        calls.call("apigateway", "CreateStage", restApiId=api_id, stageName="live", deploymentId=deployment)
