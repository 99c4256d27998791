"""The driver of Envoy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from gateways.drivers.agents.driver import AgentDriver
from gateways.drivers.agents.inspection import ReadFiles
from gateways.drivers.envoy.inspection import read
from gateways.drivers.envoy.translate import phases
from gateways.engine.document import Document
from gateways.engine.driver import Feature


class EnvoyDriver(AgentDriver):
    """Envoy through agents."""

    kind: ClassVar[str] = "envoy"
    label: ClassVar[str] = "Envoy"
    supports: ClassVar[frozenset[Feature]] = frozenset(Feature) - {Feature.ROUTE_CANARY}

    def phases(self, observed: Document, desired: Document) -> list[Mapping[str, str]]:
        """Make before break, since Envoy follows each file by itself."""
        listeners = self.connection.listeners
        return [*phases(observed, desired, listeners, address=self.address, nodes=self.nodes)]

    def reader(self) -> ReadFiles:
        """See the module `inspection`."""
        return read
