"""The driver of the AI runtime."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from gateways.drivers.agents.adapt import adapt
from gateways.drivers.agents.driver import AgentDriver
from gateways.drivers.agents.inspection import ReadFiles
from gateways.drivers.ai_runtime.inspection import read
from gateways.drivers.ai_runtime.translate import files
from gateways.engine.document import Document
from gateways.engine.driver import Adapted, Feature


class AiRuntimeDriver(AgentDriver):
    """Our AI runtime through agents. It knows keys by their digests alone."""

    kind: ClassVar[str] = "ai_runtime"
    label: ClassVar[str] = "AI runtime"
    knows_keys: ClassVar[bool] = False
    supports: ClassVar[frozenset[Feature]] = frozenset(
        {
            Feature.KEY_AUTH,
            Feature.RATE_LIMIT,
            Feature.QUOTA_BLOCK,
            Feature.PROBLEM_ANSWERS,
            Feature.USAGE_FEED,
            Feature.HOST_ROUTING,
            Feature.SLOW_RATES,
            Feature.ENDLESS_STREAMS,
        }
    )

    def adapt(self, desired: Document) -> Adapted:
        """Drop what can't be served, with a note."""
        return adapt(desired, self.connection.listeners, self.nodes, is_ai_runtime=True)

    def phases(self, observed: Document, desired: Document) -> list[Mapping[str, str]]:
        """All files at once."""
        return [files(desired, self.connection.listeners, address=self.address)]

    def reader(self) -> ReadFiles:
        """See the module `inspection`."""
        return read
