"""HTTP and WebSocket APIs as people have them: what is said before, their address, keys, and quotas they do not eat."""

from __future__ import annotations

from typing import Any

import pytest

from apis.models import ApiVersion, UpstreamBinding
from aws.connections import account_of
from gateways.actions import publish
from gateways.queries.addresses import addresses_of_version
from gateways.queries.aws_capabilities import (
    AUTHORIZER_COUNTS,
    CONNECTIONS_COUNT,
    UNCOUNTED,
    refusals_at_aws,
    shortfalls_at_aws,
)
from gateways.queries.aws_held import fills_of
from subscriptions.actions import revoke_credential
from teams.models import SYSTEM, User
from teams.queries import actor_of_user
from tests import factories
from tests.aws.portal.conftest import REGION, Cloud

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("kind", "scheme"), [("http", "https"), ("websocket", "wss")])
def test_from_publishing_to_a_revoked_key(
    cloud: Cloud, orders: ApiVersion, logistics: Any, alice: User, kind: str, scheme: str
) -> None:
    gateway, production = cloud.gateway(), factories.make_environment()
    policies = {"aws": {"type": kind}}
    publish(orders, gateway, production, actor=actor_of_user(alice), policies=policies)
    assert cloud.settle(gateway).state == "succeeded"
    [address] = addresses_of_version(orders)
    assert address.url.startswith(f"{scheme}://")
    assert address.url.endswith(".execute-api.eu-central-1.amazonaws.com/production")
    api = address.url.split("//")[1].split(".")[0]
    application = factories.make_application(logistics, "Planner")
    plan = factories.make_plan(orders.api, rate_calls=5, burst=5)
    credential, value = factories.make_credential(factories.make_subscription(application, plan))
    assert cloud.settle(gateway).state == "succeeded"
    assert call(cloud, api, kind, value) == 200
    assert call(cloud, api, kind, "") == 401
    assert {name: fill.used for name, fill in fills_of(gateway).items()} == {
        "regional_apis": 0, "usage_plans": 0, "api_keys": 0,
    }  # fmt: skip
    revoke_credential(credential, actor=SYSTEM, reason="Lost.")
    assert cloud.settle(gateway).state == "succeeded"
    assert call(cloud, api, kind, value) == 403


@pytest.mark.parametrize(("kind", "counts"), [("http", AUTHORIZER_COUNTS), ("websocket", CONNECTIONS_COUNT)])
def test_what_a_type_cannot_keep_or_be_given_is_said_before(
    cloud: Cloud, orders: ApiVersion, alice: User, kind: str, counts: Any
) -> None:
    gateway, production = cloud.gateway(), factories.make_environment()
    policies = {"aws": {"type": kind}}
    made = publish(orders, gateway, production, actor=actor_of_user(alice), policies=policies)
    binding = UpstreamBinding.objects.select_related("upstream").get(environment=production)
    assert list(shortfalls_at_aws(gateway, binding, made.revision))[:2] == [counts, UNCOUNTED]
    assert list(refusals_at_aws(gateway, production, binding, made.revision)) == []
    gateway.aws_account.features = ["http", "functions"]  # type: ignore[union-attr]
    [refusal] = refusals_at_aws(gateway, production, binding, made.revision)
    assert "Roles for functions" in str(refusal)
    gateway.options = {"authorizer_role": "arn:aws:iam::111122223333:role/theirs"}
    assert list(refusals_at_aws(gateway, production, binding, made.revision)) == []
    made.revision.policies = {"aws": {"type": kind, "validate": "all"}}
    [refusal] = refusals_at_aws(gateway, production, binding, made.revision)
    assert "has no validate" in str(refusal)


def call(cloud: Cloud, api: str, kind: str, value: str) -> int:
    headers = {"x-api-key": value} if value else {}
    method, path = ("GET", "/orders") if kind == "http" else ("$connect", "")
    place = account_of(cloud.account, REGION)
    return cloud.fake.invoke(place, api, "production", method, path, headers).status
