"""A vendor of models that costs next to nothing: fixed answers in OpenAI's form, from a process of its own.

    python -m benchmarks.ai_vendor

It prints its port. Below `/fast/v1` it answers at once, below `/slow/v1` after SLOW_S. A call with `stream` gets
STREAM_CHUNKS chunks of text, one every FAST_PACE_S or SLOW_PACE_S: as the fastest vendors give them, and as most do.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from typing import Any, cast

import uvloop

SLOW_S = 0.05
"""Less than any model takes: what is added to it would not be seen behind a longer one."""
FAST_PACE_S, SLOW_PACE_S = 0.004, 0.02
STREAM_CHUNKS = 100
INPUT_TOKENS, OUTPUT_TOKENS = 40, 100


def _whole() -> bytes:
    """An answer of about 860 bytes."""
    message = {"role": "assistant", "content": "It will rain. " * 32, "refusal": None}
    plain = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "small-2026",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "usage": _usage(),
    }
    body = json.dumps(plain, separators=(",", ":")).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (
        len(body),
        body,
    )


def _usage() -> dict[str, Any]:
    return {
        "prompt_tokens": INPUT_TOKENS,
        "completion_tokens": OUTPUT_TOKENS,
        "total_tokens": INPUT_TOKENS + OUTPUT_TOKENS,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def _chunk(choices: list[dict[str, Any]], usage: dict[str, Any] | None) -> bytes:
    plain = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "small-2026",
        "choices": choices,
        "usage": usage,
    }
    return _piece(b"data: " + json.dumps(plain, separators=(",", ":")).encode() + b"\n\n")


def _piece(data: bytes) -> bytes:
    """One chunk of HTTP/1.1 (RFC 9112 7.1)."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def _delta(text: str | None, finish: str | None) -> list[dict[str, Any]]:
    delta = {} if text is None else {"role": "assistant", "content": text}
    return [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]


WHOLE = _whole()
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
TEXT_CHUNK = _chunk(_delta("rain ", None), None)
STREAM_END = (
    _chunk(_delta(None, "stop"), None) + _chunk([], _usage()) + _piece(b"data: [DONE]\n\n") + _piece(b"")
)


class Line(asyncio.Protocol):
    """One connection of a client that waits for each answer before it asks again."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._buffer = b""
        self._pace_s = FAST_PACE_S
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by type

    def data_received(self, data: bytes) -> None:
        """A piece of a request."""
        self._buffer += data
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        if end and _is_whole(head, body):
            self._buffer = b""
            self._answer(
                is_slow=b" /slow/" in head[:64], is_stream=b'"stream":true' in body.replace(b" ", b"")
            )

    def _answer(self, *, is_slow: bool, is_stream: bool) -> None:
        if is_stream:
            self._transport.write(STREAM_HEAD)
            self._pace_s = SLOW_PACE_S if is_slow else FAST_PACE_S
            self._speak(itertools.count(1), self._loop.time())
        elif is_slow:
            self._loop.call_later(SLOW_S, self._transport.write, WHOLE)
        else:
            self._transport.write(WHOLE)

    def _speak(self, numbers: itertools.count[int], began: float) -> None:
        number = next(numbers)
        if number > STREAM_CHUNKS:
            self._transport.write(STREAM_END)
            return
        self._transport.write(TEXT_CHUNK)
        self._loop.call_at(began + number * self._pace_s, self._speak, numbers, began)


def _is_whole(head: bytes, body: bytes) -> bool:
    _, found, rest = head.lower().partition(b"\r\ncontent-length:")
    return len(body) >= int(rest.partition(b"\r\n")[0]) if found else body.endswith(_piece(b""))


async def _run() -> None:
    server = await asyncio.get_running_loop().create_server(Line, "127.0.0.1", 0, backlog=1024)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.Runner(loop_factory=uvloop.new_event_loop).run(_run())
