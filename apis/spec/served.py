"""The document as a consumer reads it: at the gateway's address, with the gateway's key."""

from __future__ import annotations

import copy
import json
from typing import Any

from apis.spec.rules import METHODS
from apis.spec.samples import KEY_HEADER

SCHEME = "GatewayKey"


def served_document(
    spec_json: str, base_url: str, *, server_name: str = "", key_help: str = "", keyless: bool = False
) -> dict[str, Any]:
    """The document of the canonical text `spec_json` for a reference viewer, as fresh JSON values.

    Servers become `base_url` (of everything that may name its own); security becomes one API key in the header
    X-API-Key on every operation, explained by `key_help`, or none when `keyless`. The backend's own security schemes
    go, since the gateway stands in front of them; everything else stays as written.
    """
    document: dict[str, Any] = json.loads(spec_json)
    document["servers"] = [{"url": base_url, **({"description": server_name} if server_name else {})}]
    security: list[dict[str, list[str]]] = [] if keyless else [{SCHEME: []}]
    document["security"] = security
    components = document.setdefault("components", {})
    components.pop("securitySchemes", None)
    if security:
        components["securitySchemes"] = {SCHEME: _scheme(key_help)}
    for item in _path_items(document):
        _serve_item(item, security)
    return document


def _scheme(key_help: str) -> dict[str, str]:
    scheme = {"type": "apiKey", "in": "header", "name": KEY_HEADER}
    return {**scheme, "description": key_help} if key_help else scheme


def _path_items(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Path items that consumers call; webhooks and callbacks are calls to the consumer and stay as they are."""
    shared = document.get("components", {}).get("pathItems") or {}
    items = [*(document.get("paths") or {}).values(), *shared.values()]
    return [item for item in items if isinstance(item, dict)]


def _serve_item(item: dict[str, Any], security: list[dict[str, list[str]]]) -> None:
    item.pop("servers", None)
    for method in METHODS:
        operation = item.get(method)
        if isinstance(operation, dict):
            operation.pop("servers", None)
            operation["security"] = copy.deepcopy(security)
