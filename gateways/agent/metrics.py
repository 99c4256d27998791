"""The agent's own numbers, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from gateways.agent.applier import Applier
from gateways.agent.plane import DataPlane
from gateways.agent.shipper import Shipper

_SPACE = "gatehouse_agent"


class Metrics:
    """Counts pushes, and looks at the parts of the agent when it is read."""

    def __init__(self, applier: Applier, plane: DataPlane, shipper: Shipper | None) -> None:
        self._applier = applier
        self._plane = plane
        self._shipper = shipper
        self._registry = CollectorRegistry()
        self.pushes = Counter(
            "pushes",
            "Pushes by HTTP status of the answer",
            ["status"],
            namespace=_SPACE,
            registry=self._registry,
        )
        self.push_seconds = Histogram(
            "push_seconds", "From push to answer", namespace=_SPACE, registry=self._registry
        )
        self._version = self._gauge("config_version", "Version in force")
        self._restarts = self._gauge("gateway_restarts", f"Times {plane.label} ended")
        self._backlog = self._gauge("usage_backlog_bytes", "Log not yet held by the portal")
        self._lost = self._gauge("usage_lost_bytes", "Log given up: the spool was full, or a line was none")

    def render(self) -> bytes:
        """The exposition text."""
        self._version.set(self._applier.held.version if self._applier.held else 0)
        self._restarts.set(self._plane.restarts)
        if self._shipper is not None:
            self._backlog.set(self._shipper.backlog_bytes())
            self._lost.set(self._shipper.lost_bytes)
        return generate_latest(self._registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(name, text, namespace=_SPACE, registry=self._registry)
