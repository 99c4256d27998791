"""AI calls over REST say what the pages say: figures apart from those of the calls, and each call with attempts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from ai.pricing import Usage
from ai.runtime.feed import Attempt
from gateways.models import Gateway, Publication
from subscriptions.models import Credential
from teams.models import User
from tests.ai import factories as ai_factories
from tests.usage.ai_feeds import ai_line, attempt, take_in
from tests.usage.feeds import line
from usage.actions import ingest_batch

type Enter = Callable[..., APIClient]

ROOT = "/api/v1/usage"


@pytest.fixture
def api_id(runtime: Gateway, edge: Gateway, translate: Publication, ai_key: Credential) -> str:
    """A call with two attempts in two currencies, one with an unknown price, and one that the cache answered."""
    small, large = (ai_factories.make_model(name).public_id for name in ("small", "large"))
    failed = Attempt(small, "pkey_1", 500, "api_error", 3.0)
    both = [failed, attempt(large, cost=3_000_000_000, currency="EUR")]
    odd = attempt(small, cost=None, currency="", usage=Usage(input=7, output=2, estimated=True))
    body = (
        ai_line(translate, ai_key, run="run_0", request_id="req-0", attempts=[attempt(small)])
        + ai_line(translate, ai_key, run="run_1", request_id="req-1", attempts=both)
        + ai_line(translate, ai_key, run="run_2", request_id="req-2", attempts=[odd])
        + ai_line(translate, ai_key, run="run_3", request_id="req-3", attempts=[], cache="HIT")
    )
    take_in(runtime, 0, body)
    ingest_batch(edge, node="n1", segment="s1", offset=0, body=line(translate, ai_key) * 4)
    return translate.api_version.api.public_id


EXPECTED = {
    "calls": 4,
    "failed": 0,
    "from_cache": 1,
    "input_tokens": 27,
    "output_tokens": 12,
    "cached_input_tokens": 8,
    "reasoning_tokens": 2,
    "costs": [{"amount": "3.00", "currency": "EUR"}, {"amount": "0.00002", "currency": "USD"}],
    "unpriced": 1,
    "estimated": 1,
}


def test_the_summary_holds_both_kinds_of_figures_apart(api_of: Enter, alice: User, api_id: str) -> None:
    answer = api_of(alice).get(f"{ROOT}/summary", {"api": api_id}).json()
    assert answer["calls"] == 4
    assert answer["ai"] == EXPECTED


def test_a_key_is_nothing_that_ai_calls_are_told_apart_by(api_of: Enter, alice: User, api_id: str) -> None:
    asked = {"api": api_id, "key_id": "other"}
    assert api_of(alice).get(f"{ROOT}/summary", asked).json()["ai"] is None
    answer = api_of(alice).get(f"{ROOT}/ai-records", asked)
    assert (answer.status_code, "by subscription" in answer.json()["errors"][0]["message"]) == (422, True)


def test_the_timeseries_adds_up_to_the_summary(api_of: Enter, alice: User, api_id: str) -> None:
    points = api_of(alice).get(f"{ROOT}/timeseries", {"api": api_id}).json()
    assert len(points) == 60
    for name in ("calls", "input_tokens", "output_tokens", "unpriced"):
        assert sum(point["ai"][name] for point in points) == EXPECTED[name]
    assert {one["currency"] for point in points for one in point["ai"]["costs"]} == {"EUR", "USD"}


def test_a_breakdown_by_model_keeps_what_each_consumed(api_of: Enter, alice: User, api_id: str) -> None:
    rows = api_of(alice).get(f"{ROOT}/ai-breakdown", {"api": api_id, "by": "model"}).json()["results"]
    small, large = (ai_factories.make_model(name).public_id for name in ("small", "large"))
    found = {row["value"]: (row["calls"], row["input_tokens"], row["unpriced"]) for row in rows}
    assert found == {small: (2, 17, 1), large: (1, 10, 0), "": (1, 0, 0)}
    limited = api_of(alice).get(f"{ROOT}/ai-breakdown", {"api": api_id, "limit": 1}).json()
    assert (len(limited["results"]), limited["left_out"]) == (1, 2)
    assert api_of(alice).get(f"{ROOT}/ai-breakdown", {"api": api_id, "by": "operation"}).status_code == 422


def test_records_are_runs_with_their_attempts(api_of: Enter, alice: User, api_id: str) -> None:
    runs = api_of(alice).get(f"{ROOT}/ai-records", {"api": api_id, "request_id": "req-1"}).json()["results"]
    (run,) = runs
    assert (run["run"], run["status"], run["cache"]) == ("run_1", 200, "BYPASS")
    assert run["consumed"]["costs"] == [{"amount": "3.00", "currency": "EUR"}]
    told = [(a["model_name"], a["is_fallback"], a["status"], a["code"], a["cost"]) for a in run["attempts"]]
    assert told == [("demo/small", False, 500, "api_error", "0.00"), ("demo/large", True, 200, "", "3.00")]
    assert run["attempts"][1]["price_version"] == "2026-11-10"
    assert "provider_key" not in run["attempts"][1]


def test_an_unknown_price_is_null_and_never_nothing(api_of: Enter, alice: User, api_id: str) -> None:
    run = api_of(alice).get(f"{ROOT}/ai-records/run_2").json()
    assert (run["attempts"][0]["cost"], run["attempts"][0]["estimated"]) == (None, True)
    assert (run["consumed"]["costs"], run["consumed"]["unpriced"]) == ([], 1)


@pytest.mark.parametrize(
    ("asked", "runs"),
    [
        ({"cache": "HIT"}, {"run_3"}),
        ({"run": "run_0"}, {"run_0"}),
        ({"status": 500}, set()),
        ({"subscription": "other"}, set()),
        ({"model": "large"}, {"run_1"}),
        ({"prompt": "pmv_1"}, {"run_0", "run_1", "run_2", "run_3"}),
    ],
)
def test_records_can_be_narrowed(
    api_of: Enter, alice: User, api_id: str, asked: dict[str, Any], runs: set[str]
) -> None:
    if "model" in asked:
        asked = {"model": ai_factories.make_model(asked["model"]).public_id}
    found = api_of(alice).get(f"{ROOT}/ai-records", {"api": api_id, **asked}).json()["results"]
    assert {run["run"] for run in found} == runs


def test_records_come_in_pages_each_call_once(
    api_of: Enter, alice: User, runtime: Gateway, translate: Publication, ai_key: Credential, api_id: str
) -> None:
    body = b"".join(ai_line(translate, ai_key, run=f"run_n{number}") for number in range(20))
    take_in(runtime, 0, body, segment="s2")
    client, seen = api_of(alice), []
    page = client.get(f"{ROOT}/ai-records", {"api": api_id, "page_size": 7}).json()
    while True:
        seen += [run["run"] for run in page["results"]]
        if page["next"] is None:
            break
        page = client.get(page["next"]).json()
    assert len(seen) == len(set(seen)) == 24


def test_the_applications_team_reads_its_own(
    api_of: Enter, dana: User, api_id: str, ai_key: Credential
) -> None:
    application = ai_key.subscription.application.public_id
    answer = api_of(dana).get(f"{ROOT}/summary", {"application": application}).json()
    assert answer["ai"] == EXPECTED
    found = api_of(dana).get(f"{ROOT}/ai-records", {"application": application}).json()["results"]
    assert len(found) == 4
    assert api_of(dana).get(f"{ROOT}/ai-records/run_1").status_code == 200


@pytest.mark.parametrize("what", ["ai-breakdown", "ai-records"])
@pytest.mark.parametrize("who", ["charlie", "dana", "erin"])
def test_others_find_nothing(
    api_of: Enter, api_id: str, what: str, who: str, request: pytest.FixtureRequest
) -> None:
    client = api_of(request.getfixturevalue(who))
    assert client.get(f"{ROOT}/{what}", {"api": api_id}).status_code in (403, 404)
    if who != "dana":
        assert client.get(f"{ROOT}/ai-records/run_1").status_code in (403, 404)


def test_without_a_token_nobody_enters(api_of: Enter, api_id: str) -> None:
    for path in ("ai-breakdown", "ai-records", "ai-records/run_1", "ai-records/run_1/body"):
        assert api_of(None).get(f"{ROOT}/{path}", {"api": api_id}).status_code == 401
