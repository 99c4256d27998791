"""Lines of a gateway's usage feed as calls. The form of a line is told in gateways/agent/feed.py."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

FIELDS = 13
REFUSED = frozenset({"quota", "client_not_allowed", "missing_api_key", "unknown_api_key", "RL"})
"""Reasons of an answer that the gateway gave in place of the upstream."""

NOT_REACHED = frozenset({"UF", "UH", "UO", "NR", "NC", "DF", "OM", "DO", "LH"})
"""Flags of a call that found no way to the upstream: no connection, no healthy target, no room, no address.

An upstream that took the call and broke it off or was too slow (UC, UR, UT) has been called.
"""

FUTURE_LIMIT = timedelta(minutes=10)
PAST_LIMIT = timedelta(days=40)
MOST_MS = 1e9
MOST_CALL_BYTES = 2**40
"""More is no size of one call, and a sum of many must still be a number that PostgreSQL holds."""


class FeedMalformed(ValueError):
    """A line is not a call, and nothing of the batch was taken in. `offset` is its place in the segment, `length`
    its bytes with the newline: an agent that sets it aside goes on behind them."""

    def __init__(self, offset: int, length: int, why: str) -> None:
        super().__init__(f"The line at byte {offset} of the segment is not a call: {why}.")
        self.offset = offset
        self.length = length


@dataclass(frozen=True, slots=True)
class Call:
    """One call as the gateway saw it. Durations in ms, sizes in bytes, `reason` in the gateway's words."""

    at: datetime
    publication: str
    subscription: str
    key_id: str
    method: str
    path: str
    status: int
    duration_ms: float
    upstream_ms: float | None
    bytes_in: int
    bytes_out: int
    request_id: str
    reason: str

    @property
    def was_let_through(self) -> bool:
        """Whether it counts against the quota of its subscription: only what reached the API does."""
        if not self.subscription or self.reason in REFUSED:
            return False
        return self.upstream_ms is not None or NOT_REACHED.isdisjoint(self.reason.split(","))


def read_calls(body: bytes, *, base: int = 0, now: datetime) -> Iterator[tuple[int, Call]]:
    """The complete lines of `body`, each with its byte offset in the segment, in which `body` begins at `base`.

    A line without its newline is still being written and is left for the next batch. Raises FeedMalformed.
    """
    start = 0
    while (end := body.find(b"\n", start)) >= 0:
        try:
            yield base + start, _call(json.loads(body[start:end].decode()), now)
        except RecursionError as error:
            raise FeedMalformed(base + start, end + 1 - start, "it is nested too deep") from error
        except (ValueError, TypeError, OverflowError) as error:
            raise FeedMalformed(base + start, end + 1 - start, str(error)[:200]) from error
        start = end + 1


def _call(row: object, now: datetime) -> Call:
    if not isinstance(row, list) or len(row) != FIELDS:
        raise ValueError(f"a list of {FIELDS} values is needed")
    moment, publication, subscription, key_id, method, path = row[:6]
    status, duration, upstream, bytes_in, bytes_out, request_id, reason = row[6:]
    return Call(
        at=_time(_number(moment), now),
        publication=_text(publication, 40),
        subscription=_text(subscription, 40),
        key_id=_text(key_id, 16),
        method=_text(method, 16),
        path=_text(path, 1000),
        status=_whole(status, 999),
        duration_ms=_duration(duration),
        upstream_ms=None if upstream is None else _duration(upstream),
        bytes_in=_whole(bytes_in, MOST_CALL_BYTES),
        bytes_out=_whole(bytes_out, MOST_CALL_BYTES),
        request_id=_text(request_id, 64),
        reason=_text(reason, 80),
    )


def _time(milliseconds: float, now: datetime) -> datetime:
    """The call's time; a clock that is far off would put calls into no period at all, so now stands in."""
    seconds = milliseconds / 1000
    if not (now - PAST_LIMIT).timestamp() < seconds < (now + FUTURE_LIMIT).timestamp():
        return now
    return datetime.fromtimestamp(seconds, UTC)


def _duration(value: object) -> float:
    return min(max(0.0, _number(value)), MOST_MS)


def _number(value: object) -> float:
    """A finite number: JSON as Python reads it knows infinity and NaN, too."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"{_short(value)} is no number")
    return float(value)


def _text(value: object, limit: int) -> str:
    """A text that can be stored: no NUL, no half of a surrogate pair (which UnicodeEncodeError says)."""
    if not isinstance(value, str):
        raise TypeError(f"{_short(value)} is no text")
    if "\x00" in value:
        raise ValueError("a text holds NUL")
    value.encode()
    return value[:limit]


def _whole(value: object, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise ValueError(f"{_short(value)} is no whole number in range")
    return value


def _short(value: object) -> str:
    return ascii(value)[:40]
