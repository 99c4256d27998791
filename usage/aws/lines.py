"""Lines of an access log of API Gateway. What stands in one is told in gateways/drivers/aws/logs.py."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, NamedTuple

from usage.aws.words import reason_of

MOST_MS = 1e9
MOST_BYTES = 2**40
LAST_MS = 4_102_444_800_000
"""The year 2100, in POSIX milliseconds."""


class Line(NamedTuple):
    """One call, by AWS's names. `key` is AWS's id of the API key, empty without one; `route` as the document has it."""

    at: datetime
    api: str
    stage: str
    key: str
    method: str
    route: str
    status: int
    duration_ms: float
    upstream_ms: float | None
    bytes_out: int
    request_id: str
    reason: str


def read_line(message: str) -> Line:
    """The call in `message`. Raises ValueError for what is none."""
    try:
        row = json.loads(message)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    if not isinstance(row, dict):
        raise ValueError("it is no object")
    upstream = _number(row, "integration", MOST_MS)
    return Line(
        at=_moment(row),
        api=_text(row, "api", 64),
        stage=_text(row, "stage", 128),
        key=_text(row, "key", 64),
        method=_text(row, "method", 16),
        route=_text(row, "route", 900),
        status=int(_number(row, "status", 999) or 0),
        duration_ms=_number(row, "latency", MOST_MS) or 0.0,
        upstream_ms=upstream,
        bytes_out=int(_number(row, "sent", MOST_BYTES) or 0),
        request_id=_text(row, "request", 64),
        reason=reason_of(_text(row, "error", 60)),
    )


def _moment(row: dict[str, Any]) -> datetime:
    milliseconds = _number(row, "at", LAST_MS)
    if milliseconds is None:
        raise ValueError("it has no time")
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def _text(row: dict[str, Any], name: str, most: int) -> str:
    """A text; AWS writes a dash where there is nothing."""
    value = row.get(name, "-")
    if not isinstance(value, str):
        raise ValueError(f"{name} is no text")
    value.encode()  # half of a surrogate pair cannot be stored
    if "\x00" in value:
        raise ValueError(f"{name} holds NUL")
    return "" if value == "-" else value[:most]


def _number(row: dict[str, Any], name: str, most: float) -> float | None:
    """A number in range, None for a dash."""
    text = _text(row, name, 40)
    if not text:
        return None
    value = float(text)
    if not 0 <= value <= most:
        raise ValueError(f"{name} is no number in range")
    return value
