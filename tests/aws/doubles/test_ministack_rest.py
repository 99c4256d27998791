"""REST APIs on MiniStack, made resource by resource, since it imports none: keys, plans, a Lambda authorizer."""

from __future__ import annotations

import pytest

from tests.aws.doubles.functions import TOKEN_AUTHORIZER, integration_of, make_function
from tests.aws.doubles.rest import deploy, make_key, make_mock_api, make_plan
from tests.aws.doubles.servers import Double

pytestmark = pytest.mark.xdist_group("ministack")


@pytest.fixture(scope="module")
def keyed(ministack: Double) -> str:
    """An API that asks for a key."""
    api, _ = make_mock_api(ministack, apiKeyRequired=True)
    deploy(ministack, api)
    return api


def statuses(double: Double, api: str, value: str, calls: int = 1) -> list[int]:
    headers = {"x-api-key": value} if value else {}
    return [double.call(api, "production", "/orders", headers=headers).status_code for _ in range(calls)]


def test_a_key_of_the_stages_plan_is_asked_for(ministack: Double, keyed: str) -> None:
    (_, value), (_, foreign) = make_key(ministack, make_plan(ministack, keyed)), make_key(ministack)
    assert [statuses(ministack, keyed, one) for one in ("", foreign, value)] == [[403], [403], [200]]


def test_a_key_of_one_version_is_refused_on_another(ministack: Double, keyed: str) -> None:
    other, _ = make_mock_api(ministack, apiKeyRequired=True)
    deploy(ministack, other)
    _, value = make_key(ministack, make_plan(ministack, other))
    assert (statuses(ministack, other, value), statuses(ministack, keyed, value)) == ([200], [403])


def test_a_plan_throttles(ministack: Double, keyed: str) -> None:
    plan = make_plan(ministack, keyed, throttle={"rateLimit": 0.01, "burstLimit": 2})
    assert statuses(ministack, keyed, make_key(ministack, plan)[1], 4) == [200, 200, 429, 429]


def test_a_plans_quota_is_held(ministack: Double, keyed: str) -> None:
    plan = make_plan(ministack, keyed, quota={"limit": 2, "period": "DAY"})
    assert statuses(ministack, keyed, make_key(ministack, plan)[1], 4) == [200, 200, 429, 429]


def test_the_authorizer_decides(ministack: Double) -> None:
    client, (api, resource) = ministack.client("apigateway"), make_mock_api(ministack)
    authorizer = client.create_authorizer(
        restApiId=api,
        name="portal",
        type="TOKEN",
        authorizerUri=integration_of(make_function(ministack, TOKEN_AUTHORIZER)["FunctionArn"]),
        identitySource="method.request.header.Authorization",
        authorizerResultTtlInSeconds=0,
    )["id"]
    patch = [
        {"op": "replace", "path": "/authorizationType", "value": "CUSTOM"},
        {"op": "replace", "path": "/authorizerId", "value": authorizer},
    ]
    client.update_method(restApiId=api, resourceId=resource, httpMethod="GET", patchOperations=patch)
    deploy(ministack, api)
    tokens = ({}, {"authorization": "Bearer of-nobody"}, {"authorization": "Bearer of-dana"})
    found = [ministack.call(api, "production", "/orders", headers=one).status_code for one in tokens]
    assert found == [401, 403, 200]
