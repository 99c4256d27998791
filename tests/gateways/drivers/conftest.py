"""Drivers know no Django, no database and no cache: neither do their tests.

One real gateway of each kind serves them all.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.gateways.certificates import Authority
from tests.gateways.gateway_node import NodeUnderTest, RunningNode, echo_upstream


@pytest.fixture(autouse=True)
def _fresh_cache() -> None:
    """Nothing to make fresh."""


@pytest.fixture(scope="session")
def upstream_url() -> Iterator[str]:
    with echo_upstream() as url:
        yield url


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whom the Envoy of these tests trusts."""
    return Authority(tmp_path_factory.mktemp("authority"))


@contextmanager
def running(
    kind: str, factory: pytest.TempPathFactory, upstream_url: str, authority: Authority
) -> Iterator[NodeUnderTest]:
    """A running agent with its gateway."""
    node = RunningNode(factory.mktemp(kind) / "agent", kind, ca_file=str(authority.ca_file))
    node.start()
    under_test = NodeUnderTest(node, upstream_url)
    yield under_test
    under_test.client.close()
    node.stop()


@pytest.fixture(scope="session")
def envoy(
    tmp_path_factory: pytest.TempPathFactory, upstream_url: str, authority: Authority
) -> Iterator[NodeUnderTest]:
    """An Envoy."""
    with running("envoy", tmp_path_factory, upstream_url, authority) as found:
        yield found


@pytest.fixture(scope="session")
def nginx(
    tmp_path_factory: pytest.TempPathFactory, upstream_url: str, authority: Authority
) -> Iterator[NodeUnderTest]:
    """An nginx."""
    with running("nginx", tmp_path_factory, upstream_url, authority) as found:
        yield found
