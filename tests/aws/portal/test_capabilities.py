"""What is said, and what is refused, before anything is saved: traps, quotas, accounts, upstreams."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from apis.actions import create_ai_upstream
from apis.models import ApiVersion, PlanRevision, Revision, UpstreamBinding
from audit.models import ActionRefused
from aws.models import AwsAccount
from gateways.actions import publish
from gateways.drivers.aws.places import stage_url
from gateways.models import Gateway, Publication, RemoteObject
from gateways.queries.aws_held import fills_of
from gateways.queries.capabilities import shortfalls_of
from teams.models import SYSTEM, User
from teams.queries import actor_of_user
from tests import factories
from tests.ai import factories as ai_factories
from tests.aws.factories import make_proof, quota
from tests.aws.portal.conftest import Cloud, Enter, text_of

pytestmark = pytest.mark.django_db

BODY = {"api": "shop/orders", "major": 1, "gateway": "cloud", "environment": "production"}
TRAPPED: dict[str, Any] = {
    "openapi": "3.0.3",
    "info": {"title": "Orders", "version": "1"},
    "paths": {
        "/orders/{id}.json": {
            "get": {
                "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
                "responses": {"200": {"description": "The order"}},
            }
        },
        "/orders": {"trace": {"responses": {"200": {"description": "Echo"}}}},
    },
}


@pytest.fixture
def gateway(cloud: Cloud) -> Gateway:
    return cloud.gateway()


def try_to_publish(version: ApiVersion, gateway: Gateway, user: User, **more: Any) -> Publication:
    return publish(version, gateway, factories.make_environment(), actor=actor_of_user(user), **more)


class TestTraps:
    def test_each_is_named_with_its_place_and_nothing_is_saved(
        self, cloud: Cloud, gateway: Gateway, orders: ApiVersion, alice: User, client_of: Enter,
        api_of: Callable[..., APIClient],
    ) -> None:  # fmt: skip
        orders.spec = factories.make_spec(orders.api.team, TRAPPED)
        orders.save()
        answer = api_of(alice).post("/api/v1/publications", BODY)
        assert answer.status_code == 409
        told = answer.json()["detail"]
        assert "/paths/~1orders~1{id}.json" in told
        assert "/paths/~1orders/trace: API Gateway knows no method TRACE. Remove the operation." in told
        assert "Change it at these places" in told
        preview = api_of(alice).post("/api/v1/publications/preview", BODY).json()
        assert "/paths/~1orders/trace" in preview["refused"]
        url = reverse("publication-create", args=["shop", "orders", 1])
        page = client_of(alice).post(url, {"places": ["cloud.production"]})
        assert page.status_code == 422
        assert "knows no method TRACE" in text_of(page)
        assert not Publication.objects.exists()
        assert not Revision.objects.exists()
        assert not cloud.fake.asked

    def test_settings_that_do_not_fit_are_refused_too(
        self, gateway: Gateway, orders: ApiVersion, alice: User
    ) -> None:
        settings = {"overrides": {"noSuchOperation": {"kind": "mock"}}}
        with pytest.raises(ActionRefused, match="noSuchOperation"):
            try_to_publish(orders, gateway, alice, policies={"aws": settings})
        assert not Revision.objects.exists()


class TestQuotas:
    def test_a_full_account_takes_no_more_apis(
        self, cloud: Cloud, gateway: Gateway, orders: ApiVersion, alice: User
    ) -> None:
        make_proof(cloud.account, quotas=[quota("regional_apis", "Regional REST APIs", 600, 600)])
        with pytest.raises(
            ActionRefused, match=r"AWS allows 600 REST APIs in eu-central-1.*601.*never raises"
        ):
            try_to_publish(orders, gateway, alice)
        assert not Publication.objects.exists()

    def test_each_plan_with_a_subscriber_takes_one_and_a_raised_quota_can_be_told(
        self, cloud: Cloud, gateway: Gateway, orders: ApiVersion, alice: User
    ) -> None:
        factories.make_credential(
            factories.make_subscription(
                factories.make_application(), factories.make_plan(orders.api), api_version=orders
            )
        )
        make_proof(cloud.account, quotas=[quota("usage_plans", "Usage plans", 300, 300)])
        with pytest.raises(ActionRefused, match=r"300 usage plans.*option “usage_plans”"):
            try_to_publish(orders, gateway, alice)
        Gateway.objects.update(options={"usage_plans": "500"})
        gateway.refresh_from_db()
        try_to_publish(orders, gateway, alice)
        fills = fills_of(gateway)
        assert {name: fill.used for name, fill in fills.items()} == {
            "regional_apis": 1, "usage_plans": 301, "api_keys": 1,
        }  # fmt: skip

    def test_what_is_ours_in_the_last_count_is_not_counted_twice(
        self, cloud: Cloud, gateway: Gateway, orders: ApiVersion, alice: User
    ) -> None:
        try_to_publish(orders, gateway, alice)
        cloud.settle(gateway)
        make_proof(cloud.account, quotas=[quota("regional_apis", "Regional REST APIs", 13, 600)])
        fill = fills_of(gateway)["regional_apis"]
        assert (fill.others, fill.used, fill.limit) == (12, 13, 600)
        RemoteObject.objects.filter(sort="api").delete()
        assert fills_of(gateway)["regional_apis"].used == 14, "it will be made anew"


class TestAccounts:
    def test_a_team_that_may_not_use_the_account_publishes_elsewhere(
        self, cloud: Cloud, gateway: Gateway, orders: ApiVersion, alice: User, client_of: Enter
    ) -> None:
        cloud.account.teams.clear()
        with pytest.raises(ActionRefused, match="Your team may not use the AWS account"):
            try_to_publish(orders, gateway, alice)
        page = text_of(client_of(alice).get(reverse("publication-create", args=["shop", "orders", 1])))
        assert "Your team may not use the AWS account" in page

    def test_an_account_that_is_not_connected_takes_nothing_new(
        self, cloud: Cloud, gateway: Gateway, orders: ApiVersion, alice: User
    ) -> None:
        AwsAccount.objects.update(state="refused")
        with pytest.raises(ActionRefused, match="is not connected now"):
            try_to_publish(orders, gateway, alice)

    def test_there_is_no_base_path_to_choose(self, gateway: Gateway, orders: ApiVersion, alice: User) -> None:
        with pytest.raises(ActionRefused, match="an address of its own"):
            try_to_publish(orders, gateway, alice, base_path="/mine")


class TestWords:
    def test_of_the_upstream_and_the_plans(
        self, cloud: Cloud, gateway: Gateway, orders: ApiVersion, alice: User
    ) -> None:
        targets = [{"url": "http://10.0.0.7", "weight": 1}, {"url": "https://b.example", "weight": 1}]
        UpstreamBinding.objects.update(targets=targets, timeout_ms=40_000)
        factories.make_plan(orders.api, rate_calls=20_000)
        binding = UpstreamBinding.objects.select_related("environment").get(environment__slug="production")
        words = " ".join(map(str, shortfalls_of(gateway, binding, factories.make_revision(orders))))
        for said in (
            "http://10.0.0.7 gets all calls, the other targets none", "at most 29 s for an answer, not 40 s",
            "from the internet, where this address leads nowhere", "plans above that are held back",
            "answered 403 here, not 429", "for some minutes",
        ):  # fmt: skip
            assert said in words, said
        AwsAccount.objects.update(endpoint_url="http://127.0.0.1:4566")
        gateway = Gateway.objects.get()
        words = " ".join(map(str, shortfalls_of(gateway, binding, factories.make_revision(orders))))
        assert "from the internet" not in words
        assert PlanRevision.objects.exists()

    def test_prompts_are_not_for_api_gateway(
        self, cloud: Cloud, gateway: Gateway, orders: ApiVersion, alice: User, client_of: Enter
    ) -> None:
        production = factories.make_environment()
        prompt = ai_factories.make_prompt(orders.api.team, "Answers")
        ai_factories.make_label(ai_factories.make_prompt_version(prompt), "production")
        runtime = factories.make_gateway("runtime", kind="ai_runtime")
        assert runtime.listeners.filter(environment=production).exists()
        orders.upstream = create_ai_upstream(
            actor=SYSTEM,
            team=orders.api.team,
            name="answers",
            prompt=prompt,
            labels={production: "production"},
        )
        orders.save()
        with pytest.raises(ActionRefused, match="API Gateway cannot reach them"):
            try_to_publish(orders, gateway, alice)
        page = text_of(client_of(alice).get(reverse("publication-create", args=["shop", "orders", 1])))
        assert "API Gateway cannot reach the AI runtimes" in page


@pytest.mark.parametrize(
    ("region", "endpoint", "url"),
    [
        ("eu-central-1", "", "https://abc.execute-api.eu-central-1.amazonaws.com/production"),
        ("cn-north-1", "", "https://abc.execute-api.cn-north-1.amazonaws.com.cn/production"),
        (
            "us-east-1",
            "http://127.0.0.1:4566/",
            "http://127.0.0.1:4566/_aws/execute-api/abc/production",
        ),
    ],
)
def test_addresses_by_partition_and_of_simulated_ones(region: str, endpoint: str, url: str) -> None:
    assert stage_url("abc", "production", region=region, endpoint_url=endpoint) == url
