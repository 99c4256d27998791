"""What a node that starts is given, and what one that serves already waits for."""

from __future__ import annotations

import pytest

from apis.models import ApiVersion
from gateways.actions import fetch_config
from gateways.engine.pushes import read_push
from gateways.models import Gateway, GatewayNode
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def envoy(orders: ApiVersion) -> Gateway:
    """A gateway with one API on it, to which something else was pushed last."""
    gateway = factories.make_gateway("far", kind=Gateway.Kind.ENVOY)
    factories.make_publication(orders, gateway)
    gateway.pushed_version, gateway.pushed_digest, gateway.version = 4, "0" * 64, 4
    gateway.save()
    return gateway


def test_a_node_that_serves_nothing_gets_what_is_desired_under_a_number_of_its_own(envoy: Gateway) -> None:
    GatewayNode.objects.create(gateway=envoy, name="new", agent_url="http://127.0.0.1:1")
    body = fetch_config(envoy, "new")
    assert body is not None
    push = read_push(body)
    assert push.version == 5
    assert {name.partition("/")[0] for name in push.items} >= {"upstream", "route"}


def test_a_node_that_serves_something_else_waits_for_the_push_with_its_guard(envoy: Gateway) -> None:
    GatewayNode.objects.create(gateway=envoy, name="old", agent_url="http://127.0.0.1:1", version=4)
    assert fetch_config(envoy, "old") is None
    envoy.refresh_from_db()
    assert envoy.behind_since is not None, "and the worker has been asked"


def test_an_upstream_that_may_not_be_called_is_not_fetched(
    envoy: Gateway, settings: pytest.FixtureRequest
) -> None:
    settings.UPSTREAM_NETWORKS = []  # type: ignore[attr-defined]
    body = fetch_config(envoy, "new")
    assert body is not None
    assert read_push(body).items == {}, "its targets are on loopback, which nobody allowed"


def test_nothing_is_fetched_before_something_was_pushed(orders: ApiVersion) -> None:
    gateway = factories.make_gateway("far", kind=Gateway.Kind.ENVOY)
    factories.make_publication(orders, gateway)
    assert fetch_config(gateway, "new") is None
