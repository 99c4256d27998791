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
    assert [(row["value"], row["calls"]) for row in rows["results"]] == [("listOrders", 4)]
    assert rows["left_out"] == 0


def test_a_breakdown_is_bounded_and_says_so(api_of: Enter, alice: User, api_id: str) -> None:
    asked = {"api": api_id, "by": "status", "limit": 1}
    found = api_of(alice).get("/api/v1/usage/breakdown", asked).json()
    assert [(row["value"], row["calls"]) for row in found["results"]] == [("200", 3)]
    assert found["left_out"] == 1
    assert api_of(alice).get("/api/v1/usage/breakdown", {**asked, "limit": 1000}).status_code == 422


def test_records_are_the_calls_themselves(api_of: Enter, alice: User, api_id: str) -> None:
    records = api_of(alice).get("/api/v1/usage/records", {"api": api_id}).json()["results"]
    assert [record["status"] for record in records].count(404) == 1


def test_records_come_in_pages_each_call_once(
    api_of: Enter, alice: User, edge: Gateway, orders: Publication, key: Credential, api_id: str
) -> None:
    body = b"".join(line(orders, key, request_id=f"n-{number}") for number in range(20))
    ingest_batch(edge, node="n1", segment="s2", offset=0, body=body)
    client, address, seen = api_of(alice), "/api/v1/usage/records", []
    page = client.get(address, {"api": api_id, "page_size": 7}).json()
    while True:
        seen += [(record["at"], record["request_id"]) for record in page["results"]]
        if page["next"] is None:
            break
        page = client.get(page["next"]).json()
    assert len(seen) == 24
    assert {name for _at, name in seen} == {"r-1", *(f"n-{number}" for number in range(20))}
    assert [at for at, _name in seen] == sorted((at for at, _name in seen), reverse=True)


@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({"status": 404}, 1), ({"status_class": 4}, 1), ({"status_class": 2}, 3), ({"method": "POST"}, 0),
        ({"operation": "listOrders"}, 4), ({"request_id": "other"}, 0), ({"key_id": "other"}, 0),
    ],
)  # fmt: skip
def test_records_can_be_narrowed(
    api_of: Enter, alice: User, api_id: str, asked: dict[str, object], count: int
) -> None:
    found = api_of(alice).get("/api/v1/usage/records", {"api": api_id, **asked}).json()
    assert len(found["results"]) == count


def test_both_sides_read_what_is_left_of_a_quota(
    api_of: Enter, alice: User, dana: User, charlie: User, api_id: str, key: Credential
) -> None:
    address = f"/api/v1/subscriptions/{key.subscription.public_id}/quota"
    for who in (alice, dana):
        found = api_of(who).get(address).json()
        assert [(one["period"], one["limit"], one["calls"], one["left"]) for one in found] == [
            ("day", 100, 4, 96),
            ("month", 1000, 4, 996),
        ]
    assert api_of(charlie).get(address).status_code == 404
    assert api_of(None).get(address).status_code == 401


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
