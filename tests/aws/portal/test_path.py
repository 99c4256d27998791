"""The whole path by pages and REST: publish, subscribe, approve, call, over the limit, roll back, revoke, withdraw."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from apis.models import ApiVersion
from gateways.actions import publish
from gateways.actions.inspection import inspect_gateway
from gateways.models import Deployment, Gateway, Publication, RemoteObject
from subscriptions.models import AccessRequest, Credential, Subscription
from teams.models import User
from teams.queries import actor_of_user
from tests import factories
from tests.aws.portal.conftest import Cloud, Enter, text_of

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
BODY = {"api": "shop/orders", "major": 1, "gateway": "cloud", "environment": "production"}


def version_url(name: str, version: ApiVersion) -> str:
    return reverse(name, args=[version.api.team.slug, version.api.slug, version.major])


@pytest.fixture
def gateway(cloud: Cloud) -> Gateway:
    return cloud.gateway()


@pytest.fixture
def published(cloud: Cloud, gateway: Gateway, orders: ApiVersion, alice: User) -> Publication:
    """Orders in production, and pushed."""
    made = publish(orders, gateway, factories.make_environment(), actor=actor_of_user(alice))
    assert cloud.settle(gateway).state == "succeeded"
    return made


@pytest.fixture
def credential(cloud: Cloud, published: Publication, logistics: Any) -> tuple[Credential, str]:
    """A key of Logistics, one call a second, taken in."""
    plan = factories.make_plan(published.api_version.api, rate_calls=1, burst=1)
    subscription = factories.make_subscription(factories.make_application(logistics, "Planner"), plan)
    made = factories.make_credential(subscription)
    assert cloud.settle(published.gateway).state == "succeeded"
    return made


class TestPages:
    def test_from_publishing_to_unpublishing(
        self, cloud: Cloud, gateway: Gateway, orders: ApiVersion, logistics: Any, alice: User, dana: User,
        erin: User, client_of: Enter,
    ) -> None:  # fmt: skip
        publisher, consumer = client_of(alice), client_of(dana)
        form = text_of(publisher.get(version_url("publication-create", orders)))
        assert "AWS gives it an address of its own" in form
        preview = text_of(
            publisher.get(version_url("publication-create", orders) + "?preview&places=cloud.production")
        )
        assert "AWS calls best effort" in preview
        assert "1 of 600 REST APIs, 0 of 300 usage plans, 0 of 10,000 API keys" in preview
        assert "places in the document are taken otherwise" in preview
        assert not cloud.fake.asked, "a preview asks nothing of AWS"
        answer = publisher.post(version_url("publication-create", orders), {"places": ["cloud.production"]})
        publication = Publication.objects.get()
        addresses = version_url("addresses-of-version", orders)
        assert "Not known yet" in text_of(consumer.get(addresses, headers=HTMX))
        assert cloud.settle(gateway).state == "succeeded"
        assert "Every change was read back" in text_of(publisher.get(answer.url))
        [api] = cloud.there.apis
        url = f"https://{api}.execute-api.eu-central-1.amazonaws.com/production"
        assert url in text_of(consumer.get(addresses, headers=HTMX))
        assert url in text_of(publisher.get(version_url("publications-of-version", orders), headers=HTMX))
        document = consumer.get(version_url("published-openapi", orders)).json()
        assert document["servers"] == [{"url": url, "description": "Production (Cloud)"}]
        policy = consumer.get(version_url("api-reference", orders))["Content-Security-Policy"]
        assert f"https://{api}.execute-api.eu-central-1.amazonaws.com" in policy

        plan = factories.make_plan(orders.api, rate_calls=1, burst=1)
        application = factories.make_application(logistics, "Planner")
        asked = {
            "application": application.public_id, "environment": "production", "plan": plan.plan.slug,
            "reason": "Plans tours.",
        }  # fmt: skip
        consumer.post(version_url("request-access", orders), asked)
        request = AccessRequest.objects.get()
        said = text_of(client_of(erin).get(reverse("enforcement-preview", args=[request.public_id])))
        assert "best effort of AWS" in said
        assert "0 of 300 are used" in said
        publisher.post(reverse("approval-approve", args=[request.public_id]))
        subscription = Subscription.objects.get()
        samples = reverse("call-samples", args=[subscription.public_id])
        assert f"curl {url}/orders" in text_of(consumer.get(samples, headers=HTMX))
        issued = consumer.post(
            reverse("credential-issue", args=[subscription.public_id]), {"name": "server", "after": 0}
        )
        value = re.search(r"ghp[0-9A-Za-z]{65}", issued.content.decode())
        assert value
        cloud.settle(gateway)
        strip = reverse("enforcement", args=["credential", Credential.objects.get().public_id])
        live = text_of(consumer.get(strip, headers=HTMX))
        assert "live on 1 gateway" in live
        assert "calls may be refused for some minutes yet" in live
        cloud.later()
        assert [cloud.call(publication, value[0]).status for _call in range(2)] == [200, 429]
        assert cloud.call(publication).status == 403

        consumer.post(reverse("credential-revoke", args=[Credential.objects.get().public_id]), {"reason": ""})
        assert "removing" in text_of(consumer.get(strip, headers=HTMX))
        cloud.settle(gateway)
        removed = text_of(consumer.get(strip, headers=HTMX))
        assert "removed from 1 gateway" in removed
        assert "calls may get through for some minutes yet" in removed
        cloud.later()
        assert cloud.call(publication, value[0]).status == 403

        publisher.post(reverse("publication-withdraw", args=[publication.public_id]), {"reason": "It moves."})
        cloud.settle(gateway)
        assert cloud.there.apis == {}
        assert not RemoteObject.objects.filter(sort__in=("stage", "api", "usage_plan")).exists()
        page = text_of(publisher.get("/gateways/cloud/"))
        assert "Nothing is published here" in page


class TestRevoking:
    def test_it_is_removed_when_aws_says_so_and_not_before(
        self, cloud: Cloud, published: Publication, credential: tuple[Credential, str], dana: User,
        api_of: Callable[..., APIClient],
    ) -> None:  # fmt: skip
        key, value = credential
        api = api_of(dana)
        url = f"/api/v1/credentials/{key.public_id}/enforcement"
        assert api.get(url).json()["live"]
        api.post(f"/api/v1/credentials/{key.public_id}/revoke", {"reason": "Lost."})
        cloud.fake.faults.denied.add("apigateway:PATCH")
        assert cloud.run(published.gateway).state in ("refused", "partial", "failed")
        [row] = api.get(url).json()["gateways"]
        assert row["state"] == "failed"
        cloud.later()
        assert cloud.call(published, value).status == 200, "AWS has not switched it off"
        cloud.fake.faults.denied.clear()
        Gateway.objects.update(failures=0, retry_at=None)
        cloud.settle(published.gateway)
        [row] = api.get(url).json()["gateways"]
        assert row["state"] == "removed"
        cloud.later()
        assert cloud.call(published, value).status == 403


class TestDrift:
    def test_what_is_not_looked_at_is_said_and_not_called_fine(
        self, cloud: Cloud, published: Publication, ada: User, client_of: Enter
    ) -> None:
        inspect_gateway(published.gateway)
        published.gateway.refresh_from_db()
        assert published.gateway.inspected_at is None
        browser = client_of(ada)
        page = text_of(browser.get(reverse("gateway-detail", args=[published.gateway.slug])))
        assert "Its own configuration was not read yet" in page
        drift = text_of(browser.get(reverse("drift")))
        assert "Changes by hand in the account are not looked for" in drift


class TestRollingBack:
    def test_by_page_it_is_one_call_and_says_so(
        self, cloud: Cloud, published: Publication, credential: tuple[Credential, str], alice: User,
        client_of: Enter,
    ) -> None:  # fmt: skip
        version = published.api_version
        document = json.loads(version.spec.text)  # type: ignore[union-attr]
        document["paths"]["/new"] = {"get": {"responses": {"200": {"description": "New"}}}}
        version.spec = factories.make_spec(version.api.team, document)
        version.save()
        publish(version, published.gateway, published.environment, actor=actor_of_user(alice))
        cloud.settle(published.gateway)
        cloud.later()
        assert cloud.call(published, credential[1], "/new").status == 200
        browser = client_of(alice)
        url = reverse("publication-roll-back", args=[published.public_id])
        page = text_of(browser.get(url))
        assert "one call</span>" in page
        assert "AWS still holds the deployments marked" in page
        first = version.revisions.get(number=1)
        before = len(cloud.fake.asked)
        assert browser.post(url, {"revision": first.public_id}).status_code == 302
        cloud.settle(published.gateway)
        assert [one.operation for one in cloud.fake.asked[before:]] == ["UpdateStage", "GetStage"]
        cloud.later()
        assert cloud.call(published, credential[1], "/new").status == 403


class TestWaiting:
    def test_pages_and_rest_say_on_what_and_for_how_long(
        self, cloud: Cloud, gateway: Gateway, shop: Any, logistics: Any, ada: User, alice: User, dana: User,
        client_of: Enter, api_of: Callable[..., APIClient],
    ) -> None:  # fmt: skip
        versions = [factories.make_version(factories.make_api(shop, f"Api {n}")) for n in range(3)]
        actor = actor_of_user(alice)
        made = [publish(one, gateway, factories.make_environment(), actor=actor) for one in versions]
        last = cloud.run(gateway)
        assert last.is_waiting
        assert last.waits_on == "CreateRestApi, 1 per 3 s"
        assert last.goes_on_at is not None
        url = reverse("deployment-detail", args=[last.public_id])
        page = text_of(client_of(ada).get(url))
        for words in (
            "Waits on CreateRestApi, 1 per 3 s", "run 1", "waits for a limit", "changes in force",
            "publish shop/api-", 'hx-trigger="every 1s"',
        ):  # fmt: skip
            assert words in page, words
        assert "Waits for the worker" not in page
        of_gateway = text_of(client_of(ada).get("/gateways/cloud/"))
        assert "Waits on CreateRestApi" in of_gateway
        assert 'hx-trigger="every 2s"' in of_gateway
        assert "CreateRestApi, 1 per 3 s" in text_of(client_of(ada).get("/gateways/"))
        strips = [
            text_of(client_of(alice).get(reverse("enforcement", args=["publication", one.public_id])))
            for one in made
        ]
        assert sum("pushing" in strip and "Waits on CreateRestApi" in strip for strip in strips) == 2
        shown = api_of(ada).get(f"/api/v1/deployments/{last.public_id}").json()
        assert (shown["state"], shown["waiting"], shown["runs"]) == ("queued", True, 1)
        assert shown["waits_on"] == "CreateRestApi, 1 per 3 s"
        assert shown["goes_on_at"]
        assert api_of(ada).get("/api/v1/gateways/cloud").json()["sync"] == "waiting"
        over = cloud.settle(gateway)
        assert (over.pk, over.state) == (last.pk, "succeeded")
        assert over.runs > 2
        assert Deployment.objects.count() == 1, "several runs are one push"
        assert f"run {over.runs}" in text_of(client_of(ada).get(url))

    def test_others_learn_the_limit_and_nothing_of_whose_things_wait(
        self, cloud: Cloud, gateway: Gateway, shop: Any, alice: User, charlie: User, client_of: Enter,
        api_of: Callable[..., APIClient],
    ) -> None:  # fmt: skip
        for number in range(2):
            version = factories.make_version(factories.make_api(shop, f"Api {number}"))
            publish(version, gateway, factories.make_environment(), actor=actor_of_user(alice))
        last = cloud.run(gateway)
        page = text_of(client_of(charlie).get(reverse("deployment-detail", args=[last.public_id])))
        assert "Waits on CreateRestApi" in page
        assert "api-1" not in page
        shown = api_of(charlie).get(f"/api/v1/deployments/{last.public_id}").json()
        assert (shown["waits_on"], shown["message"]) == ("CreateRestApi, 1 per 3 s", "")


class TestRest:
    def test_address_and_preview(
        self,
        cloud: Cloud,
        gateway: Gateway,
        orders: ApiVersion,
        alice: User,
        api_of: Callable[..., APIClient],
    ) -> None:
        api = api_of(alice)
        preview = api.post("/api/v1/publications/preview", BODY).json()
        assert any("best effort" in words for words in preview["cannot"])
        assert {trap["code"] for trap in preview["traps"]} >= {"answers-unchecked"}
        assert not any(trap["blocks"] for trap in preview["traps"])
        assert "1 of 600 REST APIs" in preview["takes"][0]
        made = api.post("/api/v1/publications", BODY)
        assert (made.status_code, made.json()["address"]) == (201, "")
        cloud.settle(gateway)
        shown = api.get(f"/api/v1/publications/{made.json()['id']}").json()
        [stage] = RemoteObject.objects.filter(sort="stage")
        url = f"https://{stage.value['api']}.execute-api.eu-central-1.amazonaws.com/production"
        assert shown["address"] == url
        [address] = api.get("/api/v1/apis/shop/orders/versions/1/addresses").json()
        assert address["url"] == url

    @pytest.mark.parametrize("who", ["bob", "charlie", "dana", "erin", "frank"])
    def test_others_publish_nothing_there(
        self, who: str, gateway: Gateway, orders: ApiVersion, api_of: Callable[..., APIClient],
        request: pytest.FixtureRequest,
    ) -> None:  # fmt: skip
        answer = api_of(request.getfixturevalue(who)).post("/api/v1/publications", BODY)
        assert answer.status_code in (403, 404)
        assert not Publication.objects.exists()
