"""Callers in a process of their own: a few connections kept alive, a call on each at a time."""

from __future__ import annotations

import multiprocessing
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass

CONNECTIONS = 16
_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Calls:
    """What to call: a port of this machine, a path, and a key where one is asked for."""

    port: int
    path: str
    key: str = ""

    @property
    def request(self) -> bytes:
        """The bytes of one call; the same headers with and without a key but for the key."""
        key = f"X-API-Key: {self.key}\r\n" if self.key else ""
        head = (
            f"GET {self.path} HTTP/1.1\r\nHost: gateway.test\r\nAccept: */*\r\nUser-Agent: bench\r\n{key}\r\n"
        )
        return head.encode()


def call(calls: Sequence[Calls], count: int, core: int) -> None:
    """Make `count` calls from `core`, taking turns between `calls`.

    Raises AssertionError unless all are answered 200.
    """
    process = multiprocessing.get_context("spawn").Process(target=_call, args=(calls, count, core))
    process.start()
    process.join()
    assert process.exitcode == 0, "a call was not answered 200"


def _call(calls: Sequence[Calls], count: int, core: int) -> None:
    os.sched_setaffinity(0, {core})
    connections = [socket.create_connection(("127.0.0.1", calls[0].port)) for _ in range(CONNECTIONS)]
    requests = [one.request for one in calls]
    for turn in range(count // CONNECTIONS):
        for place, connection in enumerate(connections):
            connection.sendall(requests[(turn * CONNECTIONS + place) % len(requests)])
        for connection in connections:
            _read_answer(connection)


def _read_answer(connection: socket.socket) -> None:
    answer = b""
    while b"\r\n\r\n" not in answer or not _is_whole(answer):
        part = connection.recv(_BYTES)
        assert part, "the gateway hung up"
        answer += part
    assert answer.startswith(b"HTTP/1.1 200"), answer


def _is_whole(answer: bytes) -> bool:
    head, _, body = answer.partition(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return len(body) >= int(length.partition(b":")[2])
