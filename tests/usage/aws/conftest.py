"""A gateway at the AWS in memory, with an API of the shop published on it and a key of Logistics."""

from __future__ import annotations

import itertools
import json
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import redis
from django.utils import timezone

from aws.client.account import Account
from aws.client.buckets import Buckets, Priority
from aws.client.calls import Calls
from aws.policies.names import log_group
from gateways.drivers.aws.logs import LOG, OF_GATEWAY
from gateways.drivers.aws.work import KEYS, PLANS, STAGES
from gateways.models import Gateway, Publication
from gateways.remote import RemoteHoldings
from subscriptions.models import Credential
from teams.models import Team
from tests import factories
from tests.aws.conftest import counters  # noqa: F401 - a fixture
from tests.aws.factories import make_account
from tests.aws.fake import FakeAWS
from tests.aws.fake.telemetry import LogGroup, add_events, add_points, telemetry
from usage.actions import read_usage
from usage.actions.aws_log import read_log
from usage.models import UsageBucket

NAMESPACE = "AWS/ApiGateway"
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def _one_fake() -> FakeAWS:
    return FakeAWS()


@pytest.fixture
def fake(_one_fake: FakeAWS) -> FakeAWS:
    _one_fake.reset(keep_sessions=True)
    return _one_fake


@pytest.fixture
def buckets(fake: FakeAWS, counters: redis.Redis) -> Iterator[Buckets]:  # noqa: F811
    """Empty ones, on the clock of the fake."""
    prefix = f"test:{uuid.uuid4()}:"
    yield Buckets(counters, clock=fake.clock, prefix=prefix)
    for key in counters.scan_iter(f"{prefix}*", count=1000):
        counters.delete(key)


@dataclass(slots=True)
class Shop:
    """A gateway at AWS whose calls are logged, and one caller."""

    fake: FakeAWS
    account: Account
    gateway: Gateway
    publication: Publication
    key: Credential
    calls: Calls
    api: str = "api1"
    key_at_aws: str = "key1"

    @property
    def stage(self) -> str:
        return self.publication.environment.slug

    @property
    def group(self) -> str:
        return log_group(self.gateway.aws_account.prefix, self.gateway.slug)

    @property
    def holdings(self) -> RemoteHoldings:
        return RemoteHoldings(self.gateway.pk)

    def hold(self, *, logged_at: datetime | None, why: str = "") -> None:
        """What the driver has made: a stage, logged since `logged_at`, its usage plan and a key in it."""
        stage = {"api": self.api, "stage": self.stage, "name": f"house-{self.api}"}
        if logged_at is not None:
            stage |= {"log": f"{self.group} 1", "logged_at": logged_at.timestamp()}
        holdings, pub = self.holdings, self.publication.public_id
        holdings.keep(STAGES, {pub: stage})
        holdings.keep(
            KEYS, {self.key.public_id: {"id": self.key_at_aws, "enabled": True, "plans": ["plan1"]}}
        )
        holdings.keep(PLANS, {f"plr_1/{pub}": {"id": "plan1"}})
        holdings.keep(LOG, {OF_GATEWAY: {"group": self.group, "why": why, "asked_at": 0.0}})
        telemetry(self.fake.at(self.account)).groups[self.group] = LogGroup(self.group, 0)

    def line(self, **values: Any) -> str:
        """A call as API Gateway logs it: answered 200 in 12 ms, 10 of them by the integration."""
        row = {
            "request": "r-1", "api": self.api, "stage": self.stage, "key": self.key_at_aws, "method": "GET",
            "route": "/orders", "status": "200", "at": str(int(timezone.now().timestamp() * 1000)),
            "latency": "12", "integration": "10", "sent": "100", "error": "-", **values,
        }  # fmt: skip
        return json.dumps(row, separators=(",", ":"))

    def log(self, *lines: str, at: datetime | None = None) -> None:
        """AWS writes lines, all at one moment."""
        moment = (at or timezone.now()).timestamp()
        add_events(self.fake.at(self.account), self.group, [(moment, line) for line in lines])

    def call(self, count: int = 1, *, at: datetime | None = None, **values: Any) -> None:
        """Calls that AWS writes down as they happen."""
        moment = at or timezone.now()
        told = {"at": str(int(moment.timestamp() * 1000)), **values}
        self.log(*(self.line(**told) for _call in range(count)), at=moment)

    def measure(self, metric: str, *points: tuple[datetime, float]) -> None:
        """What CloudWatch counted of the stage."""
        dimensions = {"ApiName": f"house-{self.api}", "Stage": self.stage}
        add_points(self.fake.at(self.account), NAMESPACE, metric, dimensions, *points)

    def read_log(self) -> int:
        return read_log(self.gateway, self.calls, group=self.group)

    def read(self) -> None:
        """One beat."""
        read_usage(self.gateway, calls=self.calls)


@pytest.fixture
def at_aws(fake: FakeAWS, buckets: Buckets, shop: Team, logistics: Team) -> Shop:
    """Logged for an hour."""
    number = next(_numbers)
    gateway = make_gateway(f"cloud-{number}")
    version = factories.make_version(factories.make_api(shop, "Orders"))
    publication = factories.make_publication(version, gateway)
    terms = factories.make_plan(version.api, quota_day=100, quota_month=1000)
    subscription = factories.make_subscription(factories.make_application(logistics, "Route planner"), terms)
    key = factories.make_credential(subscription)[0]
    account = fake.account()
    calls = fake.calls(account, buckets, who="usage", priority=Priority.USAGE, patience_s=0)
    found = Shop(fake, account, gateway, publication, key, calls)
    found.hold(logged_at=timezone.now() - timezone.timedelta(hours=1))
    return found


def make_gateway(slug: str, region: str = "eu-central-1", **fields: Any) -> Gateway:
    """A gateway at AWS, in an account of its own."""
    account = fields.pop("account", None) or make_account(slug, regions=[region])
    return Gateway.objects.create(
        slug=slug, name=slug.capitalize(), kind="aws", aws_account=account, aws_region=region, **fields
    )


def calls_in(span: str = "m", **equal: Any) -> int:
    """Calls that charts show."""
    return sum(UsageBucket.objects.filter(span=span, **equal).values_list("calls", flat=True))


def noon() -> datetime:
    """Of yesterday, in UTC."""
    today = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    return today - timezone.timedelta(days=1)


def lines_of(shop: Shop, count: int) -> Iterable[str]:
    return [shop.line(request=f"r-{number}") for number in range(count)]
