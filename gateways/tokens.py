"""The token that a gateway and its agents share: made here, sealed for the worker, kept as a digest.

It proves the worker to the agent and the agent to the portal. It has no public id: there are few gateways,
and a header is compared with each of them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from audit.sealing import checksum, current_key, keyed_digest, random_text, same, seal, unseal

if TYPE_CHECKING:
    from gateways.models import Gateway

PURPOSE = "gateway-token"
PREFIX = "gha"
FORM = re.compile(r"^[\x21-\x7e]{32,200}$")
"""A token given by an operator: 32 to 200 visible ASCII characters, no spaces."""


def make_token() -> str:
    """A token with 256 random bits, in the form of our other secrets, so that logs and reports know it as one."""
    body = PREFIX + random_text(16, "0123456789abcdefghijklmnopqrstuvwxyz") + random_text(43)
    return body + checksum(body)


def put_token(gateway: Gateway, value: str) -> None:
    """Set the token columns of `gateway` (not saved)."""
    gateway.token_sealed = seal(value, purpose=PURPOSE, place=_place(gateway))
    gateway.token_digest = keyed_digest(value, purpose=PURPOSE)
    gateway.token_digest_key = current_key()


def open_token(gateway: Gateway) -> str:
    """The token, for calls to the gateway's agents only. Raises audit.sealing.SealBroken."""
    return unseal(gateway.token_sealed, purpose=PURPOSE, place=_place(gateway))


def token_matches(gateway: Gateway, value: str) -> bool:
    """Whether `value` is the token of `gateway`, compared in constant time."""
    digest = keyed_digest(value, purpose=PURPOSE, number=gateway.token_digest_key or None)
    return same(gateway.token_digest, digest)


def _place(gateway: Gateway) -> str:
    return f"gateway|{gateway.public_id}|token_sealed"
