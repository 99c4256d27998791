"""Server-sent events, however a network cuts them. https://html.spec.whatwg.org/multipage/server-sent-events.html"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai.runtime import sse
from ai.runtime.sse import Event, EventReader, EventTooLong, data_event, named_event

ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
VALUES = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=20)


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    """A line of a stream with its end: fields with a space and without, comments, fields that nobody knows."""
    head = draw(
        st.sampled_from(["data: ", "data:", "data", "event: ", "event:", ": ", ":", "id: ", "retry:9", ""])
    )
    value = "" if head in {"data", ""} else draw(VALUES)
    return f"{head}{value}".encode() + draw(ENDS)


STREAMS = st.lists(lines(), max_size=30).map(b"".join)


def read(pieces: Iterable[bytes]) -> list[tuple[bytes, bytes]]:
    """Names and data of the events, the one that is left over among them."""
    reader = EventReader()
    found = [event for piece in pieces for event in reader.feed(piece)]
    rest = reader.rest()
    return [(event.name, event.data) for event in [*found, *([rest] if rest else [])]]


def by_the_specification(stream: bytes) -> list[tuple[bytes, bytes]]:
    """The specification's own algorithm, line by line; what has no blank line after it is an event too here."""
    found, name, data = [], b"", []
    for line in [*stream.splitlines(), b""]:
        if not line:
            if data:
                found.append((name, b"\n".join(data)))
            name, data = b"", []
            continue
        field, _, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif field == b"event":
            name = value.removeprefix(b" ")
    return found


@given(STREAMS, st.lists(st.integers(0, 400), max_size=12))
def test_the_same_events_come_out_however_a_stream_is_cut(stream: bytes, cuts: list[int]) -> None:
    places = sorted({0, *(min(cut, len(stream)) for cut in cuts), len(stream)})
    pieces = [stream[start:end] for start, end in itertools.pairwise(places)]
    assert read(pieces) == by_the_specification(stream)


@given(STREAMS)
def test_byte_for_byte_nothing_is_lost(stream: bytes) -> None:
    """What is passed on raw is what came, save events without data."""
    one_by_one = (stream[place : place + 1] for place in range(len(stream)))
    assert read(one_by_one) == by_the_specification(stream)
    reader = EventReader()
    raw = b"".join(event.raw for event in reader.feed(stream))
    assert len(raw) <= len(stream)
    assert read([raw]) == read([stream])[: len(read([raw]))]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_an_event_is_there_as_soon_as_its_blank_line_is(end: bytes) -> None:
    """A CR may be half of a CRLF, so that it waits for what follows; nothing else waits."""
    found = list(EventReader().feed(b"data: 1" + end * 2 + (b":" if end == b"\r" else b"")))
    assert [event.data for event in found] == [b"1"]


def test_a_mark_at_the_start_and_what_has_no_data_are_left_out() -> None:
    assert read([b"\xef\xbb\xbfdata: 1\n\n: ping\n\nevent: nothing\n\ndata: 2"]) == [(b"", b"1"), (b"", b"2")]


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_an_event_that_is_too_long_ends_the_stream_however_it_comes(
    monkeypatch: pytest.MonkeyPatch, piece: int
) -> None:
    monkeypatch.setattr(sse, "MOST_EVENT_BYTES", 100)
    stream = b"data: 1\n\ndata: " + b"x" * 100 + b"\n\n"
    with pytest.raises(EventTooLong):
        read(stream[place : place + piece] for place in range(0, len(stream), piece))
    assert read([stream[:100]])[0] == (b"", b"1")


def test_what_is_written_is_what_is_read() -> None:
    stream = data_event(b'{"a":1}') + sse.PING + named_event("done", b"{}") + sse.DONE
    assert read([stream]) == [(b"", b'{"a":1}'), (b"done", b"{}"), (b"", b"[DONE]")]
    assert next(EventReader().feed(stream)) == Event(b"", b'{"a":1}', b'data: {"a":1}\n\n')
