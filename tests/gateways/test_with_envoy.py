"""The whole way with a real agent and a real Envoy: decided in rows, called on the wire."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.utils import timezone

from gateways.actions import mark_behind, reconcile, sweep
from gateways.enforcement import enforcement_of
from gateways.models import Deployment, Gateway, GatewayListener, GatewayNode
from subscriptions.models import Block, Credential, Subscription
from tests import factories
from tests.gateways.gateway_node import TOKEN, RunningNode, echo_upstream, wait_for
from usage.actions import reconsider_quotas
from usage.models import QuotaCounter

pytestmark = [pytest.mark.envoy, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def upstream_url() -> Iterator[str]:
    with echo_upstream() as url:
        yield url


@pytest.fixture
def node(tmp_path: Path, live_server: Any) -> Iterator[RunningNode]:
    """An agent that reports to the portal of this test."""
    node = RunningNode(tmp_path / "agent", portal_url=live_server.url)
    yield node
    if node.process is not None and node.process.poll() is None:
        node.stop()


@pytest.fixture
def edge(node: RunningNode) -> Gateway:
    gateway = factories.make_gateway("edge", Gateway.Kind.ENVOY, token=TOKEN)
    gateway.options = {"listen": "127.0.0.1"}
    gateway.save()
    for listener in GatewayListener.objects.select_related("environment"):
        port = node.production_port if listener.environment.slug == "production" else node.sandbox_port
        listener.port, listener.public_url = port, f"http://127.0.0.1:{port}"
        listener.save()
    return gateway


@pytest.fixture
def subscription(edge: Gateway, upstream_url: str) -> Subscription:
    version = factories.make_version(
        factories.make_api(factories.make_team("Shop"), "Orders"), url=upstream_url
    )
    factories.make_publication(version, edge)
    return factories.make_subscription(plan_revision=factories.make_plan(version.api))


def run(gateway: Gateway) -> Deployment | None:
    mark_behind([gateway.pk])
    return reconcile(Gateway.objects.get(pk=gateway.pk), whether_due=True)


def ask(node: RunningNode, key: str = "") -> int:
    headers = {"x-api-key": key} if key else {}
    url = f"http://127.0.0.1:{node.production_port}/shop/orders/v1/orders"
    try:
        return httpx.get(url, headers=headers, trust_env=False).status_code
    except httpx.ConnectError:
        return 0


def state_of(credential: Credential) -> list[str]:
    return [
        segment.state.value for segment in enforcement_of(Credential.objects.get(pk=credential.pk)).segments
    ]


def test_from_a_row_to_a_call_and_back(node: RunningNode, edge: Gateway, subscription: Subscription) -> None:
    node.start()
    wait_for(lambda: GatewayNode.objects.filter(gateway=edge, name="node-1").exists())
    credential, value = factories.make_credential(subscription)
    assert state_of(credential) == ["pushing"]

    deployment = run(edge)
    assert deployment is not None
    assert (deployment.state, deployment.message) == (Deployment.State.SUCCEEDED, "")
    assert state_of(credential) == ["live"]
    assert ask(node, value) == 200
    assert ask(node) == 401
    assert run(edge) is None, "a second run finds nothing"

    Credential.objects.filter(pk=credential.pk).update(state="revoked", ended_at=timezone.now())
    assert state_of(credential) == ["removing"]
    assert ask(node, value) == 200, "and that is the truth"
    run(edge)
    assert state_of(credential) == ["removed"]
    assert ask(node, value) == 401


def test_a_node_that_lost_everything_fetches_it_and_is_proven_again(
    node: RunningNode, edge: Gateway, subscription: Subscription
) -> None:
    credential, value = factories.make_credential(subscription)
    node.start()
    wait_for(GatewayNode.objects.exists)
    run(edge)
    assert ask(node, value) == 200
    node.stop()
    shutil.rmtree(node.state)
    node.start()
    wait_for(lambda: ask(node, value) == 200, 90)
    run(edge)
    assert state_of(credential) == ["live"]
    edge.refresh_from_db()
    wait_for(lambda: GatewayNode.objects.get().digest == edge.pushed_digest)


def test_a_refused_object_stops_nobody_else(
    node: RunningNode, edge: Gateway, subscription: Subscription
) -> None:
    node.start()
    wait_for(GatewayNode.objects.exists)
    _credential, value = factories.make_credential(subscription)
    towards_agent = f"http://127.0.0.1:{node.agent_port}"
    bad = factories.make_publication(factories.make_version(url=towards_agent), edge)
    deployment = run(edge)
    assert deployment is not None
    assert deployment.state == Deployment.State.PARTIAL
    assert ask(node, value) == 200
    [segment] = enforcement_of(bad).segments
    assert segment.state == "held_back"
    assert segment.note


def test_a_dead_node_is_said_and_healed_by_the_sweep(
    node: RunningNode, edge: Gateway, subscription: Subscription
) -> None:
    node.start()
    wait_for(GatewayNode.objects.exists)
    credential, value = factories.make_credential(subscription)
    run(edge)
    node.stop()
    Credential.objects.filter(pk=credential.pk).update(state="revoked", ended_at=timezone.now())
    failed = run(edge)
    assert failed is not None
    assert failed.state == Deployment.State.FAILED
    assert state_of(credential) == ["failed"]
    node.start()
    Gateway.objects.update(retry_at=timezone.now())
    assert sweep() == [edge.pk]
    wait_for(lambda: reconcile(edge, whether_due=True) is not None or state_of(credential) == ["removed"])
    wait_for(lambda: state_of(credential) == ["removed"])
    assert ask(node, value) == 401


def test_a_new_listener_is_pushed_although_no_object_changes(
    node: RunningNode, edge: Gateway, subscription: Subscription
) -> None:
    node.start()
    wait_for(GatewayNode.objects.exists)
    _credential, value = factories.make_credential(subscription)
    run(edge)
    assert ask(node, value) == 200
    old, node.production_port = node.production_port, RunningNode(Path("unused")).production_port
    GatewayListener.objects.filter(port=old).update(port=node.production_port)
    run(edge)
    assert ask(node, value) == 200
    assert not node.listens(old)


def answer_of(node: RunningNode, key: str) -> httpx.Response:
    url = f"http://127.0.0.1:{node.production_port}/shop/orders/v1/orders"
    return httpx.get(url, headers={"x-api-key": key}, trust_env=False)


def test_a_used_up_quota_is_refused_until_the_plan_grows(
    node: RunningNode, edge: Gateway, subscription: Subscription
) -> None:
    """Calls, the gateway's log, the counter, the block, its 429 and the lift: no step is told by the test."""
    api = subscription.api_version.api
    Subscription.objects.update(plan_revision=factories.make_plan(api, "Taste", quota_day=3))
    node.start()
    wait_for(GatewayNode.objects.exists)
    _credential, value = factories.make_credential(subscription)
    run(edge)
    assert [ask(node, value) for _ in range(3)] == [200, 200, 200]

    wait_for(lambda: Block.objects.filter(lifted_at=None).exists())
    assert QuotaCounter.objects.get(period="d").calls == 3
    wait_for(lambda: Gateway.objects.get().behind_since is not None)
    reconcile(edge, whether_due=True)
    refused = answer_of(node, value)
    assert refused.status_code == 429
    assert refused.headers["content-type"].startswith("application/problem+json")
    again = parsedate_to_datetime(refused.headers["retry-after"])
    assert timezone.now() < again <= timezone.now() + timedelta(days=1)

    Subscription.objects.update(plan_revision=factories.make_plan(api, "Gold", quota_day=1000))
    reconsider_quotas(subscription)
    assert not Block.objects.filter(lifted_at=None).exists()
    wait_for(lambda: Gateway.objects.get().behind_since is not None)
    reconcile(edge, whether_due=True)
    assert ask(node, value) == 200
