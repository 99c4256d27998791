"""Secrets at rest: sealed values, keyed digests and checksums, one derived key per purpose.

The master keys are settings.MASTER_KEYS, numbered; the highest number seals and digests, all of them
open and compare. Sources: NIST SP 800-38D (AES-GCM), RFC 5869 (HKDF), RFC 2104 (HMAC).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import zlib
from functools import lru_cache
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
NONCE_BYTES = 12


class SealBroken(Exception):
    """A sealed value does not open: wrong place, wrong key, or altered bytes."""


@lru_cache(maxsize=64)
def _derive(master: bytes, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose.encode()).derive(master)


def _key(number: int, purpose: str) -> bytes:
    try:
        return _derive(settings.MASTER_KEYS[number], purpose)
    except KeyError:
        raise SealBroken(f"master key {number} is not configured") from None


@lru_cache(maxsize=64)
def _cipher(key: bytes) -> AESGCM:
    """Made once per key: a push opens thousands of values."""
    return AESGCM(key)


def current_key() -> int:
    """The number of the master key that seals now."""
    return max(settings.MASTER_KEYS)


def seal(value: str, *, purpose: str, place: str) -> bytes:
    """Encrypt `value` for one `purpose`, bound to one `place` ("table|public id|field").

    Returns key number (2 bytes), nonce (12), ciphertext with tag.
    """
    number, nonce = current_key(), secrets.token_bytes(NONCE_BYTES)
    body = _cipher(_key(number, purpose)).encrypt(nonce, value.encode(), place.encode())
    return number.to_bytes(2, "big") + nonce + body


def unseal(sealed: bytes | memoryview[Any], *, purpose: str, place: str) -> str:
    """The inverse of `seal`. Raises SealBroken when purpose, place or bytes are not the same."""
    data = bytes(sealed)
    number, nonce, body = int.from_bytes(data[:2], "big"), data[2:14], data[14:]
    try:
        return _cipher(_key(number, purpose)).decrypt(nonce, body, place.encode()).decode()
    except (InvalidTag, ValueError) as error:
        raise SealBroken(f"the sealed value at {place} does not open") from error


def keyed_digest(value: str, *, purpose: str, number: int | None = None) -> bytes:
    """HMAC-SHA256 of `value` under the pepper `number` (the current master key by default)."""
    pepper = _key(current_key() if number is None else number, f"pepper|{purpose}")
    return hmac.digest(pepper, value.encode(), hashlib.sha256)


def same(left: bytes | memoryview[Any], right: bytes) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(bytes(left), right)


def base62(data: bytes, length: int) -> str:
    """`data` as a base 62 number, padded to `length` characters."""
    number, digits = int.from_bytes(data, "big"), []
    while number:
        number, rest = divmod(number, 62)
        digits.append(BASE62[rest])
    return "".join(reversed(digits)).rjust(length, "0")


def checksum(text: str) -> str:
    """Six base 62 characters of CRC-32, so that a typing error is seen without a query."""
    return base62(zlib.crc32(text.encode()).to_bytes(4, "big"), 6)


def random_text(length: int, alphabet: str = BASE62) -> str:
    """`length` characters drawn evenly from `alphabet`."""
    return "".join(secrets.choice(alphabet) for _ in range(length))


def parse_master_keys(text: str) -> dict[int, bytes]:
    """`"1:base64,2:base64"` as numbered keys. Raises ValueError unless each has 32 bytes or more."""
    keys: dict[int, bytes] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        number, _, encoded = part.partition(":")
        value = base64.b64decode(encoded, validate=True)
        if len(value) < 32:
            raise ValueError(f"master key {number} has {len(value)} bytes; 32 are needed")
        keys[int(number)] = value
    return keys
