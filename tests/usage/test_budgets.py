"""Budgets: who may set them for what, how they stand by the ledger, and how runtimes come to count them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from audit.models import AuditEvent
from gateways.ai_desired import budget_of, budgets
from gateways.enforcement import enforcement_of
from gateways.engine.document import digest
from gateways.models import AppliedObject, EnforcementState, Gateway, GatewayNode, Publication
from subscriptions.actions import BudgetValues, change_budget, retire_budget, set_budget
from subscriptions.models import Budget, Credential, Endpoint
from teams.models import Notice, Team, TeamRole, User
from teams.queries import actor_of_user
from tests import factories
from tests.ai import factories as ai_factories
from tests.usage.ai_feeds import ai_line, attempt, take_in
from usage.actions import ingest_batch, take_stock, warn_of_budgets
from usage.actions.recount import take_stock_of
from usage.budgets import standings
from usage.models import BudgetMark

DOLLAR = 1_000_000_000
CALL = 20_000
"""What a call of these tests costs, in billionths of a dollar; it takes 15 tokens."""


@pytest.fixture
def runtime(db: None) -> Gateway:
    gateway = factories.make_gateway("models", Gateway.Kind.AI_RUNTIME)
    factories.make_node(gateway, "n1")
    return gateway


@pytest.fixture
def planner(key: Credential) -> Budget:
    """Logistics' own budget for its application: a dollar a month."""
    application = key.subscription.application
    return factories.make_budget(application, team=application.team, name="Planner", limit=DOLLAR)


def mark(budget: Budget, generation: str) -> bytes:
    """As a runtime marks that it counts from there on."""
    return orjson.dumps(["mark", {budget.public_id: generation}]) + b"\n"


def spent(budget: Budget) -> int:
    return standings([Budget.objects.told().get(pk=budget.pk)])[0].spent


def told(budget: Budget) -> dict[str, Any]:
    """What runtimes are told of it."""
    found = next(item for item in budgets() if item.id == budget.public_id)
    return {name: found.content[name] for name in ("generation", "base", "is_new")}


# ---- setting one ----


def test_a_team_sets_budgets_for_what_it_has_a_say_over(
    key: Credential, orders: Publication, shop: Team, logistics: Team
) -> None:
    dana, alice = (actor_of_user(factories.make_user(f"{n}@x.test", name=n)) for n in ("Dana", "Alice"))
    factories.join(logistics, dana.user, TeamRole.OWNER)  # type: ignore[arg-type]
    factories.join(shop, alice.user, TeamRole.OWNER)  # type: ignore[arg-type]
    dana, alice = actor_of_user(dana.user), actor_of_user(alice.user)
    subscription, version = key.subscription, orders.api_version
    dollar = BudgetValues(DOLLAR, currency="USD")
    for team, actor, targets in (
        (logistics, dana, (logistics, subscription.application, subscription)),
        (shop, alice, (shop, subscription, Endpoint(version, orders.environment))),
    ):
        for target in targets:
            assert set_budget("Mine", target, dollar, actor=actor, team=team).team == team
    refused = (
        (dana, logistics, Endpoint(version, orders.environment)),
        (alice, shop, subscription.application),
        (alice, shop, ai_factories.make_model()),
        (alice, logistics, logistics),
        (alice, None, shop),
    )
    for actor, team, target in refused:
        with pytest.raises(PermissionDenied):
            set_budget("Not mine", target, dollar, actor=actor, team=team)
    assert Budget.objects.count() == 6


@pytest.mark.parametrize(
    ("values", "field"),
    [
        (BudgetValues(0, currency="USD"), "limit"),
        (BudgetValues(5), "__all__"),
        (BudgetValues(5, unit="tokens", currency="USD"), "__all__"),
        (BudgetValues(5, currency="usd"), "__all__"),
    ],
)
def test_a_budget_that_makes_no_sense_is_refused(shop: Team, values: BudgetValues, field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        factories.make_budget(shop, **{name: getattr(values, name) for name in ("limit", "unit", "currency")})
    assert field in refused.value.message_dict


def test_there_is_one_budget_of_a_kind_until_it_ends(shop: Team) -> None:
    first = factories.make_budget(shop)
    with pytest.raises(ValidationError, match="such a budget already"):
        factories.make_budget(shop)
    retire_budget(first, actor=factories.SYSTEM)
    assert factories.make_budget(shop).pk != first.pk


def test_what_was_done_to_a_budget_stands_in_the_audit_trail(shop: Team) -> None:
    budget = factories.make_budget(shop)
    change_budget(budget, actor=factories.SYSTEM, limit=5)
    retire_budget(budget, actor=factories.SYSTEM, reason="Over.")
    events = AuditEvent.objects.filter(target_id=budget.public_id).order_by("pk")
    assert [event.name for event in events] == ["budget.set", "budget.changed", "budget.retired"]
    assert events[1].before["limit"] != events[1].after["limit"] == 5


# ---- how it stands ----


def test_every_scope_counts_its_own_calls(
    runtime: Gateway, orders: Publication, key: Credential, shop: Team
) -> None:
    subscription = key.subscription
    model = ai_factories.make_model()
    own = [
        factories.make_budget(target)
        for target in (
            subscription.application.team,
            subscription.application,
            subscription,
            Endpoint(orders.api_version, orders.environment),
            model,
        )
    ]
    others = [
        factories.make_budget(shop),
        factories.make_budget(Endpoint(orders.api_version, factories.make_environment("sandbox"))),
        factories.make_budget(ai_factories.make_model("other")),
    ]
    used = attempt()
    used.model = model.public_id
    take_in(runtime, 0, ai_line(orders, key, attempts=[used]))
    assert [spent(budget) for budget in own] == [CALL] * 5
    assert [spent(budget) for budget in others] == [0] * 3


def test_money_of_another_currency_and_of_another_period_does_not_count(
    runtime: Gateway, orders: Publication, key: Credential
) -> None:
    application = key.subscription.application
    euros = factories.make_budget(application, currency="EUR")
    today = factories.make_budget(application, period="day")
    tokens = factories.make_budget(application, unit="tokens", currency="", limit=1000)
    yesterday = timezone.now().timestamp() * 1000 - 86_400_000
    body = ai_line(orders, key) + ai_line(orders, key, run="run_2", at_ms=yesterday)
    take_in(runtime, 0, body)
    assert spent(euros) == 0
    assert spent(today) == CALL
    same_month = datetime.fromtimestamp(yesterday / 1000, UTC).month == datetime.now(UTC).month
    assert spent(tokens) == (30 if same_month else 15)


def test_a_price_that_is_not_known_is_told_and_not_counted_as_nothing(
    runtime: Gateway, orders: Publication, key: Credential, planner: Budget
) -> None:
    take_in(runtime, 0, ai_line(orders, key, attempts=[attempt(cost=None)]))
    standing = standings([Budget.objects.told().get(pk=planner.pk)])[0]
    assert (standing.spent, standing.unpriced) == (0, 1)


# ---- how runtimes come to count it ----


def test_a_new_budget_is_counted_from_the_mark_on_and_the_ledger_says_what_was_before(
    runtime: Gateway,
    orders: Publication,
    key: Credential,
    planner: Budget,
    django_capture_on_commit_callbacks: Callable[..., Any],
) -> None:
    first = told(planner)
    assert (first["base"], first["is_new"]) == (None, True)
    calls = [ai_line(orders, key, run=f"run_{number}") for number in range(5)]
    body = b"".join([*calls[:2], mark(planner, first["generation"]), *calls[2:]])
    with django_capture_on_commit_callbacks(execute=True):
        take_in(runtime, 0, body)
    assert told(planner) == {"generation": first["generation"], "base": 2 * CALL, "is_new": False}
    assert spent(planner) == 5 * CALL


def test_the_sum_waits_for_the_mark_of_every_runtime_that_answers(
    runtime: Gateway, orders: Publication, key: Credential, planner: Budget
) -> None:
    second = factories.make_gateway("more-models", Gateway.Kind.AI_RUNTIME)
    node = factories.make_node(second, "n1")
    generation = told(planner)["generation"]
    first = ai_line(orders, key) + mark(planner, generation)
    take_in(runtime, 0, first)
    assert take_stock() == 0
    take_in(
        second,
        0,
        ai_line(orders, key, run="run_2") + mark(planner, generation) + ai_line(orders, key, run="3"),
    )
    assert take_stock() == 1
    assert told(planner)["base"] == 2 * CALL
    # One that is silent is not waited for.
    take_in(runtime, len(first), mark(planner, "second"))
    assert take_stock() == 0
    GatewayNode.objects.filter(pk=node.pk).update(heartbeat_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert take_stock() == 1
    assert told(planner) == {"generation": "second", "base": 3 * CALL, "is_new": False}


def test_lost_counters_are_added_up_anew_as_far_as_the_new_mark(
    runtime: Gateway, orders: Publication, key: Credential, planner: Budget
) -> None:
    body = ai_line(orders, key) + mark(planner, told(planner)["generation"])
    take_in(runtime, 0, body)
    take_stock()
    more = ai_line(orders, key, run="run_2") + mark(planner, "anew") + ai_line(orders, key, run="run_3")
    take_in(runtime, len(body), more)
    assert told(planner)["base"] is None
    take_stock()
    assert told(planner) == {"generation": "anew", "base": 2 * CALL, "is_new": False}


def test_a_sum_that_a_newer_generation_has_overtaken_is_not_written(
    runtime: Gateway, orders: Publication, key: Credential, planner: Budget
) -> None:
    """Written, it would be the sum of a generation that nobody counts under, and nobody would ask for another."""
    body = ai_line(orders, key) + mark(planner, told(planner)["generation"])
    take_in(runtime, 0, body)
    read_before = Budget.objects.told().get(pk=planner.pk)
    take_in(runtime, len(body), mark(planner, "newer"))
    assert not take_stock_of(read_before)
    assert take_stock() == 1
    assert told(planner)["generation"] == "newer"


def test_a_budget_that_was_renamed_tells_nobody_again(
    runtime: Gateway, orders: Publication, key: Credential, planner: Budget
) -> None:
    change_budget(planner, actor=factories.SYSTEM, limit=CALL)
    take_in(runtime, 0, ai_line(orders, key))
    assert warn_of_budgets() == 1
    change_budget(planner, actor=factories.SYSTEM, name="Planner in the field")
    assert warn_of_budgets() == 0


def test_what_stands_in_a_later_segment_is_behind_the_mark_too(
    runtime: Gateway, orders: Publication, key: Credential, planner: Budget
) -> None:
    take_in(runtime, 0, ai_line(orders, key) + mark(planner, told(planner)["generation"]))
    ingest_batch(runtime, node="n1", segment="s2", offset=0, body=ai_line(orders, key, run="run_2"))
    take_stock()
    assert told(planner)["base"] == CALL


def test_a_mark_sent_twice_and_one_of_a_budget_that_nobody_knows_change_nothing(
    runtime: Gateway, planner: Budget
) -> None:
    unknown = orjson.dumps(["mark", {"bud_unknown": "x"}]) + b"\n"
    body = mark(planner, told(planner)["generation"]) + unknown
    take_in(runtime, 0, body)
    take_in(runtime, 0, body)
    assert BudgetMark.objects.count() == 1


def test_a_budget_is_in_force_when_every_runtime_has_proved_it(runtime: Gateway, planner: Budget) -> None:
    def states() -> list[EnforcementState]:
        target = Budget.objects.told().get(pk=planner.pk)
        return [segment.state for segment in enforcement_of(target).segments]

    assert states() == [EnforcementState.PUSHING]
    item = budget_of(Budget.objects.told().get(pk=planner.pk))
    proof = AppliedObject.objects.create(
        gateway=runtime,
        kind="budget",
        object_id=item.id,
        digest=digest(item),
        confirmed_at=timezone.now(),
    )
    assert states() == [EnforcementState.LIVE]
    change_budget(planner, actor=factories.SYSTEM, limit=5)
    assert states() == [EnforcementState.PUSHING]
    retire_budget(planner, actor=factories.SYSTEM)
    assert states() == [EnforcementState.REMOVING]
    AppliedObject.objects.filter(pk=proof.pk).update(digest="")
    assert states() == [EnforcementState.REMOVED]


# ---- telling ----


def test_its_people_are_told_once_at_each_share(
    runtime: Gateway, orders: Publication, key: Credential, planner: Budget, dana: User
) -> None:
    assert warn_of_budgets() == 0
    change_budget(planner, actor=factories.SYSTEM, limit=CALL * 10 // 8)
    take_in(runtime, 0, ai_line(orders, key))
    assert (warn_of_budgets(), warn_of_budgets()) == (1, 0)
    change_budget(planner, actor=factories.SYSTEM, limit=CALL)
    assert (warn_of_budgets(), warn_of_budgets()) == (1, 0)
    titles = Notice.objects.filter(user=dana).order_by("pk").values_list("title", flat=True)
    assert list(titles) == ["Planner is used to 80 %", "Planner is used up"]


# ---- pages and REST ----


def test_dana_sets_a_budget_for_her_application_and_sees_how_it_stands(
    runtime: Gateway, orders: Publication, key: Credential, dana: User, client: Client
) -> None:
    application = key.subscription.application
    take_in(runtime, 0, ai_line(orders, key))
    client.force_login(dana)
    form = client.get(reverse("budget-create"), {"of": f"application:{application.public_id}"})
    assert f'value="application:{application.public_id}" selected' in form.content.decode()
    body = {
        "name": "Planner", "of": f"application:{application.public_id}", "team": application.team.public_id,
        "unit": "money", "amount": "0.0001", "currency": "USD", "period": "month", "at_limit": "refuse",
    }  # fmt: skip
    answer = client.post(reverse("budget-create"), body, follow=True)
    page = answer.content.decode()
    assert "0.00002 USD" in page
    assert "of 0.0001 USD" in page
    assert "20 %" in page
    listed = client.get(reverse("budgets")).content.decode()
    assert "Planner" in listed
    assert "Route planner" in listed


def test_the_team_that_has_a_say_need_not_be_named(
    key: Credential, dana: User, ada: User, client: Client
) -> None:
    application = key.subscription.application
    body = {
        "name": "Planner", "of": f"application:{application.public_id}", "team": "", "unit": "tokens",
        "amount": "100", "period": "month", "at_limit": "refuse",
    }  # fmt: skip
    for person, team in ((dana, application.team), (ada, None)):
        client.force_login(person)
        assert client.post(reverse("budget-create"), body).status_code == 302
        assert Budget.objects.latest("pk").team == team


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"amount": "0"}, "greater than or equal"),
        ({"unit": "tokens", "amount": "1.5"}, "Tokens are whole"),
        ({"currency": ""}, "Name the currency"),
        ({"of": "application:app_unknown"}, "not one of the available choices"),
    ],
)
def test_a_form_that_makes_no_sense_says_what_to_do(
    key: Credential, dana: User, client: Client, changes: dict[str, str], words: str
) -> None:
    application = key.subscription.application
    body = {
        "name": "Planner", "of": f"application:{application.public_id}", "team": application.team.public_id,
        "unit": "money", "amount": "1", "currency": "USD", "period": "month", "at_limit": "refuse",
    }  # fmt: skip
    client.force_login(dana)
    answer = client.post(reverse("budget-create"), {**body, **changes})
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not Budget.objects.exists()


def test_charlie_sees_no_budget_of_others(planner: Budget, charlie: User, client: Client) -> None:
    client.force_login(charlie)
    assert client.get(reverse("budget", args=[planner.public_id])).status_code == 404
    assert "Planner" not in client.get(reverse("budgets")).content.decode()


def test_a_budget_over_rest(
    runtime: Gateway, orders: Publication, key: Credential, dana: User, client: Client
) -> None:
    headers = {"Authorization": f"Bearer {factories.make_api_token(user=dana)[1]}"}
    application = key.subscription.application
    take_in(runtime, 0, ai_line(orders, key))
    body = {
        "name": "Planner", "team": application.team.slug, "scope": "application", "of": application.public_id,
        "unit": "tokens", "limit": 100,
    }  # fmt: skip
    made = client.post(reverse("rest-budget-list"), body, content_type="application/json", headers=headers)
    assert made.status_code == 201, made.content
    budget = made.json()
    assert (budget["spent"], budget["left"], budget["of"]) == (15, 85, application.public_id)
    url = reverse("rest-budget-detail", args=[budget["id"]])
    changed = client.patch(url, {"limit": 10}, content_type="application/json", headers=headers)
    assert (changed.json()["limit"], changed.json()["left"]) == (10, 0)
    ended = client.post(f"{url}/retire", {}, content_type="application/json", headers=headers)
    assert ended.json()["state"] == "retired"
    nothing = client.post(
        reverse("rest-budget-list"),
        {**body, "of": "app_unknown"},
        content_type="application/json",
        headers=headers,
    )
    assert nothing.status_code == 422
    assert "You see no application with this id." in nothing.content.decode()
