"""Providers, keys, models and routes over REST: rights, versions, repeats, and no key in any answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from ai.keys import open_value
from ai.models import AiModel, ModelPrice, ModelRoute, Provider, ProviderKey
from tests.ai.portal.conftest import CANARY, RATES, SERVER

type Enter = Callable[..., APIClient]

ROOT = "/api/v1/ai"
NEW = {"team": "shop", "name": "House", "base_url": SERVER}


class TestGoldenPath:
    def test_from_nothing_to_a_route(self, alice: Any, api_of: Enter) -> None:
        client = api_of(alice)
        made = client.post(f"{ROOT}/providers", NEW, format="json")
        assert (made.status_code, made.data["readiness"]) == (201, "no_key")
        path = f"{ROOT}/providers/{made.data['id']}"
        key = client.post(f"{path}/keys", {"label": "first", "value": CANARY}, format="json")
        assert (key.status_code, key.data["is_sealed"], key.data["reference"]) == (201, True, "")
        model = client.post(
            f"{ROOT}/models",
            {"provider": made.data["id"], "remote": "llama3", "context": 8192},
            format="json",
        )
        assert (model.status_code, model.data["name"], model.data["price"]) == (201, "house/llama3", None)
        priced = client.put(
            f"{ROOT}/models/{model.data['id']}/override", {"rates": RATES, "currency": "EUR"}, format="json"
        )
        assert priced.data["price"]["rates"][0] == {"unit": "input", "nanos": 150_000_000, "from_tokens": 0}
        route = client.post(
            f"{ROOT}/model-routes",
            {"team": "shop", "alias": "fast", "targets": [{"model": model.data["id"], "weight": 10}]},
            format="json",
        )
        assert (route.status_code, route.data["targets"][0]["name"]) == (201, "house/llama3")
        assert client.get(path).data["readiness"] == "ready"
        assert (
            client.post(f"{path}/remove", {}, format="json").json()["type"] == "urn:gatehouse:provider_in_use"
        )
        assert client.post(f"{ROOT}/model-routes/{route.data['id']}/retire", {}, format="json").data[
            "retired_at"
        ]
        assert client.post(f"{path}/remove", {}, format="json").data["state"] == "removed"

    def test_vendors_are_listed_and_searched(self, bob: Any, api_of: Enter) -> None:
        client = api_of(bob)
        assert len(client.get(f"{ROOT}/vendors").data) >= 100
        assert [row["slug"] for row in client.get(f"{ROOT}/vendors?q=anthropic").data] == ["anthropic"]

    def test_one_of_a_vendor_brings_models(self, ada: Any, api_of: Enter) -> None:
        made = api_of(ada).post(
            f"{ROOT}/providers", {"name": "Groq", "vendor": "groq", "base_url": SERVER}, format="json"
        )
        assert made.data["team"] is None
        assert made.data["models"] > 10
        found = api_of(ada).get(f"{ROOT}/models?provider={made.data['id']}&q=gpt-oss-120b").data["results"]
        assert found[0]["price"]["version"].startswith("genai-prices")


class TestKeys:
    def test_replaced_paused_and_removed(self, key: ProviderKey, alice: Any, api_of: Enter) -> None:
        client, path = api_of(alice), f"{ROOT}/provider-keys/{key.public_id}"
        assert client.patch(path, {"weight": 5}, format="json").data["weight"] == 5
        assert client.post(f"{path}/pause").data["state"] == "paused"
        assert client.post(f"{path}/resume").data["state"] == "active"
        new = client.post(f"{path}/replace", {"value": "sk-other"}, format="json")
        assert new.data["id"] != key.public_id
        assert open_value(ProviderKey.objects.get(public_id=new.data["id"])) == "sk-other"
        assert client.get(path).data["state"] == "removed"
        assert client.post(f"{ROOT}/provider-keys/{new.data['id']}/remove").data["state"] == "removed"

    def test_a_bad_reference_is_named(self, provider: Provider, alice: Any, api_of: Enter) -> None:
        answer = api_of(alice).post(
            f"{ROOT}/providers/{provider.public_id}/keys", {"label": "x", "reference": "HOME"}, format="json"
        )
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"] == "/reference"

    def test_no_answer_holds_a_key(self, key: ProviderKey, alice: Any, frank: Any, api_of: Enter) -> None:
        for who in (alice, frank):
            client = api_of(who)
            for path in (
                f"{ROOT}/providers",
                f"{ROOT}/providers/{key.provider.public_id}/keys",
                f"{ROOT}/provider-keys/{key.public_id}",
                "/api/v1/audit-events",
            ):
                answer = client.get(path)
                assert answer.status_code == 200, path
                assert CANARY not in answer.content.decode()
                assert key.value_digest not in answer.content.decode()

    def test_a_repeated_call_adds_one_key_and_keeps_no_value(
        self, provider: Provider, alice: Any, api_of: Enter
    ) -> None:
        client, path = api_of(alice), f"{ROOT}/providers/{provider.public_id}/keys"
        body = {"label": "first", "value": CANARY}
        headers = {"Idempotency-Key": "once"}
        first = client.post(path, body, format="json", headers=headers)
        again = client.post(path, body, format="json", headers=headers)
        assert (first.status_code, again.status_code) == (201, 201)
        assert again.headers["Idempotency-Replayed"] == "true"
        assert ProviderKey.objects.count() == 1
        assert CANARY not in again.content.decode()


class TestVersions:
    def test_a_change_from_an_old_version_is_refused(
        self, provider: Provider, alice: Any, api_of: Enter
    ) -> None:
        client, path = api_of(alice), f"{ROOT}/providers/{provider.public_id}"
        tag = client.get(path).headers["ETag"]
        assert client.patch(path, {"name": "A"}, format="json", headers={"If-Match": tag}).status_code == 200
        assert client.patch(path, {"name": "B"}, format="json", headers={"If-Match": tag}).status_code == 412
        assert Provider.objects.get().name == "A"

    def test_of_models_and_routes_too(
        self, model: AiModel, route: ModelRoute, alice: Any, api_of: Enter
    ) -> None:
        client = api_of(alice)
        for path, body in (
            (f"{ROOT}/models/{model.public_id}", {"context": 9}),
            (f"{ROOT}/model-routes/{route.public_id}", {"attempts": 2}),
        ):
            assert client.patch(path, body, format="json", headers={"If-Match": '"99"'}).status_code == 412
            tag = client.get(path).headers["ETag"]
            assert client.patch(path, body, format="json", headers={"If-Match": tag}).status_code == 200

    def test_reading_again_is_cheap(self, provider: Provider, alice: Any, api_of: Enter) -> None:
        client, path = api_of(alice), f"{ROOT}/providers/{provider.public_id}"
        tag = client.get(path).headers["ETag"]
        assert client.get(path, headers={"If-None-Match": tag}).status_code == 304


class TestModels:
    def test_history_of_prices(self, model: AiModel, alice: Any, api_of: Enter) -> None:
        client, path = api_of(alice), f"{ROOT}/models/{model.public_id}"
        client.put(f"{path}/override", {"rates": RATES}, format="json")
        assert client.delete(f"{path}/override").data["price"] is None
        [row] = client.get(f"{path}/prices").data["results"]
        assert row["source"] == "override"
        assert row["retired_at"]
        assert client.delete(f"{path}/override").status_code == 409
        assert ModelPrice.objects.count() == 1

    def test_bad_rates_are_a_422(self, model: AiModel, alice: Any, api_of: Enter) -> None:
        client, path = api_of(alice), f"{ROOT}/models/{model.public_id}/override"
        for body in ({}, {"rates": []}, {"rates": [{"unit": "x", "nanos": 1}]}, {"rates": RATES[:1]}):
            assert client.put(path, body, format="json").status_code == 422

    def test_filters(self, model: AiModel, alice: Any, api_of: Enter) -> None:
        client = api_of(alice)
        assert len(client.get(f"{ROOT}/models?mode=chat&enabled=true&q=HOUSE").data["results"]) == 1
        assert client.get(f"{ROOT}/models?mode=image").data["results"] == []


class TestRights:
    def writes(self, provider: Provider, key: ProviderKey, model: AiModel, route: ModelRoute) -> list[Any]:
        one, secret = f"{ROOT}/providers/{provider.public_id}", f"{ROOT}/provider-keys/{key.public_id}"
        thing, alias = f"{ROOT}/models/{model.public_id}", f"{ROOT}/model-routes/{route.public_id}"
        return [
            ("patch", one, {"name": "X"}),
            ("post", f"{one}/pause", {}),
            ("post", f"{one}/remove", {}),
            ("post", f"{one}/keys", {"label": "x", "value": "sk-x"}),
            ("patch", secret, {"weight": 3}),
            ("post", f"{secret}/replace", {"value": "sk-x"}),
            ("post", f"{secret}/pause", {}),
            ("post", f"{secret}/remove", {}),
            ("patch", thing, {"context": 3}),
            ("put", f"{thing}/override", {"rates": RATES}),
            ("delete", f"{thing}/override", {}),
            ("patch", alias, {"attempts": 2}),
            ("post", f"{alias}/retire", {}),
        ]

    @pytest.mark.parametrize(
        ("who", "status"), [("bob", 403), ("frank", 403), ("erin", 403), ("charlie", 404), ("dana", 404)]
    )
    def test_who_may_not(
        self,
        who: str,
        status: int,
        provider: Provider,
        key: ProviderKey,
        model: AiModel,
        route: ModelRoute,
        api_of: Enter,
        request: Any,
    ) -> None:
        client = api_of(request.getfixturevalue(who))
        for method, path, body in self.writes(provider, key, model, route):
            answer = getattr(client, method)(path, body, format="json")
            assert answer.status_code == status, (method, path, answer.content)

    def test_a_token_without_the_scope_changes_nothing(
        self,
        provider: Provider,
        key: ProviderKey,
        model: AiModel,
        route: ModelRoute,
        alice: Any,
        api_of: Enter,
    ) -> None:
        client = api_of(alice, scopes=["read", "apis:write"])
        for method, path, body in self.writes(provider, key, model, route):
            assert getattr(client, method)(path, body, format="json").status_code == 403, path
        assert client.get(f"{ROOT}/providers").status_code == 200
        assert api_of(alice, scopes=["ai-write"]).get(f"{ROOT}/providers").status_code == 403

    def test_signed_out(self, api_of: Enter) -> None:
        assert api_of(None).get(f"{ROOT}/providers").status_code == 401

    def test_a_model_of_another_team_is_none(self, model: AiModel, charlie: Any, api_of: Enter) -> None:
        answer = api_of(charlie).post(
            f"{ROOT}/model-routes",
            {"team": "elsewhere", "alias": "steal", "targets": [{"model": model.public_id}]},
            format="json",
        )
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["field"].startswith("/targets")

    def test_a_list_shows_what_is_seen(
        self, provider: Provider, shared: Provider, dana: Any, api_of: Enter
    ) -> None:
        listed = api_of(dana).get(f"{ROOT}/providers").data["results"]
        assert [row["id"] for row in listed] == [shared.public_id]


def test_the_schema_gives_no_key(api_of: Enter, db: None) -> None:
    schema = api_of(None).get("/api/v1/schema/?format=json").json()
    assert "/api/v1/ai/providers/{public_id}/keys" in schema["paths"]
    shown = schema["components"]["schemas"]["KeyOut"]["properties"]
    assert set(shown) == {
        *("id", "provider", "label", "weight", "state", "reference", "is_sealed", "created_at", "updated_at")
    }
    assert "value" in json.dumps(schema["components"]["schemas"]["KeyInRequest"])
