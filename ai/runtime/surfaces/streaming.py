"""Passing a stream on: kept alive while the model thinks, read on for the bill when the caller leaves."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

from ai.pricing import Usage
from ai.runtime.asgi import Request
from ai.runtime.dialects.contract import Json
from ai.runtime.errors import Code, Refused, VendorError, VendorFailure
from ai.runtime.exchange import Build, Served
from ai.runtime.sse import PING, Event
from ai.runtime.vendors import VendorStream
from ai.runtime.work import DRAIN_S, Work

PING_S = 15.0
HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache",
    "x-accel-buffering": "no",
}


class Outlet(ABC):
    """Where the pieces of a stream go. A subclass says what a chunk becomes."""

    def __init__(self) -> None:
        self.characters = 0
        """Of the text and the calls so far, for a count where the vendor gives none."""

    def passed(self, stream: VendorStream, event: Event) -> bytes:
        """What goes out for an event. Raises VendorError for an error in the stream."""
        return b"".join([self.chunk(chunk) for chunk in self.seen(stream, event)])

    def seen(self, stream: VendorStream, event: Event) -> Iterable[Json]:
        """The chunks of an event, counted."""
        for chunk in stream.reader.read(event):
            for choice in chunk.get("choices") or ():
                self.characters += _characters(choice.get("delta") or {})
            yield chunk

    def begin(self, served: Served) -> bytes:
        """What goes out before anything else."""
        return b""

    @abstractmethod
    def chunk(self, chunk: Json) -> bytes:
        """What goes out for a chunk."""

    @abstractmethod
    def end(self, served: Served, usage: Usage) -> bytes:
        """What goes out at the end, after `usage` has been billed."""

    @abstractmethod
    def failed(self, refused: Refused) -> bytes:
        """What goes out when the answer breaks off."""


def _characters(delta: Json) -> int:
    functions = [call.get("function") or {} for call in delta.get("tool_calls") or ()]
    called = sum(len(one.get("name") or "") + len(one.get("arguments") or "") for one in functions)
    return len(delta.get("content") or "") + called


async def pass_on(
    request: Request, work: Work, build: Build, outlet: Outlet, headers: Callable[[Served], Mapping[str, str]]
) -> None:
    """Have a stream go through `outlet` to the caller, and bill it whatever becomes of it.

    Raises Refused before it has begun; afterwards an error is the last event.
    """
    served = await work.open_stream(build)
    stream = served.stream
    assert stream is not None  # noqa: S101 - `open_stream` gives one
    line = _Line(request, stream)
    try:
        await request.begin(200, {**HEADERS, **headers(served)})
        await line.send(outlet.begin(served))
        while events := await stream.events():
            pieces = [outlet.passed(stream, event) for event in events]
            await line.send(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        if not stream.reader.is_complete:
            raise VendorError(VendorFailure(502, "The model's answer broke off before its end.", "cut"))
        last = outlet.end(served, _bill(work, served, outlet))
    except VendorError as error:
        refused = _broken(served, error)
        work.record.code = refused.code.value
        _bill(work, served, outlet, status=error.failure.status, code=error.failure.code)
        last = outlet.failed(refused)
    finally:
        stream.close()
        line.close()
    if line.caller_left:
        work.record.status, work.record.code = 499, "caller_left"
        return
    with suppress(OSError):
        await request.send(last, last=True)


class _Line:
    """The connection to the caller while a stream is on. When the caller leaves, the stream is read on for DRAIN_S."""

    def __init__(self, request: Request, stream: VendorStream) -> None:
        self._request = request
        self._loop = asyncio.get_running_loop()
        self._quiet = True
        self._timer = self._loop.call_later(PING_S, self._beat)
        self._pings: set[asyncio.Future[None]] = set()
        self._drain: asyncio.TimerHandle | None = None
        self._stream = stream
        self._watch = request.watch()
        self._watch.add_done_callback(self._left)
        self.caller_left = False

    async def send(self, piece: bytes) -> None:
        if piece and not self.caller_left:
            self._quiet = False
            await self._request.send(piece)

    def close(self) -> None:
        self._timer.cancel()
        self._watch.cancel()
        if self._drain is not None:
            self._drain.cancel()

    def _left(self, watch: asyncio.Task[None]) -> None:
        if not watch.cancelled():
            self.caller_left = True
            self._drain = self._loop.call_later(DRAIN_S, self._stream.close)

    def _beat(self) -> None:
        if self._quiet and not self.caller_left:
            ping = asyncio.ensure_future(self._request.send(PING))
            self._pings.add(ping)
            ping.add_done_callback(self._pings.discard)
        self._quiet = True
        self._timer = self._loop.call_later(PING_S, self._beat)


def _bill(work: Work, served: Served, outlet: Outlet, *, status: int = 200, code: str = "") -> Usage:
    reader = served.stream.reader if served.stream else None
    usage = (reader.usage if reader else None) or work.estimated_usage(outlet.characters)
    work.billed(served, usage, status=status, code=code)
    return usage


def _broken(served: Served, error: VendorError) -> Refused:
    failure = error.failure
    code = Code.UPSTREAM_TIMEOUT if failure.is_timeout else Code.UPSTREAM_FAILED
    return Refused(
        504 if failure.is_timeout else 502, code, f"{served.model.name}: {failure.message}", again=False
    )
