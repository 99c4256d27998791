"""The memory driver under the contract, and what it can be told to do wrong."""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import normpath

import pytest

from gateways.drivers.memory import MemoryDriver, forget_gateways, memory_gateway
from gateways.engine.diff import diff
from gateways.engine.document import Document, Item, ref
from gateways.engine.driver import Connection
from tests.gateways import documents as make
from tests.gateways.driver_contract import Answer, DriverContract, GatewayUnderTest, quietly


class MemoryUnderTest:
    """A gateway in this process."""

    upstream_url = "http://127.0.0.1:9"

    def driver(self) -> MemoryDriver:
        return MemoryDriver(Connection("gw"))

    def unreachable(self) -> MemoryDriver:
        return MemoryDriver(Connection("gw", options={"unreachable": "1"}))

    def refused(self) -> tuple[MemoryDriver, Item]:
        offender = make.upstream("refused", self.upstream_url)
        return MemoryDriver(Connection("gw", options={"refuse": str(ref(offender))})), offender

    def call(self, path: str, key: str = "", environment: str = "production") -> Answer:
        decision = self.driver().decide(normpath(path), key, environment=environment)
        return Answer(decision.status, decision.headers)


class TestMemoryContract(DriverContract):
    """Memory passes what every driver passes."""

    @pytest.fixture
    def gateway(self) -> Iterator[GatewayUnderTest]:
        forget_gateways()
        yield MemoryUnderTest()
        forget_gateways()


def test_what_others_made_survives() -> None:
    forget_gateways()
    memory_gateway("gw").foreign["their route"] = "kept"
    driver = MemoryDriver(Connection("gw"))
    for desired in (make.catalogue(2), Document()):
        changes = diff(driver.observe(None), desired)
        driver.apply(changes, quietly)
    assert memory_gateway("gw").foreign == {"their route": "kept"}
    assert driver.observe(None) == Document()


def test_a_change_that_is_forgotten_is_not_confirmed() -> None:
    forget_gateways()
    driver = MemoryDriver(Connection("gw", options={"forget": "key/crd_0001"}))
    changes = diff(driver.observe(None), make.catalogue(1))
    driver.apply(changes, quietly)
    assert {str(name) for name in driver.verify(changes).unconfirmed} == {"key/crd_0001"}
    assert driver.decide("/shop/orders-0001/v1", make.key_value("0001")).status == 401


def test_tokens_come_back_evenly() -> None:
    forget_gateways()
    driver = MemoryDriver(Connection("gw"))
    items = [make.upstream(), make.limit(calls=6, period_s=60, burst=1), make.consumer(), make.route()]
    desired = make.document(*items, make.grant("1", "1"), make.key("1"))
    driver.apply(diff(Document(), desired), quietly)
    call = ("/shop/orders-1/v1", make.key_value("1"))
    assert [driver.decide(*call, now=at).status for at in (0, 5, 10, 19, 20)] == [200, 429, 200, 429, 200]
