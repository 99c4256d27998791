"""Lines of an AI runtime's usage feed as calls. The form of a line is told in ai/runtime/feed.py."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from usage.feed import FUTURE_LIMIT, PAST_LIMIT, Call, FeedMalformed

FIELDS = 21
ATTEMPT_FIELDS = 16
MOST_ATTEMPTS = 20
MOST_COUNT = 2**40
"""More is no number of tokens or billionths of one call, and a sum of many must still be one that PostgreSQL holds."""


class AiAttempt(NamedTuple):
    """One try at a vendor. `cost_nano` None: the price is not known."""

    model: str
    provider_key: str
    status: int
    code: str
    vendor_ms: float
    input: int
    output: int
    cached_input: int
    cache_write: int
    reasoning: int
    input_audio: int
    output_audio: int
    estimated: bool
    cost_nano: int | None
    currency: str
    price_version: str

    @property
    def is_billed(self) -> bool:
        """Whether the vendor counted something."""
        return self.input > 0 or self.output > 0 or bool(self.cost_nano)


class AiCall(NamedTuple):
    """One call as the runtime saw it. Ids are public ids; `key_id` is set where the runtime checked the key itself."""

    at: datetime
    run: str
    request_id: str
    endpoint: str
    subscription: str
    key_id: str
    surface: str
    prompt: str
    status: int
    code: str
    cache: str
    first_ms: float | None
    duration_ms: float
    vendor_ms: float
    bytes_in: int
    bytes_out: int
    attempts: tuple[AiAttempt, ...]
    budgets: tuple[str, ...]
    team: str
    bodies: dict[str, Any] | None
    labels: dict[str, str]


class AiMark(NamedTuple):
    """From there on the runtime counts calls of these budgets itself, by the generation it does so under."""

    generations: dict[str, str]


_PATHS = {"prompt": "", "chat": "/chat/completions", "messages": "/messages", "responses": "/responses"}


def as_call(call: AiCall, base_path: str) -> Call:
    """A call that came to the runtime itself, as a gateway would have told it."""
    path = f"{base_path}{_PATHS.get(call.surface, f'/{call.surface}')}"
    return Call(
        *(call.at, call.endpoint, call.subscription, call.key_id, "POST", path, call.status),
        *(call.duration_ms, call.vendor_ms or None, call.bytes_in, call.bytes_out, call.request_id),
        _REASONS.get(call.code, ""),
    )


_REASONS = {"quota_exceeded": "quota", "rate_limit_exceeded": "RL", "not_subscribed": "client_not_allowed"}


def read_ai_lines(body: bytes, *, base: int = 0, now: datetime) -> Iterator[tuple[int, AiCall | AiMark]]:
    """The complete lines of `body`, each with its byte offset in the segment, in which `body` begins at `base`.

    Raises FeedMalformed, as `usage.feed.read_calls` does.
    """
    start = 0
    while (end := body.find(b"\n", start)) >= 0:
        try:
            yield base + start, _line(json.loads(body[start:end].decode()), now)
        except (ValueError, TypeError, OverflowError, RecursionError, KeyError) as error:
            raise FeedMalformed(base + start, end + 1 - start, str(error)[:200]) from error
        start = end + 1


def _line(row: object, now: datetime) -> AiCall | AiMark:
    if isinstance(row, list) and len(row) == 2 and row[0] == "mark":
        return AiMark({_text(name, 40): _text(value, 32) for name, value in dict(row[1]).items()})
    return _call(row, now)


def _call(row: object, now: datetime) -> AiCall:
    if not isinstance(row, list) or len(row) != FIELDS:
        raise ValueError(f"a list of {FIELDS} values is needed")
    at, run, request_id, endpoint, subscription, key_id, surface, prompt, status, code = row[:10]
    cache, first, duration, vendor, bytes_in, bytes_out, attempts, budgets, team, bodies, labels = row[10:]
    return AiCall(
        _time(at, now),
        _text(run, 40),
        _text(request_id, 64),
        _text(endpoint, 40),
        _text(subscription, 40),
        _text(key_id, 16),
        _text(surface, 16),
        _text(prompt, 40),
        _count(status, 999),
        _text(code, 40),
        _text(cache, 8),
        None if first is None else _number(first),
        _number(duration),
        _number(vendor),
        _count(bytes_in),
        _count(bytes_out),
        tuple(_attempt(one) for one in attempts[:MOST_ATTEMPTS]),
        tuple(_text(one, 40) for one in budgets),
        _text(team, 40),
        bodies if isinstance(bodies, dict) else None,
        {_text(name, 40): _text(value, 100) for name, value in dict(labels).items()},
    )


def _attempt(row: object) -> AiAttempt:
    if not isinstance(row, list) or len(row) != ATTEMPT_FIELDS:
        raise ValueError(f"an attempt is a list of {ATTEMPT_FIELDS} values")
    model, key, status, code, vendor_ms = row[:5]
    estimated, cost, currency, version = row[12:]
    inputs, outputs, cached, written, reasoning, input_audio, output_audio = map(_count, row[5:12])
    return AiAttempt(
        _text(model, 40),
        _text(key, 40),
        _count(status, 999),
        _text(code, 40),
        _number(vendor_ms),
        inputs,
        outputs,
        cached,
        written,
        reasoning,
        input_audio,
        output_audio,
        bool(estimated),
        None if cost is None else _count(cost),
        _text(currency, 3),
        _text(version, 40),
    )


def _time(milliseconds: object, now: datetime) -> datetime:
    """A clock that is far off would put calls into no period at all, so now stands in."""
    seconds = _number(milliseconds) / 1000
    earliest, latest = (now - PAST_LIMIT).timestamp(), (now + FUTURE_LIMIT).timestamp()
    return datetime.fromtimestamp(seconds, UTC) if earliest < seconds < latest else now


def _number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1e15:
        raise ValueError(f"{ascii(value)[:40]} is no number in range")
    return float(value)


def _count(value: object, most: int = MOST_COUNT) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise ValueError(f"{ascii(value)[:40]} is no whole number in range")
    return value


def _text(value: object, limit: int) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{ascii(value)[:40]} is no text")
    if "\x00" in value:
        raise ValueError("a text holds NUL")
    value.encode()
    return value[:limit]
