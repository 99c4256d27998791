"""T38: the door for usage feeds takes nothing without the gateway's token, and nothing malformed."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateways.models import Gateway, Publication
from subscriptions.models import Credential
from tests.usage.feeds import line
from usage.models import FeedCheckpoint, QuotaCounter, UsageBucket, UsageRecord

TOKEN = "agent-token-for-tests-" + "x" * 20
FEED = {"X-Node": "n1", "X-Segment": "s1", "X-Offset": "0"}


def post(body: bytes, token: str | None = TOKEN, **headers: str) -> Any:
    sent = {**FEED, **headers, **({"Authorization": f"Bearer {token}"} if token is not None else {})}
    return Client().post("/agent/v1/usage", body, content_type="application/x-ndjson", headers=sent)


def test_a_batch_with_the_token_is_durable(edge: Gateway, orders: Publication, key: Credential) -> None:
    body = line(orders, key)
    answer = post(body)
    assert (answer.status_code, answer.json()) == (200, {"segment": "s1", "offset": len(body)})


@pytest.mark.parametrize("token", [None, "", "wrong", TOKEN + "x", TOKEN[:-1], "\u00e9" * 30])
def test_without_the_token_nothing_is_taken(
    edge: Gateway, orders: Publication, key: Credential, token: str | None
) -> None:
    answer = post(line(orders, key), token)
    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"
    assert not UsageRecord.objects.exists()
    assert not FeedCheckpoint.objects.exists()


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Offset": "x"},
        {"X-Offset": "-1"},
        {"X-Node": ""},
        {"X-Segment": "s" * 81},
        {"X-Offset": "9" * 5000},
        {"X-Offset": str(2**70)},
        {"X-Node": "n\x001"},
        {"X-Segment": "../s1"},
        {"X-Complete-Until": "soon"},
        {"X-Complete-Until": "inf"},
        {"X-Complete-Until": "nan"},
        {"X-Complete-Until": "1e300"},
    ],
)
def test_malformed_headers_are_said(
    edge: Gateway, orders: Publication, key: Credential, headers: dict[str, str]
) -> None:
    assert post(line(orders, key), **headers).status_code == 400
    assert not UsageRecord.objects.exists()


def test_a_gap_names_where_to_go_on(edge: Gateway, orders: Publication, key: Credential) -> None:
    answer = post(line(orders, key), **{"X-Offset": "10"})
    assert (answer.status_code, answer.json()["offset"]) == (409, 0)


def test_an_agent_can_ask_how_far_its_feed_is_durable(
    edge: Gateway, orders: Publication, key: Credential
) -> None:
    body = line(orders, key)
    post(body)
    answer = Client().get(
        "/agent/v1/usage", {"node": "n1", "segment": "s1"}, headers={"Authorization": f"Bearer {TOKEN}"}
    )
    assert answer.json() == {"segment": "s1", "offset": len(body)}


FIELD = {"ts": 0, "publication": 1, "path": 5, "status": 6, "duration_ms": 7, "bytes_in": 9, "reason": 12}


def with_value(good: bytes, field: str, value: bytes) -> bytes:
    """The line with one value replaced by any text."""
    row = [json.dumps(one).encode() for one in json.loads(good)]
    row[FIELD[field]] = value
    return b"[" + b",".join(row) + b"]\n"


def state() -> tuple[int, ...]:
    """All that a batch can change."""
    return (
        UsageRecord.objects.count(),
        UsageBucket.objects.count(),
        QuotaCounter.objects.count(),
        FeedCheckpoint.objects.exclude(offset=0, complete_until=None).count(),
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("ts", b"1e999"),
        ("ts", b"-Infinity"),
        ("ts", b"NaN"),
        ("ts", b'"1"'),
        ("ts", b"true"),
        ("ts", b"9" * 400),
        ("ts", b"[" * 100_000 + b"]" * 100_000),
        ("duration_ms", b"1e999"),
        ("duration_ms", b"null"),
        ("path", b'"/\\ud800"'),
        ("path", b'"/\\u0000"'),
        ("path", b"\xff"),
        ("publication", b"7"),
        ("status", b"-1"),
        ("status", b"true"),
        ("status", b"40000"),
        ("bytes_in", b"9" * 30),
        ("bytes_in", b"1.5"),
        ("reason", b"{}"),
    ],
)
def test_a_malformed_line_is_named_and_changes_nothing(
    edge: Gateway, orders: Publication, key: Credential, field: str, value: bytes
) -> None:
    good = line(orders, key)
    bad = with_value(good, field, value)
    answer = post(good + bad + good)
    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"
    assert (answer.json()["offset"], answer.json()["length"]) == (len(good), len(bad))
    assert state() == (0, 0, 0, 0)


@pytest.mark.parametrize("time", ["1e300", "-1e300", "1e15", "0"])
def test_a_clock_out_of_all_bounds_hurts_nobody(
    edge: Gateway, orders: Publication, key: Credential, time: str
) -> None:
    assert post(with_value(line(orders, key), "ts", time.encode())).status_code == 200


def test_the_largest_of_everything_can_be_summed(edge: Gateway, orders: Publication, key: Credential) -> None:
    largest = line(orders, key, duration_ms=1e308, upstream_ms=1e308, bytes_in=2**40, bytes_out=2**40)
    assert post(largest * 100).status_code == 200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=14) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=20,
)
BODIES = (
    st.binary(max_size=200)
    | JSON.map(lambda value: json.dumps(value).encode() + b"\n")
    | st.lists(JSON, min_size=13, max_size=13).map(lambda row: json.dumps(row).encode() + b"\n")
)


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(body=BODIES)
def test_whatever_is_posted_is_taken_or_refused_and_never_an_error(
    edge: Gateway, orders: Publication, key: Credential, body: bytes
) -> None:
    before = state(), durable()
    answer = post(body, **{"X-Segment": "fuzz", "X-Offset": str(durable())})
    assert answer.status_code in (200, 400)
    assert UsageRecord.objects.count() == 0, "none of these names a publication"
    if answer.status_code == 400:
        assert (state(), durable()) == before


def durable() -> int:
    return sum(FeedCheckpoint.objects.filter(segment="fuzz").values_list("offset", flat=True))
