"""The usage feed: how a line of the gateway's access log becomes a line of NDJSON for the portal.

**The line that the portal receives** is one compact JSON array per call, in this order:

| # | field | type | meaning |
| --- | --- | --- | --- |
| 0 | ts | float | start of the call, POSIX milliseconds by the gateway's clock |
| 1 | publication | str | public id of the Publication (the route) that took the call |
| 2 | client | str | public id of the Subscription; empty when the call was refused before it was known |
| 3 | key_id | str | the 16-character public id of the credential; empty unless the gateway knew the key |
| 4 | method | str | HTTP method |
| 5 | path | str | path as the caller sent it, base path included, without query string; at most 1,024 bytes |
| 6 | status | int | status the caller saw; 0 when the caller left before there was one |
| 7 | duration_ms | float | first byte in to last byte out |
| 8 | upstream_ms | float or null | first byte sent upstream to first byte back; null when none answered |
| 9 | bytes_in | int | bytes of the request body |
| 10 | bytes_out | int | bytes of the response body |
| 11 | request_id | str | x-request-id, the same that the upstream and the caller saw |
| 12 | flags | str | why, in Envoy's words; empty for an ordinary call |

The flags are Envoy's response flags (`UF`, `UT`, `RL`, ...) or else the reason of an answer that Envoy gave
by itself: `missing_api_key`, `unknown_api_key`, `client_not_allowed`, or our `quota`. What nginx says of itself is
put into the same words, so that no reader has to know which gateway took a call. It measures in milliseconds and
knows the bytes of a body only where the caller announced them.

Calls that reached no publication (unknown paths) belong to nobody and are left out, and so are the preflights
that a browser sends on its own.

**Offsets.** A segment is one log file; its feed is the concatenation of its converted lines, and an offset
counts bytes of that feed. The conversion is a pure function of the log line, so the feed of a segment can be
made again from any line on, byte for byte, after a crash. It must therefore never change for one
`FEED_FORMAT`: a new format gets a new number, which stands in the segment's name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping

from gateways.engine.wire import LOG_FIELDS

FEED_FORMAT = 1

_FIELDS = len(LOG_FIELDS)
_KEY_HEAD = re.compile(r"gh[a-z]([0-9A-Za-z]{16})")
_BEARER = "Bearer "
_KNOWN_KEY = frozenset({"client_not_allowed"})
_PREFLIGHT = "cors_response"
_NO_REASON = frozenset({"-", "via_upstream", "direct_response"})

MOST_PATH_BYTES = 1024
_NGINX_REFUSALS = {
    "no-key": "missing_api_key",
    "unknown-key": "unknown_api_key",
    "no-subscription": "client_not_allowed",
    "quota": "quota",
}
_NGINX_FAILURES = {"rate": "RL", "down": "UF", "slow": "UT"}
_LEFT = "499"
"""nginx's status of a call whose caller did not wait for the answer."""


def feed_line(log_line: bytes) -> bytes:
    """One log line (without its newline) as a feed line with its newline; empty if it is left out."""
    fields = log_line.decode("utf-8", "replace").split("\t", _FIELDS - 1)
    if len(fields) != _FIELDS or _dash(fields[1]) == "":
        return b""
    start, route, client, header_key, bearer_key, method, status = fields[:7]
    total, upstream, duration, bytes_in, bytes_out, request_id, flags, details, path = fields[7:]
    if details == _PREFLIGHT:
        return b""
    try:
        row = [
            round(float(start) * 1000, 3),
            route,
            _dash(client),
            _key_id(header_key, bearer_key) if _dash(client) or details in _KNOWN_KEY else "",
            method,
            path,
            _integer(status),
            _milliseconds(total, float(duration)),
            _milliseconds(upstream, None),
            _integer(bytes_in),
            _integer(bytes_out),
            _dash(request_id),
            _reason(flags, details),
        ]
    except ValueError:
        return b""
    return json.dumps(row, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def nginx_feed_line(log_line: bytes) -> bytes:
    """One line of nginx's log (`NGINX_LOG_FIELDS`) likewise."""
    fields = log_line.decode("utf-8", "replace").split("\t", _FIELDS - 1)
    if len(fields) != _FIELDS or _dash(fields[1]) == "":
        return b""
    end, route, client, key_id, _, method, status, total, upstream, _, bytes_in, bytes_out = fields[:12]
    request_id, failure, refusal, path = fields[12:]
    if refusal == "preflight":
        return b""
    known = refusal not in {"no-key", "unknown-key"}
    try:
        row = [
            round((float(end) - float(total)) * 1000, 3),
            route,
            _dash(client) if refusal in {"", "quota"} else "",
            _dash(key_id) if known else "",
            method,
            path.encode()[:MOST_PATH_BYTES].decode("utf-8", "ignore"),
            0 if status == _LEFT else _integer(status),
            round(float(total) * 1000, 3),
            _last_seconds(upstream),
            int(bytes_in) if bytes_in.isdecimal() else 0,
            _integer(bytes_out),
            _dash(request_id),
            "DC" if status == _LEFT else _NGINX_REFUSALS.get(refusal) or _NGINX_FAILURES.get(failure, ""),
        ]
    except ValueError:
        return b""
    return json.dumps(row, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def ai_feed_line(log_line: bytes) -> bytes:
    """One line of an AI runtime: `ai.runtime.feed` writes it as the portal reads it."""
    return log_line + b"\n"


FEED_LINES: Mapping[str, Callable[[bytes], bytes]] = {
    "envoy": feed_line,
    "nginx": nginx_feed_line,
    "ai_runtime": ai_feed_line,
}
"""How a line is read, by kind of gateway."""


def _last_seconds(text: str) -> float | None:
    """The milliseconds of the last upstream that was tried; nginx parts them by commas, and servers by colons."""
    last = text.replace(":", ",").rpartition(",")[2].strip()
    return None if last in {"", "-"} else round(float(last) * 1000, 3)


def _dash(value: str) -> str:
    return "" if value == "-" else value


def _integer(value: str) -> int:
    return 0 if value == "-" else int(value)


def _milliseconds(microseconds: str, otherwise: float | None) -> float | None:
    return otherwise if microseconds == "-" else int(microseconds) / 1000


def _key_id(header_key: str, bearer_key: str) -> str:
    """The public id in the head of the key that was used: the header wins, as it does in Envoy."""
    head = header_key if header_key != "-" else bearer_key.removeprefix(_BEARER)
    match = _KEY_HEAD.fullmatch(head)
    return match[1] if match else ""


def _reason(flags: str, details: str) -> str:
    if details.startswith("rbac_access_denied"):
        return "quota"
    if flags != "-":
        return flags
    return "" if details in _NO_REASON else details
