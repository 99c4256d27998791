"""A prompt on the whole way: on the AI runtime first, then on the gateway in front, called on the wire."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from django.utils import timezone

from ai.actions import create_test_case, start_test_run
from ai.keys import put_value
from ai.models import (
    AiModel,
    ModelPrice,
    ModelRoute,
    Prompt,
    PromptLabel,
    PromptVersion,
    Provider,
    ProviderKey,
    RouteTarget,
    TestRun,
)
from ai.runtime.counters import counter_key
from ai.tickets import make_ticket, ticket_key
from apis.actions import choose_upstream, create_ai_upstream
from apis.models import ApiVersion
from gateways.actions import (
    PlaceToPublish,
    mark_behind,
    preview_publishing,
    publish,
    reconcile,
    run_prompt_tests,
    withdraw,
)
from gateways.ai_trials import ticket_for, try_provider
from gateways.enforcement import enforcement_of
from gateways.models import Deployment, Gateway, GatewayListener, Publication
from subscriptions.actions import change_budget
from subscriptions.models import Budget, BudgetCount
from teams.models import Team
from teams.models.actor import SYSTEM
from tests import factories
from tests.ai import vendor as vendors
from tests.ai.test_budgets import redis_url
from tests.ai.vendor import Vendor
from tests.gateways.gateway_node import TOKEN, RunningNode, wait_for
from usage.models import LedgerEntry

pytestmark = [pytest.mark.envoy, pytest.mark.django_db(transaction=True)]

VALUES = {"text": "Good morning", "target_lang": "fr"}
RATES = [{"unit": "input", "nanos": 1_000_000_000}, {"unit": "output", "nanos": 2_000_000_000}]


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with Vendor() as found:
        yield found


@contextmanager
def gateway_of(
    kind: str, slug: str, directory: Path, portal_url: str
) -> Iterator[tuple[Gateway, RunningNode]]:
    """A gateway with one node that reports to the portal of a test."""
    node = RunningNode(directory / slug, kind=kind, portal_url=portal_url, name=f"{slug}-1")
    gateway = factories.make_gateway(slug, kind, token=f"{TOKEN}-of-{slug}")
    gateway.options = {"listen": "127.0.0.1"}
    gateway.save()
    for listener in GatewayListener.objects.filter(gateway=gateway).select_related("environment"):
        port = node.production_port if listener.environment.slug == "production" else node.sandbox_port
        listener.port, listener.public_url = port, f"http://127.0.0.1:{port}"
        listener.save()
    node.token = f"{TOKEN}-of-{slug}"
    node.redis_url = redis_url()
    node.start()
    try:
        yield gateway, node
    finally:
        node.stop()


@pytest.fixture
def counters() -> Iterator[redis.Redis]:
    """The Redis that counts budgets."""
    server = redis.Redis.from_url(redis_url())
    yield server
    server.close()


@pytest.fixture
def runtime(tmp_path: Path, live_server: Any) -> Iterator[Gateway]:
    with gateway_of("ai_runtime", "models", tmp_path, live_server.url) as (gateway, _node):
        yield gateway


@pytest.fixture(params=["envoy"])
def edge(
    request: pytest.FixtureRequest, tmp_path: Path, live_server: Any
) -> Iterator[tuple[Gateway, RunningNode]]:
    with gateway_of(request.param, "edge", tmp_path, live_server.url) as found:
        yield found


@pytest.fixture
def prompt(shop: Team, vendor: Vendor) -> Prompt:
    """A prompt in use, and all that answers it."""
    provider = Provider.objects.create(slug="vendor", name="Vendor", base_url=f"{vendor.url}/v1")
    key = ProviderKey(provider=provider, label="main")
    put_value(key, "sk-vendor")
    key.save()
    model = AiModel.objects.create(
        provider=provider, remote="small", max_output=1000, capabilities=["stream"]
    )
    ModelPrice.objects.create(model=model, version="2026-01-01", valid_from=timezone.now(), rates=RATES)
    route = ModelRoute.objects.create(alias="fast")
    RouteTarget.objects.create(route=route, model=model)
    prompt = Prompt.objects.create(team=shop, slug="translate", name="Translate")
    freeze(prompt, route, "Translate into {{target_lang}}: {{text}}")
    return prompt


def freeze(prompt: Prompt, route: ModelRoute, text: str) -> PromptVersion:
    """Another version, named production at once."""
    version = PromptVersion.objects.create(
        prompt=prompt,
        number=prompt.versions.count() + 1,
        messages=[{"role": "user", "content": text}],
        variables=[
            {"name": "text", "type": "string"},
            {"name": "target_lang", "type": "string", "enum": ["fr", "de"]},
        ],
        route=route,
        frozen_by="alice",
    )
    PromptLabel.objects.update_or_create(
        prompt=prompt, name=PromptLabel.PRODUCTION, defaults={"version": version}
    )
    return version


@pytest.fixture
def translate(shop: Team, prompt: Prompt) -> ApiVersion:
    """An API whose calls go to the prompt."""
    version = factories.make_version(factories.make_api(shop, "Translate"))
    labels = {factories.make_environment(): PromptLabel.PRODUCTION}
    upstream = create_ai_upstream(actor=SYSTEM, team=shop, name="translate", prompt=prompt, labels=labels)
    return choose_upstream(version, actor=SYSTEM, upstream=upstream)


def run(gateway: Gateway) -> Deployment | None:
    mark_behind([gateway.pk])
    return reconcile(Gateway.objects.get(pk=gateway.pk), whether_due=True)


def is_rung(gateway: Gateway) -> bool:
    return Gateway.objects.get(pk=gateway.pk).behind_since is not None


def call(node: RunningNode, key: str, body: Any = VALUES, **headers: str) -> httpx.Response:
    url = f"http://127.0.0.1:{node.production_port}/shop/translate/v1"
    return httpx.post(url, json=body, headers={"x-api-key": key, **headers}, trust_env=False)


def states(publication: Publication) -> dict[str, str]:
    found = enforcement_of(Publication.objects.get(pk=publication.pk))
    return {segment.slug: segment.state.value for segment in found.segments}


def test_the_runtime_comes_first_and_goes_last(
    runtime: Gateway,
    edge: tuple[Gateway, RunningNode],
    translate: ApiVersion,
    prompt: Prompt,
    vendor: Vendor,
) -> None:
    front, node = edge
    vendor.answers(vendors.completion("Bonjour"))
    [preview] = preview_publishing(
        translate, [PlaceToPublish(front, factories.make_environment())], actor=SYSTEM
    )
    assert preview.after_runtime
    assert preview.part is not None
    assert [change["kind"] for change in preview.part.changes] == ["upstream", "route"]
    publication = publish(translate, front, factories.make_environment(), actor=SYSTEM)
    subscription = factories.make_subscription(plan_revision=factories.make_plan(translate.api))
    _credential, key = factories.make_credential(subscription)

    run(front)
    assert states(publication) == {"edge": "pushing", "models": "pushing"}
    assert call(node, key).status_code == 404, "the gateway has no route yet"

    deployment = run(runtime)
    assert deployment is not None
    assert deployment.state == Deployment.State.SUCCEEDED, deployment.message
    assert run(runtime) is None, "a second run finds nothing to do"
    assert is_rung(front), "the proof of the one is the bell of the other"
    run(front)
    assert states(publication) == {"edge": "live", "models": "live"}
    answer = call(node, key)
    assert answer.status_code == 200, answer.text
    assert answer.json()["output"] == "Bonjour"
    assert answer.json()["cost"]["amount"] == "0.00002"
    assert vendor.asked[-1].headers["authorization"] == "Bearer sk-vendor"
    entry = wait_for(LedgerEntry.objects.first)
    assert (entry.application, entry.input_tokens, entry.cost_nano) == (
        subscription.application.public_id,
        10,
        20_000,
    )

    freeze(prompt, ModelRoute.objects.get(), "Say in {{target_lang}}: {{text}}")
    run(runtime)
    assert call(node, key).json()["prompt"]["version"] == 2
    assert vendor.asked[-1].json["messages"][0]["content"] == "Say in fr: Good morning"

    withdraw(publication, actor=SYSTEM, reason="No longer needed")
    run(runtime)
    assert call(node, key).status_code == 200, "the runtime waits for the gateway"
    run(front)
    assert call(node, key).status_code == 404
    assert is_rung(runtime)
    run(runtime)
    assert states(publication) == {"edge": "removed", "models": "removed"}


@pytest.mark.parametrize("edge", ["envoy", "nginx"], indirect=True)
def test_nothing_that_a_caller_says_of_itself_is_believed(
    runtime: Gateway, edge: tuple[Gateway, RunningNode], translate: ApiVersion, vendor: Vendor
) -> None:
    """T17: neither through the gateway nor past it."""
    front, node = edge
    publication = publish(translate, front, factories.make_environment(), actor=SYSTEM)
    mine = factories.make_subscription(plan_revision=factories.make_plan(translate.api))
    other = factories.make_subscription(plan_revision=factories.make_plan(translate.api, "Silver"))
    _credential, key = factories.make_credential(mine)
    for gateway in (runtime, front):
        run(gateway)
    spoofed = {"x-gatehouse-subscription": other.public_id, "x-gatehouse-hop": "guess"}
    assert call(node, key, **spoofed).status_code == 200
    past = GatewayListener.objects.get(gateway=runtime, environment__slug="production").public_url
    answer = httpx.post(f"{past}/-/{publication.public_id}/", json=VALUES, headers=spoofed, trust_env=False)
    assert answer.status_code == 401
    assert (
        httpx.post(
            f"{past}/shop/translate/v1", json=VALUES, headers={"x-api-key": key}, trust_env=False
        ).status_code
        == 200
    )


def test_the_test_cases_of_a_prompt_are_run_where_its_calls_are_answered(
    runtime: Gateway, prompt: Prompt, vendor: Vendor
) -> None:
    vendor.answers(vendors.completion("Bonjour"))
    run(runtime)
    values = {"text": "Good morning", "target_lang": "fr"}
    right = create_test_case(
        prompt, actor=SYSTEM, name="right", values=values, check_kind="exact", expected="Bonjour"
    )
    wrong = create_test_case(
        prompt, actor=SYSTEM, name="wrong", values=values, check_kind="exact", expected="Salut"
    )
    asked = start_test_run(prompt, version=prompt.versions.get(), actor=SYSTEM)
    found = run_prompt_tests(asked.public_id)
    assert found is not None
    assert found.state == TestRun.State.FAILED
    outcomes = {result.case_id: result for result in found.results.all()}
    assert (outcomes[right.pk].passed, outcomes[wrong.pk].passed) == (True, False)
    assert (outcomes[right.pk].tokens, outcomes[right.pk].cost_nano, outcomes[right.pk].currency) == (
        15,
        20_000,
        "USD",
    )
    assert run_prompt_tests(asked.public_id) == found, "told twice, nothing is asked again"
    assert len(vendor.asked) == 2
    entries = wait_for(lambda: list(LedgerEntry.objects.all()) if LedgerEntry.objects.count() == 2 else [])
    assert {(entry.surface, entry.team) for entry in entries} == {("editor", prompt.team.public_id)}


def test_without_a_runtime_a_test_run_says_so(prompt: Prompt) -> None:
    create_test_case(prompt, actor=SYSTEM, name="any", values=VALUES, check_kind="contains", expected="x")
    asked = start_test_run(prompt, version=prompt.versions.get(), actor=SYSTEM)
    found = run_prompt_tests(asked.public_id)
    assert found is not None
    assert found.state == TestRun.State.BROKEN
    assert "no AI runtime" in found.problem


def test_a_provider_is_tried_in_the_vendors_own_words(
    runtime: Gateway, prompt: Prompt, vendor: Vendor
) -> None:
    run(runtime)
    provider, key = Provider.objects.get(), ProviderKey.objects.get()
    vendor.answers(vendors.completion("Hello there"))
    tried = try_provider(provider, key, "a-model-that-is-not-in-the-catalogue")
    assert (tried.ok, tried.message) == (True, "Hello there")
    assert vendor.asked[-1].headers["authorization"] == "Bearer sk-vendor"
    vendor.answers(
        vendors.error(401, {"error": {"message": "Incorrect API key provided", "code": "invalid_api_key"}})
    )
    tried = try_provider(provider, key, "small")
    assert (tried.ok, tried.status, tried.message) == (False, 401, "Incorrect API key provided")


def test_a_ticket_is_good_for_its_models_and_its_time_alone(
    runtime: Gateway, prompt: Prompt, vendor: Vendor
) -> None:
    run(runtime)
    model = AiModel.objects.get()
    body = {
        "prompt": {"messages": [{"role": "user", "content": "Hi"}]},
        "values": {},
        "model": model.public_id,
    }

    def answer(ticket: str) -> httpx.Response:
        headers = {"authorization": f"Bearer {ticket}"}
        return httpx.post(f"{url}/-/editor", json=body, headers=headers, trust_env=False)

    def ask(ticket: str) -> int:
        return answer(ticket).status_code

    def said(ticket: str) -> str:
        return str(answer(ticket).json()["detail"])

    good = ticket_for("team_x", [model.public_id])
    url = good.url
    assert ask(good.ticket) == 200
    assert ask(ticket_for("team_x", ["mdl_other"]).ticket) == 404
    vendor.answers(vendors.error(500, {"error": {"message": "The model is on fire"}}))
    assert "The model is on fire" in said(good.ticket), "who writes a prompt hears why it does not run"
    vendor.answers(vendors.error(401, {"error": {"message": "Incorrect key sk-vend...dor"}}))
    assert "refuses the key" in said(good.ticket)
    assert "sk-vend" not in said(good.ticket)
    assert ask(f"{good.ticket[:-1]}x") == 401
    assert ask("guessed") == 401
    old = make_ticket(ticket_key(f"{TOKEN}-of-models"), {"team": "t", "models": [model.public_id]}, until=1)
    assert ask(old) == 401
    tried = httpx.post(
        f"{url}/-/try", json={}, headers={"authorization": f"Bearer {good.ticket}"}, trust_env=False
    )
    assert tried.status_code == 403, "a browser's ticket tries no vendors"


def test_a_budget_is_kept_to_and_outlives_the_counters_that_it_is_kept_with(
    runtime: Gateway, translate: ApiVersion, vendor: Vendor, counters: redis.Redis
) -> None:
    """A call costs 20,000 billionths of a dollar, and some two million are held for it."""
    publish(translate, factories.make_gateway(), factories.make_environment(), actor=SYSTEM)
    subscription = factories.make_subscription(plan_revision=factories.make_plan(translate.api))
    _credential, key = factories.make_credential(subscription)
    url = GatewayListener.objects.get(gateway=runtime, environment__slug="production").public_url

    def call_runtime() -> httpx.Response:
        return httpx.post(
            f"{url}/shop/translate/v1", json=VALUES, headers={"x-api-key": key}, trust_env=False
        )

    def told_of(calls: int) -> bool:
        return LedgerEntry.objects.count() == calls

    def counted() -> tuple[int | None, int]:
        """What was added up of the ledger, and what Redis has spent of it."""
        count = BudgetCount.objects.get()
        name = counter_key(budget.public_id, count.generation, "month", timezone.now())
        return count.base, int(counters.hget(name, "spent") or 0)

    run(runtime)
    assert call_runtime().status_code == 200
    wait_for(lambda: told_of(1))
    budget = factories.make_budget(subscription.application, limit=10_000_000)
    run(runtime)
    wait_for(lambda: counted()[0] == 20_000)
    run(runtime)
    assert call_runtime().status_code == 200
    wait_for(lambda: counted()[1] == 40_000)
    [segment] = enforcement_of(Budget.objects.told().get(pk=budget.pk)).segments
    assert segment.state.value == "live"

    counters.flushdb()
    refused = call_runtime()
    assert (refused.status_code, refused.json()["code"]) == (503, "budget_unavailable")
    wait_for(lambda: counted()[0] == 40_000)
    run(runtime)
    assert call_runtime().status_code == 200
    wait_for(lambda: counted()[1] == 60_000)

    change_budget(budget, actor=SYSTEM, limit=1_000_000)
    run(runtime)
    refused = call_runtime()
    assert (refused.status_code, refused.json()["code"]) == (402, "budget_exceeded")
    assert "Budget" in refused.json()["detail"]
    wait_for(lambda: told_of(3))
    assert sum(LedgerEntry.objects.values_list("cost_nano", flat=True)) == counted()[1]
