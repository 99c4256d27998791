#!/usr/bin/env python3
"""What a decision costs at AWS: calls, and minutes by AWS's fixed rates, beside a driver that works piece by piece.

    python -m embedded test -- .venv/bin/python benchmarks/aws_calls.py [quick|normal|full]

Both work in the AWS of our tests, whose clock is not the wall's: a minute here is a minute that AWS's rates ask for,
with nobody else in the account. The naive driver sets up an API resource by resource and a key at a time, one plan for
all APIs, and waits as long as AWS tells it; it reads nothing back.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import redis

from aws.client.buckets import Buckets
from aws.client.calls import Calls
from aws.client.errors import Throttled
from benchmarks.measured import report, say, size
from benchmarks.seed import scratch_database
from gateways.engine.document import Item
from tests.aws.fake import FakeAWS
from tests.aws.gateway.conftest import BASE, Cloud, api, definition, grant, key, new_gateway

OPERATIONS = 50
SIZES = {"quick": (500, 5), "normal": (10_000, 100), "full": (10_000, 100)}
"""How many keys are taken in, and how many APIs are attached to a plan."""
PREFIX = "bench:aws:"
UPSTREAM = "https://orders.example.com"


@dataclass(frozen=True, slots=True)
class Cost:
    """Calls that reached AWS, and minutes of its clock."""

    calls: int
    minutes: float


class NoBuckets:
    """The naive driver counts nothing beforehand: AWS tells it to wait."""

    def take(self, *_: Any, **__: Any) -> float:
        return 0.0

    def hold(self, *_: Any, **__: Any) -> None:
        return None


@dataclass(slots=True)
class Naive:
    """One call after the other; told to wait, it waits."""

    fake: FakeAWS
    calls: Calls

    def call(self, operation: str, **params: Any) -> dict[str, Any]:
        while True:
            try:
                return self.calls.call("apigateway", operation, **params)
            except Throttled as error:
                self.fake.clock.advance(error.retry_in_s or 1.0)

    def api(self, name: str, operations: int) -> tuple[str, str]:
        """An API with so many operations on paths of their own, deployed; its id and its stage's name."""
        made = self.call("CreateRestApi", name=name, endpointConfiguration={"types": ["REGIONAL"]})["id"]
        root = self.call("GetResources", restApiId=made)["items"][0]["id"]
        for number in range(operations):
            self._operation(made, root, f"thing{number}")
        deployed = self.call("CreateDeployment", restApiId=made)["id"]
        self.call("CreateStage", restApiId=made, stageName="live", deploymentId=deployed)
        return made, "live"

    def _operation(self, made: str, root: str, part: str) -> None:
        resource = self.call("CreateResource", restApiId=made, parentId=root, pathPart=part)["id"]
        at = {"restApiId": made, "resourceId": resource, "httpMethod": "GET"}
        self.call("PutMethod", **at, authorizationType="NONE", apiKeyRequired=True)
        uri = f"{UPSTREAM}/{part}"
        self.call("PutIntegration", **at, type="HTTP_PROXY", integrationHttpMethod="GET", uri=uri)
        self.call("PutMethodResponse", **at, statusCode="200")

    def key(self, plan: str, number: int) -> None:
        value = f"naive-key-of-many-letters-{number:08d}"
        made = self.call("CreateApiKey", name=f"key{number}", value=value, enabled=True)["id"]
        self.call("CreateUsagePlanKey", usagePlanId=plan, keyId=made, keyType="API_KEY")

    def plan(self) -> str:
        return str(self.call("CreateUsagePlan", name="gold")["id"])

    def attach(self, plan: str, made: str, stage: str) -> None:
        patch = [{"op": "add", "path": "/apiStages", "value": f"{made}:{stage}"}]
        self.call("UpdateUsagePlan", usagePlanId=plan, patchOperations=patch)


def cost(fake: FakeAWS, act: Callable[[], object]) -> Cost:
    """What `act` costs. The rates are rested before."""
    fake.clock.advance(600)
    calls, began = len(fake.asked), fake.clock()
    act()
    return Cost(len(fake.asked) - calls, (fake.clock() - began) / 60)


@contextmanager
def clouds() -> Iterator[Callable[[], Cloud]]:
    """Makes gateways in an AWS of their own each, all on scratch servers."""
    address = os.environ["REDIS_URL"].replace("redis+socket://", "unix://")
    with scratch_database(), redis.Redis.from_url(address) as counters:

        def make() -> Cloud:
            for name in counters.scan_iter(f"{PREFIX}*", count=1000):
                counters.delete(name)
            fake = FakeAWS()
            buckets = Buckets(counters, clock=fake.clock, prefix=PREFIX)
            return Cloud(fake, fake.account(), buckets, new_gateway().pk)

        yield make


def naive_in(cloud: Cloud) -> Naive:
    calls = cloud.fake.calls(cloud.account, NoBuckets(), who="naive", patience_s=0)  # type: ignore[arg-type]
    return Naive(cloud.fake, calls)


def compare(what: str, ours: Cost, naive: Cost, goal: str | None = None) -> None:
    """Two lines: the ratio of calls, and the minutes."""
    note = f"{ours.calls} calls; a naive driver: {naive.calls} calls, {naive.minutes:.1f} minutes"
    report(f"AWS, {what}: calls", ours.calls, "calls", goal=goal, note=f"a naive driver: {naive.calls}")
    report(f"AWS, {what}: time by AWS's rates", ours.minutes, "min", note=note)


def publish(make: Callable[[], Cloud]) -> None:
    paths = [f"/thing{number}" for number in range(OPERATIONS)]
    cloud = make()
    shop = (*BASE, definition("1", *paths), api())
    ours = cost(cloud.fake, lambda: cloud.settle(*shop))
    other = naive_in(make())
    compare(
        f"publish an API of {OPERATIONS} operations",
        ours,
        cost(other.fake, lambda: other.api("a", OPERATIONS)),
    )


def approve(make: Callable[[], Cloud]) -> None:
    cloud = make()
    shop: tuple[Item, ...] = (*BASE, definition(), api(), grant("a", "1"), key("a"))
    cloud.settle(*shop)
    ours = cost(cloud.fake, lambda: cloud.settle(*shop, grant("b", "1"), key("b")))
    other = naive_in(make())
    plan = other.plan()
    compare("approve one subscription", ours, cost(other.fake, lambda: other.key(plan, 1)), goal="<= 3")


def take_in(make: Callable[[], Cloud], keys: int) -> None:
    cloud = make()
    shop: tuple[Item, ...] = (*BASE, definition(), api(), grant("a", "1"))
    cloud.settle(*shop)
    many = [key(f"{number:06d}", "a") for number in range(keys)]
    ours = cost(cloud.fake, lambda: cloud.settle(*shop, *many, most=20_000))
    other = naive_in(make())
    plan = other.plan()
    naive = cost(other.fake, lambda: [other.key(plan, number) for number in range(keys)])
    compare(f"take in {keys:,} keys", ours, naive)


def attach(make: Callable[[], Cloud], apis: int) -> None:
    cloud = make()
    routes = [api(str(number), version=str(number)) for number in range(apis)]
    cloud.settle(*BASE, definition(), *routes, most=20_000)
    grants = [grant(str(number), str(number)) for number in range(apis)]
    ours = cost(cloud.fake, lambda: cloud.settle(*BASE, definition(), *routes, *grants, most=20_000))
    other = naive_in(make())
    plan, made = other.plan(), [other.api(f"a{number}", 1) for number in range(apis)]
    naive = cost(other.fake, lambda: [other.attach(plan, *one) for one in made])
    compare(f"attach {apis} APIs to a plan", ours, naive)


def main() -> None:
    """Measure on scratch servers."""
    keys, apis = SIZES[size()]
    with clouds() as make:
        for what, measure in (
            ("publishing", lambda: publish(make)),
            ("approving", lambda: approve(make)),
            ("keys", lambda: take_in(make, keys)),
            ("plans", lambda: attach(make, apis)),
        ):
            say(f"aws: {what}")
            measure()


if __name__ == "__main__":
    main()
