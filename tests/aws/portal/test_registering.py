"""Gateways at AWS are registered by administrators, in a Region of a connected account, and nowhere twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from rest_framework.test import APIClient

from audit.models import ActionRefused, AuditEvent
from aws.models import AwsAccount
from gateways.actions import ListenerValues, create_gateway, retire_gateway, set_token
from gateways.models import Gateway, RemoteObject
from gateways.queries import gateway_of_token
from teams.models import SYSTEM, User
from tests import factories
from tests.aws.factories import make_account
from tests.aws.portal.conftest import Cloud, Enter, text_of

pytestmark = pytest.mark.django_db

NEW = "/gateways/new/"
FORM = {
    "name": "Cloud", "slug": "cloud", "place": "cloud/eu-central-1", "environments_served": ["production"],
}  # fmt: skip
BODY = {
    "slug": "cloud", "name": "Cloud", "kind": "aws", "aws_account": "cloud", "aws_region": "eu-central-1",
    "listeners": [{"environment": "production"}],
}  # fmt: skip


@pytest.fixture
def account(db: None) -> AwsAccount:
    factories.make_environment()
    factories.make_environment("sandbox")
    return make_account("cloud", regions=["eu-central-1", "eu-west-1"])


class TestPage:
    def test_one_place_the_environments_and_no_token(
        self, account: AwsAccount, ada: User, client_of: Enter
    ) -> None:
        client = client_of(ada)
        assert 'href="/gateways/new/?kind=aws"' in client.get(NEW).content.decode()
        form = text_of(client.get(f"{NEW}?kind=aws"))
        assert 'value="cloud/eu-west-1"' in form
        assert 'name="port-production"' not in form
        answer = client.post(f"{NEW}?kind=aws", FORM)
        assert (answer.status_code, answer["Location"]) == (302, "/gateways/cloud/")
        gateway = Gateway.objects.get()
        assert (gateway.aws_account, gateway.aws_region, gateway.token_sealed) == (
            account,
            "eu-central-1",
            b"",
        )
        [listener] = gateway.listeners.all()
        assert (listener.port, listener.host, listener.public_url) == (None, "", "")
        event = AuditEvent.objects.get(name="gateway.created")
        assert (event.after["aws_account"], event.after["aws_region"]) == ("cloud", "eu-central-1")
        page = text_of(client.get("/gateways/cloud/"))
        assert "AWS API Gateway" in page
        assert "Usage plans" in page
        for word in ("Nodes", "agents' token", "No node", "Its own configuration"):
            assert word not in page
        assert "Cloud, <span" in text_of(client.get("/gateways/"))

    def test_a_region_is_offered_once(self, account: AwsAccount, ada: User, client_of: Enter) -> None:
        client = client_of(ada)
        client.post(f"{NEW}?kind=aws", FORM)
        assert 'value="cloud/eu-central-1"' not in text_of(client.get(f"{NEW}?kind=aws"))
        again = client.post(f"{NEW}?kind=aws", {**FORM, "slug": "second"})
        assert again.status_code == 422
        assert "that is no gateway yet" in text_of(again)
        AwsAccount.objects.update(regions=["eu-central-1"])
        assert "No Region is free" in text_of(client.get(f"{NEW}?kind=aws"))

    def test_an_empty_form_says_what_is_missing(
        self, account: AwsAccount, ada: User, client_of: Enter
    ) -> None:
        answer = client_of(ada).post(f"{NEW}?kind=aws", {"name": ""})
        assert answer.status_code == 422
        assert "Choose one of the Regions" in text_of(answer)
        assert "Choose at least one environment" in text_of(answer)

    def test_environments_change_and_account_and_token_do_not(
        self, account: AwsAccount, ada: User, client_of: Enter
    ) -> None:
        client = client_of(ada)
        client.post(f"{NEW}?kind=aws", FORM)
        values = {"name": "Sky", "environments_served": ["production", "sandbox"], "drift_policy": "report"}
        assert client.post("/gateways/cloud/edit/", values).status_code == 302
        gateway = Gateway.objects.get()
        assert (gateway.name, gateway.listeners.count(), gateway.aws_region) == ("Sky", 2, "eu-central-1")
        assert client.get("/gateways/cloud/token/").status_code == 404
        with pytest.raises(ActionRefused, match="has no agents"):
            set_token(gateway, actor=SYSTEM)
        assert gateway_of_token("Bearer " + "x" * 40) is None


class TestRest:
    def test_registered_and_shown(
        self, account: AwsAccount, ada: User, api_of: Callable[..., APIClient]
    ) -> None:
        made = api_of(ada).post("/api/v1/gateways", BODY)
        assert made.status_code == 201
        shown = made.json()
        assert (shown["aws_account"], shown["aws_region"], shown["token"]) == ("cloud", "eu-central-1", "")
        assert shown["listeners"] == [
            {"environment": "production", "port": None, "host": "", "public_url": ""}
        ]
        assert shown["sync"] == "empty"

    def test_who_may_not_know_of_the_account_reads_the_region_alone(
        self, account: AwsAccount, ada: User, alice: User, api_of: Callable[..., APIClient]
    ) -> None:
        api_of(ada).post("/api/v1/gateways", BODY)
        shown = api_of(alice).get("/api/v1/gateways/cloud").json()
        assert (shown["aws_account"], shown["aws_region"]) == ("", "eu-central-1")

    @pytest.mark.parametrize(
        ("changes", "words"),
        [
            ({"aws_account": ""}, "Choose the AWS account"),
            ({"aws_account": "moon"}, "There is no AWS account moon"),
            ({"aws_region": "us-east-1"}, "Choose one of its Regions: eu-central-1, eu-west-1"),
            ({"kind": "envoy"}, "no other kind has them"),
            (
                {"listeners": [{"environment": "production", "port": 443, "public_url": "https://a.b"}]},
                "Name the environment alone",
            ),
        ],
    )
    def test_bad_input_is_told(
        self, account: AwsAccount, ada: User, api_of: Callable[..., APIClient], changes: dict[str, Any],
        words: str,
    ) -> None:  # fmt: skip
        answer = api_of(ada).post("/api/v1/gateways", {**BODY, **changes})
        assert answer.status_code == 422
        assert words in answer.content.decode()
        assert not Gateway.objects.exists()

    def test_other_kinds_need_port_and_address(
        self, account: AwsAccount, ada: User, api_of: Callable[..., APIClient]
    ) -> None:
        body = {"slug": "edge", "name": "Edge", "kind": "envoy", "listeners": [{"environment": "production"}]}
        answer = api_of(ada).post("/api/v1/gateways", body)
        assert answer.status_code == 422
        assert "A port lies between" in answer.content.decode()

    @pytest.mark.parametrize("who", ["alice", "bob", "charlie", "erin", "frank"])
    def test_administrators_alone(
        self, who: str, account: AwsAccount, client_of: Enter, api_of: Callable[..., APIClient],
        request: pytest.FixtureRequest,
    ) -> None:  # fmt: skip
        user = request.getfixturevalue(who)
        assert client_of(user).post(f"{NEW}?kind=aws", FORM).status_code in (403, 404)
        assert api_of(user).post("/api/v1/gateways", BODY).status_code == 403
        assert not Gateway.objects.exists()


class TestRules:
    @pytest.mark.parametrize(
        ("values", "words"),
        [
            ({"state": "pending"}, "is not connected \\(not proven yet\\)"),
            ({"state": "refused"}, "Prove it first"),
            ({"features": ["http"]}, "REST APIs are not switched on"),
        ],
    )
    def test_an_account_that_is_not_ready(self, values: dict[str, Any], words: str) -> None:
        account = make_account("raw", **values)
        with pytest.raises(ValidationError, match=words):
            create_gateway(
                actor=SYSTEM,
                slug="raw",
                name="Raw",
                kind="aws",
                aws_account=account,
                aws_region="eu-central-1",
            )

    def test_a_retired_gateway_frees_its_region_once_it_holds_nothing(self, cloud: Cloud) -> None:
        gateway = cloud.gateway()
        with pytest.raises(ValidationError, match="is API Gateway in eu-central-1 of Cloud already"):
            cloud.gateway("second")
        kept = RemoteObject.objects.create(gateway=gateway, sort="api", name="ver_1", value={"id": "a"})
        with pytest.raises(ActionRefused, match="still being taken away"):
            retire_gateway(gateway, actor=SYSTEM)
        kept.delete()
        retire_gateway(gateway, actor=SYSTEM)
        assert cloud.gateway("second").aws_region == "eu-central-1"

    def test_a_port_and_an_address_go_together(self) -> None:
        factories.make_environment()
        with pytest.raises(ValidationError):
            create_gateway(
                actor=SYSTEM, slug="edge", name="Edge", kind="envoy",
                listeners=[ListenerValues(factories.make_environment(), 8080)],
            )  # fmt: skip
