"""The files of the nodes of a gateway, fetched when they changed, and read by what its kind knows of them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from gateways.drivers.agents.client import AgentClient
from gateways.engine.document import Document, Kind
from gateways.engine.drift import Reading, digest_of
from gateways.engine.driver import Listener
from gateways.engine.wire import REALISED_IN

type Files = Mapping[str, str]
_MOST_KEPT = 16


@dataclass(frozen=True, slots=True)
class Setup:
    """All that the files of a gateway depend on beside its document."""

    kind: str
    listeners: tuple[Listener, ...]
    address: str
    nodes: int


class ReadFiles(Protocol):
    """Reads the files of one node. `stale` names those that the gateway has not taken up."""

    def __call__(
        self, files: Files, expected: Document, setup: Setup, *, stale: Sequence[str] = ()
    ) -> Reading: ...


class _Kept:
    """Readings by what they were made of: files that did not change are not fetched and read again."""

    def __init__(self) -> None:
        self._readings: OrderedDict[str, Reading] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, name: str) -> Reading | None:
        with self._lock:
            return self._readings.get(name)

    def keep(self, name: str, reading: Reading) -> None:
        with self._lock:
            self._readings[name] = reading
            while len(self._readings) > _MOST_KEPT:
                self._readings.popitem(last=False)


_kept = _Kept()


def inspect_node(client: AgentClient, expected: Document, setup: Setup, read: ReadFiles) -> Reading:
    """What the files of one node say. Raises DriverError, and KeyError or TypeError for an answer of another kind."""
    seen = client.files(texts=False)
    name = _name(seen, expected, setup)
    known = _kept.get(name)
    if known is None:
        seen = client.files(texts=True)
        name = _name(seen, expected, setup)
        known = read(seen["files"], expected, setup, stale=seen["stale"])
        _kept.keep(name, known)
    return replace(known, node=client.node.name, holds=str(seen["digest"]))


def _name(seen: Mapping[str, Any], expected: Document, setup: Setup) -> str:
    listeners = [[listener.environment, listener.port, listener.host] for listener in setup.listeners]
    here = [seen["digests"], seen["stale"], setup.kind, listeners, setup.address, setup.nodes]
    return digest_of([here, expected.digest()])


def doubts_of(kind: str, file: str) -> frozenset[Kind]:
    """The kinds of object that can't be vouched for while something is wrong with a whole file."""
    head = file.rpartition(".")[0]
    return frozenset(one for one, heads in REALISED_IN[kind].items() if head.startswith(heads))
