"""Models to ask, bodies to read, and what comes of them in a form that is easy to compare."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ai.pricing import MILLION, PriceList, Rate, Unit
from ai.runtime.dialects import DIALECTS
from ai.runtime.snapshot import Model, Provider

BODIES = Path(__file__).parent / "bodies"
BASES = {
    "openai": "https://api.openai.example/v1",
    "azure": "https://shop.openai.azure.example",
    "anthropic": "https://api.anthropic.example/v1",
    "gemini": "https://generativelanguage.example/v1beta",
    "bedrock": "https://bedrock-runtime.eu-central-1.amazonaws.com",
}
AUTH = {"azure": "header:api-key", "anthropic": "header:x-api-key", "gemini": "header:x-goog-api-key"}
PRICES = PriceList(
    "v",
    "USD",
    tuple(
        Rate(unit, nanos * MILLION)
        for unit, nanos in {
            Unit.INPUT: 1000,
            Unit.CACHED_INPUT: 100,
            Unit.CACHE_WRITE: 1250,
            Unit.INPUT_AUDIO: 7000,
            Unit.OUTPUT: 5000,
            Unit.OUTPUT_AUDIO: 20_000,
        }.items()
    ),
)
"""In billionths for one token, so that a cost can be checked in the head."""


def model(dialect: str, remote: str = "the-model", **options: str) -> Model:
    """A model of a vendor that speaks `dialect`."""
    auth = AUTH.get(dialect, "bearer")
    provider = Provider("prv", "Vendor", dialect, BASES[dialect], auth, (), options, ())
    return Model("mdl", "vendor/model", provider, remote, "chat", 0, 1000, frozenset(), ())


def sent(dialect: str, body: dict[str, Any], *, stream: bool = False, **options: str) -> dict[str, Any]:
    """The body that goes to the vendor."""
    return dict(
        json.loads(DIALECTS[dialect].chat(model(dialect, **options), "key", body, stream=stream).body)
    )


def read(name: str) -> bytes:
    """A golden body."""
    return (BODIES / name).read_bytes()


def stream_of(name: str) -> bytes:
    """The bytes of a golden stream; those of Bedrock are put into frames."""
    if name.endswith(".json"):
        return b"".join(
            frame(event, json.dumps(payload).encode()) for event, payload in json.loads(read(name))
        )
    return read(name)


def frame(event: str, payload: bytes, **headers: str) -> bytes:
    """https://smithy.io/2.0/aws/amazon-eventstream.html: prelude, its checksum, headers, payload, checksum."""
    usual = {":message-type": "event", ":event-type": event, ":content-type": "application/json"}
    given = {f":{name.replace('_', '-')}": value for name, value in headers.items()} or usual
    rows = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value.encode())) + value.encode()
        for name, value in given.items()
    )
    prelude = struct.pack(">II", 16 + len(rows) + len(payload), len(rows))
    body = prelude + struct.pack(">I", zlib.crc32(prelude)) + rows + payload
    return body + struct.pack(">I", zlib.crc32(body))


class Heard:
    """What a client would have put together of a stream."""

    def __init__(self, dialect: str, pieces: Iterable[bytes]) -> None:
        framing, self.reader = DIALECTS[dialect].framing(), DIALECTS[dialect].reader()
        self.text = self.reasoning = ""
        self.calls: dict[int, list[str]] = {}
        self.finish: str | None = None
        events = [event for piece in pieces for event in framing.feed(piece)]
        rest = framing.rest()
        for event in [*events, *([rest] if rest else [])]:
            for chunk in self.reader.read(event):
                for choice in chunk["choices"]:
                    self._hear(choice)

    def _hear(self, choice: dict[str, Any]) -> None:
        delta = choice["delta"]
        self.text += delta.get("content") or ""
        self.reasoning += delta.get("reasoning_content") or ""
        for call in delta.get("tool_calls") or ():
            known = self.calls.setdefault(call["index"], ["", "", ""])
            function = call.get("function") or {}
            new = [call.get("id") or "", function.get("name") or "", function.get("arguments") or ""]
            self.calls[call["index"]] = [old + more for old, more in zip(known, new, strict=True)]
        self.finish = choice["finish_reason"] or self.finish


def spoilt(plain: Any) -> Iterator[Any]:
    """`plain` with one member or item gone, or of another kind: everything that a careless vendor may do to it."""
    if isinstance(plain, dict):
        for name, value in plain.items():
            rest = {key: other for key, other in plain.items() if key != name}
            yield rest
            yield from ({**plain, name: odd} for odd in (None, 7, "x", [], {}, [None], [7], {"x": 7}))
            yield from ({**plain, name: worse} for worse in spoilt(value))
    elif isinstance(plain, list):
        for place, value in enumerate(plain):
            yield from ([*plain[:place], worse, *plain[place + 1 :]] for worse in spoilt(value))
