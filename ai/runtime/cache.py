"""Answers kept for a while: the same question of the same tenant, and nothing that is only like it.

In the memory of this process, bounded, and parted by tenant in the key itself, so that nobody ever sees what was
answered to somebody else (T28).
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

import orjson

MOST_BYTES = 32_000_000
MOST_ENTRY_BYTES = 1_000_000


class Kept(NamedTuple):
    """An answer in JSON, when it was given and until when it is used (seconds of the clock)."""

    value: bytes
    since: float
    until: float


class AnswerCache:
    """The least lately used answers go first."""

    def __init__(self, *, most_bytes: int = MOST_BYTES, clock: Callable[[], float] = time.monotonic) -> None:
        self._entries: OrderedDict[str, Kept] = OrderedDict()
        self._most = most_bytes
        self._size = 0
        self._clock = clock

    def get(self, key: str) -> tuple[bytes, int] | None:
        """The answer and its age in seconds."""
        kept = self._entries.get(key)
        if kept is None:
            return None
        now = self._clock()
        if now >= kept.until:
            self._drop(key)
            return None
        self._entries.move_to_end(key)
        return kept.value, int(now - kept.since)

    def put(self, key: str, value: bytes, seconds: int) -> None:
        """Keep an answer. One that is too large is not kept."""
        if seconds <= 0 or len(value) > MOST_ENTRY_BYTES:
            return
        if key in self._entries:
            self._drop(key)
        now = self._clock()
        self._entries[key] = Kept(value, now, now + seconds)
        self._size += len(value)
        while self._size > self._most:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: str) -> None:
        self._size -= len(self._entries.pop(key).value)


def cache_key(tenant: str, *parts: Any) -> str:
    """The name of a question. `tenant` is the team that asks."""
    return hashlib.sha256(orjson.dumps([tenant, *parts], option=orjson.OPT_SORT_KEYS)).hexdigest()
