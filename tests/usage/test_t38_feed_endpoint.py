"""T38: the door for usage feeds takes nothing without the gateway's token, and nothing malformed."""

from __future__ import annotations

import pytest
from django.test import Client

from gateways.models import Gateway, Publication
from subscriptions.models import Credential
from tests.usage.feeds import line
from usage.models import FeedCheckpoint, UsageRecord

TOKEN = "agent-token-for-tests-" + "x" * 20
FEED = {"X-Node": "n1", "X-Segment": "s1", "X-Offset": "0"}


def post(body: bytes, token: str | None = TOKEN, **headers: str) -> object:
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
        {"X-Complete-Until": "soon"},
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
