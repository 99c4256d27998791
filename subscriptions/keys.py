"""The form of gateway keys: the only module that knows it.

`gh` + one letter for the environment class + 16-character public id + 43-character secret (32 bytes in
base 62) + 6-character checksum: letters and digits only, 68 characters.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, field
from typing import Any

from audit.sealing import base62, checksum, current_key, keyed_digest, random_text, seal, unseal

LENGTH = 68
ID_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
PURPOSE = "gateway-key"
FORM = re.compile(r"^gh([a-z])([0-9a-z]{16})([0-9A-Za-z]{43})([0-9A-Za-z]{6})$")


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key just made: `value` is shown to a person once."""

    prefix: str
    key_id: str
    value: str = field(repr=False)


def make_key(environment_class: str) -> NewKey:
    """A key for an environment class ("p", "s", "o") with 256 random bits."""
    prefix, key_id = f"gh{environment_class}", random_text(16, ID_ALPHABET)
    body = prefix + key_id + base62(secrets.token_bytes(32), 43)
    return NewKey(prefix, key_id, body + checksum(body))


def key_id_of(value: str) -> str | None:
    """The public id inside a well-formed key, None for anything else; needs no query."""
    match = FORM.match(value) if len(value) == LENGTH else None
    return match[2] if match and checksum(value[:-6]) == match[4] else None


def key_digest(value: str) -> tuple[bytes, int]:
    """HMAC of the key and the number of its pepper."""
    return keyed_digest(value, purpose=PURPOSE), current_key()


def value_digest(value: str) -> str:
    """SHA-256 of the key in hex, by which gateways are compared; equal to gateways.engine.document.value_digest.

    The key holds 256 random bits, so that a plain hash gives nothing away.
    """
    return hashlib.sha256(value.encode()).hexdigest()


def seal_key(value: str, public_id: str) -> bytes:
    """The key, sealed for the row `public_id` of the credential table."""
    return seal(value, purpose=PURPOSE, place=f"credential|{public_id}|sealed")


def open_key(sealed: bytes | memoryview[Any], public_id: str) -> str:
    """The key in a row, for delivery to gateways only. Raises audit.sealing.SealBroken."""
    return unseal(sealed, purpose=PURPOSE, place=f"credential|{public_id}|sealed")
