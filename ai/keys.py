"""Keys of vendors at rest: sealed for the runtime, or a reference that is read where the runtime runs.

The only module that knows their form. A value is shown to nobody: it goes out in snapshots of the runtime alone.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_variables

from audit.sealing import seal, unseal

if TYPE_CHECKING:
    from ai.models import ProviderKey

PURPOSE = "provider-key"
FORM = re.compile(r"[\x21-\x7e]{1,4000}")
"""A key: visible ASCII without spaces; the longest are short-lived tokens of clouds."""
ENV = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]{0,127}")


@sensitive_variables("value")
def put_value(key: ProviderKey, value: str) -> None:
    """Seal `value` into `key` (not saved). Raises ValidationError."""
    if not FORM.fullmatch(value):
        raise ValidationError(
            {"value": _("A key is one line of letters, digits and signs. Copy it again, without spaces.")}
        )
    key.reference = ""
    key.sealed = seal(value, purpose=PURPOSE, place=_place(key))
    key.value_digest = digest_of(value)


def digest_of(value: str) -> str:
    """SHA-256 of a value in hex, by which a runtime proves that it holds it."""
    return hashlib.sha256(value.encode()).hexdigest()


def put_reference(key: ProviderKey, reference: str) -> None:
    """Have `key` read from `reference` where the runtime runs (not saved). Raises ValidationError."""
    key.reference = clean_reference(reference)
    forget(key)


def forget(key: ProviderKey) -> None:
    """Take the value out of `key` (not saved): what is removed is not kept."""
    key.sealed, key.value_digest = b"", ""


def open_value(key: ProviderKey) -> str:
    """The value, for snapshots of the runtime only; empty for a reference. Raises audit.sealing.SealBroken."""
    return unseal(key.sealed, purpose=PURPOSE, place=_place(key)) if key.sealed else ""


def clean_reference(reference: str) -> str:
    """`env:NAME` or `file:/absolute/path` without `..`. Raises ValidationError."""
    reference = reference.strip()
    path = reference.removeprefix("file:")
    is_file = reference.startswith("file:/") and path.isascii() and path.isprintable() and " " not in path
    plain = is_file and ".." not in PurePosixPath(path).parts and not path.endswith("/")
    if not (plain or ENV.fullmatch(reference)):
        raise ValidationError(
            {"reference": _("Write env:NAME or file:/absolute/path, as the runtime's machine has it.")}
        )
    return reference


def _place(key: ProviderKey) -> str:
    return f"provider_key|{key.public_id}|sealed"
