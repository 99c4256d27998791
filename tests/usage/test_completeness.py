"""What the page says of how whole its figures are is true: silent nodes hold it up, what is lost is shown."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from gateways.models import Gateway, GatewayNode, Publication
from subscriptions.models import Credential
from teams.models import User
from tests.usage.feeds import line
from usage.actions import ingest_batch
from usage.models import FeedCheckpoint, FeedLoss, UsageRecord
from usage.queries import completeness
from usage.ranges import window

TOKEN = "agent-token-for-tests-" + "x" * 20
NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)
type Enter = Callable[..., Client]
type EnterRest = Callable[..., APIClient]


@pytest.fixture(autouse=True)
def _now() -> Iterator[None]:
    """A clock that begins at NOW with every test, however late the test runs."""
    with time_machine.travel(NOW):
        yield


def make_node(gateway: Gateway, name: str, *, silent: timedelta = timedelta()) -> GatewayNode:
    return GatewayNode.objects.create(gateway=gateway, name=name, heartbeat_at=timezone.now() - silent)


def say_complete(gateway: Gateway, node: str, until: datetime, segment: str = "s1") -> None:
    ingest_batch(gateway, node=node, segment=segment, offset=0, body=b"", complete_until=until)


def waits_for(gateway: Gateway) -> list[str]:
    return [node.name for node in completeness([gateway.pk], window("1h", NOW)).waits_for]


def until(gateway: Gateway) -> datetime | None:
    return completeness([gateway.pk], window("1h", NOW)).until


def page_of(client: Client, publication: Publication) -> str:
    api = publication.api_version.api
    return client.get(reverse("usage-api", args=[api.team.slug, api.slug])).content.decode()


def lost(**values: Any) -> dict[str, Any]:
    now = NOW.timestamp() * 1000
    return {
        "node": "n1", "segment": "s1", "reason": "spool_full", "position": 0, "size": 2048,
        "from": now - 60_000, "until": now, **values,
    }  # fmt: skip


def tell(body: Any, token: str = TOKEN) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}"}
    return Client().post("/agent/v1/usage/losses", content, content_type="application/json", headers=headers)


def test_the_newest_word_of_the_node_that_is_furthest_behind_counts(edge: Gateway) -> None:
    make_node(edge, "n1"), make_node(edge, "n2")
    say_complete(edge, "n1", NOW)
    say_complete(edge, "n2", NOW - timedelta(seconds=9), "s1")
    say_complete(edge, "n2", NOW - timedelta(seconds=5), "s2")
    assert until(edge) == NOW - timedelta(seconds=5)
    assert waits_for(edge) == []


def test_a_silent_node_holds_the_mark_where_it_left_it(
    client_of: Enter, alice: User, edge: Gateway, orders: Publication
) -> None:
    """It may go on serving and keep its calls until the portal is reached again."""
    make_node(edge, "n1"), make_node(edge, "n2", silent=timedelta(minutes=9))
    say_complete(edge, "n1", NOW)
    say_complete(edge, "n2", NOW - timedelta(minutes=9))
    assert until(edge) == NOW - timedelta(minutes=9)
    assert waits_for(edge) == ["n2"]
    page = page_of(client_of(alice), orders)
    assert "Complete up to" in page
    assert "waits for n2 of Edge" in page
    assert "calls under way are added when they end" in page


def test_the_only_node_being_away_does_not_make_its_word_unsaid(
    client_of: Enter, alice: User, edge: Gateway, orders: Publication
) -> None:
    make_node(edge, "n1", silent=timedelta(minutes=9))
    say_complete(edge, "n1", NOW - timedelta(minutes=9))
    page = page_of(client_of(alice), orders)
    assert "Complete up to" in page
    assert "No gateway has reported yet" not in page


def test_a_retired_node_holds_nothing_up(edge: Gateway) -> None:
    make_node(edge, "n1")
    say_complete(edge, "n1", NOW)
    gone = make_node(edge, "n2", silent=timedelta(days=9))
    assert (until(edge), waits_for(edge)) == (None, ["n2"]), "it has never said anything"
    gone.retired_at = timezone.now()
    gone.save()
    assert (until(edge), waits_for(edge)) == (NOW, [])


def test_what_is_lost_stands_on_the_page_and_in_rest(
    client_of: Enter, api_of: EnterRest, alice: User, edge: Gateway, orders: Publication
) -> None:
    assert tell(lost()).status_code == 200
    page = page_of(client_of(alice), orders)
    assert "Some calls of this time are lost" in page
    assert "n1 of Edge" in page
    assert "2.0\u00a0KB" in page
    found = api_of(alice).get("/api/v1/usage/summary", {"api": orders.api_version.api.public_id}).json()
    assert [(row["node"], row["reason"], row["size"]) for row in found["losses"]] == [
        ("n1", "spool_full", 2048)
    ]
    assert found["complete_until"] is None


def test_what_was_lost_before_the_range_is_no_matter_of_it(
    client_of: Enter, alice: User, orders: Publication
) -> None:
    then = (NOW - timedelta(hours=5)).timestamp() * 1000
    tell(lost(**{"from": then - 1000, "until": then}))
    assert "are lost" not in page_of(client_of(alice), orders)


def test_a_loss_told_twice_is_one(edge: Gateway) -> None:
    tell(lost()), tell(lost())
    assert FeedLoss.objects.count() == 1


def test_the_feed_goes_on_behind_a_malformed_line(
    edge: Gateway, orders: Publication, key: Credential
) -> None:
    good, bad = line(orders, key), b"not a call\n"
    ingest_batch(edge, node="n1", segment="s1", offset=0, body=good)
    skip = lost(reason="malformed", position=len(good), size=len(bad))
    assert tell(skip).json() == {"segment": "s1", "offset": len(good + bad)}
    assert tell(skip).json() == {"segment": "s1", "offset": len(good + bad)}, "once"
    ingest_batch(edge, node="n1", segment="s1", offset=len(good + bad), body=good)
    assert UsageRecord.objects.count() == 2
    assert FeedLoss.objects.get().size == len(bad)


def test_a_malformed_line_beyond_what_is_durable_is_a_gap(edge: Gateway) -> None:
    answer = tell(lost(reason="malformed", position=10, size=5))
    assert (answer.status_code, answer.json()["offset"]) == (409, 0)
    assert not FeedLoss.objects.exists()


@pytest.mark.parametrize(
    "bad",
    [
        b"", b"[]", b"null", b"\xff", b"[" * 4000, {}, lost(node="../n1"), lost(node=7), lost(reason="fun"),
        lost(reason=[]), lost(position=-1), lost(size=2**70), lost(size=True), lost(**{"from": "now"}),
        lost(until=float("inf")), lost(until=float("nan")), lost(until=10**400),
    ],
)  # fmt: skip
def test_t38_a_malformed_loss_is_refused_and_changes_nothing(edge: Gateway, bad: Any) -> None:
    assert tell(bad).status_code == 400
    assert not FeedLoss.objects.exists()
    assert not FeedCheckpoint.objects.exists()


@pytest.mark.parametrize("token", ["", "wrong", TOKEN + "x"])
def test_t38_without_the_token_no_loss_is_taken(edge: Gateway, token: str) -> None:
    assert tell(lost(), token).status_code == 401
    assert not FeedLoss.objects.exists()


def test_t38_a_loss_has_a_size(edge: Gateway) -> None:
    assert tell(b" " * 5000).status_code == 413
