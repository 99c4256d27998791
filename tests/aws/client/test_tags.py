"""Find by tag before making: whatever gets lost and whoever dies, there is one at the end."""

from __future__ import annotations

import uuid

import hypothesis.strategies as st
import pytest
import redis
from hypothesis import given, settings

from aws.client.buckets import Buckets
from aws.client.calls import Calls
from aws.client.errors import AwsError, Lost
from tests.aws.fake import Crashed, FakeAWS
from tests.aws.fake.acts import REGIONAL

TAG = "portal:object"


def find(calls: Calls, name: str) -> list[str]:
    """The ids of what has the tag."""
    apis = calls.pages("apigateway", "GetRestApis", "items")
    return [api["id"] for api in apis if api.get("tags", {}).get(TAG) == name]


def ensure(calls: Calls, name: str) -> str:
    """As the driver does: look, and only then make."""
    if found := find(calls, name):
        return found[0]
    made = calls.call(
        "apigateway", "CreateRestApi", name=name, endpointConfiguration=REGIONAL, tags={TAG: name}
    )
    return str(made["id"])


FAULTS = st.lists(
    st.tuples(
        st.sampled_from(["lose_response", "lose_request", "cut_before", "crash_before", "crash_after"]),
        st.sampled_from(["CreateRestApi", "GetRestApis", "AssumeRole", "*"]),
        st.integers(0, 3),
    ),
    max_size=6,
)


@settings(max_examples=60)
@given(told=FAULTS, names=st.lists(st.sampled_from("abc"), min_size=1, max_size=5))
def test_there_is_one_of_each_whatever_happens(
    fake: FakeAWS, counters: redis.Redis, told: list[tuple[str, str, int]], names: list[str]
) -> None:
    fake.reset(keep_sessions=True)
    prefix = f"test:{uuid.uuid4()}:"
    calls = fake.calls(fake.account(), Buckets(counters, clock=fake.clock, prefix=prefix), patience_s=600)
    for kind, operation, skip in told:
        getattr(fake.faults, kind)(operation, skip=skip)
    for name in names:
        for _ in range(40):
            try:
                ensure(calls, name)
                break
            except (AwsError, Crashed):
                continue  # a worker goes on, this one or another
    fake.faults.coming.clear()
    assert {name: len(find(calls, name)) for name in names} == dict.fromkeys(names, 1)
    assert fake.rates.throttled == 0
    for key in counters.scan_iter(f"{prefix}*", count=1000):
        counters.delete(key)


def test_making_it_again_without_looking_makes_two(fake: FakeAWS, calls: Calls) -> None:
    """What the rule is for."""
    fake.faults.lose_response("CreateRestApi")
    for _ in range(2):
        try:
            calls.call(
                "apigateway", "CreateRestApi", name="a", endpointConfiguration=REGIONAL, tags={TAG: "a"}
            )
        except Lost:
            continue
    assert len(find(calls, "a")) == 2


def test_a_list_that_lags_hides_what_was_made(fake: FakeAWS, calls: Calls) -> None:
    """Who looks too soon makes a second one: what got lost is looked for again after a while."""
    fake.delays.lists = 20
    fake.faults.lose_response("CreateRestApi")
    with pytest.raises(Lost):
        ensure(calls, "a")
    assert find(calls, "a") == []
    fake.clock.advance(20)
    assert len(find(calls, "a")) == 1
