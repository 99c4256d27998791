"""The little of HTTP that the runtime needs on top of ASGI 3. https://asgi.readthedocs.io/en/latest/specs/www.html"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from ai.runtime.errors import Code, Refused

type Scope = Mapping[str, Any]
type Message = dict[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]


class CallerLeft(Exception):
    """The caller closed the connection."""


class Request:
    """One call. Header names are lower-case; of several values of one name the first counts."""

    __slots__ = (
        "_receive",
        "_send",
        "bytes_out",
        "extra_headers",
        "headers",
        "method",
        "path",
        "query",
        "started",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.query: bytes = scope.get("query_string", b"")
        self.headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            self.headers.setdefault(name.decode("latin-1"), value.decode("latin-1"))
        self._receive = receive
        self._send = send
        self.started = False
        self.bytes_out = 0
        self.extra_headers: dict[str, str] = {}

    async def body(self, most: int) -> bytes:
        """All of the body. Raises Refused (413) for more than `most` bytes, CallerLeft."""
        announced = self.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > most:
            raise too_large(most)
        pieces, size = [], 0
        while True:
            message = await self._receive()
            if message["type"] != "http.request":
                raise CallerLeft
            piece = message.get("body", b"")
            size += len(piece)
            if size > most:
                raise too_large(most)
            pieces.append(piece)
            if not message.get("more_body"):
                return b"".join(pieces) if len(pieces) > 1 else pieces[0]

    async def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """A whole answer."""
        self.started = True
        self.bytes_out += len(body)
        length = {"content-length": str(len(body))}
        await self._send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": _raw({**headers, **self.extra_headers, **length}),
            }
        )
        await self._send({"type": "http.response.body", "body": body})

    async def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """The head of a stream."""
        self.started = True
        await self._send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": _raw({**headers, **self.extra_headers}),
            }
        )

    def send(self, piece: bytes, *, last: bool = False) -> Awaitable[None]:
        """A piece of a stream, once it is awaited."""
        self.bytes_out += len(piece)
        return self._send({"type": "http.response.body", "body": piece, "more_body": not last})

    def watch(self) -> asyncio.Task[None]:
        """A task that ends when the caller leaves. Only after the body was read; cancel it when the answer is out."""
        return asyncio.create_task(self._until_left())

    async def _until_left(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass


def too_large(most: int) -> Refused:
    """What a body gets that is longer than was asked for."""
    return Refused(413, Code.TOO_LARGE, f"The body is longer than {most:,} bytes. Send a shorter one.")


def _raw(headers: Mapping[str, str]) -> Iterable[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers.items()]
