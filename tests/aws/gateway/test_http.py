"""The whole life of HTTP and WebSocket APIs, with keys that the portal's own authorizer knows: it really runs."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest

from gateways.drivers.aws.parts import mark_of
from gateways.engine.document import Item
from gateways.engine.driver import DriverError
from tests.aws.fake.lambda_state import Alias, Function, lambdas
from tests.aws.gateway.conftest import (
    BASE,
    Cloud,
    api,
    blocked,
    definition,
    grant,
    key,
    limit,
    upstream,
    without,
)

KINDS = ("http", "websocket")


def shop(kind: str, *more: Item, **settings: object) -> tuple[Item, ...]:
    """One API of a type, and a subscription to it with a key."""
    return (*BASE, definition(type=kind, **settings), api(), grant("a", "1"), key("a"), *more)


def status(cloud: Cloud, kind: str, value: str = "", publication: str = "1") -> int:
    """What a caller with that key meets."""
    call = cloud.call if kind == "http" else cloud.connect
    return call(publication, value).status


@pytest.mark.parametrize("kind", KINDS)
def test_who_has_a_key_is_let_in(cloud: Cloud, kind: str) -> None:
    cloud.settle(*shop(kind))
    assert status(cloud, kind, key("a").value) == 200
    assert status(cloud, kind) == 401
    assert status(cloud, kind, key("b").value) == 403


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_of_one_version_opens_no_other(cloud: Cloud, kind: str) -> None:
    more = (definition("2", type=kind), api("2", version="2", revision="2"), grant("b", "2"), key("b"))
    cloud.settle(*shop(kind), *more)
    assert [status(cloud, kind, key(name).value, "2") for name in "ab"] == [403, 200]
    assert [status(cloud, kind, key(name).value, "1") for name in "ab"] == [200, 403]
    assert len(cloud.functions) == 1, "one authorizer for all"


@pytest.mark.parametrize("kind", KINDS)
def test_a_revocation_counts_when_lambda_says_that_the_update_is_over(cloud: Cloud, kind: str) -> None:
    cloud.settle(*shop(kind, grant("b", "1"), key("b")))
    rest = (*without(shop(kind), "crd_a"), grant("b", "1"), key("b"))
    before = len(cloud.fake.asked)
    _changes, verdict = cloud.push(*rest)
    assert cloud.fake.asked[before + 1].operation == "UpdateFunctionCode", "before anything else"
    assert status(cloud, kind, key("a").value) == 200, "the running copies go on for some seconds"
    assert "key/crd_a" not in {str(name) for name in verdict.confirmed}, "and the portal says so"
    assert verdict.wait is not None
    cloud.fake.clock.advance(cloud.fake.delays.function_updated)
    _changes, verdict = cloud.push(*rest)
    assert "key/crd_a" in {str(name) for name in verdict.confirmed}
    assert [status(cloud, kind, key(name).value) for name in "ab"] == [403, 200]


@pytest.mark.parametrize("kind", KINDS)
def test_a_used_up_quota_stops_the_keys_until_it_is_over(cloud: Cloud, kind: str) -> None:
    cloud.settle(*shop(kind))
    cloud.settle(*shop(kind, blocked("a")))
    assert status(cloud, kind, key("a").value) == 403
    cloud.settle(*shop(kind))
    assert status(cloud, kind, key("a").value) == 200


@pytest.mark.parametrize("kind", KINDS)
def test_going_back_is_one_call(cloud: Cloud, kind: str) -> None:
    cloud.settle(*shop(kind))
    other = definition(
        "2", "/orders", "/new", type=kind, **({"routes": {"cheer": {}}} if kind != "http" else {})
    )
    cloud.settle(
        *without(shop(kind), "pub_1", "rev_1"), other, replace(api(), revision="rev_2", definition="rev_2")
    )
    before = len(cloud.fake.asked)
    cloud.settle(*shop(kind))
    assert [one.operation for one in cloud.fake.asked[before:]] == ["UpdateStage", "GetStage"]
    assert status(cloud, kind, key("a").value) == 200


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_taken_away_leaves_nothing_behind(cloud: Cloud, kind: str) -> None:
    cloud.settle(*shop(kind, api("2", version="2")))
    cloud.settle(*BASE)
    assert (cloud.http, cloud.functions, cloud.roles) == ({}, {}, {})


def test_two_environments_are_two_stages_of_one_api(cloud: Cloud) -> None:
    sandbox = api("2", version="1", revision="2", environment="sandbox")
    more = (definition("2", "/orders", "/new", type="http"), sandbox, grant("b", "2"), key("b"))
    cloud.settle(*shop("http"), *more)
    assert len(cloud.http) == 1
    assert cloud.call("2", key("b").value, "/new").status == 200
    assert cloud.call("1", key("a").value, "/new").status == 404, "the working copy is not what is served"


def test_another_revision_keeps_what_is_the_same(cloud: Cloud) -> None:
    cloud.settle(*shop("http"))
    (before,) = cloud.http.values()
    routes = {route["RouteKey"]: number for number, route in before.now.routes.items()}
    cloud.settle(
        *without(shop("http"), "pub_1", "rev_1"),
        definition("2", "/new", "/orders", type="http"),
        replace(api(), revision="rev_2", definition="rev_2"),
    )
    (after,) = cloud.http.values()
    assert after is before, "its address stays"
    assert {after.now.routes[routes["GET /orders"]]["RouteKey"]} == {"GET /orders"}
    assert len(after.now.integrations) == len(after.now.routes) == 2
    assert cloud.call(value=key("a").value, path="/new").status == 200


def test_a_type_that_changes_is_there_in_both_until_the_new_one_is_met(cloud: Cloud) -> None:
    rest = (*BASE, definition(), api(), grant("a", "1"), key("a"))
    cloud.settle(*rest)
    cloud.later()
    assert cloud.call(value=key("a").value).status == 200
    cloud.settle(*shop("http"))
    there = cloud.there
    assert (there.apis, there.plans, there.keys) == ({}, {}, {})
    assert cloud.call(value=key("a").value).status == 200
    cloud.settle(*rest)
    cloud.later()
    assert (cloud.http, cloud.functions) == ({}, {})
    assert cloud.call(value=key("a").value).status == 200


def test_a_plan_is_kept_by_each_copy_of_the_authorizer(cloud: Cloud) -> None:
    slow = (*without(shop("http"), "plr_1"), limit(calls=1, burst=2))
    cloud.settle(*slow)
    assert [cloud.call(value=key("a").value).status for _call in range(3)] == [200, 200, 403]


def test_jwt_authorizers_stand_beside_keys(cloud: Cloud) -> None:
    jwt = {"name": "staff", "kind": "jwt", "issuer": "https://id.example.com", "audience": ["orders"]}
    cloud.settle(*shop("http", authorizers=[jwt], authorized_by={"read0": "staff"}))
    (there,) = cloud.http.values()
    (route,) = there.now.routes.values()
    authorizer = there.now.authorizers[route["AuthorizerId"]]
    assert (route["AuthorizationType"], authorizer["Name"]) == ("JWT", "staff")
    assert authorizer["JwtConfiguration"] == {"Issuer": "https://id.example.com", "Audience": ["orders"]}


def test_an_api_without_keys_needs_no_authorizer(cloud: Cloud) -> None:
    cloud.settle(*shop("http", api_key_required=False, open_to_all=True))
    assert cloud.functions == {}
    assert cloud.call().status == 200


def test_cors_is_the_apis_own(cloud: Cloud) -> None:
    shown = replace(api(), cors_origins=("https://shop.example.com",))
    items = (*without(shop("http"), "pub_1", "rev_1"), definition(type="http", cors={"max_age_s": 60}))
    cloud.settle(*items, shown)
    (there,) = cloud.http.values()
    assert there.members["CorsConfiguration"]["AllowOrigins"] == ["https://shop.example.com"]
    assert there.members["CorsConfiguration"]["MaxAge"] == 60
    cloud.settle(*items, api())
    assert there.members["CorsConfiguration"] is None


def test_a_stage_may_deploy_itself(cloud: Cloud) -> None:
    cloud.settle(*shop("http", auto_deploy=True, throttle={"rate": 50, "burst": 10}))
    (there,) = cloud.http.values()
    stage = there.stages["production"]
    assert stage["AutoDeploy"] is True
    assert stage["DefaultRouteSettings"] == {"ThrottlingRateLimit": 50.0, "ThrottlingBurstLimit": 10}
    assert cloud.call(value=key("a").value).status == 200
    cloud.settle(*shop("http"))
    assert there.stages["production"]["AutoDeploy"] is False


def test_messages_go_where_the_settings_say(cloud: Cloud) -> None:
    routes = {
        "$default": {},
        "cheer": {"integration": {"kind": "http_proxy", "url": "https://cheer.example.com"}},
    }
    cloud.settle(*shop("websocket", routes=routes, route_selection="$request.body.kind"))
    (there,) = cloud.http.values()
    assert there.members["RouteSelectionExpression"] == "$request.body.kind"
    assert cloud.connect(value=key("a").value).by == "mock", (
        "who may connect is asked although no route says so"
    )
    assert cloud.connect(route="cheer").by == "https://cheer.example.com"
    assert cloud.connect(route="other").by == "https://orders.example.com"
    replying = {there.now.routes[one["RouteId"]]["RouteKey"] for one in there.now.answers.values()}
    assert replying == {"$default", "cheer"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_function_behind_an_api_lets_it_in(cloud: Cloud, kind: str) -> None:
    arn = cloud.fake.at(cloud.account).arn("lambda", "function:orders")
    function = Function("orders", arn, {"Handler": "a.b"}, 1, "r", 0.0)
    function.aliases["live"] = Alias("live", "1", "r")
    lambdas(cloud.fake.at(cloud.account)).functions["orders"] = function
    cloud.settle(*without(shop(kind), "bnd_1"), upstream(f"{arn}:live"))
    answer = (cloud.call if kind == "http" else cloud.connect)("1", key("a").value)
    assert (answer.status, answer.by) == (200, "orders:1")
    cloud.settle(*BASE)
    assert function.policies["live"] == {}, "its policy has no room to waste"


@pytest.mark.parametrize("kind", ["rest", *KINDS])
def test_a_function_that_is_not_there_costs_no_second_api(cloud: Cloud, kind: str) -> None:
    arn = cloud.fake.at(cloud.account).arn("lambda", "function:missing:live")
    for _run in range(6):
        with suppress(DriverError):
            cloud.push(*without(shop(kind), "bnd_1"), upstream(arn))
        cloud.fake.clock.advance(20)
    assert cloud.fake.times("CreateApi") + cloud.fake.times("CreateRestApi") == 1


@pytest.mark.parametrize("kind", ["rest", *KINDS])
def test_an_api_that_somebody_deleted_is_made_again(cloud: Cloud, kind: str) -> None:
    cloud.settle(*shop(kind))
    cloud.http.clear()
    cloud.there.apis.clear()
    changed = replace(api(), revision="rev_2", definition="rev_2")
    items = (*without(shop(kind), "rev_1", "pub_1"), definition("2", "/orders", "/new", type=kind), changed)
    cloud.settle(*items)
    assert len(cloud.http) + len(cloud.there.apis) == 1


def test_the_authorizer_and_its_role_are_ours_and_bounded(cloud: Cloud) -> None:
    cloud.settle(*shop("http"))
    (function,) = cloud.functions.values()
    (role,) = cloud.roles.values()
    assert function.tags["portal:instance"] == "house"
    assert function.name == role.name
    assert role.path == "/portal/"
    assert role.boundary == f"arn:aws:iam::{cloud.account.number}:policy/house-boundary"
    assert key("a").value.encode() not in function.code


def test_a_role_may_be_named(cloud: Cloud) -> None:
    cloud.options["authorizer_role"] = cloud.fake.add_role(cloud.account, "theirs")
    cloud.settle(*shop("http"))
    (function,) = cloud.functions.values()
    assert function.configuration["Role"].endswith(":role/portal/theirs")
    cloud.settle(*BASE)
    assert list(cloud.roles) == ["theirs"]


def test_somebody_elses_function_is_left_alone(cloud: Cloud) -> None:
    cloud.settle(*shop("http"))
    (function,) = cloud.functions.values()
    function.tags["portal:instance"] = "another"
    cloud.settle(*BASE)
    assert list(cloud.functions.values()) == [function]


def test_an_authorizer_that_somebody_deleted_is_made_again(cloud: Cloud) -> None:
    cloud.settle(*shop("http"))
    cloud.functions.clear()
    cloud.settle(*shop("http", grant("b", "1"), key("b")))
    assert [status(cloud, "http", key(name).value) for name in "ab"] == [200, 200]


def test_many_operations_behind_one_function_share_an_integration() -> None:
    one = {"IntegrationType": "AWS_PROXY", "IntegrationUri": "arn:1"}
    assert mark_of(one) == mark_of(dict(reversed(one.items())))
    assert mark_of(one) != mark_of({**one, "IntegrationUri": "arn:2"})
