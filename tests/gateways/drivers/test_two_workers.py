"""Workers take turns at one gateway: none of them has to read or to send all of it because another one was there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from gateways.drivers.agents import client, known
from gateways.drivers.agents.client import AgentClient
from gateways.drivers.agents.known import DocumentCache, FileCache
from gateways.engine.document import Document, Item
from tests.gateways import documents as make
from tests.gateways.driver_contract import publish
from tests.gateways.gateway_node import NodeUnderTest


@dataclass
class Worker:
    """What one process knows."""

    documents: DocumentCache = field(default_factory=DocumentCache)
    files: FileCache = field(default_factory=FileCache)


@dataclass
class Talk:
    """What was asked of the agent, and how many configurations had to be sent whole."""

    asked: list[str] = field(default_factory=list)
    whole: int = 0


@pytest.fixture
def talk(monkeypatch: pytest.MonkeyPatch) -> Talk:
    found, get, push = Talk(), AgentClient._get, AgentClient.push

    def heard(self: AgentClient, path: str) -> Mapping[str, Any]:
        found.asked.append(path)
        return get(self, path)

    def sent(self: AgentClient, body: bytes, whole: Callable[[], bytes]) -> Mapping[str, Any]:
        def counted() -> bytes:
            found.whole += 1
            return whole()

        return push(self, body, counted)

    monkeypatch.setattr(AgentClient, "_get", heard)
    monkeypatch.setattr(AgentClient, "push", sent)
    return found


@pytest.mark.parametrize("kind", [pytest.param("envoy", marks=pytest.mark.envoy), "nginx"])
def test_two_workers_take_turns(
    kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, talk: Talk
) -> None:
    gateway: NodeUnderTest = request.getfixturevalue(kind)
    base = [make.upstream("1", gateway.upstream_url), make.limit(), make.consumer(), make.route("1")]
    many = [item for number in range(200) for item in subscribed(f"9{number:03}")]

    def by(worker: Worker, *more: Item) -> Document:
        for module in (client, known):
            monkeypatch.setattr(module, "documents", worker.documents)
            monkeypatch.setattr(module, "files", worker.files)
        publish(gateway, *base, *many, *more)
        return gateway.driver().observe(None)

    one, other = Worker(), Worker()
    by(one)
    by(other, *subscribed("1"))
    talk.asked.clear()
    for number, worker in enumerate((one, other, one, other), start=2):
        more = [item for n in range(1, number + 1) for item in subscribed(f"{n}")]
        assert len(by(worker, *more)) == len(base) + len(many) + len(more)
    by(one, *subscribed("1"))  # what others gave is taken away
    assert talk.asked
    assert all("items=new" in path for path in talk.asked)
    assert talk.whole == 0


def subscribed(number: str) -> list[Item]:
    """A subscription to the first API with a key."""
    return [make.grant(number, "1"), make.key(number, number)]
