"""An AWS in memory, and buckets of its own in the Redis of the tests."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest
import redis

from aws.client.account import Account
from aws.client.buckets import Buckets
from aws.client.calls import Calls
from tests.aws.fake import FakeAWS


@pytest.fixture(scope="session")
def _made_once() -> FakeAWS:
    return FakeAWS()


@pytest.fixture
def fake(_made_once: FakeAWS) -> FakeAWS:
    """An AWS in which nothing is."""
    _made_once.reset()
    return _made_once


@pytest.fixture(scope="session")
def counters() -> Iterator[redis.Redis]:
    """The Redis of the tests, as its own client writes its address."""
    with redis.Redis.from_url(os.environ["REDIS_URL"].replace("redis+socket://", "unix://")) as server:
        yield server


@pytest.fixture
def buckets(fake: FakeAWS, counters: redis.Redis) -> Iterator[Buckets]:
    """Empty ones, on the clock of the fake."""
    prefix = f"test:{uuid.uuid4()}:"
    yield Buckets(counters, clock=fake.clock, prefix=prefix)
    for key in counters.scan_iter(f"{prefix}*", count=1000):
        counters.delete(key)


@pytest.fixture
def account(fake: FakeAWS) -> Account:
    return fake.account()


@pytest.fixture
def calls(fake: FakeAWS, account: Account, buckets: Buckets) -> Calls:
    """The client's door to the fake. It waits as long as it has to: time costs nothing here."""
    return fake.calls(account, buckets, patience_s=3600)
