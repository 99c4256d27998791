"""The kinds of gateway on which every fault is tried. Another kind is another line."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateways.models import Gateway
from tests.gateways.gateway_node import RunningNode

SMALL_SEGMENTS = """
import sys
from gateways.agent import __main__, segments
segments.SEGMENT_BYTES, segments.SETTLED_S = int(sys.argv[1]), 1.0
sys.exit(__main__.main())
"""

type MakeNode = Callable[..., RunningNode]


@dataclass
class FaultyEnvoyNode(RunningNode):
    """An agent with Envoy that obeys failpoints. It begins a new segment of its log after `segment_bytes`."""

    more: dict[str, str] = field(default_factory=dict)
    segment_bytes: int = 0

    @property
    def command(self) -> list[str]:
        if not self.segment_bytes:
            return super().command
        return [sys.executable, "-c", SMALL_SEGMENTS, str(self.segment_bytes)]

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "GATEHOUSE_EMBEDDED": "1", **self.more}

    def kill_gateway(self) -> None:
        """kill -9 of the gateway alone; its agent lives."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for pid in children:
            os.kill(int(pid), signal.SIGKILL)


@dataclass(frozen=True)
class GatewayKind:
    """How a gateway of a kind is registered, and how a node of it is made."""

    kind: str
    make_node: MakeNode

    def node(self, state: Path, **values: object) -> RunningNode:
        return self.make_node(state, **values)


KINDS = [
    pytest.param(GatewayKind(Gateway.Kind.ENVOY, FaultyEnvoyNode), id="envoy"),
]
