"""The authorizer's code with its table of keys, as the zip that Lambda takes: the same bytes for the same table."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from gateways.drivers.aws.authorizer import function
from gateways.engine.document import canonical_json

MODULE = "gatehouse_authorizer"
HANDLER = f"{MODULE}.handler"
_MADE_AT = (1980, 1, 1, 0, 0, 0)  # a zip knows nothing earlier
_MODE = 0o644 << 16


def packed(table: Mapping[str, Any]) -> bytes:
    """The zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in ((f"{MODULE}.py", _source()), ("keys.json", canonical_json(table))):
            member = zipfile.ZipInfo(name, _MADE_AT)
            member.external_attr = _MODE
            archive.writestr(member, text, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def code_digest(zipped: bytes) -> str:
    """As Lambda tells it (CodeSha256)."""
    return base64.b64encode(hashlib.sha256(zipped).digest()).decode()


@cache
def _source() -> str:
    return Path(function.__file__).read_text(encoding="utf-8")
