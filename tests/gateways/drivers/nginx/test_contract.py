"""The nginx driver, a real agent and a real nginx under the contract of every driver."""

from __future__ import annotations

import pytest

from tests.gateways.driver_contract import DriverContract, GatewayUnderTest
from tests.gateways.gateway_node import NodeUnderTest


class TestNginxContract(DriverContract):
    """nginx passes what every driver passes."""

    @pytest.fixture
    def gateway(self, nginx: NodeUnderTest) -> GatewayUnderTest:
        return nginx
