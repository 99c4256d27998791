"""Whose agent calls."""

from __future__ import annotations

from gateways.models import Gateway
from gateways.tokens import FORM, token_matches


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
