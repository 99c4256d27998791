"""HTTP APIs on MiniStack, called over HTTP: Lambda behind them, and a Lambda authorizer that lets in and refuses."""

from __future__ import annotations

import json

import pytest

from tests.aws.doubles.functions import ECHO
from tests.aws.doubles.http_api import add_route, make_alias, make_api, make_authorizer
from tests.aws.doubles.servers import Double, refusal

pytestmark = pytest.mark.xdist_group("ministack")


@pytest.fixture(scope="module")
def echo(ministack: Double) -> str:
    """An alias of a function that says what it was called with."""
    return make_alias(ministack, ECHO)


@pytest.fixture(scope="module")
def guarded_api(ministack: Double, echo: str) -> str:
    """An API whose one route asks an authorizer."""
    api = make_api(ministack)
    authorizer = make_authorizer(ministack, api)
    add_route(ministack, api, "GET /orders", echo, AuthorizationType="CUSTOM", AuthorizerId=authorizer)
    return api


def test_a_call_reaches_the_aliass_version(ministack: Double, echo: str) -> None:
    api = make_api(ministack)
    add_route(ministack, api, "POST /orders/{id}", echo)
    answer = ministack.call(api, "$default", "/orders/7?deep=1", "POST", json={"n": 1})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    said = answer.json()
    assert said["version"] == "1"
    event = said["event"]
    assert (event["version"], event["routeKey"]) == ("2.0", "POST /orders/{id}")
    assert event["pathParameters"] == {"id": "7"}
    assert event["queryStringParameters"] == {"deep": "1"}
    assert json.loads(event["body"]) == {"n": 1}


def test_what_no_route_names_is_not_found(ministack: Double, echo: str) -> None:
    api = make_api(ministack)
    add_route(ministack, api, "GET /orders", echo)
    assert ministack.call(api, "$default", "/other").status_code == 404
    assert ministack.call(api, "$default", "/orders", "DELETE").status_code == 404


@pytest.mark.parametrize(("key", "status"), [(None, 401), ("of-nobody", 403), ("of-dana", 200)])
def test_the_authorizer_decides(ministack: Double, guarded_api: str, key: str | None, status: int) -> None:
    answer = ministack.call(guarded_api, "$default", "/orders", headers={"x-api-key": key} if key else {})
    assert answer.status_code == status, answer.text
    if status == 200:
        said = answer.json()["event"]["requestContext"]["authorizer"]
        assert said == {"lambda": {"application": "app_dana"}}


def test_a_route_that_was_taken_away_is_gone(ministack: Double, echo: str) -> None:
    client, api = ministack.client("apigatewayv2"), make_api(ministack)
    route = add_route(ministack, api, "GET /orders", echo)
    assert ministack.call(api, "$default", "/orders").status_code == 200
    client.delete_route(ApiId=api, RouteId=route)
    assert ministack.call(api, "$default", "/orders").status_code == 404
    client.delete_api(ApiId=api)
    assert refusal(client.get_api, ApiId=api) == "NotFoundException"


def test_the_api_answers_a_web_pages_preflight(ministack: Double, echo: str) -> None:
    origin = "https://shop.example"
    api = make_api(ministack, CorsConfiguration={"AllowOrigins": [origin], "AllowMethods": ["GET"]})
    add_route(ministack, api, "GET /orders", echo)
    asked = {"origin": origin, "access-control-request-method": "GET"}
    allowed = ministack.call(api, "$default", "/orders", "OPTIONS", headers=asked)
    assert allowed.headers["access-control-allow-origin"] == origin
    other = ministack.call(api, "$default", "/orders", headers={"origin": "https://elsewhere.example"})
    assert "access-control-allow-origin" not in other.headers


def test_tags_are_kept_and_found(ministack: Double) -> None:
    client, api = ministack.client("apigatewayv2"), make_api(ministack, Tags={"portal:object": "api_1"})
    found = [one for one in client.get_apis(MaxResults="500")["Items"] if one["ApiId"] == api]
    assert [one["Tags"] for one in found] == [{"portal:object": "api_1"}]
