"""HTTP and WebSocket APIs, with something going wrong at each step of their life in turn: in the end AWS is as desired,
nothing is there twice, and nobody is let in who should not be."""

from __future__ import annotations

import uuid
from dataclasses import replace

import pytest
import redis

from aws.client.buckets import Buckets
from gateways.engine.document import Item
from gateways.engine.driver import DriverError
from tests.aws.fake import Crashed, FakeAWS
from tests.aws.gateway.conftest import BASE, Cloud, api, definition, grant, key, new_gateway, without
from tests.aws.gateway.test_http import KINDS, shop, status

FAULTS = ("lose_response", "lose_request", "crash_before", "crash_after")
STEPS = 70
"""More than a life takes."""
SOME = 7


def chapters(kind: str) -> tuple[tuple[Item, ...], ...]:
    """What is desired, one after the other: published with two keys, another revision and one key less, nothing."""
    first = shop(kind, grant("b", "1"), key("b"))
    settings = {"routes": {"$default": {}, "cheer": {}}} if kind == "websocket" else {}
    second = (
        *without(first, "rev_1", "pub_1", "crd_b"),
        definition("2", "/orders", "/new", type=kind, **settings),
        replace(api(), revision="rev_2", definition="rev_2"),
    )
    return first, second, BASE


def live(fake: FakeAWS, counters: redis.Redis, kind: str, fault: str, step: int) -> bool:
    """One life, in which `fault` happens at `step`; whether it came to that."""
    fake.reset(keep_sessions=True)
    fake.delays.lists = 20
    prefix = f"test:{uuid.uuid4()}:"
    cloud = Cloud(fake, fake.account(), Buckets(counters, clock=fake.clock, prefix=prefix), new_gateway().pk)
    getattr(fake.faults, fault)("*", skip=step)
    for number, items in enumerate(chapters(kind)):
        settle(cloud, items)
        holds(cloud, kind, number)
    for name in counters.scan_iter(f"{prefix}*", count=1000):
        counters.delete(name)
    return not fake.faults.coming


def settle(cloud: Cloud, items: tuple[Item, ...]) -> None:
    """As the engine does: a run that failed or died is begun again."""
    for _run in range(3):
        try:
            cloud.settle(*items)
            return
        except (DriverError, Crashed):
            cloud.fake.clock.advance(5)
    cloud.settle(*items)


def holds(cloud: Cloud, kind: str, chapter: int) -> None:
    """What must be true at the end of a chapter."""
    if chapter == 2:
        assert (cloud.http, cloud.functions, cloud.roles) == ({}, {}, {})
        return
    (there,) = cloud.http.values()
    assert (len(cloud.functions), len(cloud.roles), len(there.stages)) == (1, 1, 1)
    deployed = there.deployments[there.stages["production"]["DeploymentId"]].belongings
    keys = [route["RouteKey"] for route in deployed.routes.values()]
    assert len(set(keys)) == len(keys)
    used = {route["Target"].removeprefix("integrations/") for route in deployed.routes.values()}
    assert used <= deployed.integrations.keys()
    assert len(deployed.authorizers) == 1
    expected = [200, 200 if chapter == 0 else 403]
    assert [status(cloud, kind, key(name).value) for name in "ab"] == expected


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.django_db
def test_a_fault_at_some_steps(fake: FakeAWS, counters: redis.Redis, kind: str, fault: str) -> None:
    first = FAULTS.index(fault) + 2 * KINDS.index(kind)
    for step in range(first, STEPS, SOME):
        live(fake, counters, kind, fault, step)


@pytest.mark.long
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.django_db
def test_a_fault_at_every_step(fake: FakeAWS, counters: redis.Redis, kind: str, fault: str) -> None:
    came = [live(fake, counters, kind, fault, step) for step in range(STEPS)]
    assert came[0]
    assert not came[-1], "there are more steps than are tried"
