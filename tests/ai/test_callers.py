"""Who may call a runtime: gateways that prove themselves, and keys where it stands alone."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.ai.runtime_process import BASE_PATH, HOP, KEY, RuntimeProcess, endpoint, snapshot
from tests.ai.vendor import Vendor

VALUES = {"text": "Good morning", "target_lang": "fr"}


@pytest.mark.parametrize("secret", ["", "wrong", HOP[:-1], f"{HOP}x"])
def test_only_a_gateway_with_its_secret_is_believed(
    runtime: RuntimeProcess, vendor: Vendor, secret: str
) -> None:
    runtime.load(snapshot(vendor.url))
    answer = runtime.call(VALUES, headers={"x-gatehouse-hop": secret})
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_api_key")
    assert not vendor.asked


def test_a_spoofed_identity_is_refused_and_not_taken_for_a_key(
    runtime: RuntimeProcess, vendor: Vendor
) -> None:
    """T17: what a caller says of itself counts for nothing without the gateway's secret."""
    runtime.load(snapshot(vendor.url))
    headers = {"x-gatehouse-subscription": runtime.id("sub_1")}
    assert runtime.client.post(BASE_PATH, json=VALUES, headers=headers).status_code == 401


def test_a_subscription_that_the_runtime_does_not_know_is_refused(
    runtime: RuntimeProcess, vendor: Vendor
) -> None:
    runtime.load(snapshot(vendor.url))
    answer = runtime.call(VALUES, headers={"x-gatehouse-subscription": "sub_of_nobody"})
    assert (answer.status_code, answer.json()["code"]) == (403, "not_subscribed")


@pytest.mark.parametrize("header", [{"authorization": f"Bearer {KEY}"}, {"x-api-key": KEY}])
def test_alone_it_checks_the_key_itself(
    runtime: RuntimeProcess, vendor: Vendor, header: dict[str, str]
) -> None:
    runtime.load(snapshot(vendor.url))
    assert runtime.client.post(BASE_PATH, json=VALUES, headers=header).json()["output"] == "Hello"
    assert runtime.client.post(f"{BASE_PATH}x", json=VALUES, headers=header).status_code == 404
    assert (
        runtime.client.post(BASE_PATH, json=VALUES, headers={"x-api-key": f"{KEY[:-1]}x"}).status_code == 401
    )
    assert runtime.client.post(BASE_PATH, json=VALUES).status_code == 401
    (line,) = runtime.feed()
    assert line[5] == "AAAAAAAAAAAAAAAA", "the public id of the key, never the key"
    assert KEY not in runtime.feed_file.read_text()


def test_the_longest_base_path_counts_however_long_the_path_is(
    runtime: RuntimeProcess, vendor: Vendor
) -> None:
    places = [
        {
            "id": name,
            "label": name,
            "base_path": path,
            "host": "",
            "environment": "production",
            "api_version": "ver_1",
        }
        for name, path in (("pub_1", BASE_PATH), ("pub_2", "/shop/translate"))
    ]
    endpoints = [endpoint(), endpoint(id="pub_2")]
    runtime.load(snapshot(vendor.url, routes=places, endpoints=endpoints))
    header = {"x-api-key": KEY}
    assert runtime.client.post(BASE_PATH, json=VALUES, headers=header).status_code == 200
    assert runtime.client.post("/shop/translate/v2", json=VALUES, headers=header).status_code == 403
    assert runtime.client.post("/shop/translates", json=VALUES, headers=header).status_code == 404
    assert runtime.client.post("/a" * 20_000, json=VALUES, headers=header).status_code == 404
    assert runtime.client.post(f"{BASE_PATH}{'/' * 20_000}x", json=VALUES, headers=header).status_code == 404


def test_a_key_without_subscription_is_403(runtime: RuntimeProcess, vendor: Vendor) -> None:
    grants = [{"id": "sub_1", "consumer": "app_1", "routes": [], "limit": "plr_1"}]
    runtime.load(snapshot(vendor.url, grants=grants))
    assert runtime.client.post(BASE_PATH, json=VALUES, headers={"x-api-key": KEY}).status_code == 403


def test_a_quota_that_is_used_up_is_429_until_it_begins_anew(runtime: RuntimeProcess, vendor: Vendor) -> None:
    blocks = [{"id": "blk_1", "grant": "sub_1", "until": int(time.time()) + 100}]
    runtime.load(snapshot(vendor.url, blocks=blocks))
    answer = runtime.client.post(BASE_PATH, json=VALUES, headers={"x-api-key": KEY})
    assert (answer.status_code, answer.json()["code"]) == (429, "quota_exceeded")
    assert 90 < int(answer.headers["retry-after"]) <= 100


def test_the_rate_of_the_plan_holds(runtime: RuntimeProcess, vendor: Vendor) -> None:
    runtime.load(snapshot(vendor.url, limits=[{"id": "plr_1", "calls": 1, "period_s": 60, "burst": 2}]))
    codes = [
        runtime.client.post(BASE_PATH, json=VALUES, headers={"x-api-key": KEY}).status_code for _ in range(3)
    ]
    assert codes == [200, 200, 429]


def test_tokens_have_a_rate_of_their_own(runtime: RuntimeProcess, vendor: Vendor) -> None:
    callers = [{"id": "sub_1", "team": "team_1", "tokens": 1050, "tokens_period_s": 3600}]
    runtime.load(snapshot(vendor.url, callers=callers))
    first = runtime.call(VALUES)
    assert first.status_code == 200
    assert first.headers["ratelimit-policy"] == '"tokens";q=1050;w=3600'
    assert runtime.call(VALUES).status_code == 200  # the first took 15 in the end, not what it might have
    refused = runtime.call(VALUES)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limit_exceeded")
    assert refused.headers["ratelimit"].startswith('"tokens";r=1020;')


def test_each_environment_is_called_on_its_own_port_alone(runtime: RuntimeProcess, vendor: Vendor) -> None:
    files = snapshot(vendor.url)
    files["routes"][0]["environment"] = "sandbox"
    runtime.load(files)
    assert runtime.call(VALUES).status_code == 404
    assert runtime.client.post(BASE_PATH, json=VALUES, headers={"x-api-key": KEY}).status_code == 404


def test_a_bad_snapshot_is_refused_by_name_and_the_old_one_serves_on(
    runtime: RuntimeProcess, vendor: Vendor
) -> None:
    runtime.load(snapshot(vendor.url))
    broken: dict[str, Any] = snapshot(vendor.url, endpoints=[endpoint(prompt="prv_that_is_not_there")])
    answer = runtime.load(broken)
    assert answer.status_code == 422
    assert runtime.id("pub_1") in answer.json()["error"]
    assert runtime.call(VALUES).status_code == 200


def test_it_serves_what_is_on_disk_when_it_starts_again(runtime: RuntimeProcess, vendor: Vendor) -> None:
    runtime.load(snapshot(vendor.url))
    runtime.process.kill()
    runtime.process.wait()
    runtime.start()
    assert runtime.call(VALUES).status_code == 200
