"""Tickets by which the portal lets a browser, or itself, try something out on a runtime for a few minutes.

A ticket is a JSON object and its HMAC-SHA256 (RFC 2104), both in URL-safe base64, with a dot between. The key is made
of the token that portal and agent share, so that there is no other secret to hand out.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

_PURPOSE = b"gatehouse ai tickets 1"


class TicketRefused(ValueError):
    """A ticket that does not hold; the text says why."""


def ticket_key(token: str) -> bytes:
    """The key for tickets, from the token of an agent."""
    return hmac.digest(token.encode(), _PURPOSE, hashlib.sha256)


def make_ticket(key: bytes, holds: Mapping[str, Any], *, until: float) -> str:
    """A ticket for `holds` (JSON values) that ends at `until` (POSIX seconds)."""
    body = json.dumps({**holds, "until": until}, separators=(",", ":")).encode()
    return f"{_encoded(body)}.{_encoded(hmac.digest(key, body, hashlib.sha256))}"


def read_ticket(key: bytes, ticket: str, *, now: float) -> dict[str, Any]:
    """What a ticket holds. Raises TicketRefused for one that is not ours, or over."""
    try:
        body, signature = (_decoded(part) for part in ticket.split("."))
    except ValueError:
        raise TicketRefused("it is no ticket") from None
    if not hmac.compare_digest(hmac.digest(key, body, hashlib.sha256), signature):
        raise TicketRefused("it is not signed by the portal of this runtime")
    holds = dict(json.loads(body))
    if holds["until"] < now:
        raise TicketRefused("its time is over")
    return holds


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
