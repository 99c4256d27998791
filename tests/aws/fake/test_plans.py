"""Usage plans and keys of the fake: who gets in, how often, and what AWS says."""

from __future__ import annotations

import pytest

from aws.client.account import Account
from aws.client.calls import Calls
from aws.client.errors import Conflict, Invalid, Missing, QuotaFull
from tests.aws.fake import FakeAWS
from tests.aws.fake.acts import SECRET, make_api, make_key, make_plan, patch_plan, publish

HEADERS = {"X-API-Key": SECRET}


@pytest.fixture
def api_id(calls: Calls) -> str:
    """Published, and for those who have a key."""
    api_id = make_api(calls)
    publish(calls, api_id)
    return api_id


def test_a_key_works_after_a_while_and_only_in_its_plan(
    fake: FakeAWS, account: Account, calls: Calls, api_id: str
) -> None:
    plan = make_plan(calls, api_id)
    make_key(calls, plan)
    make_key(calls, value="other-key-of-twenty-letters")
    assert fake.invoke(account, api_id, "live", "GET", "/orders", HEADERS).status == 403
    fake.clock.advance(fake.delays.keys)
    assert fake.invoke(account, api_id, "live", "GET", "/orders", HEADERS).status == 200
    assert fake.invoke(account, api_id, "live", "GET", "/orders").status == 403
    other = {"x-api-key": "other-key-of-twenty-letters"}
    assert fake.invoke(account, api_id, "live", "GET", "/orders", other).status == 403


def test_a_disabled_key_is_refused_after_a_while(
    fake: FakeAWS, account: Account, calls: Calls, api_id: str
) -> None:
    key = make_key(calls, make_plan(calls, api_id))
    fake.clock.advance(fake.delays.keys)
    patch = {"op": "replace", "path": "/enabled", "value": "false"}
    calls.call("apigateway", "UpdateApiKey", apiKey=key, patchOperations=[patch])
    assert fake.invoke(account, api_id, "live", "GET", "/orders", HEADERS).status == 200
    fake.clock.advance(fake.delays.keys)
    assert fake.invoke(account, api_id, "live", "GET", "/orders", HEADERS).status == 403


def test_throttle_and_quota_answer_429(fake: FakeAWS, account: Account, calls: Calls, api_id: str) -> None:
    plan = make_plan(
        calls, api_id, throttle={"rateLimit": 1.0, "burstLimit": 2}, quota={"limit": 4, "period": "DAY"}
    )
    key = make_key(calls, plan)
    fake.clock.advance(fake.delays.keys)
    answers = [fake.invoke(account, api_id, "live", "GET", "/orders", HEADERS) for _ in range(3)]
    assert [one.status for one in answers] == [200, 200, 429]
    fake.clock.advance(2)
    assert [fake.invoke(account, api_id, "live", "GET", "/orders", HEADERS).status for _ in range(2)] == [
        200,
        200,
    ]
    fake.clock.advance(2)
    assert fake.invoke(account, api_id, "live", "GET", "/orders", HEADERS).reason == "Limit Exceeded"
    today = fake.clock.date.date().isoformat()
    usage = calls.call("apigateway", "GetUsage", usagePlanId=plan, startDate=today, endDate=today)
    assert usage["items"] == {key: [[4, 0]]}


def test_a_method_has_a_limit_of_its_own(fake: FakeAWS, account: Account, calls: Calls, api_id: str) -> None:
    plan = make_plan(calls, api_id)
    make_key(calls, plan)
    path = f"/apiStages/{api_id}:live/throttle/~1orders/GET"
    patch_plan(calls, plan, ("replace", f"{path}/rateLimit", "0.5"), ("replace", f"{path}/burstLimit", "1"))
    fake.clock.advance(fake.delays.keys)
    statuses = [fake.invoke(account, api_id, "live", "GET", "/orders", HEADERS).status for _ in range(2)]
    assert statuses == [200, 429]


def test_a_key_is_in_one_plan_of_a_stage(calls: Calls, api_id: str) -> None:
    first, second = make_plan(calls, api_id), make_plan(calls, api_id)
    key = make_key(calls, first)
    with pytest.raises(Conflict, match="cannot reference multiple Usage Plans"):
        calls.call("apigateway", "CreateUsagePlanKey", usagePlanId=second, keyId=key, keyType="API_KEY")
    third = make_plan(calls)
    calls.call("apigateway", "CreateUsagePlanKey", usagePlanId=third, keyId=key, keyType="API_KEY")
    with pytest.raises(Conflict, match="cannot reference multiple Usage Plans"):
        patch_plan(calls, third, ("add", "/apiStages", f"{api_id}:live"))


def test_stages_leave_a_plan_before_it_goes(calls: Calls, api_id: str) -> None:
    plan = make_plan(calls, api_id)
    with pytest.raises(Invalid, match="because there are API Stages associated with it"):
        calls.call("apigateway", "DeleteUsagePlan", usagePlanId=plan)
    with pytest.raises(Invalid, match="is in Usage Plan"):
        calls.call("apigateway", "DeleteRestApi", restApiId=api_id)
    with pytest.raises(Invalid, match="Invalid patch path"):
        patch_plan(calls, plan, ("remove", f"/apiStages/{api_id}:live", ""))
    patch_plan(calls, plan, ("remove", "/apiStages", f"{api_id}:live"))
    calls.call("apigateway", "DeleteUsagePlan", usagePlanId=plan)
    calls.call("apigateway", "DeleteRestApi", restApiId=api_id)


def test_patches_of_a_plan_are_all_made_or_none(calls: Calls, api_id: str) -> None:
    plan = make_plan(calls, api_id)
    with pytest.raises(Missing, match="Invalid API Stage"):
        patch_plan(
            calls, plan, ("replace", "/throttle/rateLimit", "5"), ("add", "/apiStages", f"{api_id}:no")
        )
    assert "throttle" not in calls.call("apigateway", "GetUsagePlan", usagePlanId=plan)


def test_lists_of_plans_tell_no_tags(calls: Calls) -> None:
    plan = make_plan(calls, tags={"portal:object": "plan_1"})
    assert "tags" not in calls.call("apigateway", "GetUsagePlans")["items"][0]
    assert calls.call("apigateway", "GetUsagePlan", usagePlanId=plan)["tags"] == {"portal:object": "plan_1"}


def test_the_quota_of_plans(fake: FakeAWS, calls: Calls) -> None:
    fake.quotas.usage_plans = 1
    make_plan(calls)
    with pytest.raises(QuotaFull) as caught:
        make_plan(calls)
    assert caught.value.number == 1


def rows(*told: str) -> bytes:
    """A file of keys."""
    return "\n".join(["Name,Key,Description,Enabled,UsagePlanIds", *told]).encode()


def imported(calls: Calls, body: bytes, **more: object) -> dict[str, list[str]]:
    return calls.call("apigateway", "ImportApiKeys", body=body, format="csv", **more)


def test_an_import_may_be_made_again(calls: Calls) -> None:
    one, two = make_plan(calls), make_plan(calls)
    body = rows(f'portal-1-a,{"a" * 30},portal:key_1,true,"{one},{two}"', f"portal-1-b,{'b' * 30},,,{one}")
    first = imported(calls, body)
    assert imported(calls, body)["ids"] == first["ids"]
    assert first["warnings"] == []
    found = list(calls.pages("apigateway", "GetApiKeys", "items", nameQuery="portal-1"))
    assert [(key["id"], key["enabled"], "value" in key) for key in found] == [
        (first["ids"][0], True, False),
        (first["ids"][1], True, False),
    ]
    assert len(calls.call("apigateway", "GetUsagePlanKeys", usagePlanId=one)["items"]) == 2


def test_an_import_warns_of_plans_that_are_not_there(calls: Calls) -> None:
    body = rows(f"a,{'a' * 30},,true,nope")
    assert "nope" in imported(calls, body)["warnings"][0]
    with pytest.raises(Invalid, match="Warnings found"):
        imported(calls, rows(f"b,{'b' * 30},,true,nope"), failOnWarnings=True)
    assert len(calls.call("apigateway", "GetApiKeys")["items"]) == 1


def test_a_full_quota_takes_none_of_an_import(fake: FakeAWS, calls: Calls) -> None:
    fake.quotas.api_keys = 1
    with pytest.raises(QuotaFull):
        imported(calls, rows(f"a,{'a' * 30},,,", f"b,{'b' * 30},,,"))
    assert calls.call("apigateway", "GetApiKeys")["items"] == []


def test_the_value_of_a_key_is_there_once_and_stays(calls: Calls) -> None:
    key = make_key(calls)
    with pytest.raises(Conflict, match="API Key already exists"):
        make_key(calls)
    patch = {"op": "replace", "path": "/value", "value": "x" * 30}
    with pytest.raises(Invalid, match="Must be one of"):
        calls.call("apigateway", "UpdateApiKey", apiKey=key, patchOperations=[patch])
    calls.call("apigateway", "DeleteApiKey", apiKey=key)
    with pytest.raises(Missing):
        calls.call("apigateway", "GetApiKey", apiKey=key)
    make_key(calls)
