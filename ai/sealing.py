"""The keys of vendors at rest: sealed for the runtimes, shown to nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit.sealing import seal, unseal

if TYPE_CHECKING:
    from ai.models import ProviderKey

PURPOSE = "ai-provider-key"


def seal_provider_key(key: ProviderKey, value: str) -> bytes:
    """`value` sealed for the row of `key`."""
    return seal(value, purpose=PURPOSE, place=_place(key))


def open_provider_key(key: ProviderKey) -> str:
    """The key itself, for a push to a runtime only. Raises audit.sealing.SealBroken."""
    return unseal(key.sealed, purpose=PURPOSE, place=_place(key))


def _place(key: ProviderKey) -> str:
    return f"providerkey|{key.public_id}|sealed"
