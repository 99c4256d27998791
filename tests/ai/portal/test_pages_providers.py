"""The pages of providers, models and routes: what each persona sees and does, and that a key is on none of them."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from ai import actions
from ai.models import AiModel, ModelPrice, ModelRoute, Provider, ProviderKey
from audit.models import AuditEvent
from teams.models import SYSTEM
from tests.ai.portal.conftest import CANARY, RATES, SERVER, make_provider

type Enter = Callable[[Any], Client]

NEW = {"team": "shop", "name": "New models", "base_url": SERVER, "auth": "bearer", "dialect": "openai"}
BEHAVIOUR = {
    "retry_codes": "429, 503",
    "attempts": "4",
    "try_timeout": "2.5",
    "stream_idle": "30",
    "breaker_failures": "0",
    "breaker_s": "30",
    "targets-INITIAL_FORMS": "0",
}


def url(name: str, *args: Any) -> str:
    return reverse(f"ai-{name}", args=[getattr(one, "public_id", one) for one in args])


def rows(*targets: tuple[str, int, int]) -> dict[str, str]:
    """Rows of the route editor."""
    sent = {**BEHAVIOUR, "targets-TOTAL_FORMS": str(len(targets))}
    for number, (model, rank, weight) in enumerate(targets):
        sent |= {f"targets-{number}-model": model, f"targets-{number}-rank": str(rank)}
        sent[f"targets-{number}-weight"] = str(weight)
    return sent


class TestReading:
    @pytest.mark.parametrize("who", ["alice", "bob", "frank", "ada"])
    def test_the_team_and_the_platform_read(
        self, who: str, provider: Provider, model: AiModel, route: ModelRoute, client_of: Enter, request: Any
    ) -> None:
        client = client_of(request.getfixturevalue(who))
        for address in (
            url("providers"),
            url("provider", provider),
            url("model", model),
            url("routes"),
            url("route", route),
        ):
            assert client.get(address).status_code == 200, address
        assert ("Add a provider" in client.get(url("providers")).content.decode()) == (
            who in ("alice", "ada")
        )

    @pytest.mark.parametrize("who", ["charlie", "dana"])
    def test_a_teams_own_is_nothing_to_others(
        self,
        who: str,
        provider: Provider,
        shared: Provider,
        model: AiModel,
        route: ModelRoute,
        client_of: Enter,
        request: Any,
    ) -> None:
        client = client_of(request.getfixturevalue(who))
        listed = client.get(url("providers")).content.decode()
        assert "Everybody&#x27;s" in listed
        assert "House" not in listed
        for address in (url("provider", provider), url("model", model), url("route", route)):
            assert client.get(address).status_code == 404

    def test_whoever_has_nothing_to_do_with_ai_finds_no_pages(self, erin: Any, client_of: Enter) -> None:
        client = client_of(erin)
        for name in ("providers", "routes", "provider-vendors", "provider-create", "route-create"):
            assert client.get(url(name)).status_code == 404
        assert "AI" not in [str(link.label) for link in client.get("/catalogue/").context["rail"]]

    def test_signed_out_is_sent_to_sign_in(self, provider: Provider, client_of: Enter) -> None:
        assert client_of(None).get(url("provider", provider)).status_code == 302

    def test_vendors_are_found_by_words(self, alice: Any, client_of: Enter) -> None:
        client = client_of(alice)
        whole = client.get(url("provider-vendors")).content.decode()
        assert "Scaleway" in whole
        assert "llama.cpp" in whole
        part = client.get(url("provider-vendors"), {"q": "mistral"}, headers={"HX-Request": "true"})
        assert "<html" not in part.content.decode()
        assert "Mistral AI" in part.content.decode()
        assert "Scaleway" not in part.content.decode()
        assert "No such vendor" in client.get(url("provider-vendors"), {"q": "zzz"}).content.decode()

    def test_models_are_narrowed_by_name_and_flag(self, alice: Any, shop: Any, client_of: Enter) -> None:
        provider = make_provider(shop, "OpenAI", vendor="openai")
        client, address = client_of(alice), url("provider", provider)
        found, _sep, _forms = client.get(address, {"q": "gpt-4o-mini"}).content.decode().partition("<aside>")
        assert "$ 0.15" in found
        assert "gpt-5-nano" not in found
        unknown = client.get(address, {"flag": "unknown"}).content.decode()
        assert "whisper-1" in unknown
        assert "price unknown" in unknown
        assert "$ 0.00" not in unknown
        assert client.get(address, {"flag": "nonsense", "page": "99"}).status_code == 200

    def test_whether_it_answers_can_be_tried_where_there_is_a_model(
        self, provider: Provider, model: AiModel, alice: Any, client_of: Enter
    ) -> None:
        page = client_of(alice).get(url("provider", provider)).content.decode()
        assert "Does it answer?" in page
        assert reverse("ai-provider-try", args=[provider.public_id]) in page
        tried = client_of(alice).post(
            reverse("ai-provider-try", args=[provider.public_id]), {"model": model.remote}
        )
        assert "There is no AI runtime yet." in tried.content.decode()


class TestProviders:
    def test_one_is_added_and_its_page_says_what_is_missing(
        self, alice: Any, shop: Any, client_of: Enter
    ) -> None:
        client = client_of(alice)
        form = client.get(url("provider-create"), {"vendor": "ollama"}).content.decode()
        assert "http://127.0.0.1:11434/v1" in form
        sent = {**NEW, "headers": "X-Project: blue", "options": "lacks: stream_options"}
        page = client.post(url("provider-create"), sent, follow=True)
        provider = Provider.objects.get()
        assert provider.headers == [["X-Project", "blue"]]
        assert provider.options == {"lacks": "stream_options"}
        assert "It has no active key" in page.content.decode()

    def test_one_of_a_vendor_keeps_its_name(self, alice: Any, shop: Any, client_of: Enter) -> None:
        client_of(alice).post(url("provider-create") + "?vendor=groq", NEW)
        assert Provider.objects.get().vendor == "groq"
        assert AiModel.objects.count() > 10

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"base_url": "http://10.1.2.3/v1"}, "not a public address"),
            ({"base_url": "https://{region}.example.com"}, "Put your own value"),
            ({"auth": "password"}, "Write bearer, none"),
            ({"headers": "no colon here"}, "Write each line as name: text."),
            ({"headers": "Authorization: Bearer x"}, "carries a secret"),
            ({"team": "elsewhere"}, "Select a valid choice"),
            ({"team": ""}, "This field is required"),
        ],
    )
    def test_what_is_wrong_is_said(
        self, change: dict[str, str], words: str, alice: Any, charlie: Any, client_of: Enter
    ) -> None:
        answer = client_of(alice).post(url("provider-create"), {**NEW, **change})
        assert answer.status_code == 422
        assert words in answer.content.decode()
        assert not Provider.objects.exists()

    def test_an_administrator_may_share_one_with_everybody(self, ada: Any, client_of: Enter) -> None:
        client_of(ada).post(url("provider-create"), {**NEW, "team": ""})
        assert Provider.objects.get().team is None

    def test_changed_paused_resumed_and_removed(
        self, provider: Provider, alice: Any, client_of: Enter
    ) -> None:
        client = client_of(alice)
        sent = {"name": "Home", "base_url": SERVER, "auth": "none"}
        assert client.post(url("provider-edit", provider), sent).status_code == 302
        client.post(url("provider-pause", provider))
        assert "Paused: it is not called" in client.get(url("provider", provider)).content.decode()
        client.post(url("provider-resume", provider))
        client.post(url("provider-remove", provider), {"note": "Over."})
        provider.refresh_from_db()
        assert (provider.name, provider.auth, provider.state) == ("Home", "none", "removed")
        assert client.get(url("provider", provider)).status_code == 200
        assert (
            "Home"
            not in client.get(url("providers")).content.decode().partition("<main")[2].partition("toast")[0]
        )

    def test_removal_names_the_routes_in_the_way(
        self, provider: Provider, route: ModelRoute, alice: Any, client_of: Enter
    ) -> None:
        client = client_of(alice)
        assert "fast-text" in client.get(url("provider-remove", provider)).content.decode()
        answer = client.post(url("provider-remove", provider), {"note": ""})
        assert answer.status_code == 422
        assert "still use House: fast-text" in answer.content.decode()

    def test_who_may_not_change(
        self,
        provider: Provider,
        key: ProviderKey,
        model: AiModel,
        route: ModelRoute,
        bob: Any,
        client_of: Enter,
    ) -> None:
        client = client_of(bob)
        for address in (
            url("provider-edit", provider),
            url("provider-pause", provider),
            url("provider-remove", provider),
            url("provider-key-add", provider),
            url("provider-key-replace", key),
            url("provider-key-remove", key),
            url("model-add", provider),
            url("model-switch", model),
            url("model-price", model),
            url("route-edit", route),
            url("route-retire", route),
        ):
            assert client.post(address, {}).status_code == 403, address
        page = client.get(url("provider", provider)).content.decode()
        assert "Remove…" not in page
        assert "Add key" not in page


class TestKeys:
    def test_added_edited_replaced_and_removed(
        self, provider: Provider, alice: Any, client_of: Enter
    ) -> None:
        client = client_of(alice)
        client.post(url("provider-key-add", provider), {"label": "first", "value": CANARY, "weight": "10"})
        key = ProviderKey.objects.get()
        client.post(url("provider-key-edit", key), {"label": "main", "weight": "20"})
        client.post(url("provider-key-replace", key), {"reference": "env:HOUSE_KEY"})
        new = ProviderKey.objects.usable().get()
        assert (new.label, new.weight, new.reference) == ("main", 20, "env:HOUSE_KEY")
        assert "env:HOUSE_KEY" in client.get(url("provider", provider)).content.decode()
        assert "last active key" in client.get(url("provider-key-remove", new)).content.decode()
        client.post(url("provider-key-pause", new))
        client.post(url("provider-key-resume", new))
        client.post(url("provider-key-remove", new))
        assert not ProviderKey.objects.usable().exists()
        assert client.get(url("provider-key-edit", new)).status_code == 404

    def test_what_was_typed_is_not_given_back(self, provider: Provider, alice: Any, client_of: Enter) -> None:
        sent = {"label": "first", "value": f"{CANARY} with a space", "weight": "10"}
        answer = client_of(alice).post(url("provider-key-add", provider), sent)
        assert answer.status_code == 422
        assert CANARY not in answer.content.decode()

    def test_a_key_is_found_nowhere(
        self,
        provider: Provider,
        model: AiModel,
        route: ModelRoute,
        alice: Any,
        ada: Any,
        frank: Any,
        client_of: Enter,
        api_of: Any,
        monkeypatch: Any,
        django_capture_on_commit_callbacks: Any,
    ) -> None:
        said, sent = io.StringIO(), []
        handler = logging.StreamHandler(said)
        logging.getLogger().addHandler(handler)
        monkeypatch.setattr(
            "celery.app.task.Task.apply_async", lambda *args, **kwargs: sent.append((args, kwargs))
        )
        try:
            client = client_of(alice)
            with django_capture_on_commit_callbacks(execute=True):
                first = {"label": "first", "value": CANARY, "weight": "10"}
                client.post(url("provider-key-add", provider), first)
                client.post(url("provider-key-add", provider), {**first, "label": "first"})
                client.post(url("provider-key-replace", ProviderKey.objects.get()), {"value": CANARY})
                api_of(alice).post(
                    f"/api/v1/ai/providers/{provider.public_id}/keys",
                    {"label": "x", "value": CANARY},
                    format="json",
                )
        finally:
            logging.getLogger().removeHandler(handler)
        shown = [said.getvalue(), repr(sent)]
        for who in (alice, ada, frank):
            browser, program = client_of(who), api_of(who)
            shown += [browser.get(url("provider", provider)).content.decode()]
            shown += [
                browser.get("/audit/").content.decode(),
                browser.get("/audit/export/").getvalue().decode(),
            ]
            shown += [program.get(f"/api/v1/ai/providers/{provider.public_id}/keys").content.decode()]
        events = AuditEvent.objects.filter(name__startswith="provider_key.")
        assert events.count() == 3
        shown += [json.dumps([event.before, event.after, event.note, event.target_label]) for event in events]
        for text in shown:
            assert CANARY not in text
        assert ProviderKey.objects.usable().count() == 2


class TestModelsAndPrices:
    def test_added_changed_and_switched(self, provider: Provider, alice: Any, client_of: Enter) -> None:
        client = client_of(alice)
        sent = {"remote": "llama3", "mode": "chat", "context": "8192", "capabilities": ["stream", "tools"]}
        page = client.post(url("model-add", provider), sent, follow=True).content.decode()
        assert "Nobody knows its price" in page
        model = AiModel.objects.get()
        client.post(url("model-edit", model), {"mode": "chat", "capabilities": ["stream"], "is_toy": "on"})
        client.post(url("model-switch", model), {"on": "0"})
        model.refresh_from_db()
        assert (model.context, model.capabilities, model.is_toy, model.is_enabled) == (
            0,
            ["stream"],
            True,
            False,
        )

    def test_a_price_is_entered_exactly_and_cleared(
        self, model: AiModel, alice: Any, client_of: Enter
    ) -> None:
        client = client_of(alice)
        sent = {"currency": "EUR", "input": "0.075", "output": "1.123456789", "cached_input": "0"}
        sent |= {"call": "0.01", "from_tokens": "200001", "long_input": "0.15", "note": "Contract 7"}
        page = client.post(url("model-price", model), sent, follow=True).content.decode()
        assert "€ 0.075" in page
        assert "€ 1.123456789" in page
        row = ModelPrice.objects.get()
        assert [(rate["unit"], rate["nanos"], rate["from_tokens"]) for rate in row.rates] == [
            ("input", 75_000_000, 0),
            ("input", 150_000_000, 200_001),
            ("cached_input", 0, 0),
            ("output", 1_123_456_789, 0),
            ("call", 10_000_000, 0),
        ]
        form = client.get(url("model-price", model)).content.decode()
        assert 'value="1.123456789"' in form
        assert 'value="200001"' in form
        client.post(url("model-price-clear", model))
        assert "Nobody knows its price" in client.get(url("model", model)).content.decode()

    @pytest.mark.parametrize(
        "change",
        [
            {"input": ""},
            {"input": "-1"},
            {"input": "1.0000000001"},
            {"from_tokens": "5"},
            {"long_input": "1"},
        ],
    )
    def test_a_bad_price_is_refused(
        self, change: dict[str, str], model: AiModel, alice: Any, client_of: Enter
    ) -> None:
        sent = {"currency": "USD", "input": "1", "output": "2", **change}
        assert client_of(alice).post(url("model-price", model), sent).status_code == 422
        assert not ModelPrice.objects.exists()

    def test_clearing_nothing_says_so(self, model: AiModel, alice: Any, client_of: Enter) -> None:
        answer = client_of(alice).post(url("model-price-clear", model))
        assert answer.status_code == 409
        assert "nothing to clear" in answer.content.decode()

    def test_what_the_catalogue_says_stands_beside_an_own_price(
        self, alice: Any, shop: Any, client_of: Enter
    ) -> None:
        model = make_provider(shop, "OpenAI", vendor="openai").ai_models.get(remote="gpt-4o-mini")
        actions.override_price(model, actor=SYSTEM, rates=[{**RATES[0], "nanos": 1}, RATES[1]])
        page = client_of(alice).get(url("model", model)).content.decode()
        assert "The catalogue says" in page
        assert "$ 0.000000001" in page
        assert "$ 0.15" in page


class TestRoutes:
    def test_one_is_made_explained_changed_and_retired(
        self, model: AiModel, shared: Provider, alice: Any, client_of: Enter
    ) -> None:
        client = client_of(alice)
        other = actions.add_model(shared, actor=SYSTEM, remote="large")
        sent = {
            **rows((model.name, 0, 70), (other.name, 0, 30), ("", 2, 100)),
            "team": "shop",
            "alias": "smart",
        }
        page = client.post(url("route-create"), sent, follow=True).content.decode()
        assert "70 %" in page
        assert "At most 4 tries" in page
        assert "429, 503" in page
        assert "within 2.5 s has failed" in page
        route = ModelRoute.objects.get()
        client.post(url("route-edit", route), rows((model.name, 0, 70), (other.name, 1, 100)))
        assert list(route.targets.values_list("model", "rank")) == [(model.pk, 0), (other.pk, 1)]
        client.post(url("route-edit", route), rows((other.name, 1, 100)))
        assert [target.model for target in route.targets.all()] == [other]
        client.post(url("route-retire", route), {"note": ""})
        assert "no call goes by it any more" in client.get(url("route", route)).content.decode()

    def test_one_more_row_saves_nothing(self, model: AiModel, alice: Any, client_of: Enter) -> None:
        sent = {**rows((model.name, 0, 70)), "team": "shop", "alias": "smart", "add": "1"}
        answer = client_of(alice).post(url("route-create"), sent)
        assert answer.status_code == 200
        assert 'name="targets-1-model"' in answer.content.decode()
        assert not ModelRoute.objects.exists()

    @pytest.mark.parametrize(
        ("sent", "words"),
        [
            (rows(), "Choose at least one model"),
            (rows(("nobody/nothing", 0, 100)), "There is no such model in use"),
            ({**rows(("house/house-large", 0, 100)), "retry_codes": "often"}, "three digits"),
            (rows(("house/house-large", 0, 100), ("house/house-large", 1, 100)), "stands there twice"),
            ({**rows(("house/house-large", 0, 100)), "attempts": "0"}, "greater than or equal to 1"),
        ],
    )
    def test_what_is_wrong_is_said(
        self, sent: dict[str, str], words: str, model: AiModel, alice: Any, client_of: Enter
    ) -> None:
        answer = client_of(alice).post(url("route-create"), {**sent, "team": "shop", "alias": "smart"})
        assert answer.status_code == 422
        assert words in answer.content.decode()
        assert not ModelRoute.objects.exists()

    def test_the_editor_offers_no_models_of_others(
        self, route: ModelRoute, model: AiModel, client_of: Enter, charlie: Any, alice: Any
    ) -> None:
        theirs = make_provider(charlie.memberships.get(team__slug="elsewhere").team, "Theirs")
        actions.add_model(theirs, actor=SYSTEM, remote="secret-model")
        assert "secret-model" not in client_of(alice).get(url("route-edit", route)).content.decode()
        assert "secret-model" not in client_of(alice).get(url("route-create")).content.decode()


@pytest.mark.parametrize("name", ["provider-list", "routes"])
def test_lists_take_a_constant_number_of_queries(
    name: str, provider: Provider, route: ModelRoute, model: AiModel, shop: Any, alice: Any, client_of: Enter
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client, address = client_of(alice), url({"provider-list": "providers"}.get(name, name))
    client.get(address)
    with CaptureQueriesContext(
        connection,
    ) as few:
        client.get(address)
    for number in range(4):
        made = make_provider(shop, f"House {number}")
        more = actions.add_model(made, actor=SYSTEM, remote="m")
        actions.create_route(
            actor=SYSTEM, team=shop, alias=f"r-{number}", targets=[actions.TargetValues(more)]
        )
    with CaptureQueriesContext(connection) as many:
        client.get(address)
    assert len(many) == len(few)
