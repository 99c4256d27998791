"""A gateway in memory with one API published on it, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from apis.models import ApiVersion
from gateways.actions import mark_behind, reconcile
from gateways.connections import driver_for
from gateways.drivers.memory import Decision, MemoryDriver
from gateways.models import Deployment, Gateway, Publication
from teams.models import Team
from tests import factories


@pytest.fixture
def edge(db: None) -> Gateway:
    return factories.make_gateway("edge")


@pytest.fixture
def orders(shop: Team) -> ApiVersion:
    """Version 1 of the API Orders of the team Shop."""
    return factories.make_version(factories.make_api(shop, "Orders"))


@pytest.fixture
def published(orders: ApiVersion, edge: Gateway) -> Publication:
    return factories.make_publication(orders, edge)


@pytest.fixture
def push() -> Callable[[Gateway], Deployment | None]:
    """Note the gateway as behind and let a run do what the worker would do."""

    def run(gateway: Gateway) -> Deployment | None:
        mark_behind([gateway.pk])
        return reconcile(gateway, whether_due=True)

    return run


@pytest.fixture
def call() -> Callable[..., Decision]:
    """Ask a memory gateway how it would answer a call."""

    def ask(gateway: Gateway, path: str, key: str = "", environment: str = "production") -> Decision:
        driver = driver_for(gateway)
        assert isinstance(driver, MemoryDriver)
        return driver.decide(path, key, environment=environment)

    return ask
