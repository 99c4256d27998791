"""Gateways at AWS as people have them: through pages, REST and the real reconcile, over the AWS in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apis.models import ApiVersion
from aws.client.buckets import Buckets, Priority
from aws.client.calls import Calls
from aws.connections import account_of
from aws.external_ids import open_external_id
from aws.models import AwsAccount
from gateways.actions import ListenerValues, create_gateway, mark_behind, reconcile
from gateways.models import Deployment, Gateway, Publication
from gateways.remote import RemoteHoldings
from teams.models import SYSTEM, Team, User
from tests import factories
from tests.aws.factories import make_account
from tests.aws.fake import Answer, FakeAWS
from tests.aws.fake.identities import Trust
from tests.aws.fake.rest_state import rest

Enter = Callable[[User | None], Client]
REGION = "eu-central-1"


@dataclass(slots=True)
class Cloud:
    """An account, and what becomes of gateways in it."""

    fake: FakeAWS
    account: AwsAccount

    def gateway(self, slug: str = "cloud", *environments: str) -> Gateway:
        """One that serves production and sandbox unless said otherwise."""
        served = environments or ("production", "sandbox")
        listeners = [ListenerValues(factories.make_environment(name)) for name in served]
        gateway, token = create_gateway(
            actor=SYSTEM, slug=slug, name=slug.capitalize(), kind="aws", listeners=listeners,
            aws_account=self.account, aws_region=REGION,
        )  # fmt: skip
        assert token == ""
        return gateway

    def run(self, gateway: Gateway) -> Deployment:
        """What the worker does when the bell rings."""
        mark_behind([gateway.pk])
        reconcile(gateway, whether_due=True)
        found = Deployment.objects.filter(gateway=gateway).select_related("gateway").first()
        assert found is not None
        return found

    def settle(self, gateway: Gateway, *, most: int = 60) -> Deployment:
        """Runs until nothing waits, time passing as AWS wants it."""
        for _run in range(most):
            last = self.run(gateway)
            if not last.is_waiting:
                return last
            assert last.goes_on_at is not None
            self.fake.clock.advance(max(0.2, (last.goes_on_at - timezone.now()).total_seconds()))
        raise AssertionError(f"still waits: {last.message}")

    def later(self) -> None:
        """When AWS has spread the word of what was changed."""
        self.fake.clock.advance(self.fake.delays.keys + 1)

    def call(self, publication: Publication, value: str = "", path: str = "/orders") -> Answer:
        """As a caller."""
        stage = RemoteHoldings(publication.gateway_id).resource("stage", publication.public_id) or {}
        headers = {"x-api-key": value} if value else {}
        account = account_of(self.account, REGION)
        return self.fake.invoke(account, stage.get("api", ""), stage.get("stage", ""), "GET", path, headers)

    @property
    def there(self) -> Any:
        """What is at AWS."""
        return rest(self.fake.at(account_of(self.account, REGION)))


@pytest.fixture
def cloud(
    db: None, fake: FakeAWS, buckets: Buckets, shop: Team, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Cloud]:
    """An account that the team Shop may use, with REST APIs in one Region; what the portal calls goes to the fake."""
    account = make_account("cloud", teams=[shop])
    fake.identities.trusts[account.role_arn] = Trust(open_external_id(account))

    def calls_for(
        account: AwsAccount, *, who: str, region: str = "", priority: Priority = Priority.PUSH
    ) -> Calls:
        where = account_of(account, region)
        return fake.calls(where, buckets, who=who, priority=priority, patience_s=0)

    monkeypatch.setattr("gateways.connections.calls_for", calls_for)
    with fake.installed():
        yield Cloud(fake, account)


@pytest.fixture
def orders(shop: Team) -> ApiVersion:
    """Version 1 of the API Orders of the team Shop."""
    return factories.make_version(factories.make_api(shop, "Orders"))


def text_of(answer: Any) -> str:
    return " ".join(answer.content.decode().split())
