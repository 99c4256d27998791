"""Which totals there are, and which of them answers a question."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from django.db import connection

from usage.models import UsageTotal

DIMENSIONS = ("environment", "api", "api_version", "operation", "application", "plan", "key_id", "status")

KEPT: Mapping[str, frozenset[str]] = {
    UsageTotal.Kind.APPLICATION: frozenset({"environment", "application", "status"}),
    UsageTotal.Kind.PLAN: frozenset({"environment", "api", "api_version", "plan", "status"}),
    UsageTotal.Kind.OPERATION: frozenset({"environment", "api", "api_version", "operation", "status"}),
    UsageTotal.Kind.CALLER: frozenset(DIMENSIONS) - {"operation"},
}
"""The dimensions that each kind of total keeps, the kind with the fewest rows first."""

_WHOSE = frozenset({"api", "application"})
"""Totals are found by one of these."""


def kind_for(dimensions: Collection[str]) -> str:
    """The smallest kind of total that knows all `dimensions`; empty where only buckets do."""
    wanted = set(dimensions)
    if not wanted & _WHOSE:
        return ""
    return next((str(kind) for kind, kept in KEPT.items() if wanted <= kept), "")


def since() -> datetime | None:
    """From when on totals hold every call; None: from the beginning.

    Totals came with a release that ran beside the one before, which wrote none: buckets tell of the time before
    the first midnight at which that was surely over.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT nullif(usage_totals_since(), '-infinity')")
        found: datetime | None = cursor.fetchone()[0]
        return found
