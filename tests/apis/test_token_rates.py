"""Token rates belong to plans of AI endpoints: offered in the form, kept by the runtime, refused elsewhere."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse

from ai.models import Prompt
from apis.actions import choose_upstream, create_ai_upstream, create_plan
from apis.models import Api, PlanLimits
from gateways.ai_desired import callers
from gateways.desired import desired_subscriptions
from teams.models import SYSTEM, Team, User
from tests import factories
from tests.ai import factories as ai_factories

LIMITS = PlanLimits(10, 20, rate_tokens=60_000, rate_tokens_period_s=3600)


@pytest.fixture
def prompt(shop: Team) -> Prompt:
    prompt = ai_factories.make_prompt(shop, "Translate")
    ai_factories.make_label(ai_factories.make_prompt_version(prompt))
    return prompt


@pytest.fixture
def translate(shop: Team, prompt: Prompt) -> Api:
    """An API that is answered by a prompt."""
    version = factories.make_version(factories.make_api(shop, "Translate"))
    labels = {factories.make_environment(): "production"}
    upstream = create_ai_upstream(actor=SYSTEM, team=shop, name="translate", prompt=prompt, labels=labels)
    factories.make_revision(choose_upstream(version, actor=SYSTEM, upstream=upstream))
    return version.api


def test_the_runtime_is_told_the_token_rate_of_each_subscription(translate: Api) -> None:
    limited = create_plan(translate, actor=SYSTEM, name="Bronze", limits=LIMITS, publish=True)
    free = create_plan(translate, actor=SYSTEM, name="Gold", limits=PlanLimits(10, 20), publish=True)
    subscriptions = [factories.make_subscription(plan_revision=plan.current) for plan in (limited, free)]
    told = {c.id: c.content for c in callers(desired_subscriptions(), [s.public_id for s in subscriptions])}
    rates = [(c["tokens"], c["tokens_period_s"]) for c in (told[s.public_id] for s in subscriptions)]
    assert rates == [(60_000, 3600), (0, 60)]


def test_a_plan_says_its_token_rate_in_words() -> None:
    assert str(LIMITS) == "at most 20 calls at once, refilled 10 per second; 60,000 tokens per hour"


def test_an_api_that_consumes_no_tokens_has_no_rate_of_them(shop: Team, client: Client, alice: User) -> None:
    api = factories.make_version(factories.make_api(shop, "Orders")).api
    with pytest.raises(ValidationError, match="Only calls of a prompt or a model consume tokens"):
        create_plan(api, actor=SYSTEM, name="Bronze", limits=LIMITS)
    assert not api.plans.exists()
    client.force_login(alice)
    form = client.get(reverse("plan-create", args=["shop", api.slug])).content.decode()
    assert "rate_tokens" not in form


def test_alice_enters_a_token_rate_for_an_ai_endpoint(translate: Api, client: Client, alice: User) -> None:
    client.force_login(alice)
    body = {
        "name": "Bronze", "rate_calls": "10", "rate_period_s": "1", "burst": "20", "rate_tokens": "60000",
        "rate_tokens_period_s": "3600", "approval": "manual", "price": "0", "currency": "EUR",
    }  # fmt: skip
    answer = client.post(reverse("plan-create", args=["shop", translate.slug]), body)
    assert answer.status_code == 302, answer.content.decode()[:2000]
    plan = translate.plans.get()
    assert plan.current is not None
    assert (plan.current.rate_tokens, plan.current.rate_tokens_period_s) == (60_000, 3600)
