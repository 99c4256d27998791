"""The driver over the AWS in memory, with its holdings in the real database."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from aws.client.account import Account
from aws.client.buckets import Buckets, Priority
from gateways.drivers.aws.driver import AwsDriver
from gateways.engine.changes import ChangeSet
from gateways.engine.diff import diff
from gateways.engine.document import (
    Block,
    Consumer,
    Definition,
    Document,
    Grant,
    Item,
    Key,
    Limit,
    Route,
    Target,
    Upstream,
    canonical_json,
    value_digest,
)
from gateways.engine.driver import Connection, Listener, Verdict
from gateways.models import Gateway
from gateways.remote import RemoteHoldings
from tests.aws.doubles.fixtures import guarded_aws
from tests.aws.factories import make_account
from tests.aws.fake import Answer, FakeAWS
from tests.aws.fake.http_state import HttpApi, http
from tests.aws.fake.lambda_state import Function, lambdas
from tests.aws.fake.rest_state import rest
from tests.aws.fake.roles import Role, roles

PREFIX = "house"
LISTENERS = (Listener("production", 443), Listener("sandbox", 443, "sandbox"))
_numbers = itertools.count(1)


def openapi(*paths: str) -> dict[str, Any]:
    """A small document with a GET of each path."""
    answer = {"responses": {"200": {"description": "fine"}}}
    operations = {path: {"get": {"operationId": f"read{n}", **answer}} for n, path in enumerate(paths)}
    return {"openapi": "3.0.3", "info": {"title": "Orders", "version": "1"}, "paths": operations}


def definition(name: str = "1", *paths: str, **settings: Any) -> Definition:
    """A revision."""
    document = openapi(*(paths or ("/orders",)))
    digest = value_digest(canonical_json(document))
    return Definition(f"rev_{name}", f"Orders {name}", digest, settings, document)


def api(name: str = "1", *, version: str = "", revision: str = "1", environment: str = "production") -> Route:
    """A publication of a revision."""
    label = f"shop/orders v{version or name}"
    return Route(
        f"pub_{name}", label, environment, f"/shop/orders-{name}/v1", "bnd_1", f"ver_{version or name}",
        f"rev_{revision}", definition=f"rev_{revision}",
    )  # fmt: skip


def upstream(url: str = "https://orders.example.com") -> Upstream:
    return Upstream("bnd_1", "shop/orders in production", (Target(url),), timeout_ms=10_000)


def limit(name: str = "1", calls: int = 10, period_s: int = 1, burst: int = 20) -> Limit:
    return Limit(f"plr_{name}", f"gold r{name}", calls, period_s, burst)


def grant(name: str, *routes: str, plan: str = "1") -> Grant:
    named = tuple(sorted(f"pub_{route}" for route in routes))
    return Grant(f"sub_{name}", f"planner to {name}", "app_1", named, f"plr_{plan}")


def key(name: str, subscription: str = "") -> Key:
    value = f"ghp{name:0>16}{'S3cret' * 8}x"
    return Key(f"crd_{name}", value[3:19], f"sub_{subscription or name}", value_digest(value), value)


BASE: tuple[Item, ...] = (upstream(), limit(), Consumer("app_1", "logistics/planner"))


@dataclass(slots=True)
class Cloud:
    """One gateway at AWS, pushed to as the engine does."""

    fake: FakeAWS
    account: Account
    buckets: Buckets
    gateway_id: int
    patience_s: float = 0.0
    versions: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    options: dict[str, str] = field(default_factory=lambda: {"prefix": PREFIX})

    def driver(self) -> AwsDriver:
        calls = self.fake.calls(
            self.account,
            self.buckets,
            who="gateway cloud",
            priority=Priority.PUSH,
            patience_s=self.patience_s,
        )
        connection = Connection(
            "cloud", listeners=LISTENERS, version=next(self.versions), options=self.options,
            holdings=RemoteHoldings(self.gateway_id), calls=calls,
        )  # fmt: skip
        driver = AwsDriver(connection)
        driver.clock = self.fake.clock
        return driver

    def push(self, *items: Item) -> tuple[ChangeSet, Verdict]:
        """One run."""
        driver = self.driver()
        desired = driver.adapt(Document.of(items)).document
        changes = diff(driver.observe(None), desired)
        driver.apply(changes, lambda step, sentence: None)  # noqa: ARG005
        return changes, driver.verify(changes)

    def settle(self, *items: Item, most: int = 200) -> None:
        """Runs until nothing waits and everything is proven, as the engine comes back by itself."""
        for _run in range(most):
            changes, verdict = self.push(*items)
            if verdict.wait is None and not verdict.unconfirmed:
                again = diff(self.driver().observe(None), changes.desired)
                assert again.is_empty, again.lines()
                return
            self.fake.clock.advance(verdict.wait.seconds if verdict.wait else 1.0)
        raise AssertionError(f"still not done: {verdict}")

    def later(self) -> None:
        """When AWS has spread the word of what was changed."""
        self.fake.clock.advance(self.fake.delays.keys + 1)

    def call(self, publication: str = "1", value: str = "", path: str = "/orders") -> Answer:
        """As a caller, after a while."""
        stage = self.stage(publication)
        headers = {"x-api-key": value} if value else {}
        return self.fake.invoke(
            self.account, stage.get("api", ""), stage.get("stage", ""), "GET", path, headers
        )

    def connect(self, publication: str = "1", value: str = "", route: str = "$connect") -> Answer:
        """As a caller of a WebSocket API: to connect, or a message."""
        stage = self.stage(publication)
        headers = {"x-api-key": value} if value else {}
        return self.fake.invoke(
            self.account, stage.get("api", ""), stage.get("stage", ""), route, "", headers
        )

    def stage(self, publication: str = "1") -> Mapping[str, Any]:
        """What is known of the stage of a publication, of whatever type."""
        known = RemoteHoldings(self.gateway_id).resources("stage")
        names = (f"pub_{publication}{kind}" for kind in ("", "/http", "/websocket"))
        return next((known[name] for name in names if name in known), {})

    @property
    def there(self) -> Any:
        """What is at AWS of REST APIs."""
        return rest(self.fake.at(self.account))

    @property
    def http(self) -> dict[str, HttpApi]:
        """The HTTP and WebSocket APIs at AWS."""
        return http(self.fake.at(self.account))

    @property
    def functions(self) -> dict[str, Function]:
        """The functions at AWS."""
        return lambdas(self.fake.at(self.account)).functions

    @property
    def roles(self) -> dict[str, Role]:
        """The roles at AWS."""
        return roles(self.fake.at(self.account))


def new_gateway() -> Gateway:
    """A gateway of an account of its own."""
    name = f"cloud-{next(_numbers)}"
    row = make_account(name)
    return Gateway.objects.create(
        slug=name, name="Cloud", kind="aws", aws_account=row, aws_region="eu-central-1"
    )


@pytest.fixture
def cloud(db: None, fake: FakeAWS, buckets: Buckets) -> Cloud:
    """A gateway whose account holds nothing."""
    return Cloud(fake, fake.account(), buckets, new_gateway().pk)


def blocked(name: str, until: int = 4_000_000_000) -> Block:
    return Block(f"blk_{name}", f"sub_{name}", "The quota of the day is used up.", until)


def without(items: Iterable[Item], *names: str) -> tuple[Item, ...]:
    return tuple(item for item in items if item.id not in names)


__all__ = ["guarded_aws"]
