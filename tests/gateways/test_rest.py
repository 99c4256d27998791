"""The REST side of publishing, gateways and enforcement."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from apis.models import ApiVersion
from gateways.models import Deployment, Gateway, Publication
from teams.models import User
from tests import factories

pytestmark = pytest.mark.django_db

Enter = Callable[..., APIClient]
Push = Callable[[Gateway], Deployment | None]
BODY = {"api": "shop/orders", "major": 1, "gateway": "edge", "environment": "production"}


def test_the_path_from_preview_to_withdrawal(
    orders: ApiVersion, edge: Gateway, alice: User, api_of: Enter, push: Push
) -> None:
    api = api_of(alice)
    preview = api.post("/api/v1/publications/preview", BODY).json()
    assert preview["counts"] == {"created": 2, "updated": 0, "deleted": 0}
    assert not Publication.objects.exists()
    made = api.post(
        "/api/v1/publications", {**BODY, "note": "First", "cors_origins": ["https://app.example"]}
    )
    assert made.status_code == 201
    publication = made.json()
    assert publication["address"] == "http://edge.example.test:8080/shop/orders/v1"
    assert publication["state"] == "published"
    said = api.get(f"/api/v1/publications/{publication['id']}/enforcement").json()
    assert [row["state"] for row in said["gateways"]] == ["pushing"]
    push(edge)
    said = api.get(f"/api/v1/publications/{publication['id']}/enforcement").json()
    assert said["live"]
    assert said["summary"] == "live on 1 gateway"
    [row] = said["gateways"]
    assert row["gateway"] == "edge"
    assert row["took_ms"] >= 0
    history = api.get("/api/v1/gateways/edge/deployments").json()["results"]
    assert [one["state"] for one in history] == ["succeeded"]
    assert api.get(f"/api/v1/deployments/{history[0]['id']}").json()["counts"]["created"] == 2
    assert api.post(f"/api/v1/publications/{publication['id']}/withdraw", {}).status_code == 422
    gone = api.post(f"/api/v1/publications/{publication['id']}/withdraw", {"reason": "moved"})
    assert gone.json()["state"] == "withdrawn"
    again = api.post(f"/api/v1/publications/{publication['id']}/withdraw", {"reason": "moved"})
    assert again.status_code == 409


def test_rolling_back_by_number(orders: ApiVersion, edge: Gateway, alice: User, api_of: Enter) -> None:
    api = api_of(alice)
    first = api.post("/api/v1/publications", BODY).json()
    orders.upstream = factories.make_upstream(orders.api.team)
    orders.save()
    assert api.post("/api/v1/publications", BODY).json()["revision"] == 2
    url = f"/api/v1/publications/{first['id']}/roll-back"
    assert api.post(url, {"revision": 1}).json()["revision"] == 1
    assert api.post(url, {"revision": 7}).status_code == 404


def test_a_stale_change_is_refused(orders: ApiVersion, edge: Gateway, alice: User, api_of: Enter) -> None:
    api = api_of(alice)
    made = api.post("/api/v1/publications", BODY)
    url = f"/api/v1/publications/{made.json()['id']}/withdraw"
    assert api.post(url, {"reason": "x"}, headers={"If-Match": '"99"'}).status_code == 412
    assert api.post(url, {"reason": "x"}, headers={"If-Match": made["ETag"]}).status_code == 200


def test_revoked_is_removed_after_the_read_back(
    published: Publication, edge: Gateway, dana: User, logistics: Any, api_of: Enter, push: Push
) -> None:
    plan = factories.make_plan(published.api_version.api)
    subscription = factories.make_subscription(factories.make_application(logistics), plan)
    credential, value = factories.make_credential(subscription)
    push(edge)
    api = api_of(dana)
    url = f"/api/v1/credentials/{credential.public_id}/enforcement"
    assert api.get(url).json()["live"]
    assert api.get(f"/api/v1/subscriptions/{subscription.public_id}/enforcement").json()["live"]
    type(credential).objects.update(state="revoked")
    assert api.get(url).json()["gateways"][0]["state"] == "removing"
    push(edge)
    answer = api.get(url)
    assert answer.json()["gateways"][0]["state"] == "removed"
    assert value not in answer.content.decode()


@pytest.mark.parametrize("who", ["bob", "charlie", "dana", "erin", "frank"])
def test_others_publish_nothing(
    who: str, orders: ApiVersion, edge: Gateway, api_of: Enter, request: pytest.FixtureRequest
) -> None:
    api = api_of(request.getfixturevalue(who))
    assert api.post("/api/v1/publications", BODY).status_code in (403, 404)
    assert not Publication.objects.exists()


def test_a_token_needs_the_scope(orders: ApiVersion, edge: Gateway, alice: User, api_of: Enter) -> None:
    assert api_of(alice, scopes=["read"]).post("/api/v1/publications", BODY).status_code == 403


def test_a_gateway_is_made_changed_and_never_shows_its_token_again(ada: User, api_of: Enter) -> None:
    factories.make_environment()
    api = api_of(ada)
    listener = {"environment": "production", "port": 8080, "public_url": "https://api.example.com"}
    made = api.post(
        "/api/v1/gateways", {"slug": "west", "name": "West", "kind": "memory", "listeners": [listener]}
    )
    assert made.status_code == 201
    token = made.json()["token"]
    assert len(token) == 68
    assert token not in api.get("/api/v1/gateways/west").content.decode()
    changed = api.patch("/api/v1/gateways/west", {"name": "Far west"}, headers={"If-Match": made["ETag"]})
    assert changed.json()["name"] == "Far west"
    wrong = api.patch("/api/v1/gateways/west", {"listeners": [{**listener, "environment": "moon"}]})
    assert wrong.status_code == 422
    assert api.post("/api/v1/gateways/west/reconcile").status_code == 202
    assert api.get("/api/v1/gateways/west/nodes").json() == []
    assert api.get("/api/v1/gateways/west/preview").json()["counts"]["created"] == 0


def test_addresses_are_open_to_those_who_see_the_api(
    published: Publication, dana: User, api_of: Enter
) -> None:
    url = "/api/v1/apis/shop/orders/versions/1/addresses"
    assert api_of(dana).get(url).json() == [
        {
            "environment": "production",
            "gateway": "edge",
            "publication": published.public_id,
            "url": "http://edge.example.test:8080/shop/orders/v1",
        }
    ]
    assert api_of(None).get(url).status_code == 404
