"""What `make run` seeds of models: toys that say so, a prompt that is an API, somebody who calls it and a wish."""

from __future__ import annotations

from typing import Any

import pytest

from ai.models import AiModel, ModelRoute, Prompt, PromptLabel, Provider, TestRun
from ai.prompt_queries import failed_requirements
from ai.queries import price_of, with_counts
from apis.models import ApiVersion
from gateways.models import Gateway, Publication
from portal.demo import Seeded, seed
from portal.demo_ai import start_tests
from subscriptions.models import AccessRequest, Subscription
from teams.models import User
from tests import factories

pytestmark = pytest.mark.django_db
UPSTREAMS = {"orders": "http://127.0.0.1:9201", "weather": "http://127.0.0.1:9202"}
MODELS = {"toy": "http://127.0.0.1:9203", "echo": "http://127.0.0.1:9204"}


@pytest.fixture
def places(db: None) -> None:
    """A gateway that serves both environments, and an AI runtime."""
    for slug in ("sandbox", "production"):
        factories.make_environment(slug)
    for slug, kind in (("edge", Gateway.Kind.ENVOY), ("models", Gateway.Kind.AI_RUNTIME)):
        factories.make_gateway(slug, kind)


@pytest.fixture
def seeded(places: None) -> Seeded:
    return seed(factories.PASSWORD, UPSTREAMS, MODELS)


def test_both_models_are_toys_with_a_price_that_is_made_up(seeded: Seeded) -> None:
    assert {model.name for model in AiModel.objects.filter(is_toy=True)} == {"toy/toy", "echo/echo"}
    for model in AiModel.objects.select_related("provider"):
        price = price_of(model)
        assert price.is_override
        assert price.row is not None
        assert "Made up" in price.row.source_note
    assert all(provider.is_toy for provider in with_counts(Provider.objects.all()))  # type: ignore[attr-defined]
    route = ModelRoute.objects.get()
    assert [target.model.remote for target in route.targets.order_by("rank")] == ["toy", "echo"]


def test_a_provider_with_one_real_model_is_no_toy(seeded: Seeded) -> None:
    AiModel.objects.create(provider=Provider.objects.get(slug="toy"), remote="real")
    Provider.objects.create(slug="empty", name="Empty", base_url="https://api.example.com")
    shown = {one.slug: one.is_toy for one in with_counts(Provider.objects.all())}  # type: ignore[attr-defined]
    assert shown == {"toy": False, "echo": True, "empty": False}


def test_the_prompt_is_in_production_published_called_and_wished_for(seeded: Seeded) -> None:
    prompt = Prompt.objects.get()
    assert prompt.labels.get(name=PromptLabel.PRODUCTION).version.number == 1
    version = ApiVersion.objects.get(upstream__prompt=prompt)
    assert Publication.objects.filter(api_version=version).exists()
    assert version.api.plans.get().name == "Support desk"
    assert seeded.key.startswith("ghp")
    subscription = Subscription.objects.get(api_version=version)
    assert subscription.environment.slug == "production"
    waiting = AccessRequest.objects.filter(state=AccessRequest.State.PENDING, api_version=version)
    assert waiting.get().environment.slug == "sandbox"


def test_its_tests_are_asked_for_once_models_can_be_asked(seeded: Seeded) -> None:
    version = Prompt.objects.get().versions.get()
    assert "Run its tests first" in failed_requirements(version)
    start_tests()
    start_tests()
    run = TestRun.objects.get()
    assert (run.version, run.started_by) == (version, "Alice")
    assert version.prompt.test_cases.count() == 3


def test_without_the_toy_the_echo_answers(places: None) -> None:
    seed(factories.PASSWORD, UPSTREAMS, {"echo": MODELS["echo"]})
    assert [target.model.name for target in ModelRoute.objects.get().targets.all()] == ["echo/echo"]


@pytest.mark.parametrize(
    "address",
    [
        "/ai/providers/",
        "/ai/routes/",
        "/ai/prompts/shop/ticket-triage/edit/",
        "/ai/prompts/shop/ticket-triage/v1/",
    ],
)
def test_pages_mark_toys(seeded: Seeded, client_of: Any, address: str) -> None:
    page = client_of(User.objects.get(email="alice@example.test")).get(address).content.decode()
    assert page.count('class="toy-mark"') >= 2
