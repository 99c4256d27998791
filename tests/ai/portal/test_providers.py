"""Providers and their keys: who may, what is refused, and that a key is found nowhere."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError

from ai import actions
from ai.actions import ProviderValues
from ai.keys import open_value
from ai.models import AiModel, ModelRoute, Provider, ProviderKey
from ai.queries import Readiness, readiness_of, with_counts
from ai.vendors import GAP, all_vendors, found_vendors
from audit.models import ActionRefused, AuditEvent, TransitionNotAllowed
from teams.models import SYSTEM
from tests.ai.portal.conftest import CANARY, SERVER, acting, make_provider


class TestVendors:
    def test_there_are_more_than_a_hundred_and_each_says_where_it_is_documented(self) -> None:
        vendors = all_vendors().values()
        assert len(vendors) >= 100
        for vendor in vendors:
            assert vendor.docs.startswith("https://"), vendor
            assert vendor.dialect in Provider.Dialect.values, vendor
            assert not vendor.base_url.endswith("/"), vendor
            assert vendor.is_own_server or vendor.base_url.startswith("https://"), vendor

    def test_every_address_is_one_that_could_be_called(self) -> None:
        for vendor in all_vendors().values():
            filled = GAP.sub("eu-1", vendor.base_url)
            parts = filled.split("/")
            assert parts[0] in ("http:", "https:")
            assert actions.providers.clean_auth(vendor.auth) == vendor.auth
            assert parts[2], vendor

    def test_the_native_ones_speak_their_own_dialect(self) -> None:
        native = {vendor.slug for vendor in all_vendors().values() if vendor.is_native}
        assert native == {"openai", "anthropic", "gemini", "azure", "bedrock"}

    def test_words_narrow_it(self) -> None:
        assert [vendor.slug for vendor in found_vendors("mistral")] == ["mistral"]
        assert "ollama" in [vendor.slug for vendor in found_vendors("11434")]
        assert found_vendors("no such vendor anywhere") == []


class TestCreating:
    def test_an_owner_adds_one_for_the_team(self, alice: Any, shop: Any) -> None:
        provider = actions.create_provider(
            actor=acting(alice), team=shop, name="House models", values=ProviderValues(base_url=f"{SERVER}/")
        )
        assert (provider.slug, provider.base_url, provider.auth) == ("house-models", SERVER, "bearer")
        event = AuditEvent.objects.get(name="provider.created")
        assert (event.team_id, event.after["base_url"]) == (shop.public_id, SERVER)

    def test_an_administrator_adds_one_for_all(self, ada: Any) -> None:
        values = ProviderValues(base_url=SERVER)
        assert actions.create_provider(actor=acting(ada), name="All", values=values).team is None

    @pytest.mark.parametrize("who", ["bob", "charlie", "dana", "erin", "frank"])
    def test_others_do_not_add_one_for_the_team(self, who: str, shop: Any, request: Any) -> None:
        with pytest.raises(PermissionDenied):
            actions.create_provider(
                actor=acting(request.getfixturevalue(who)),
                team=shop,
                name="X",
                values=ProviderValues(base_url=SERVER),
            )

    @pytest.mark.parametrize("who", ["alice", "bob", "dana", "erin", "frank"])
    def test_nobody_but_administrators_adds_one_for_all(self, who: str, request: Any) -> None:
        with pytest.raises(PermissionDenied):
            actions.create_provider(
                actor=acting(request.getfixturevalue(who)), name="X", values=ProviderValues(base_url=SERVER)
            )

    def test_a_known_vendor_comes_with_its_models_and_prices(self, db: None) -> None:
        provider = make_provider(None, "OpenAI", vendor="openai")
        assert provider.ai_models.count() > 50
        mini = provider.ai_models.get(remote="gpt-4o-mini")
        assert mini.context == 128_000
        assert set(mini.capabilities) >= {"stream", "tools", "json_schema", "vision"}
        assert mini.prices.get().rates[0] == {"unit": "input", "nanos": 150_000_000, "from_tokens": 0}

    def test_what_a_vendor_says_is_filled_in(self, monkeypatch: Any, db: None) -> None:
        monkeypatch.setattr(actions.providers, "check_target_url", lambda *_a: None)
        provider = actions.create_provider(actor=SYSTEM, name="Claude", vendor="anthropic")
        assert provider.dialect == "anthropic"
        assert provider.auth == "header:x-api-key"
        assert provider.base_url == "https://api.anthropic.com/v1"

    @pytest.mark.parametrize(
        ("values", "field"),
        [
            ({"base_url": "http://169.254.169.254/latest"}, "base_url"),
            ({"base_url": "http://10.0.0.1/v1"}, "base_url"),
            ({"base_url": "ftp://127.0.0.1/v1"}, "base_url"),
            ({"base_url": "http://key@127.0.0.1/v1"}, "base_url"),
            ({"base_url": "https://{resource}.openai.azure.com"}, "base_url"),
            ({"base_url": "http://127.0.0.1/v1?key=secret"}, "base_url"),
            ({"base_url": ""}, "base_url"),
            ({"base_url": SERVER, "auth": "header:Bad Name"}, "auth"),
            ({"base_url": SERVER, "auth": "header:Host"}, "auth"),
            ({"base_url": SERVER, "headers": [["Authorization", "Bearer x"]]}, "headers"),
            ({"base_url": SERVER, "headers": [["X-A", "b\r\nEvil: 1"]]}, "headers"),
            ({"base_url": SERVER, "headers": [["Host", "other"]]}, "headers"),
            ({"base_url": SERVER, "options": {"region": 5}}, "options"),
        ],
    )
    def test_bad_values_are_named(self, values: Any, field: str, db: None) -> None:
        with pytest.raises(ValidationError) as error:
            actions.create_provider(actor=SYSTEM, name="X", values=ProviderValues(**values))
        assert field in error.value.message_dict

    def test_an_unknown_vendor_is_refused(self, db: None) -> None:
        with pytest.raises(ValidationError) as error:
            actions.create_provider(actor=SYSTEM, name="X", vendor="nobody")
        assert "vendor" in error.value.message_dict

    def test_a_short_name_is_free_again_after_removal(self, provider: Provider, shop: Any) -> None:
        with pytest.raises(ValidationError):
            make_provider(shop)
        actions.remove_provider(provider, actor=SYSTEM)
        assert make_provider(shop).slug == provider.slug


class TestChanging:
    def test_what_is_given_changes_and_is_recorded(self, provider: Provider, alice: Any) -> None:
        changed = actions.change_provider(
            provider, actor=acting(alice), name="Home", options={"lacks": "stream_options"}
        )
        event = AuditEvent.objects.get(name="provider.changed")
        assert (changed.name, changed.base_url) == ("Home", SERVER)
        assert event.before == {"name": "House", "options": {}}

    def test_nothing_changed_is_no_event(self, provider: Provider, alice: Any) -> None:
        actions.change_provider(provider, actor=acting(alice), name="House")
        assert not AuditEvent.objects.filter(name="provider.changed").exists()

    @pytest.mark.parametrize("who", ["alice", "bob", "charlie", "frank"])
    def test_a_shared_one_is_changed_by_administrators_alone(
        self, who: str, shared: Provider, ada: Any, request: Any
    ) -> None:
        with pytest.raises(PermissionDenied):
            actions.change_provider(shared, actor=acting(request.getfixturevalue(who)), name="Mine")
        assert actions.change_provider(shared, actor=acting(ada), name="Ours").name == "Ours"

    def test_pause_resume_and_remove(self, provider: Provider, alice: Any) -> None:
        actor = acting(alice)
        assert actions.pause_provider(provider, actor=actor).state == "paused"
        with pytest.raises(TransitionNotAllowed):
            actions.pause_provider(provider, actor=actor)
        assert actions.resume_provider(provider, actor=actor).state == "active"
        assert actions.remove_provider(provider, actor=actor).state == "removed"
        with pytest.raises(ActionRefused, match="was removed"):
            actions.resume_provider(provider, actor=actor)

    def test_one_that_a_route_uses_is_not_removed(self, provider: Provider, route: ModelRoute) -> None:
        with pytest.raises(ActionRefused, match="fast-text"):
            actions.remove_provider(provider, actor=SYSTEM)
        actions.retire_route(route, actor=SYSTEM)
        assert actions.remove_provider(provider, actor=SYSTEM).state == "removed"

    def test_removal_forgets_the_keys(self, provider: Provider, key: ProviderKey) -> None:
        actions.remove_provider(provider, actor=SYSTEM)
        key.refresh_from_db()
        assert (key.state, bytes(key.sealed), key.value_digest) == ("removed", b"", "")


class TestKeys:
    def test_a_key_is_sealed_and_opens_for_the_runtime(self, key: ProviderKey) -> None:
        kept = ProviderKey.objects.get(pk=key.pk)
        assert CANARY.encode() not in bytes(kept.sealed)
        assert open_value(kept) == CANARY
        assert kept.value_digest == hashlib.sha256(CANARY.encode()).hexdigest()

    def test_a_reference_is_kept_as_it_is(self, provider: Provider) -> None:
        key = actions.add_key(provider, actor=SYSTEM, label="env", reference="env:OPENAI_API_KEY")
        assert (key.reference, open_value(key), key.value_digest) == ("env:OPENAI_API_KEY", "", "")
        other = actions.add_key(provider, actor=SYSTEM, label="file", reference="file:/run/secrets/openai")
        assert other.reference == "file:/run/secrets/openai"

    @pytest.mark.parametrize(
        "reference",
        ["OPENAI", "env:", "env:A B", "file:relative", "file:/a/../b", "file:/a b", "file:/dir/", "vault:x"],
    )
    def test_other_references_are_refused(self, reference: str, provider: Provider) -> None:
        with pytest.raises(ValidationError) as error:
            actions.add_key(provider, actor=SYSTEM, label="x", reference=reference)
        assert "reference" in error.value.message_dict

    @pytest.mark.parametrize(
        "given", [{}, {"value": "a b"}, {"value": "a\nb"}, {"value": "k", "reference": "env:A"}]
    )
    def test_bad_values_are_refused_without_repeating_them(self, given: Any, provider: Provider) -> None:
        with pytest.raises(ValidationError) as error:
            actions.add_key(provider, actor=SYSTEM, label="x", **given)
        assert "value" in error.value.message_dict
        assert "a b" not in str(error.value)

    def test_a_rotation_adds_and_then_removes(self, provider: Provider, key: ProviderKey, alice: Any) -> None:
        new = actions.add_key(provider, actor=acting(alice), label="second", value="sk-other")
        assert set(ProviderKey.objects.usable()) == {key, new}
        actions.remove_key(key, actor=acting(alice))
        assert list(ProviderKey.objects.usable()) == [new]

    def test_replacing_keeps_label_and_weight_under_a_new_id(self, key: ProviderKey) -> None:
        actions.change_key(key, actor=SYSTEM, weight=7)
        new = actions.replace_key(key, actor=SYSTEM, value="sk-other")
        key.refresh_from_db()
        assert (new.label, new.weight, open_value(new)) == ("first", 7, "sk-other")
        assert (key.state, bytes(key.sealed)) == ("removed", b"")

    def test_a_label_stands_for_one_key(self, provider: Provider, key: ProviderKey) -> None:
        with pytest.raises(ValidationError):
            actions.add_key(provider, actor=SYSTEM, label="first", value="sk-other")

    def test_pause_and_resume(self, key: ProviderKey) -> None:
        assert actions.pause_key(key, actor=SYSTEM).state == "paused"
        assert not ProviderKey.objects.usable().exists()
        assert actions.resume_key(key, actor=SYSTEM).state == "active"

    @pytest.mark.parametrize("who", ["bob", "charlie", "erin", "frank"])
    def test_owners_and_administrators_alone_touch_keys(
        self, who: str, provider: Provider, key: ProviderKey, request: Any
    ) -> None:
        actor = acting(request.getfixturevalue(who))
        with pytest.raises(PermissionDenied):
            actions.add_key(provider, actor=actor, label="x", value="sk-x")
        for deed in (actions.pause_key, actions.remove_key):
            with pytest.raises(PermissionDenied):
                deed(key, actor=actor)
        with pytest.raises(PermissionDenied):
            actions.replace_key(key, actor=actor, value="sk-x")


class TestReading:
    def test_who_sees_what(self, provider: Provider, shared: Provider, request: Any) -> None:
        def seen(who: str) -> set[Provider]:
            return set(Provider.objects.visible_to(acting(request.getfixturevalue(who))))

        assert seen("alice") == seen("bob") == {provider, shared}
        assert seen("dana") == seen("charlie") == {shared}
        assert seen("frank") == seen("ada") == {provider, shared}
        assert seen("erin") == set()

    def test_readiness(self, provider: Provider) -> None:
        def now() -> Readiness:
            return readiness_of(with_counts(Provider.objects.filter(pk=provider.pk)).get())

        assert now() == Readiness.NO_KEY
        actions.add_key(provider, actor=SYSTEM, label="first", value="sk-x")
        assert now() == Readiness.NO_MODEL
        actions.add_model(provider, actor=SYSTEM, remote="m")
        assert now() == Readiness.READY
        actions.pause_provider(provider, actor=SYSTEM)
        assert now() == Readiness.PAUSED

    def test_counts_take_one_query(
        self,
        provider: Provider,
        key: ProviderKey,
        model: AiModel,
        route: ModelRoute,
        django_assert_num_queries: Any,
    ) -> None:
        for number in range(5):
            make_provider(provider.team, f"House {number}")
        with django_assert_num_queries(1):
            rows = list(with_counts(Provider.objects.order_by("pk")))
        first = rows[0]
        assert (first.active_keys, first.all_models, first.unpriced_models, first.routes) == (1, 1, 1, 1)
