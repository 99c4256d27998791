"""Server-sent events: taking a stream of bytes apart, and writing events.

https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

MOST_EVENT_BYTES = 4_000_000
"""A longer event is no event of a model: the stream is cut, lest it fill the memory."""
_BLANK_LINE = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
"""Two ends of lines, of whatever kind. Atomic: a CRLF is never taken for two."""
_MARK = b"\xef\xbb\xbf"


class EventTooLong(ValueError):
    """An event goes on beyond MOST_EVENT_BYTES."""


class Event(NamedTuple):
    """One event. `data` is the joined data lines, `raw` the bytes as they came, with the blank line at the end."""

    name: bytes
    data: bytes
    raw: bytes


class EventReader:
    """Takes bytes in whatever pieces they come and gives whole events; also where a piece ends within a character."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, piece: bytes) -> Iterable[Event]:
        """The events that `piece` completes. Raises EventTooLong."""
        is_one = not self._buffer and piece.startswith(b"data: ") and piece.find(b"\n") == len(piece) - 2
        if is_one and piece.endswith(b"\n\n") and b"\r" not in piece:
            return (Event(b"", piece[6:-2], piece),)  # how most come: one at a time
        return self._events(piece)

    def _events(self, piece: bytes) -> Iterator[Event]:
        buffer = self._buffer + piece if self._buffer else piece
        start = 0
        while (found := _end_of_event(buffer, start)) is not None:
            end, after = found
            if after - start > MOST_EVENT_BYTES:
                raise EventTooLong(f"an event is longer than {MOST_EVENT_BYTES} bytes")
            event = _event(buffer[start:end], buffer[start:after])
            start = after
            if event is not None:
                yield event
        self._buffer = buffer[start:]
        if len(self._buffer) > MOST_EVENT_BYTES:
            raise EventTooLong(f"an event is longer than {MOST_EVENT_BYTES} bytes")

    def rest(self) -> Event | None:
        """What is left when the stream has ended: some vendors leave out the last blank line."""
        left, self._buffer = self._buffer, b""
        return _event(left, left) if left.strip() else None


def _end_of_event(buffer: bytes, start: int) -> tuple[int, int] | None:
    """Where the text of the next event ends, and where what follows it begins. Lines end with LF, CRLF or CR.

    A CR at the very end may be half of a CRLF, so it ends nothing yet.
    """
    line_feeds = buffer.find(b"\n\n", start)
    if buffer.find(b"\r", start, line_feeds if line_feeds >= 0 else len(buffer)) < 0:
        return (line_feeds, line_feeds + 2) if line_feeds >= 0 else None
    found = _BLANK_LINE.search(buffer, start)
    if found is None or (found.end() == len(buffer) and buffer.endswith(b"\r")):
        return None
    return found.span()


def _event(text: bytes, raw: bytes) -> Event | None:
    """The event in `text`; None for one without data, such as a comment that keeps a connection open."""
    if text.startswith(b"data: ") and b"\n" not in text and b"\r" not in text:
        return Event(b"", text[6:], raw)
    name, data = b"", []
    for line in text.removeprefix(_MARK).splitlines():
        head, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if head == b"data":
            data.append(value)
        elif head == b"event":
            name = value
    return Event(name, b"\n".join(data), raw) if data else None


def data_event(data: bytes) -> bytes:
    """An event without a name; `data` holds no line break, as JSON does not."""
    return b"data: %b\n\n" % data


def named_event(name: str, data: bytes) -> bytes:
    """An event with a name."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), data)


PING = b": ping\n\n"
DONE = b"data: [DONE]\n\n"
