"""What rings a gateway: events, heartbeats, the clock; and that nothing is lost when a bell is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.utils import timezone

from apis.actions import set_binding
from apis.models import UpstreamBinding
from gateways.actions import Heartbeat, publish, record_heartbeat, sweep, withdraw
from gateways.actions.restored import remember_handed_out
from gateways.actions.ringing import RECONCILE_TASK
from gateways.drivers.memory import Decision
from gateways.engine.driver import Mark
from gateways.models import AppliedObject, Deployment, Gateway, GatewayNode, Publication
from gateways.receivers import TOUCHED
from gateways.tasks import reconcile_gateway
from gateways.tasks import sweep as sweep_task
from subscriptions.actions import (
    block_until,
    issue_credential,
    lift_block,
    resume_subscription,
    revoke_credential,
    suspend_subscription,
)
from subscriptions.models import Subscription
from teams.models import SYSTEM, Actor, User
from teams.queries import actor_of_user
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)

reconciling = import_module("gateways.actions.reconcile")  # the package gives the function by that name

Push = Callable[[Gateway], Deployment | None]


@pytest.fixture
def subscription(published: Publication, logistics: Any) -> Subscription:
    application = factories.make_application(logistics)
    return factories.make_subscription(application, factories.make_plan(published.api_version.api))


@pytest.fixture
def owner(alice: User) -> Actor:
    return actor_of_user(alice)


@pytest.fixture
def consumer(dana: User) -> Actor:
    return actor_of_user(dana)


def is_behind(gateway: Gateway) -> bool:
    return Gateway.objects.get(pk=gateway.pk).behind_since is not None


def settle(gateway: Gateway) -> None:
    """What the worker does when it hears the bell."""
    reconcile_gateway(gateway.pk)
    assert not is_behind(gateway)


def test_a_run_that_never_comes_to_an_end_rings_for_the_next(
    edge: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events that arrive faster than runs end: the worker gives way to others, and is called again."""
    rung: list[int] = []
    monkeypatch.setattr(reconciling, "ring", rung.extend)
    monkeypatch.setattr(reconciling, "is_due", lambda _gateway: True)
    reconcile_gateway(edge.pk)
    assert rung == [edge.pk]


def test_the_task_goes_by_the_name_that_is_rung() -> None:
    assert reconcile_gateway.name == RECONCILE_TASK


def test_every_decision_about_a_subscription_rings_its_gateway_and_no_other(
    edge: Gateway, subscription: Subscription, owner: Actor, consumer: Actor, call: Callable[..., Decision]
) -> None:
    other = factories.make_gateway("other")
    path = "/shop/orders/v1/orders"
    credential, value = issue_credential(subscription, actor=consumer, name="first")
    assert is_behind(edge)
    assert not is_behind(other)
    settle(edge)
    assert call(edge, path, value).status == 200
    suspend_subscription(subscription, actor=owner, reason="unpaid")
    assert is_behind(edge)
    settle(edge)
    assert call(edge, path, value).status == 401
    resume_subscription(subscription, actor=owner)
    settle(edge)
    block = block_until(subscription, "quota_day", timezone.now() + timedelta(hours=1), actor=SYSTEM)
    settle(edge)
    assert call(edge, path, value).status == 429
    lift_block(block, actor=SYSTEM)
    settle(edge)
    assert call(edge, path, value).status == 200
    revoke_credential(credential, actor=consumer, reason="leaked")
    assert is_behind(edge)
    settle(edge)
    assert call(edge, path, value).status == 401
    assert not is_behind(other)


def test_publishing_withdrawing_and_new_addresses_ring(
    edge: Gateway, orders: Any, owner: Actor, call: Callable[..., Decision]
) -> None:
    production = factories.make_environment()
    publication = publish(orders, edge, production, actor=owner)
    settle(edge)
    assert Deployment.objects.get().state == "succeeded"
    set_binding(
        orders.upstream, actor=owner, environment=production, targets=[{"url": "http://127.0.0.1:9999"}]
    )
    assert is_behind(edge)
    settle(edge)
    binding = UpstreamBinding.objects.get(upstream=orders.upstream, environment=production)
    assert AppliedObject.objects.filter(kind="upstream", object_id=binding.public_id).exists()
    withdraw(publication, actor=owner, reason="moved")
    settle(edge)
    assert call(edge, "/shop/orders/v1/orders").status == 404


def test_a_bell_without_need_does_nothing(edge: Gateway, subscription: Subscription, push: Push) -> None:
    push(edge)
    before = Gateway.objects.get(pk=edge.pk)
    for _bell in range(3):
        reconcile_gateway(edge.pk)
    after = Gateway.objects.get(pk=edge.pk)
    assert (after.version, after.rung_at) == (before.version, before.rung_at)
    assert Deployment.objects.count() == 1


def test_an_expiring_key_is_found_by_the_clock(
    edge: Gateway, subscription: Subscription, push: Push, call: Callable[..., Decision]
) -> None:
    credential, value = factories.make_credential(
        subscription, expires_at=timezone.now() + timedelta(hours=1)
    )
    push(edge)
    type(credential).objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    Gateway.objects.update(compared_at=None)
    sweep_task()
    assert is_behind(edge)
    settle(edge)
    assert call(edge, "/shop/orders/v1/orders", value).status == 401


def beat(gateway: Gateway, **changes: Any) -> str:
    values: dict[str, Any] = {
        "node": "edge-1",
        "agent_url": "http://127.0.0.1:9100",
        "software": "Envoy",
        "started_at": timezone.now(),
        "version": 1,
        "digest": "a" * 64,
        "serving": True,
    }
    told = Heartbeat(**{**values, **changes})
    remember_handed_out(gateway.pk, Mark(told.version, told.digest))
    return record_heartbeat(Gateway.objects.get(pk=gateway.pk), told)[1]


def test_a_new_node_rings_and_a_known_one_does_not(edge: Gateway) -> None:
    beat(edge)
    assert is_behind(edge)
    Gateway.objects.update(behind_since=None)
    beat(edge)
    assert not is_behind(edge)


def test_a_node_that_returns_ends_the_back_off(edge: Gateway) -> None:
    beat(edge)
    GatewayNode.objects.update(heartbeat_at=timezone.now() - timedelta(minutes=1))
    Gateway.objects.update(failures=5, retry_at=timezone.now() + timedelta(minutes=2), behind_since=None)
    beat(edge)
    edge.refresh_from_db()
    assert edge.retry_at is None
    assert edge.behind_since is not None


def test_a_node_with_something_else_is_told_to_fetch_when_nobody_pushes(edge: Gateway) -> None:
    Gateway.objects.update(pushed_version=3, pushed_digest="b" * 64)
    assert beat(edge) == "fetch"
    assert beat(edge, digest="b" * 64) == "same"
    Gateway.objects.update(lease_owner="run", lease_until=timezone.now() + timedelta(minutes=1))
    assert beat(edge) == "same"


def test_the_sweep_rings_for_a_node_that_serves_something_else(edge: Gateway) -> None:
    beat(edge)
    Gateway.objects.update(
        pushed_version=3, pushed_digest="b" * 64, behind_since=None, compared_at=timezone.now()
    )
    assert sweep() == [edge.pk]


def test_a_node_silent_for_long_is_not_waited_for(edge: Gateway) -> None:
    beat(edge)
    GatewayNode.objects.update(heartbeat_at=timezone.now() - timedelta(hours=1))
    sweep()
    assert GatewayNode.objects.get().retired_at is not None
    beat(edge)
    assert GatewayNode.objects.get().retired_at is None


def test_a_retired_gateway_is_never_rung(edge: Gateway) -> None:
    Gateway.objects.update(retired_at=timezone.now(), behind_since=timezone.now())
    assert sweep() == []
    reconcile_gateway(edge.pk)
    assert Deployment.objects.count() == 0


@pytest.mark.parametrize(
    "name", ["credential.revoked", "subscription.opened", "block.set", "application.changed"]
)
def test_publications_are_not_paired_with_what_is_proven(name: str) -> None:
    """With a thousand APIs and ten thousand keys one query over both joins held every decision up for a second."""
    asked = str(TOUCHED[name]("cred_1").distinct().query)
    outer = asked.partition("WHERE")[0]
    assert "JOIN" not in outer
