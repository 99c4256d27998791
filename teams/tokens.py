"""The form of our own REST tokens: `ght` + 16-character id + 43-character secret + 6-character checksum."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from typing import Any

from audit.sealing import base62, checksum, current_key, keyed_digest, random_text, same

PREFIX = "ght"
ID_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
PURPOSE = "api-token"
FORM = re.compile(r"^ght([0-9a-z]{16})([0-9A-Za-z]{43})([0-9A-Za-z]{6})$")


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token just made. `value` is shown once and kept nowhere."""

    token_id: str
    value: str = field(repr=False)
    digest: bytes = field(repr=False)
    digest_key: int = 0


def make_token() -> NewToken:
    """A token with 256 random bits."""
    token_id = random_text(16, ID_ALPHABET)
    body = PREFIX + token_id + base62(secrets.token_bytes(32), 43)
    value = body + checksum(body)
    return NewToken(token_id, value, keyed_digest(value, purpose=PURPOSE), current_key())


def token_id_of(value: str) -> str | None:
    """The id inside a well-formed token, None for anything else; needs no query."""
    match = FORM.match(value) if len(value) == 68 else None
    return match[1] if match and checksum(value[:-6]) == match[3] else None


def token_matches(value: str, *, digest: bytes | memoryview[Any], digest_key: int) -> bool:
    """Whether `value` is the token kept as `digest`, in constant time."""
    return same(digest, keyed_digest(value, purpose=PURPOSE, number=digest_key))
