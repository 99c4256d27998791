"""Who sees which usage, and what stands on the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from gateways.models import Gateway, Publication
from subscriptions.models import Credential
from teams.models import User
from tests import factories
from tests.usage.feeds import line
from usage.actions import ingest_batch

type Enter = Callable[[User | None], Client]


@pytest.fixture
def calls(edge: Gateway, orders: Publication, key: Credential) -> Publication:
    """Three good calls and a failed one."""
    body = line(orders, key) * 3 + line(orders, key, status=503, flags="UF")
    ingest_batch(edge, node="n1", segment="s1", offset=0, body=body)
    return orders


def api_page(publication: Publication) -> str:
    api = publication.api_version.api
    return reverse("usage-api", args=[api.team.slug, api.slug])


def test_the_apis_team_sees_its_calls_by_plan_operation_and_application(
    client_of: Enter, alice: User, calls: Publication
) -> None:
    page = client_of(alice).get(api_page(calls)).content.decode()
    for text in ("25 %", "Bronze", "listOrders", "Route planner", "503"):
        assert text in page
    by_plan = page[page.index("By plan") :]
    assert ">p99</th>" in by_plan[: by_plan.index("</thead>")]


def test_calls_broken_off_are_called_so_and_every_class_is_drawn(
    client_of: Enter, alice: User, edge: Gateway, orders: Publication, key: Credential
) -> None:
    body = line(orders, key, status=0, flags="DC") + line(orders, key, status=101)
    ingest_batch(edge, node="n1", segment="s1", offset=0, body=body)
    page = client_of(alice).get(api_page(orders)).content.decode()
    by_status = page[page.index("By status") :]
    assert "broken off" in by_status
    assert ">0</td>" not in by_status
    assert '"1xx"' in page


def test_the_overview_needs_as_many_queries_for_many_apis_as_for_one(
    client_of: Enter, alice: User, calls: Publication, django_assert_num_queries: Any
) -> None:
    client = client_of(alice)
    client.get(reverse("usage"))
    with CaptureQueriesContext(connection) as first:
        page = client.get(reverse("usage")).content.decode()
    assert "25 %" in page
    for name in ("Stock", "Prices", "Returns"):
        factories.make_api(calls.api_version.api.team, name)
    with django_assert_num_queries(len(first)):
        assert "Returns" in client.get(reverse("usage")).content.decode()


def test_a_developer_of_the_team_sees_it_too(client_of: Enter, bob: User, calls: Publication) -> None:
    assert client_of(bob).get(api_page(calls)).status_code == 200


@pytest.mark.parametrize("who", ["charlie", "dana", "erin"])
def test_usage_of_an_api_is_nothing_to_others(
    client_of: Enter, calls: Publication, who: str, request: pytest.FixtureRequest
) -> None:
    assert client_of(request.getfixturevalue(who)).get(api_page(calls)).status_code == 404


def test_signed_out_people_are_sent_to_sign_in(client_of: Enter, calls: Publication) -> None:
    assert client_of(None).get(api_page(calls)).status_code == 302


def test_the_auditor_sees_all(client_of: Enter, frank: User, calls: Publication) -> None:
    assert client_of(frank).get(api_page(calls)).status_code == 200


def test_the_applications_team_sees_its_own_calls(
    client_of: Enter, dana: User, charlie: User, calls: Publication, key: Credential
) -> None:
    address = reverse("usage-application", args=[key.subscription.application.public_id])
    page = client_of(dana).get(address).content.decode()
    assert "Orders" in page
    assert key.key_id[:8] in page
    assert client_of(charlie).get(address).status_code == 404


def test_the_figures_come_alone_for_htmx_and_poll_only_in_short_ranges(
    client_of: Enter, alice: User, calls: Publication
) -> None:
    client = client_of(alice)
    short = client.get(api_page(calls) + "?range=1h", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in short
    assert 'hx-trigger="every 5s"' in short
    long = client.get(api_page(calls) + "?range=30d", headers={"HX-Request": "true"}).content.decode()
    assert "hx-trigger" not in long


def test_an_empty_range_says_what_to_do(client_of: Enter, alice: User, orders: Publication) -> None:
    assert "Nobody has called this API" in client_of(alice).get(api_page(orders)).content.decode()


@pytest.mark.parametrize("kind", ["api", "application", "subscription"])
def test_sparks_are_drawn_for_both_sides_and_nobody_else(
    client_of: Enter, dana: User, alice: User, charlie: User, calls: Publication, key: Credential, kind: str
) -> None:
    ids = {
        "api": calls.api_version.api.public_id,
        "application": key.subscription.application.public_id,
        "subscription": key.subscription.public_id,
    }
    address = reverse("usage-spark", args=[kind, ids[kind]])
    reader = alice if kind == "api" else dana
    assert "4 calls" in client_of(reader).get(address).content.decode()
    assert client_of(charlie).get(address).status_code == 404


def test_the_quota_fragment_says_what_is_left(
    client_of: Enter, dana: User, calls: Publication, key: Credential
) -> None:
    page = client_of(dana).get(reverse("usage-quota", args=[key.subscription.public_id])).content.decode()
    assert "4 / 100" in page


def test_the_keys_fragment_counts_today(
    client_of: Enter, dana: User, calls: Publication, key: Credential
) -> None:
    page = client_of(dana).get(reverse("usage-keys", args=[key.subscription.public_id])).content.decode()
    assert key.key_id[:8] in page
