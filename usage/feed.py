"""Lines of a gateway's usage feed as calls. The form of a line is told in gateways/agent/feed.py."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from usage.aws.words import REFUSED_BY_AWS

FIELDS = 13
REFUSED = REFUSED_BY_AWS | {"quota", "client_not_allowed", "missing_api_key", "unknown_api_key", "RL"}
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


class Call(NamedTuple):
    """One call as the gateway saw it. Durations in ms, sizes in bytes, `reason` in the gateway's words.

    A tuple, as are all that are made by the thousand in a batch: a frozen dataclass takes four times as long to make.
    """

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
    start, times = 0, ((now - PAST_LIMIT).timestamp(), (now + FUTURE_LIMIT).timestamp())
    while (end := body.find(b"\n", start)) >= 0:
        line = body[start:end]
        try:
            row = json.loads(line.decode())
            if b"\\u" in line:
                _refuse_unstorable(row)
            yield base + start, _call(row, now, times)
        except RecursionError as error:
            raise FeedMalformed(base + start, end + 1 - start, "it is nested too deep") from error
        except (ValueError, TypeError, OverflowError) as error:
            raise FeedMalformed(base + start, end + 1 - start, str(error)[:200]) from error
        start = end + 1


def _call(row: object, now: datetime, times: tuple[float, float]) -> Call:
    if not isinstance(row, list) or len(row) != FIELDS:
        raise ValueError(f"a list of {FIELDS} values is needed")
    moment, publication, subscription, key_id, method, path = row[:6]
    status, duration, upstream, bytes_in, bytes_out, request_id, reason = row[6:]
    return Call(
        _time(_number(moment) / 1000, now, times),
        _text(publication, 40),
        _text(subscription, 40),
        _text(key_id, 16),
        _text(method, 16),
        _text(path, 1000),
        _whole(status, 999),
        _duration(duration),
        None if upstream is None else _duration(upstream),
        _whole(bytes_in, MOST_CALL_BYTES),
        _whole(bytes_out, MOST_CALL_BYTES),
        _text(request_id, 64),
        _text(reason, 80),
    )


def _time(seconds: float, now: datetime, times: tuple[float, float]) -> datetime:
    """The call's time; a clock that is far off would put calls into no period at all, so now stands in."""
    earliest, latest = times
    return datetime.fromtimestamp(seconds, UTC) if earliest < seconds < latest else now


def _duration(value: object) -> float:
    if type(value) is float and 0.0 <= value <= MOST_MS:
        return value
    return min(max(0.0, _number(value)), MOST_MS)


def _number(value: object) -> float:
    """A finite number: JSON as Python reads it knows infinity and NaN, too."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"{_short(value)} is no number")
    return float(value)


def _refuse_unstorable(row: object) -> None:
    """Raise ValueError for a NUL or half of a surrogate pair: JSON holds either only where it escapes them."""
    for value in row if isinstance(row, list) else ():
        if isinstance(value, str):
            if "\x00" in value:
                raise ValueError("a text holds NUL")
            value.encode()


def _text(value: object, limit: int) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{_short(value)} is no text")
    return value[:limit]


def _whole(value: object, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise ValueError(f"{_short(value)} is no whole number in range")
    return value


def _short(value: object) -> str:
    return ascii(value)[:40]
