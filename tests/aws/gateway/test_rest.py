"""The whole life of an API on API Gateway: published, called with a key, changed, gone back, revoked, taken away."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateways.engine.document import Item
from gateways.engine.driver import DriverError
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

SHOP: tuple[Item, ...] = (*BASE, definition(), api(), grant("a", "1"), key("a"))


def test_a_published_api_lets_in_who_has_a_key(cloud: Cloud) -> None:
    cloud.settle(*SHOP)
    cloud.later()
    assert cloud.call(value=key("a").value).status == 200
    assert cloud.call().status == 403
    assert cloud.call(value=key("b").value).status == 403
    assert cloud.call(value=key("a").value, path="/secrets").status == 403


def test_a_key_of_one_version_opens_no_other(cloud: Cloud) -> None:
    cloud.settle(*SHOP, api("2", version="2"), grant("b", "2"), key("b"))
    cloud.later()
    assert cloud.call("2", key("b").value).status == 200
    assert cloud.call("2", key("a").value).status == 403
    assert cloud.call("1", key("b").value).status == 403


def test_two_environments_are_two_stages_of_one_api(cloud: Cloud) -> None:
    sandbox = api("2", version="1", revision="2", environment="sandbox")
    cloud.settle(*SHOP, definition("2", "/orders", "/new"), sandbox, grant("b", "2"), key("b"))
    cloud.later()
    assert len(cloud.there.apis) == 1
    assert cloud.call("2", key("b").value, "/new").status == 200
    assert cloud.call("1", key("a").value, "/new").status == 403, "the working copy is not what is served"


def test_approving_one_subscription_takes_three_calls(cloud: Cloud) -> None:
    cloud.settle(*SHOP)
    before = len(cloud.fake.asked)
    cloud.settle(*SHOP, grant("b", "1"), key("b"))
    assert [one.operation for one in cloud.fake.asked[before:]] == [
        "ImportApiKeys", "GetApiKey", "GetUsagePlanKey",
    ]  # fmt: skip


def test_a_revoked_key_is_switched_off_first_and_deleted_later(cloud: Cloud) -> None:
    cloud.settle(*SHOP, grant("b", "1"), key("b"))
    cloud.later()
    before = len(cloud.fake.asked)
    _changes, verdict = cloud.push(*without(SHOP, "crd_a"), grant("b", "1"), key("b"))
    assert cloud.fake.asked[before].operation == "UpdateApiKey"
    assert "key/crd_a" in {str(name) for name in verdict.confirmed}
    cloud.later()
    assert cloud.call(value=key("a").value).status == 403
    assert cloud.call(value=key("b").value).status == 200
    cloud.settle(*without(SHOP, "crd_a"), grant("b", "1"), key("b"))
    assert len(cloud.there.keys) == 1


def test_a_used_up_quota_stops_the_keys_until_it_is_over(cloud: Cloud) -> None:
    cloud.settle(*SHOP)
    cloud.settle(*SHOP, blocked("a"))
    cloud.later()
    assert cloud.call(value=key("a").value).status == 403
    cloud.settle(*SHOP)
    cloud.later()
    assert cloud.call(value=key("a").value).status == 200


def test_another_plan_takes_the_keys_along(cloud: Cloud) -> None:
    cloud.settle(*SHOP)
    moved = (*without(SHOP, "sub_a", "plr_1"), limit("2", 1, 1, 1), grant("a", "1", plan="2"))
    cloud.settle(*moved)
    cloud.later()
    answers = [cloud.call(value=key("a").value).status for _call in range(2)]
    assert answers == [200, 429]
    assert len(cloud.there.plans) == 1, "the old usage plan is gone"


def test_going_back_is_one_call(cloud: Cloud) -> None:
    cloud.settle(*SHOP)
    changed = (
        *without(SHOP, "pub_1", "rev_1"),
        definition("2", "/orders", "/new"),
        replace(api(), revision="rev_2", definition="rev_2"),
    )
    cloud.settle(*changed)
    cloud.later()
    assert cloud.call(value=key("a").value, path="/new").status == 200
    before = len(cloud.fake.asked)
    cloud.settle(*SHOP)
    asked = [one.operation for one in cloud.fake.asked[before:]]
    assert asked == ["UpdateStage", "GetStage"]
    assert cloud.call(value=key("a").value, path="/new").status == 403
    assert cloud.call(value=key("a").value).status == 200


def test_what_is_taken_away_leaves_nothing_behind(cloud: Cloud) -> None:
    cloud.settle(*SHOP, api("2", version="2"))
    cloud.settle(*BASE)
    there = cloud.there
    assert (there.apis, there.keys, there.plans) == ({}, {}, {})


def test_what_waits_for_a_limit_lets_the_rest_go_on(cloud: Cloud) -> None:
    cloud.settle(*SHOP)
    many = [api(str(number), version=str(number)) for number in range(2, 6)]
    _changes, verdict = cloud.push(*without(SHOP, "crd_a"), *many)
    assert verdict.wait is not None
    assert "limit of AWS" in verdict.wait.why
    assert "key/crd_a" in {str(name) for name in verdict.confirmed}, "a revocation waits for no publication"
    cloud.settle(*without(SHOP, "crd_a"), *many)
    assert len(cloud.there.apis) == 5


def test_an_api_that_somebody_deleted_is_made_again(cloud: Cloud) -> None:
    cloud.settle(*SHOP)
    there = cloud.there
    there.plans.clear()
    there.apis.clear()
    newer = replace(api(), revision="rev_2", definition="rev_2")
    changed = (*without(SHOP, "pub_1", "rev_1"), definition("2", "/orders", "/new"), newer)
    cloud.settle(*changed)
    cloud.later()
    assert len(cloud.there.apis) == 1
    assert cloud.call(value=key("a").value, path="/new").status == 200


def test_a_function_that_is_not_there_is_named_and_costs_no_api(cloud: Cloud) -> None:
    arn = f"arn:aws:lambda:eu-central-1:{cloud.account.number}:function:gone:live"
    shop = (*without(SHOP, "bnd_1"), upstream(arn))
    for _run in range(3):
        with pytest.raises(DriverError, match="gone") as refused:
            cloud.settle(*shop)
        assert [str(name) for name in refused.value.offenders] == ["route/pub_1"]
    assert len(cloud.there.apis) == 1
