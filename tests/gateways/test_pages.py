"""Pages and fragments: who sees what, what stands on them, and that every control works without JavaScript."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from apis.models import ApiVersion
from gateways.actions import publish
from gateways.models import Deployment, Gateway, GatewayNode, Publication
from subscriptions.models import Credential, Subscription
from teams.models import User
from teams.queries import actor_of_user
from tests import factories

pytestmark = pytest.mark.django_db

Enter = Callable[[User | None], Client]
Push = Callable[[Gateway], Deployment | None]
HTMX = {"HX-Request": "true"}


@pytest.fixture
def subscription(published: Publication, logistics: Any) -> Subscription:
    application = factories.make_application(logistics, "Route planner")
    return factories.make_subscription(application, factories.make_plan(published.api_version.api))


@pytest.fixture
def credential(subscription: Subscription) -> Credential:
    return factories.make_credential(subscription)[0]


def version_url(name: str, version: ApiVersion) -> str:
    return reverse(name, args=[version.api.team.slug, version.api.slug, version.major])


def text_of(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


# ---- publishing ----


def test_the_owner_publishes_by_page_and_follows_the_push(
    orders: ApiVersion, edge: Gateway, alice: User, client_of: Enter, push: Push
) -> None:
    browser = client_of(alice)
    url = version_url("publication-create", orders)
    form = text_of(browser.get(url))
    assert "http://edge.example.test:8080</span>" not in form
    assert "http://edge.example.test:8080/shop/orders/v1" in form
    answer = browser.post(url, {"places": ["edge.production", "edge.sandbox"], "note": "First"})
    assert answer.status_code == 302
    assert Publication.objects.count() == 2
    queued = Deployment.objects.get()
    assert answer.url == reverse("deployment-detail", args=[queued.public_id])
    page = text_of(browser.get(answer.url))
    assert "Waits for the worker" in page
    assert 'hx-trigger="every 1s"' in page
    push(edge)
    page = text_of(browser.get(answer.url))
    assert "Every change was read back" in page
    assert "hx-trigger" not in page
    assert "/shop/orders/v1 (production), shop/orders v1" in page


def test_the_preview_is_a_fragment_and_a_page(
    orders: ApiVersion, edge: Gateway, alice: User, client_of: Enter
) -> None:
    url = version_url("publication-create", orders) + "?preview&places=edge.production"
    browser = client_of(alice)
    fragment = text_of(browser.get(url, headers=HTMX))
    assert fragment.startswith('<div id="preview">')
    assert "/shop/orders/v1 (production)" in fragment
    assert "<h1>" in text_of(browser.get(url))
    assert not Publication.objects.exists()


def test_a_form_without_a_place_comes_back_with_what_to_do(
    orders: ApiVersion, edge: Gateway, alice: User, client_of: Enter
) -> None:
    answer = client_of(alice).post(version_url("publication-create", orders), {"note": "x"})
    assert answer.status_code == 422
    assert "Choose at least one gateway" in text_of(answer)


def test_what_the_action_refuses_is_said_on_the_form(
    orders: ApiVersion, edge: Gateway, alice: User, client_of: Enter, logistics: Any
) -> None:
    production = factories.make_environment()
    production.publishers.add(logistics)
    url = version_url("publication-create", orders)
    assert "Your team may not publish here" in text_of(client_of(alice).get(url))
    answer = client_of(alice).post(url, {"places": ["edge.production"]})
    assert answer.status_code == 422
    assert not Publication.objects.exists()


@pytest.mark.parametrize(("who", "status"), [("bob", 404), ("charlie", 404), ("dana", 404), ("erin", 404)])
def test_others_do_not_publish(
    who: str,
    status: int,
    orders: ApiVersion,
    edge: Gateway,
    published: Publication,
    client_of: Enter,
    request: pytest.FixtureRequest,
) -> None:
    browser = client_of(request.getfixturevalue(who))
    assert browser.get(version_url("publication-create", orders)).status_code == status
    assert browser.post(version_url("publication-create", orders)).status_code == status
    withdraw = reverse("publication-withdraw", args=[published.public_id])
    assert browser.post(withdraw, {"reason": "no"}).status_code in (403, 404)
    published.refresh_from_db()
    assert published.state == Publication.State.PUBLISHED


def test_rolling_back_and_unpublishing_by_page(
    orders: ApiVersion,
    edge: Gateway,
    alice: User,
    client_of: Enter,
    subscription: Subscription,
    published: Publication,
) -> None:
    first = published.revision
    orders.upstream = factories.make_upstream(orders.api.team)
    orders.save()
    publish(orders, edge, factories.make_environment(), actor=actor_of_user(alice))
    browser = client_of(alice)
    part = text_of(browser.get(version_url("publications-of-version", orders), headers=HTMX))
    assert "r2" in part
    assert "Roll back…" in part
    url = reverse("publication-roll-back", args=[published.public_id])
    assert f'value="{first.public_id}"' in text_of(browser.get(url))
    assert browser.post(url, {"revision": first.public_id, "note": "slow"}).status_code == 302
    published.refresh_from_db()
    assert published.revision == first
    url = reverse("publication-withdraw", args=[published.public_id])
    assert "1 active subscription in Production" in text_of(browser.get(url))
    assert browser.post(url, {"reason": " "}).status_code == 422
    assert browser.post(url, {"reason": "It moves."}).status_code == 302
    part = text_of(browser.get(version_url("publications-of-version", orders), headers=HTMX))
    assert "Roll back…" not in part
    assert "withdrawn" in part


# ---- enforcement ----


def test_the_strip_polls_while_it_moves_and_rests_when_it_is_live(
    credential: Credential, edge: Gateway, dana: User, client_of: Enter, push: Push
) -> None:
    url = reverse("enforcement", args=["credential", credential.public_id])
    browser = client_of(dana)
    moving = text_of(browser.get(url, headers=HTMX))
    assert "live on 0 of 1 gateways" in moving
    assert 'hx-trigger="every 1s"' in moving
    push(edge)
    for query in ("", "?size=small"):
        resting = text_of(browser.get(url + query, headers=HTMX))
        assert "live on 1 gateway" in resting
        assert "hx-trigger" not in resting
    assert "<h1>" in text_of(browser.get(url))


@pytest.mark.parametrize("kind", ["credential", "subscription"])
def test_outsiders_find_no_strip(kind: str, credential: Credential, charlie: User, client_of: Enter) -> None:
    name = credential.public_id if kind == "credential" else credential.subscription.public_id
    assert client_of(charlie).get(reverse("enforcement", args=[kind, name])).status_code == 404


def test_a_consumer_gets_calls_that_run(
    subscription: Subscription, dana: User, client_of: Enter, charlie: User
) -> None:
    url = reverse("call-samples", args=[subscription.public_id])
    samples = text_of(client_of(dana).get(url, headers=HTMX))
    assert "curl http://edge.example.test:8080/shop/orders/v1/orders" in samples
    assert "$KEY" in samples
    assert client_of(charlie).get(url).status_code == 404


def test_the_approver_sees_where_and_how_it_is_enforced(
    published: Publication, logistics: Any, dana: User, erin: User, client_of: Enter
) -> None:
    plan = factories.make_plan(published.api_version.api)
    asked = factories.make_request(factories.make_application(logistics), plan, by=dana)
    page = text_of(client_of(erin).get(reverse("enforcement-preview", args=[asked.public_id]), headers=HTMX))
    assert "http://edge.example.test:8080/shop/orders/v1" in page
    assert "by metering" in page


def test_addresses_and_document_are_those_of_the_gateway(
    published: Publication, dana: User, client_of: Enter
) -> None:
    browser = client_of(dana)
    version = published.api_version
    part = text_of(browser.get(version_url("addresses-of-version", version), headers=HTMX))
    assert "http://edge.example.test:8080/shop/orders/v1" in part
    document = browser.get(version_url("published-openapi", version)).json()
    assert document["servers"] == [
        {"url": "http://edge.example.test:8080/shop/orders/v1", "description": "Production (Edge)"}
    ]
    assert "GatewayKey" in document["components"]["securitySchemes"]
    Publication.objects.update(state="withdrawn")
    unpublished = browser.get(version_url("published-openapi", version))
    assert unpublished.url == version_url("version-openapi", version), "the document stays, without addresses"


def test_only_the_reference_may_call_gateways(published: Publication, dana: User, client_of: Enter) -> None:
    browser = client_of(dana)
    version = published.api_version
    policy = browser.get(version_url("api-reference", version))["Content-Security-Policy"]
    assert "connect-src 'self' http://edge.example.test:8080 http://edge.example.test:8090" in policy
    policy = browser.get(version_url("api-version", version))["Content-Security-Policy"]
    assert "edge.example.test" not in policy


# ---- gateways ----


def test_an_administrator_registers_a_gateway_and_sees_the_token_once(ada: User, client_of: Enter) -> None:
    factories.make_environment()
    browser = client_of(ada)
    values = {
        "slug": "west", "name": "West", "kind": "envoy",
        "port-production": 8080, "url-production": "https://api.example.com",
    }  # fmt: skip
    answer = browser.post(reverse("gateway-create"), values)
    assert answer.status_code == 201
    assert "no-store" in answer["Cache-Control"]
    gateway = Gateway.objects.get()
    assert gateway.listeners.get().public_url == "https://api.example.com"
    assert "No node of this gateway reports" in text_of(browser.get(reverse("gateway-detail", args=["west"])))
    half = browser.post(reverse("gateway-create"), {**values, "slug": "east", "url-production": ""})
    assert half.status_code == 422
    assert "Give both port and address" in text_of(half)


@pytest.mark.parametrize("who", ["bob", "charlie", "dana", None])
def test_gateways_are_managed_by_administrators_alone(
    who: str | None, edge: Gateway, client_of: Enter, request: pytest.FixtureRequest
) -> None:
    browser = client_of(request.getfixturevalue(who) if who else None)
    for name in ("gateway-edit", "gateway-token", "gateway-retire"):
        answer = browser.post(reverse(name, args=[edge.slug]), {"name": "Mine", "reason": "x"})
        assert answer.status_code in (302, 403, 404)
        if answer.status_code == 302:
            assert "/accounts/login/" in answer.url
    edge.refresh_from_db()
    assert (edge.name, edge.retired_at) == ("Edge", None)


def test_a_developer_has_no_gateways_page(bob: User, edge: Gateway, client_of: Enter) -> None:
    for url in ("/gateways/", "/gateways/edge/"):
        assert client_of(bob).get(url).status_code == 404


def test_compare_now_is_recorded_even_if_nothing_differs(
    published: Publication, edge: Gateway, alice: User, client_of: Enter, push: Push
) -> None:
    push(edge)
    browser = client_of(alice)
    answer = browser.post(reverse("gateway-compare", args=["edge"]))
    asked = Deployment.objects.get(state="queued")
    assert answer.url == reverse("deployment-detail", args=[asked.public_id])
    assert asked.asked_by == "Alice"
    push(edge)
    asked.refresh_from_db()
    assert asked.state == Deployment.State.SUCCEEDED
    assert "Nothing had to change" in text_of(browser.get(answer.url))


def test_the_page_of_a_push_that_broke_off_follows_the_next_attempt(
    published: Publication, edge: Gateway, alice: User, client_of: Enter, push: Push
) -> None:
    browser = client_of(alice)
    Gateway.objects.update(options={"unreachable": True})
    push(edge)
    url = reverse("deployment-detail", args=[Deployment.objects.get().public_id])
    broken_off = browser.get(url).content.decode()
    assert "It is tried again by itself" in broken_off
    assert 'hx-trigger="every' in broken_off, "there is something to wait for"
    Gateway.objects.update(options={}, retry_at=None)
    push(edge)
    after = browser.get(url).content.decode()
    succeeded = Deployment.objects.get(state="succeeded")
    assert reverse("deployment-detail", args=[succeeded.public_id]) in after
    assert "tried again" not in after
    assert 'hx-trigger="every' not in after


def test_a_shared_gateway_shows_each_team_its_own(
    published: Publication, credential: Credential, edge: Gateway, charlie: User, frank: User, client_of: Enter,
    push: Push,
) -> None:  # fmt: skip
    push(edge)
    one = Deployment.objects.get()
    url = reverse("deployment-detail", args=[one.public_id])
    outsider = text_of(client_of(charlie).get(url))
    assert "orders" not in outsider
    assert "route-planner" not in outsider
    assert "None that concerns your teams" in outsider
    assert "6 more changes" in outsider
    auditor = text_of(client_of(frank).get(url))
    assert "/shop/orders/v1 (production)" in auditor
    detail = text_of(client_of(charlie).get(reverse("gateway-detail", args=["edge"])))
    assert "1 publication of another team" in detail
    assert "/shop/orders" not in detail


def test_a_silent_node_can_be_left_behind(edge: Gateway, ada: User, client_of: Enter) -> None:
    node = GatewayNode.objects.create(gateway=edge, name="edge-1", agent_url="http://127.0.0.1:1")
    url = reverse("node-retire", args=["edge", node.public_id])
    assert client_of(ada).post(url).status_code == 302
    node.refresh_from_db()
    assert node.retired_at is not None


def test_the_gateways_own_words_reach_those_who_oversee_it(
    published: Publication, edge: Gateway, frank: User, charlie: User, client_of: Enter, push: Push
) -> None:
    Gateway.objects.update(options={"refuse": f"route/{published.public_id}"})
    push(edge)
    url = reverse("deployment-detail", args=[Deployment.objects.get().public_id])
    assert f"route/{published.public_id} is refused" in text_of(client_of(frank).get(url))
    assert published.public_id not in text_of(client_of(charlie).get(url))
