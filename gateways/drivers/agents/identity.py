"""Headers by which a caller could say who it is: they never reach an upstream (T17)."""

from __future__ import annotations

from gateways.engine.wire import SPOOFED_PREFIXES

__all__ = ["SPOOFED_HEADERS", "SPOOFED_PREFIXES"]

SPOOFED_HEADERS = (
    "x-team",
    "x-consumer",
    "x-forwarded-consumer",
    "x-forwarded-client-cert",
    "x-forwarded-user",
    "x-forwarded-email",
    "x-forwarded-groups",
    "x-remote-user",
    "x-original-url",
    "x-rewrite-url",
    "x-anonymous-consumer",
)
