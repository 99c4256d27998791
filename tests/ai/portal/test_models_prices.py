"""Models and prices: seeded exactly, never overwritten, unknown never zero, and the catalogue not loaded at start."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.management import call_command
from django.utils import timezone

from ai import actions, price_list
from ai.actions.seed import Seeded
from ai.models import AiModel, ModelPrice, ModelRoute, Provider
from ai.price_list import Listed, ListedModel
from ai.pricing import Rate, Unit, Usage
from ai.queries import effective_prices, price_of, with_prices
from ai.tasks import update_models
from audit.models import ActionRefused, AuditEvent
from teams.models import SYSTEM
from tests.ai.portal.conftest import RATES, acting, make_provider

IN, OUT = Rate(Unit.INPUT, 100_000_000), Rate(Unit.OUTPUT, 400_000_000)
FULL = [
    {"unit": "input", "nanos": 150_000_000, "from_tokens": 0},
    {"unit": "output", "nanos": 600_000_000, "from_tokens": 0},
]


@pytest.fixture
def openai(db: None) -> Provider:
    return make_provider(None, "OpenAI", vendor="openai")


@pytest.fixture
def catalogue(monkeypatch: Any) -> list[ListedModel]:
    """A catalogue in the hands of the test."""
    listed = [ListedModel("m-1", "chat", 1000, (Listed(None, (IN, OUT), "https://prices.example", False),))]
    monkeypatch.setattr(price_list, "listed_models", lambda *_args: list(listed))
    return listed


def listed(rate: Rate, **changes: Any) -> ListedModel:
    return ListedModel("m-1", "chat", 1000, (replace(Listed(None, (rate, OUT), "", False), **changes),))


class TestCatalogue:
    """The package's own data, as it is converted."""

    def models(self, name: str) -> dict[str, ListedModel]:
        return {model.remote: model for model in price_list.listed_models(name, timezone.now())}

    def test_dollars_for_a_million_tokens_become_billionths(self) -> None:
        [price] = self.models("openai")["gpt-4o-mini"].prices
        assert price.rates == (
            Rate(Unit.INPUT, 150_000_000),
            Rate(Unit.CACHED_INPUT, 75_000_000),
            Rate(Unit.OUTPUT, 600_000_000),
        )
        assert "web searches" in price.note
        assert price.note.startswith("https://")

    def test_a_tier_begins_with_the_token_above_its_start(self) -> None:
        [price] = self.models("anthropic")["claude-sonnet-4-5"].prices
        inputs = [(rate.from_tokens, rate.nanos) for rate in price.rates if rate.unit == Unit.INPUT]
        assert inputs == [(0, 3_000_000_000), (200_001, 6_000_000_000)]
        assert Rate(Unit.CACHE_WRITE, 3_750_000_000) in price.rates

    def test_announced_prices_come_with_their_day(self) -> None:
        prices = [model.prices for model in self.models("google").values() if len(model.prices) > 1]
        assert prices
        for first, second, *_more in prices:
            assert first.since is None
            assert second.since is not None
            assert second.since > timezone.now()

    def test_prices_by_the_hour_are_the_dearest_and_disputed(self) -> None:
        [price] = self.models("deepseek")["deepseek-chat"].prices
        assert price.rates[0] == Rate(Unit.INPUT, 270_000_000)
        assert price.is_disputed

    def test_a_second_source_that_differs_makes_a_price_disputed(self) -> None:
        disputed = [m for m in self.models("openai").values() if any(p.is_disputed for p in m.prices)]
        assert 0 < len(disputed) < 20

    def test_what_cannot_be_billed_by_tokens_has_no_price(self) -> None:
        assert self.models("openai")["whisper-1"].prices == ()

    def test_no_price_is_zero_or_lacks_a_side(self) -> None:
        for name in ("openai", "openrouter", "google", "mistral", "groq"):
            for model in self.models(name).values():
                for price in model.prices:
                    assert any(rate.nanos for rate in price.rates), model
                    assert all(type(rate.nanos) is int for rate in price.rates)

    def test_it_is_not_loaded_when_the_portal_starts(self) -> None:
        loaded = (
            "import django, sys; django.setup(); import portal.urls, portal.wsgi, ai.tasks, ai.actions;"
            "from django.urls import get_resolver; get_resolver().url_patterns;"
            "sys.exit('genai_prices' in sys.modules or 'ai.price_list' in sys.modules)"
        )
        assert subprocess.run([sys.executable, "-c", loaded], check=False).returncode == 0


class TestSeeding:
    def test_twice_changes_nothing(self, openai: Provider) -> None:
        before = (AiModel.objects.count(), ModelPrice.objects.count(), AuditEvent.objects.count())
        assert actions.update_models(actor=SYSTEM) == Seeded()
        assert (AiModel.objects.count(), ModelPrice.objects.count(), AuditEvent.objects.count()) == before

    def test_it_is_recorded_once_with_the_price_list(self, openai: Provider) -> None:
        event = AuditEvent.objects.get(name="provider.models_updated")
        assert event.after["models"] == AiModel.objects.count()
        assert event.after["price_list"].startswith("genai-prices ")

    def test_an_unknown_price_has_no_row(self, openai: Provider) -> None:
        model = with_prices(AiModel.objects.filter(remote="whisper-1")).get()
        assert not price_of(model).is_known
        assert price_of(model).rate("input") is None

    def test_a_changed_price_is_a_new_row_from_now_on(self, catalogue: list[ListedModel], db: None) -> None:
        make_provider(None, "OpenAI", vendor="openai")
        first = ModelPrice.objects.get()
        catalogue[0] = listed(Rate(Unit.INPUT, 90_000_000))
        assert actions.update_models(actor=SYSTEM) == Seeded(models=0, prices=1)
        old, new = ModelPrice.objects.order_by("valid_from")
        assert old == first
        assert (old.retired_at, old.rates[0]["nanos"], new.rates[0]["nanos"]) == (
            None,
            100_000_000,
            90_000_000,
        )
        assert price_of(new.model).row == new
        assert price_of(new.model, old.valid_from).row == old

    def test_an_announced_price_is_kept_until_its_day_and_may_be_taken_back(
        self, catalogue: list[ListedModel], db: None
    ) -> None:
        day = timezone.now() + timedelta(days=30)
        dearer = Rate(Unit.INPUT, 200_000_000)
        later = replace(catalogue[0].prices[0], since=day, rates=(dearer, OUT))
        catalogue[0] = replace(catalogue[0], prices=(catalogue[0].prices[0], later))
        make_provider(None, "OpenAI", vendor="openai")
        model = AiModel.objects.get()
        assert price_of(model).rate("input") == IN.nanos
        assert price_of(model, day + timedelta(days=1)).rate("input") == 200_000_000
        assert [row.valid_from for row in price_of(model).announced] == [day]
        assert actions.update_models(actor=SYSTEM) == Seeded()
        catalogue[0] = replace(catalogue[0], prices=catalogue[0].prices[:1])
        actions.update_models(actor=SYSTEM)
        assert ModelPrice.objects.filter(retired_at=None).count() == 1
        assert ModelPrice.objects.count() == 2
        assert price_of(model, day + timedelta(days=1)).rate("input") == IN.nanos

    def test_what_was_changed_by_hand_stays(self, catalogue: list[ListedModel], db: None) -> None:
        make_provider(None, "OpenAI", vendor="openai")
        model = AiModel.objects.get()
        actions.change_model(model, actor=SYSTEM, context=5, capabilities=["tools"], is_enabled=False)
        actions.update_models(actor=SYSTEM)
        model.refresh_from_db()
        assert (model.context, model.capabilities, model.is_enabled) == (5, ["tools"], False)

    def test_command_and_task(self, catalogue: list[ListedModel], db: None) -> None:
        make_provider(None, "OpenAI", vendor="openai")
        catalogue.append(replace(catalogue[0], remote="m-2"))
        said = StringIO()
        call_command("ai_models", "update", stdout=said)
        assert said.getvalue() == "1 new models, 1 new prices\n"
        catalogue.append(replace(catalogue[0], remote="m-3", prices=()))
        update_models()
        assert not AiModel.objects.get(remote="m-3").prices.exists()

    def test_a_removed_provider_and_one_without_vendor_are_left(
        self, catalogue: list[ListedModel], provider: Provider
    ) -> None:
        gone = make_provider(None, "OpenAI", vendor="openai")
        actions.remove_provider(gone, actor=SYSTEM)
        catalogue.append(replace(catalogue[0], remote="m-2"))
        assert actions.update_models(actor=SYSTEM) == Seeded()
        assert provider.ai_models.count() == 0


class TestOverride:
    def test_it_goes_before_the_catalogue_until_it_is_cleared(
        self, catalogue: list[ListedModel], alice: Any, shop: Any
    ) -> None:
        make_provider(shop, "OpenAI", vendor="openai")
        model = AiModel.objects.get()
        price = actions.override_price(model, actor=acting(alice), rates=RATES, note="our contract")
        assert (price.rates, price.is_disputed, price_of(model).is_override) == (FULL, True, True)
        catalogue[0] = listed(Rate(Unit.INPUT, 90_000_000))
        actions.update_models(actor=SYSTEM)
        assert price_of(model).row == price
        assert price_of(model).listed.rates[0]["nanos"] == 90_000_000  # type: ignore[union-attr]
        actions.clear_override(model, actor=acting(alice))
        assert price_of(model).rate("input") == 90_000_000
        assert ModelPrice.objects.get(pk=price.pk).retired_at is not None
        names = list(AuditEvent.objects.filter(target_id=model.public_id).values_list("name", flat=True))
        assert sorted(names) == ["model_price.overridden", "model_price.override_cleared"]

    def test_the_runtime_gets_what_held_one_after_the_other(
        self, catalogue: list[ListedModel], db: None
    ) -> None:
        make_provider(None, "OpenAI", vendor="openai")
        model = AiModel.objects.get()
        [seeded] = effective_prices(model)
        price = actions.override_price(model, actor=SYSTEM, rates=RATES)
        catalogue[0] = listed(Rate(Unit.INPUT, 90_000_000))
        actions.update_models(actor=SYSTEM)
        assert effective_prices(model) == [seeded, price]

    def test_nothing_is_a_price_too(self, model: AiModel) -> None:
        assert not price_of(model).is_known
        free = [{"unit": "input", "nanos": 0}, {"unit": "output", "nanos": 0}]
        actions.override_price(model, actor=SYSTEM, rates=free)
        assert price_of(model).is_known
        assert price_of(model).prices.cost(Usage(input=10, output=5)) == 0  # type: ignore[union-attr]
        assert not price_of(model).is_disputed

    def test_the_same_again_is_no_new_row(self, model: AiModel) -> None:
        first = actions.override_price(model, actor=SYSTEM, rates=RATES)
        assert actions.override_price(model, actor=SYSTEM, rates=RATES) == first
        second = actions.override_price(model, actor=SYSTEM, rates=RATES, currency="eur")
        assert (second.currency, ModelPrice.objects.count()) == ("EUR", 2)

    def test_clearing_nothing_is_refused(self, model: AiModel) -> None:
        with pytest.raises(ActionRefused, match="nothing to clear"):
            actions.clear_override(model, actor=SYSTEM)

    @pytest.mark.parametrize(
        "rates",
        [
            [],
            RATES[:1],
            [*RATES, {"unit": "input", "nanos": 5}],
            [*RATES, {"unit": "reasoning", "nanos": 5, "from_tokens": 10}],
            [{"unit": "input", "nanos": -1}, RATES[1]],
            [{"unit": "input", "nanos": 1.5}, RATES[1]],
            [{"unit": "input", "nanos": 10**17}, RATES[1]],
            [{"unit": "words", "nanos": 1}, RATES[1]],
            [{"unit": "input", "nanos": 1, "from_tokens": -5}, RATES[1]],
        ],
    )
    def test_bad_rates_are_refused(self, rates: Any, model: AiModel) -> None:
        with pytest.raises(ValidationError) as error:
            actions.override_price(model, actor=SYSTEM, rates=rates)
        assert "rates" in error.value.message_dict

    @pytest.mark.parametrize("who", ["bob", "charlie", "dana", "erin", "frank"])
    def test_others_enter_no_price(self, who: str, model: AiModel, request: Any) -> None:
        actor = acting(request.getfixturevalue(who))
        with pytest.raises(PermissionDenied):
            actions.override_price(model, actor=actor, rates=RATES)
        with pytest.raises(PermissionDenied):
            actions.clear_override(model, actor=actor)


class TestModels:
    def test_added_by_hand(self, provider: Provider, alice: Any) -> None:
        model = actions.add_model(
            provider, actor=acting(alice), remote=" llama3 ", capabilities=["tools", "stream"], is_toy=True
        )
        assert (model.name, model.capabilities, model.is_toy) == ("house/llama3", ["stream", "tools"], True)
        with pytest.raises(ValidationError):
            actions.add_model(provider, actor=acting(alice), remote="llama3")

    def test_bad_values(self, provider: Provider) -> None:
        for values in ({"context": -1}, {"capabilities": ["mind reading"]}, {"mode": "smell"}):
            with pytest.raises(ValidationError):
                actions.add_model(provider, actor=SYSTEM, remote="x", **values)  # type: ignore[arg-type]

    def test_one_that_a_route_names_is_not_switched_off(self, model: AiModel, route: ModelRoute) -> None:
        with pytest.raises(ActionRefused, match="fast-text"):
            actions.change_model(model, actor=SYSTEM, is_enabled=False)
        with pytest.raises(ActionRefused, match="fast-text"):
            actions.switch_models(model.provider, actor=SYSTEM, models=[model], is_enabled=False)

    def test_several_at_once(self, provider: Provider, model: AiModel) -> None:
        other = actions.add_model(provider, actor=SYSTEM, remote="b")
        foreign = actions.add_model(make_provider(None, "Other"), actor=SYSTEM, remote="c")
        changed = actions.switch_models(
            provider, actor=SYSTEM, models=[model, other, foreign], is_enabled=False
        )
        assert changed == [other, model]
        assert list(AiModel.objects.usable()) == [foreign]

    def test_lists_take_a_constant_number_of_queries(
        self, openai: Provider, django_assert_num_queries: Any
    ) -> None:
        with django_assert_num_queries(2):
            known = [price_of(one).is_known for one in with_prices(AiModel.objects.all())]
        assert known.count(True) > 50
