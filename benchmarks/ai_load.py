"""Callers of an AI endpoint in a process of their own, which cost little: raw HTTP on connections kept alive.

    python -m benchmarks.ai_load

It reads a `Load` as JSON and writes what became of it, a `Found`. Every caller has a connection and calls again as
soon as it has its answer, until the time is over.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import cast

import uvloop

_PATIENCE_S = 20
_END = b"0\r\n\r\n"
_TEXT = b'"content":"'


@dataclass(frozen=True, slots=True)
class Load:
    """Who calls what: `callers` at a time for `seconds`, or until `calls` are made; the first ones `spread_s` apart."""

    port: int
    path: str
    headers: Mapping[str, str]
    body: str
    callers: int
    seconds: float = 0.0
    calls: int = 0
    spread_s: float = 0.0

    @property
    def request(self) -> bytes:
        """The bytes of one call."""
        told = {"Host": "127.0.0.1", "Content-Type": "application/json", **self.headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
        body = self.body.encode()
        return f"POST {self.path} HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


@dataclass(slots=True)
class Found:
    """Milliseconds of every call and until its first text, calls by status, chunks, and how long all took."""

    took: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)
    chunks: int = 0
    seconds: float = 0.0

    @property
    def calls(self) -> int:
        return len(self.took)

    @property
    def per_second(self) -> float:
        return self.calls / self.seconds


def call(load: Load, *, allowed: frozenset[str] = frozenset({"200"})) -> Found:
    """Make these calls. Raises AssertionError where one gets another status than those `allowed`."""
    process = subprocess.run(
        [sys.executable, "-m", "benchmarks.ai_load"],
        input=json.dumps(asdict(load)),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=load.seconds + 20 * _PATIENCE_S,
    )
    found = Found(**json.loads(process.stdout))
    assert found.statuses.keys() <= allowed, f"{load.path}: {found.statuses}"
    return found


class _Callers:
    """What all callers share."""

    def __init__(self, load: Load) -> None:
        self.request = load.request
        self.found = Found()
        self.statuses: Counter[str] = Counter()
        self.begun = 0
        self._most = load.calls
        self._until = time.perf_counter() + load.seconds if load.seconds else 0.0

    def goes_on(self) -> bool:
        """Whether another call may begin; it counts as begun."""
        is_over = self.begun >= self._most if self._most else time.perf_counter() >= self._until
        self.begun += not is_over
        return not is_over


class _Caller(asyncio.Protocol):
    """One connection. `over` is set when it calls no more."""

    def __init__(self, callers: _Callers) -> None:
        self._callers = callers
        self._transport: asyncio.Transport
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._forget()

    def _forget(self) -> None:
        self._answer = b""
        self._length = -1
        self._first = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by type

    def connection_lost(self, error: Exception | None) -> None:
        if not self.over.done():
            self.over.set_exception(error or ConnectionError(f"hung up after {self._answer[:200]!r}"))

    def go_on(self) -> None:
        """Call again, unless it is time to stop."""
        if self._callers.goes_on():
            self._began = time.perf_counter()
            self._transport.write(self._callers.request)
        else:
            self.over.set_result(None)
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        if self._length >= 0:  # the rest of a whole answer
            self._answer += data
            self._look_for_end()
            return
        if not self._answer or b"\r\n\r\n" not in self._answer[:4096]:
            self._answer += data
            head, end, _ = self._answer.partition(b"\r\n\r\n")
            if end:
                self._length = _length(head)
                data = self._answer
        if self._length >= 0:
            self._look_for_end()
        elif b"\r\n\r\n" in self._answer[:4096]:
            self._note_pieces(data)

    def _look_for_end(self) -> None:
        _, _, body = self._answer.partition(b"\r\n\r\n")
        if len(body) >= self._length:
            self._note_end()

    def _note_pieces(self, data: bytes) -> None:
        if not self._first and _TEXT in data:
            self._first = time.perf_counter()
            self._callers.found.first.append((self._first - self._began) * 1000)
        self._callers.found.chunks += data.count(b"data: {")
        if data.endswith(_END):
            self._note_end()

    def _note_end(self) -> None:
        self._callers.found.took.append((time.perf_counter() - self._began) * 1000)
        self._callers.statuses[self._answer[9:12].decode()] += 1
        self._forget()
        self.go_on()


def _length(head: bytes) -> int:
    """The announced length of a body, -1 where it comes in pieces."""
    _, found, rest = head.lower().partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0]) if found else -1


async def _run(load: Load) -> Found:
    loop = asyncio.get_running_loop()
    callers = _Callers(load)
    opened = [
        await loop.create_connection(lambda: _Caller(callers), "127.0.0.1", load.port)
        for _ in range(load.callers)
    ]
    began = time.perf_counter()
    for number, (_transport, caller) in enumerate(opened):
        loop.call_later(load.spread_s * number, caller.go_on)
    await asyncio.wait_for(
        asyncio.gather(*(caller.over for _, caller in opened)), load.seconds + 19 * _PATIENCE_S
    )
    callers.found.seconds = time.perf_counter() - began
    callers.found.statuses = dict(callers.statuses)
    return callers.found


if __name__ == "__main__":
    asked = Load(**json.load(sys.stdin))
    json.dump(asdict(asyncio.Runner(loop_factory=uvloop.new_event_loop).run(_run(asked))), sys.stdout)
