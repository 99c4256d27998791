"""A limit over several nodes: what each of them counts."""

from __future__ import annotations

from math import ceil

from gateways.engine.document import Limit


def share(limit: Limit, nodes: int) -> tuple[int, int, int]:
    """Calls, period in seconds and burst of one of `nodes`; together they never allow less than the plan.

    A share of less than one call per period becomes one per longer period, so that dividing loses nothing.
    """
    burst = max(1, ceil(limit.burst / nodes))
    if limit.calls >= nodes:
        return ceil(limit.calls / nodes), limit.period_s, burst
    return limit.calls, limit.period_s * nodes, burst


_ROOM = 1024


def room(grants: int) -> int:
    """Room for the buckets of twice the subscriptions, in powers of two: a changed number would empty them all."""
    found = _ROOM
    while found < 2 * grants:
        found *= 2
    return found
