"""Drivers know no Django, no database and no cache: neither do their tests. One real Envoy serves them all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.gateways.certificates import Authority
from tests.gateways.envoy_node import EnvoyNode, EnvoyUnderTest, echo_upstream


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


@pytest.fixture(scope="session")
def envoy(
    tmp_path_factory: pytest.TempPathFactory, upstream_url: str, authority: Authority
) -> Iterator[EnvoyUnderTest]:
    """A running agent with its Envoy."""
    node = EnvoyNode(tmp_path_factory.mktemp("envoy") / "agent", ca_file=str(authority.ca_file))
    node.start()
    under_test = EnvoyUnderTest(node, upstream_url)
    yield under_test
    under_test.client.close()
    node.stop()
