"""Usage over REST says what the pages say."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from gateways.models import Gateway, Publication
from subscriptions.models import Credential
from teams.models import User
from tests.usage.feeds import line
from usage.actions import ingest_batch

type Enter = Callable[..., APIClient]


@pytest.fixture
def api_id(edge: Gateway, orders: Publication, key: Credential) -> str:
    ingest_batch(
        edge, node="n1", segment="s1", offset=0, body=line(orders, key) * 3 + line(orders, key, status=404)
    )
    return orders.api_version.api.public_id


def test_the_summary_counts_and_times(api_of: Enter, alice: User, api_id: str) -> None:
    answer = api_of(alice).get("/api/v1/usage/summary", {"api": api_id}).json()
    assert (answer["calls"], answer["errors"], answer["error_rate"]) == (4, 1, 0.25)
    assert answer["p50"] == pytest.approx(12, rel=0.02)


def test_the_timeseries_has_a_point_for_every_minute(api_of: Enter, alice: User, api_id: str) -> None:
    points = api_of(alice).get("/api/v1/usage/timeseries", {"api": api_id}).json()
    assert len(points) == 60
    assert sum(point["calls"] for point in points) == 4


def test_a_breakdown_names_the_operation(api_of: Enter, alice: User, api_id: str) -> None:
    rows = api_of(alice).get("/api/v1/usage/breakdown", {"api": api_id, "by": "operation"}).json()
    assert [(row["value"], row["calls"]) for row in rows] == [("listOrders", 4)]


def test_records_are_the_calls_themselves(api_of: Enter, alice: User, api_id: str) -> None:
    records = api_of(alice).get("/api/v1/usage/records", {"api": api_id}).json()
    assert [record["status"] for record in records].count(404) == 1


@pytest.mark.parametrize("what", ["summary", "timeseries", "breakdown", "records"])
@pytest.mark.parametrize("who", ["charlie", "dana"])
def test_others_find_nothing(
    api_of: Enter, api_id: str, what: str, who: str, request: pytest.FixtureRequest
) -> None:
    answer = api_of(request.getfixturevalue(who)).get(f"/api/v1/usage/{what}", {"api": api_id})
    assert answer.status_code == 404


def test_without_a_token_nobody_enters(api_of: Enter, api_id: str) -> None:
    assert api_of(None).get("/api/v1/usage/summary", {"api": api_id}).status_code == 401


def test_a_scope_is_needed_and_the_error_says_so(api_of: Enter, alice: User) -> None:
    answer = api_of(alice).get("/api/v1/usage/summary")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["message"] == "Name an API or an application."
