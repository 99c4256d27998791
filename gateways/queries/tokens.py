"""Whose agent calls."""

from __future__ import annotations

from collections.abc import Iterator

from audit.sealing import SealBroken
from gateways.models import Gateway
from gateways.tokens import FORM, open_token, token_matches


def gateway_of_token(header: str | None) -> Gateway | None:
    """The active gateway whose token an `Authorization` header carries (`Bearer ...`), or None.

    Every gateway is compared, each in constant time, so that the answer takes as long whichever it is.
    """
    scheme, _space, value = (header or "").partition(" ")
    value = value.strip()
    if scheme.lower() != "bearer" or not FORM.fullmatch(value):
        return None
    found = [gateway for gateway in Gateway.objects.active() if token_matches(gateway, value)]
    return found[0] if found else None


def broken_tokens() -> Iterator[str]:
    """A sentence for each gateway whose sealed token does not open, or is not the one it is compared with."""
    for gateway in Gateway.objects.active().exclude(token_sealed=b""):
        try:
            sound = token_matches(gateway, open_token(gateway))
        except SealBroken as error:
            yield f"gateway {gateway.slug}: {error}"
            continue
        if not sound:
            yield f"gateway {gateway.slug}: the sealed token is not the one that its agents are compared with"
