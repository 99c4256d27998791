"""The Envoy driver, a real agent and a real Envoy under the contract of every driver."""

from __future__ import annotations

import pytest

from tests.gateways.driver_contract import DriverContract, GatewayUnderTest
from tests.gateways.gateway_node import NodeUnderTest


@pytest.mark.envoy
class TestEnvoyContract(DriverContract):
    """Envoy passes what every driver passes."""

    @pytest.fixture
    def gateway(self, envoy: NodeUnderTest) -> GatewayUnderTest:
        return envoy
