"""AWS's binary event stream: frames with headers, a payload and two checksums.

https://smithy.io/2.0/aws/amazon-eventstream.html
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import orjson

from ai.runtime.dialects.contract import malformed, reading
from ai.runtime.sse import MOST_EVENT_BYTES, Event, EventTooLong

_PRELUDE = 12
_STRING = 7
_FIXED = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
"""Bytes of the values whose size is in their type."""


class EventStream:
    """Takes bytes in whatever pieces they come and gives whole events, named by their type."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, piece: bytes) -> Iterator[Event]:
        """The events that `piece` completes. Raises VendorError for a frame that is damaged."""
        self._buffer += piece
        while len(self._buffer) >= _PRELUDE:
            total, headers_size, checksum = struct.unpack_from(">III", self._buffer)
            if zlib.crc32(self._buffer[:8]) != checksum or total < _PRELUDE + headers_size + 4:
                raise malformed("a frame of the event stream is damaged")
            if total > MOST_EVENT_BYTES:
                raise EventTooLong(f"an event is longer than {MOST_EVENT_BYTES} bytes")
            if len(self._buffer) < total:
                return
            frame, self._buffer = self._buffer[:total], self._buffer[total:]
            yield _event(frame, headers_size)

    def rest(self) -> Event | None:
        """Half a frame is no event."""
        return None


def _event(frame: bytes, headers_size: int) -> Event:
    if zlib.crc32(frame[:-4]) != struct.unpack(">I", frame[-4:])[0]:
        raise malformed("a frame of the event stream is damaged")
    with reading():
        headers = _headers(frame[_PRELUDE : _PRELUDE + headers_size])
    if headers.get(":message-type") == "error":
        name = f"{headers.get(':error-code', '')}Exception"
        return Event(name.encode(), orjson.dumps({"message": headers.get(":error-message", "")}), frame)
    name = headers.get(":exception-type") or headers.get(":event-type", "")
    return Event(name.encode(), frame[_PRELUDE + headers_size : -4], frame)


def _headers(text: bytes) -> dict[str, str]:
    """The headers that are texts."""
    found, at = {}, 0
    while at < len(text):
        size = text[at]
        name = text[at + 1 : at + 1 + size].decode("utf-8", "replace")
        kind = text[at + 1 + size]
        at += 2 + size
        if kind in _FIXED:
            at += _FIXED[kind]
            continue
        length = int.from_bytes(text[at : at + 2])
        if kind == _STRING:
            found[name] = text[at + 2 : at + 2 + length].decode("utf-8", "replace")
        at += 2 + length
    return found
