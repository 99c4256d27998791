"""The driver of nginx."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from gateways.drivers.agents.adapt import Refine
from gateways.drivers.agents.driver import AgentDriver
from gateways.drivers.agents.inspection import ReadFiles
from gateways.drivers.nginx.adapt import NginxRules
from gateways.drivers.nginx.inspection import read
from gateways.drivers.nginx.translate import files
from gateways.engine.document import Document
from gateways.engine.driver import Feature


class NginxDriver(AgentDriver):
    """nginx through agents."""

    kind: ClassVar[str] = "nginx"
    label: ClassVar[str] = "nginx"
    supports: ClassVar[frozenset[Feature]] = frozenset(Feature) - {
        Feature.ROUTE_CANARY,
        Feature.HEALTH_CHECK,
        Feature.SLOW_RATES,
        Feature.RATE_HEADERS,
        Feature.ENDLESS_STREAMS,
    }

    def refine(self) -> Refine:
        """See the module `adapt`."""
        return NginxRules()

    def phases(self, observed: Document, desired: Document) -> list[Mapping[str, str]]:
        """All files at once."""
        return [files(desired, self.connection.listeners, address=self.address, nodes=self.nodes)]

    def reader(self) -> ReadFiles:
        """See the module `inspection`."""
        return read
