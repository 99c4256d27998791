"""Traces by OpenTelemetry, where OTEL_EXPORTER_OTLP_ENDPOINT asks for them; otherwise we load nothing of it.

The packages are those of requirements/tracing.txt. Spans carry names of routes and tasks, SQL without its values,
and methods, statuses and hosts of calls; what is shaped like a secret is taken out before anything leaves.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Mapping
from typing import Any

from portal.logs import SECRET_NAMES, SECRET_TEXT

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
NEEDED = (
    "opentelemetry.sdk",
    "opentelemetry.exporter.otlp.proto.http",
    "opentelemetry.instrumentation.django",
)
GONE = "[redacted]"


def wanted(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the environment asks for traces."""
    return bool(environment.get(ENDPOINT)) and environment.get("OTEL_SDK_DISABLED", "").lower() != "true"


def missing_packages() -> list[str]:
    """The packages without which there are no traces, none when all are there."""
    missing = []
    for name in NEEDED:
        try:
            found = importlib.util.find_spec(name)
        except ModuleNotFoundError:
            found = None
        if found is None:
            missing.append(name)
    return missing


def start_tracing(role: str) -> bool:
    """Send this process's traces from now on; whether it does. Its threads begin anew in each fork."""
    if not wanted() or missing_packages():
        return False
    spans = importlib.import_module("portal.spans")
    spans.start(role)
    return True


def clean(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """`attributes` without what is named like a secret or shaped like one, and addresses without their query."""
    return {name: _clean(name, value) for name, value in attributes.items()}


def _clean(name: str, value: Any) -> Any:
    if SECRET_NAMES.search(name):
        return GONE
    if name in ("url.query", "http.target") or name.startswith("http.request.header"):
        return GONE
    if isinstance(value, str):
        text = SECRET_TEXT.sub(GONE, value)
        return text.partition("?")[0] if name in ("url.full", "http.url") else text
    return value
