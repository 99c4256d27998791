"""Lines of a runtime's feed in, tokens and cost on the pages out: per currency, and unknown is never nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from ai.models import PromptVersion
from ai.pricing import Usage
from ai.runtime.feed import Attempt
from gateways.models import Gateway, Publication
from subscriptions.models import Credential
from teams.models import User
from tests.ai import factories as ai_factories
from tests.usage.ai_feeds import ai_line, attempt, take_in
from tests.usage.feeds import line
from usage.actions import ingest_batch

type Enter = Callable[[User | None], Client]


def api_page(publication: Publication, name: str = "usage-api") -> str:
    api = publication.api_version.api
    return reverse(name, args=[api.team.slug, api.slug])


@pytest.fixture
def consumed(runtime: Gateway, edge: Gateway, translate: Publication, ai_key: Credential) -> Publication:
    """Four calls: one plain; one that fell back to a model billed in EUR after a vendor's error; one whose model has no
    price and whose tokens are estimated; one that the cache answered."""
    small, large, unpriced = (ai_factories.make_model(name) for name in ("small", "large", "odd"))
    prompt = PromptVersion.objects.get().public_id
    failed = Attempt(small.public_id, "pkey_1", 500, "api_error", 3.0)
    euros = attempt(large.public_id, cost=3_000_000_000, currency="EUR", usage=Usage(input=1000, output=200))
    odd = attempt(unpriced.public_id, cost=None, currency="", usage=Usage(input=7, output=2, estimated=True))
    calls: list[dict[str, Any]] = [
        {"attempts": [attempt(small.public_id)]},
        {"attempts": [failed, euros]},
        {"attempts": [odd]},
        {"attempts": [], "cache": "HIT"},
    ]
    body = b"".join(
        ai_line(translate, ai_key, run=f"run_{number}", request_id=f"req-{number}", prompt=prompt, **call)
        for number, call in enumerate(calls)
    )
    take_in(runtime, 0, body)
    front = b"".join(
        line(translate, ai_key, request_id=f"req-{number}", method="POST") for number in range(4)
    )
    ingest_batch(edge, node="n1", segment="s1", offset=0, body=front)
    return translate


def cells(page: str, name: str, after: str = "") -> list[str]:
    """The cells of the row that begins with `name`, tags left out."""
    row = page[page.index(f">{name}</td>", page.index(after)) :]
    row = row[: row.index("</tr>")]
    parts = row.replace("<br>", " ").split("<td")[1:]
    return [" ".join("".join(c for c in _text(part)).split()) for part in parts]


def _text(part: str) -> str:
    text, inside = "", True
    for character in part:
        if character == "<":
            inside = True
        elif character == ">":
            inside = False
        elif not inside:
            text += character
    return text


def test_the_apis_team_sees_tokens_and_cost_per_currency(
    client_of: Enter, alice: User, consumed: Publication
) -> None:
    page = client_of(alice).get(api_page(consumed)).content.decode()
    for text in ("Tokens and cost", "Cost in EUR", "€ 3.00", "Cost in USD", "$ 0.000020", "1,017", "207"):
        assert text in page
    assert "4 of them from the vendor&#x27;s cache" in page
    assert "1 of them reasoning" in page
    assert "1 of 4 AI calls" in page


def test_what_is_not_known_is_said_and_in_no_sum(
    client_of: Enter, alice: User, consumed: Publication
) -> None:
    page = client_of(alice).get(api_page(consumed)).content.decode()
    assert "The cost of 1 request to a model is not known, and stands in no sum" in page
    assert "The tokens of 1 request are estimated" in page
    assert cells(page, "demo/odd") == ["1", "7", "2", "not known"]


def test_tokens_and_cost_stand_with_what_consumed_them(
    client_of: Enter, alice: User, consumed: Publication
) -> None:
    """A call counts with the model that it ended with; what an earlier attempt consumed stays with its own model."""
    page = client_of(alice).get(api_page(consumed)).content.decode()
    assert cells(page, "demo/large") == ["1", "1,000", "200", "€ 3.00"]
    assert cells(page, "demo/small") == ["1", "10", "5", "$ 0.000020"]
    assert cells(page, "no model: from the cache, or refused before") == ["1", "0", "0", "–"]
    by_prompt = cells(page, "Translate v1")
    assert by_prompt == ["4", "1,017", "207", "€ 3.00 $ 0.000020 1 not known"]
    assert cells(page, "Tour guide · Logistics", after="Tokens over time")[0] == "4"
    assert cells(page, "Gold", after="Tokens over time")[0] == "4"


def test_the_charts_hold_tokens_in_parts_and_one_chart_for_each_currency(
    client_of: Enter, alice: User, consumed: Publication
) -> None:
    page = client_of(alice).get(api_page(consumed)).content.decode()
    for drawn in ('id="tokens"', 'id="cost-EUR"', 'id="cost-USD"', '"currency": "EUR"'):
        assert drawn in page
    assert page.count('"name": "reasoning"') == 1


def test_the_applications_team_sees_its_own(
    client_of: Enter, dana: User, charlie: User, consumed: Publication, ai_key: Credential
) -> None:
    address = reverse("usage-application", args=[ai_key.subscription.application.public_id])
    page = client_of(dana).get(address).content.decode()
    assert cells(page, "Translate", after="Tokens over time")[:3] == ["4", "1,017", "207"]
    assert client_of(charlie).get(address).status_code == 404


def test_pages_without_ai_look_as_before(
    client_of: Enter, alice: User, edge: Gateway, orders: Publication, key: Credential
) -> None:
    ingest_batch(edge, node="n1", segment="s9", offset=0, body=line(orders, key))
    client = client_of(alice)
    for page in (client.get(api_page(orders)), client.get(reverse("usage"))):
        text = page.content.decode()
        assert "Tokens</th>" not in text
        assert "Cost" not in text
        assert "Newest AI calls" not in text


def test_the_overview_shows_tokens_and_cost_of_those_that_have_any(
    client_of: Enter, alice: User, consumed: Publication, edge: Gateway, orders: Publication, key: Credential
) -> None:
    page = client_of(alice).get(reverse("usage")).content.decode()
    assert "1,224" in page
    assert "€ 3.00" in page
    assert "1 not known" in page
    assert page.count(">Tokens</th>") == 1, "alice runs no application that calls AI"


def test_a_dashboard_costs_as_many_queries_whatever_was_called(
    client_of: Enter, alice: User, runtime: Gateway, consumed: Publication, ai_key: Credential
) -> None:
    client, address = client_of(alice), api_page(consumed)
    client.get(address)
    with CaptureQueriesContext(connection) as few:
        client.get(address)
    take_in(runtime, 0, ai_line(consumed, ai_key, attempts=[attempt()] * 3) * 200, segment="s2")
    with CaptureQueriesContext(connection) as many:
        client.get(address)
    assert len(many) == len(few)
    assert not [query for query in many if "usage_airun" in query["sql"] or "ledger" in query["sql"]]


# ---- one by one ----


def test_the_newest_calls_are_listed_for_both_teams_and_found_by_request_id(
    client_of: Enter, alice: User, dana: User, consumed: Publication, ai_key: Credential
) -> None:
    application = ai_key.subscription.application.public_id
    ours = api_page(consumed, "usage-api-runs")
    theirs = reverse("usage-application-runs", args=[application])
    for who, address in ((alice, ours), (dana, theirs)):
        page = client_of(who).get(address).content.decode()
        assert page.count("/usage/runs/") == 4
        assert "2 attempts" in page
        found = client_of(who).get(address, {"q": "req-1"}).content.decode()
        assert found.count("/usage/runs/") == 1
        assert "No such call" in client_of(who).get(address, {"q": "req-77"}).content.decode()


def test_they_can_be_narrowed_and_paged(
    client_of: Enter, alice: User, runtime: Gateway, consumed: Publication, ai_key: Credential
) -> None:
    client, address = client_of(alice), api_page(consumed, "usage-api-runs")
    large = ai_factories.make_model("large").public_id
    assert client.get(address, {"model": large}).content.decode().count("/usage/runs/") == 1
    body = b"".join(ai_line(consumed, ai_key, run=f"run_more{number}") for number in range(30))
    take_in(runtime, 0, body, segment="s2")
    first = client.get(address).content.decode()
    assert first.count("/usage/runs/") == 25
    second = client.get(address, {"after": first.split("after=")[1].split('"')[0]}).content.decode()
    assert second.count("/usage/runs/") == 34 - 25
    assert "Newest" in second


def test_a_run_says_what_was_tried_what_it_cost_and_what_the_gateway_saw(
    client_of: Enter, alice: User, dana: User, consumed: Publication
) -> None:
    for who in (alice, dana):
        page = client_of(who).get(reverse("usage-run", args=["run_1"])).content.decode()
        for text in (
            "1. demo/small",
            "api_error",
            "not billed",
            "2. demo/large",
            "fallback",
            "€ 3.00",
            "2026-11-10",
        ):
            assert text in page
        assert f"POST {consumed.base_path}/orders" in page
        assert "pkey_1" not in page
    odd = client_of(alice).get(reverse("usage-run", args=["run_2"])).content.decode()
    assert "not known" in odd
    assert "estimated" in odd
    cached = client_of(alice).get(reverse("usage-run", args=["run_3"])).content.decode()
    assert "No model was asked: the cache had the answer." in cached


@pytest.mark.parametrize("who", ["charlie", "erin"])
def test_runs_are_nothing_to_others(
    client_of: Enter, consumed: Publication, ai_key: Credential, who: str, request: pytest.FixtureRequest
) -> None:
    client = client_of(request.getfixturevalue(who))
    application = ai_key.subscription.application.public_id
    for address in (
        api_page(consumed, "usage-api-runs"),
        reverse("usage-application-runs", args=[application]),
        reverse("usage-run", args=["run_1"]),
    ):
        assert client.get(address).status_code == 404
    assert client_of(None).get(reverse("usage-run", args=["run_1"])).status_code == 302


def test_each_side_sees_its_own_list_alone(
    client_of: Enter, alice: User, dana: User, consumed: Publication, ai_key: Credential
) -> None:
    application = ai_key.subscription.application.public_id
    assert client_of(dana).get(api_page(consumed, "usage-api-runs")).status_code == 404
    address = reverse("usage-application-runs", args=[application])
    assert client_of(alice).get(address).status_code == 404


def test_a_run_of_the_editor_is_there_for_its_team(
    client_of: Enter, alice: User, dana: User, runtime: Gateway, translate: Publication, ai_key: Credential
) -> None:
    team = translate.api_version.api.team.public_id
    values = {"endpoint": "", "subscription": "", "surface": "editor", "team": team, "run": "run_editor"}
    take_in(runtime, 0, ai_line(translate, ai_key, **values))
    address = reverse("usage-run", args=["run_editor"])
    assert "tried in the editor" in client_of(alice).get(address).content.decode()
    assert client_of(dana).get(address).status_code == 404
