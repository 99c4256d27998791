"""Whatever goes wrong on the way: in the end AWS is as desired, nothing is there twice, and no limit was passed."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace

import hypothesis.strategies as st
import pytest
import redis
from hypothesis import given, settings

from aws.client.buckets import Buckets
from gateways.engine.document import Document, Grant, Item, Key, Route
from gateways.engine.driver import DriverError
from gateways.models import Gateway
from tests.aws.fake import Crashed, FakeAWS
from tests.aws.gateway.conftest import (
    BASE,
    Cloud,
    api,
    blocked,
    definition,
    grant,
    key,
    limit,
    new_gateway,
)

OPERATIONS = (
    "CreateRestApi", "PutRestApi", "CreateDeployment", "CreateStage", "UpdateStage", "DeleteStage", "DeleteRestApi",
    "CreateUsagePlan", "UpdateUsagePlan", "DeleteUsagePlan", "CreateUsagePlanKey", "DeleteUsagePlanKey",
    "ImportApiKeys", "UpdateApiKey", "DeleteApiKey", "GetApiKeys", "GetStage", "GetRestApis", "*",
)  # fmt: skip
FAULTS = ("lose_response", "lose_request", "cut_before", "crash_before", "crash_after")


@dataclass(frozen=True)
class Wish:
    """What is desired: revisions of two versions by number (0: not published), and for two subscriptions to each their
    plan (0: none), whether they are blocked, and the number of their keys."""

    revisions: tuple[int, int]
    subscriptions: tuple[tuple[int, bool, int], ...]

    def items(self) -> list[Item]:
        found: list[Item] = [*BASE, limit("2", 5, 1, 5)]
        found += [definition(str(number), "/orders", f"/new{number}") for number in (1, 2)]
        published = [number for number, revision in enumerate(self.revisions) if revision]
        for number in published:
            route = api(str(number), version=str(number))
            name = f"rev_{self.revisions[number]}"
            found.append(replace(route, revision=name, definition=name))
        for at, (plan, is_blocked, keys) in enumerate(self.subscriptions):
            if not plan or at % 2 not in published:
                continue
            found.append(grant(str(at), str(at % 2), plan=str(plan)))
            found += [key(f"{at}{number}", str(at)) for number in range(keys)]
            found += [blocked(str(at))] if is_blocked else []
        return found


WISHES = st.builds(
    Wish,
    st.tuples(st.integers(0, 2), st.integers(0, 2)),
    st.tuples(*[st.tuples(st.integers(0, 2), st.booleans(), st.integers(0, 2))] * 3),
)
TROUBLE = st.lists(
    st.tuples(st.sampled_from(FAULTS), st.sampled_from(OPERATIONS), st.integers(0, 2)), max_size=2
)
STEPS = st.lists(st.tuples(WISHES, TROUBLE, st.integers(1, 3)), min_size=1, max_size=4)
"""Each step is a wish, what goes wrong meanwhile, and how many runs there are before the next one."""


def check_sequence(
    fake: FakeAWS, counters: redis.Redis, steps: list[tuple[Wish, list[tuple[str, str, int]], int]]
) -> None:
    """One sequence from nothing to its end."""
    fake.reset(keep_sessions=True)
    prefix = f"test:{uuid.uuid4()}:"
    gateway = new_gateway()
    cloud = Cloud(fake, fake.account(), Buckets(counters, clock=fake.clock, prefix=prefix), gateway.pk)
    every = {
        item.id: item for wish, _trouble, _runs in steps for item in wish.items() if isinstance(item, Key)
    }
    for wish, trouble, runs in steps:
        for kind, operation, skip in trouble:
            getattr(fake.faults, kind)(operation, skip=skip)
        for _run in range(runs):
            try:
                _changes, verdict = cloud.push(*wish.items())
                fake.clock.advance(verdict.wait.seconds if verdict.wait else 1)
            except (DriverError, Crashed):
                fake.clock.advance(4)
    fake.faults.coming.clear()
    last = Document.of(steps[-1][0].items())
    cloud.settle(*last.items.values())
    cloud.later()
    holds_what_is_desired(cloud, last)
    lets_in_who_may(cloud, last, every)
    assert fake.rates.throttled == 0
    assert [one for one in fake.asked if one.code == "TooManyRequestsException"] == []
    Gateway.objects.filter(pk=gateway.pk).delete()
    for name in counters.scan_iter(f"{prefix}*", count=1000):
        counters.delete(name)


def holds_what_is_desired(cloud: Cloud, desired: Document) -> None:
    """As many of each as there should be: nothing twice, nothing left."""
    there = cloud.there
    grants = list(desired.of_kind(Grant))
    assert len(there.apis) == len({route.api_version for route in desired.of_kind(Route)})
    assert len(there.keys) == len(list(desired.of_kind(Key)))
    assert len(there.plans) == len({(one.limit, route) for one in grants for route in one.routes})
    assert all(len(one.stages) == 1 for one in there.apis.values())


def lets_in_who_may(cloud: Cloud, desired: Document, every: dict[str, Key]) -> None:
    """Every key that ever was, at every API."""
    stopped = {item.grant for item in desired.items.values() if item.kind == "block"}
    for route in desired.of_kind(Route):
        for one in every.values():
            held = desired.items.get(("key", one.id))  # type: ignore[call-overload]
            granted = desired.items.get(("grant", one.grant))  # type: ignore[call-overload]
            may = bool(held and granted and route.id in granted.routes and one.grant not in stopped)
            answer = cloud.call(route.id.removeprefix("pub_"), one.value).status
            assert (answer == 200) is may, (route.id, one.id, answer)


@settings(max_examples=25)
@given(steps=STEPS)
@pytest.mark.django_db
def test_whatever_goes_wrong_it_ends_as_desired(
    fake: FakeAWS, counters: redis.Redis, steps: list[tuple[Wish, list[tuple[str, str, int]], int]]
) -> None:
    check_sequence(fake, counters, steps)


@pytest.mark.long
@settings(max_examples=5_000)
@given(steps=STEPS)
@pytest.mark.django_db
def test_five_thousand_sequences(
    fake: FakeAWS, counters: redis.Redis, steps: list[tuple[Wish, list[tuple[str, str, int]], int]]
) -> None:
    check_sequence(fake, counters, steps)
