"""The kinds of gateway on which every fault is tried. Another kind is another line."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gateways.agent.reporter import HEARTBEAT_S
from gateways.agent.segments import SEGMENT_BYTES
from gateways.models import Gateway
from tests.gateways.gateway_node import RunningNode

IN_A_HURRY = """
import sys
from gateways.agent import __main__, reporter, segments
segments.SEGMENT_BYTES, reporter.HEARTBEAT_S = int(sys.argv[1]), float(sys.argv[2])
segments.SETTLED_S = 1.0
sys.exit(__main__.main())
"""


@dataclass
class FaultyNode(RunningNode):
    """An agent with its gateway that obeys failpoints.

    It begins a new segment of its log after `segment_bytes`, and reports every `heartbeat_s` seconds.
    """

    more: dict[str, str] = field(default_factory=dict)
    segment_bytes: int = SEGMENT_BYTES
    heartbeat_s: float = HEARTBEAT_S

    @property
    def command(self) -> list[str]:
        if (self.segment_bytes, self.heartbeat_s) == (SEGMENT_BYTES, HEARTBEAT_S):
            return super().command
        return [sys.executable, "-c", IN_A_HURRY, str(self.segment_bytes), str(self.heartbeat_s)]

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "GATEHOUSE_EMBEDDED": "1", **self.more}

    def kill_gateway(self) -> None:
        """kill -9 of the gateway's first process; its agent lives, and so do the workers of an nginx."""
        for pid in self.gateway_pids():
            os.kill(pid, signal.SIGKILL)

    def kill_whole_gateway(self) -> None:
        """kill -9 of every process of the gateway; its agent lives."""
        for pid in self.gateway_pids():
            os.killpg(pid, signal.SIGKILL)

    def gateway_pids(self) -> list[int]:
        """What the agent started: leaders of groups of their own."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]


@dataclass(frozen=True)
class GatewayKind:
    """How a node of a kind is made.

    Its agent swaps a configuration in so many `phases`; `shares_its_port`: two nodes may stand on one machine.
    """

    kind: str
    phases: int
    shares_its_port: bool

    def node(self, state: Path, **values: Any) -> FaultyNode:
        return FaultyNode(state, self.kind, **values)

    @property
    def agent_steps(self) -> list[str]:
        """The places at which an agent of this kind may be killed, in the order in which it comes by."""
        phases = [f"agent.phase-{number}" for number in range(1, self.phases + 1)]
        return ["agent.after-trial", *phases, "agent.swapped", "agent.before-save", "agent.after-save"]


ENVOY = pytest.param(
    GatewayKind(Gateway.Kind.ENVOY, phases=5, shares_its_port=True),
    id="envoy",
    marks=[pytest.mark.envoy, pytest.mark.xdist_group("faults-envoy")],
)
NGINX = pytest.param(
    GatewayKind(Gateway.Kind.NGINX, phases=1, shares_its_port=False),
    id="nginx",
    marks=pytest.mark.xdist_group("faults-nginx"),
)
KINDS = [ENVOY, NGINX]
"""Each with a portal of its own, so that two processes can try them beside each other."""

one_gateway = pytest.mark.parametrize("scene", [NGINX], indirect=True)
"""For a fault on the portal's side of the wire, which every kind of gateway sees alike."""
