"""What the portal keeps about a document that was accepted, as plain JSON values."""

from __future__ import annotations

import json
from typing import Any

from apis.spec.places import Source
from apis.spec.rules import PathOperation, operation_key, operations_of

MAX_SUMMARY_CHARS = 500
MAX_TAG_CHARS = 200


def canonical_text(root: Any) -> str:
    """JSON without white space, keys in the order written: the same document always gives the same text."""
    return json.dumps(root, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def summarise(source: Source) -> dict[str, Any]:
    """The fields of ReadSpec that come from the document, as JSON values."""
    root = source.root
    info = root["info"]
    return {
        "text": canonical_text(root),
        "openapi": root["openapi"],
        "title": info["title"],
        "version": info["version"],
        "description": info.get("description") or info.get("summary") or "",
        "servers": [server["url"] for server in root.get("servers") or ()],
        "tags": [_cut(tag["name"], MAX_TAG_CHARS) for tag in root.get("tags") or ()],
        "operations": [_operation(found) for found in operations_of(root)],
        "security_schemes": _security_schemes(root),
    }


def _operation(found: PathOperation) -> dict[str, Any]:
    operation = found.operation
    return {
        "key": operation_key(found),
        "method": found.method,
        "path": found.path,
        "operation_id": operation.get("operationId") or "",
        "summary": _cut(operation.get("summary") or found.item.get("summary") or "", MAX_SUMMARY_CHARS),
        "deprecated": operation.get("deprecated") is True,
        "tags": [_cut(tag, MAX_TAG_CHARS) for tag in operation.get("tags") or ()],
    }


def _security_schemes(root: dict[str, Any]) -> dict[str, str]:
    """Name of each scheme to a short text such as `apiKey in header X-Key`, `http bearer` or `oauth2`."""
    schemes = (root.get("components") or {}).get("securitySchemes") or {}
    return {name: _scheme(scheme) for name, scheme in schemes.items() if isinstance(scheme, dict)}


def _scheme(scheme: dict[str, Any]) -> str:
    kind = str(scheme.get("type", scheme.get("$ref", "")))
    if kind == "apiKey":
        return f"apiKey in {scheme.get('in')} {scheme.get('name')}"
    return f"http {scheme.get('scheme')}" if kind == "http" else kind


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
