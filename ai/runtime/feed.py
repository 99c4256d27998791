"""The usage feed: one line for each call, written before anybody else hears of it.

**The line** is one compact JSON array, in this order:

| # | field | type | meaning |
| --- | --- | --- | --- |
| 0 | ts | float | start of the call, POSIX milliseconds |
| 1 | run | str | public id of the call, `run_...` |
| 2 | request_id | str | x-request-id, which the gateway in front logs too |
| 3 | endpoint | str | public id of the Publication; empty for a run of the editor |
| 4 | subscription | str | public id; empty for a run of the editor |
| 5 | key_id | str | public id of the credential, where the runtime checked it itself |
| 6 | surface | str | `prompt`, `chat`, `messages`, `responses`, `embeddings`, `through`, `editor` |
| 7 | prompt | str | public id of the PromptVersion, or empty |
| 8 | status | int | as the caller saw it; 499 where the caller left |
| 9 | code | str | why it failed, or empty |
| 10 | cache | str | `HIT`, `MISS` or `BYPASS` |
| 11 | first_ms | float or null | until the first event of a stream |
| 12 | duration_ms | float | all of it |
| 13 | vendor_ms | float | of that, waiting for the vendor |
| 14 | bytes_in | int | of the body |
| 15 | bytes_out | int | of the answer |
| 16 | attempts | list | every try, see below |
| 17 | holds | list of str | public ids of the budgets that it counted against |
| 18 | team | str | public id of the team that pays |
| 19 | bodies | object or null | `{"input", "output", "is_cut"}`, redacted (bodies.py), where the team wants it |
| 20 | labels | object | what a run of the editor is for, as its ticket says |

An attempt is `[model, provider_key, status, code, vendor_ms, input, output, cached_input, cache_write, reasoning,
input_audio, output_audio, estimated, cost_nanos or null, currency, price_version]`: each is a row of the ledger.

A line `["mark", {budget: generation}]` is no call: from there on this runtime counts calls of these budgets in Redis,
under the generation that is named (`ai.runtime.recount`).

**Offsets** count bytes of the file. Lines never change and the file only grows; a new file is a new segment.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from ai.pricing import Usage


@dataclass(slots=True)
class Attempt:
    """One try at a vendor, billed or not. `cost` None: the price is not known."""

    model: str
    key_id: str
    status: int
    code: str
    vendor_ms: float
    usage: Usage = field(default_factory=Usage)
    cost: int | None = 0
    currency: str = ""
    price_version: str = ""

    def row(self) -> list[Any]:
        """As it stands in a line."""
        u = self.usage
        return [
            *(self.model, self.key_id, self.status, self.code, round(self.vendor_ms, 3)),
            *(u.input, u.output, u.cached_input, u.cache_write, u.reasoning, u.input_audio, u.output_audio),
            *(u.estimated, self.cost, self.currency, self.price_version),
        ]


@dataclass(slots=True)
class Record:
    """One call as it is told."""

    at_ms: float
    run: str
    request_id: str
    surface: str
    endpoint: str = ""
    subscription: str = ""
    key_id: str = ""
    prompt: str = ""
    status: int = 0
    code: str = ""
    cache: str = "BYPASS"
    first_ms: float | None = None
    duration_ms: float = 0.0
    vendor_ms: float = 0.0
    bytes_in: int = 0
    bytes_out: int = 0
    attempts: list[Attempt] = field(default_factory=list)
    holds: list[str] = field(default_factory=list)
    team: str = ""
    bodies: dict[str, Any] | None = None
    labels: dict[str, str] = field(default_factory=dict)

    def line(self) -> bytes:
        """The line with its newline."""
        first = None if self.first_ms is None else round(self.first_ms, 3)
        row = [
            *(round(self.at_ms, 3), self.run, self.request_id, self.endpoint, self.subscription, self.key_id),
            *(self.surface, self.prompt, self.status, self.code, self.cache, first),
            *(round(self.duration_ms, 3), round(self.vendor_ms, 3), self.bytes_in, self.bytes_out),
            *([attempt.row() for attempt in self.attempts], self.holds, self.team, self.bodies, self.labels),
        ]
        return orjson.dumps(row) + b"\n"


class Feed:
    """Appends lines to a file: those of one turn of the loop in one write. `path` None keeps nothing."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file = self._open()
        self._waiting: list[bytes] = []

    def add(self, record: Record) -> None:
        """Write a call down, at the end of this turn of the loop at the latest."""
        self._add(record.line())

    def mark(self, generations: Mapping[str, str]) -> None:
        """Mark from where on calls are counted under other generations, by budget."""
        self._add(orjson.dumps(["mark", dict(generations)]) + b"\n")

    def _add(self, line: bytes) -> None:
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self.flush)
        self._waiting.append(line)

    def flush(self) -> None:
        """Write what waits."""
        waiting, self._waiting = self._waiting, []
        if waiting and self._file >= 0:
            os.write(self._file, b"".join(waiting))

    def reopen(self) -> None:
        """Go on in a new file, after the old one was moved away."""
        self.flush()
        self.close()
        self._file = self._open()

    def close(self) -> None:
        """Write what waits and close the file."""
        self.flush()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _open(self) -> int:
        if self._path is None:
            return -1
        self._path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
