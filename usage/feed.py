"""Lines of a gateway's usage feed as calls. The form of a line is told in gateways/agent/feed.py."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

FIELDS = 13
REFUSED_FLAGS = frozenset({"quota", "client_not_allowed", "missing_api_key", "unknown_api_key", "RL"})
"""Reasons of an answer that the gateway gave in place of the upstream: such calls use up no quota."""

FUTURE_LIMIT = timedelta(minutes=10)
PAST_LIMIT = timedelta(days=40)


class FeedMalformed(ValueError):
    """A line is not a call. Nothing of the batch was taken in."""

    def __init__(self, offset: int, why: str) -> None:
        super().__init__(f"The line at byte {offset} of the batch is not a call: {why}.")
        self.offset = offset


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
        """Whether it counts against the quota of its subscription."""
        return bool(self.subscription) and self.reason not in REFUSED_FLAGS


def read_calls(body: bytes, *, now: datetime) -> Iterator[tuple[int, Call]]:
    """The complete lines of `body`, each with its byte offset in it. Raises FeedMalformed.

    A line without its newline is still being written and is left for the next batch.
    """
    start = 0
    while (end := body.find(b"\n", start)) >= 0:
        try:
            yield start, _call(json.loads(body[start:end]), now)
        except (ValueError, TypeError) as error:
            raise FeedMalformed(start, str(error)) from error
        start = end + 1


def _call(row: object, now: datetime) -> Call:
    if not isinstance(row, list) or len(row) != FIELDS:
        raise ValueError(f"a list of {FIELDS} values is needed")
    moment, publication, subscription, key_id, method, path = row[:6]
    status, duration, upstream, bytes_in, bytes_out, request_id, reason = row[6:]
    return Call(
        at=_time(float(moment), now),
        publication=_text(publication, 40),
        subscription=_text(subscription, 40),
        key_id=_text(key_id, 16),
        method=_text(method, 16),
        path=_text(path, 1000),
        status=_whole(status, 999),
        duration_ms=max(0.0, float(duration)),
        upstream_ms=None if upstream is None else max(0.0, float(upstream)),
        bytes_in=_whole(bytes_in, 2**62),
        bytes_out=_whole(bytes_out, 2**62),
        request_id=_text(request_id, 64),
        reason=_text(reason, 80),
    )


def _time(milliseconds: float, now: datetime) -> datetime:
    """The call's time; a clock that is far off would put calls into no period at all, so now stands in."""
    at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return at if now - PAST_LIMIT < at < now + FUTURE_LIMIT else now


def _text(value: object, limit: int) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value[:limit].replace("\x00", "")


def _whole(value: object, most: int) -> int:
    if not isinstance(value, int) or not 0 <= value <= most:
        raise ValueError(f"{value!r} is no whole number in range")
    return value
