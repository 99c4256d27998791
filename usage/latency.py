"""Latency in fixed logarithmic steps that can be added: percentiles of any sum of buckets, within 1 %.

Step n holds durations from FLOOR_MS * GAMMA**n up to the next step. Sums of steps are exact, whatever the
order in which buckets are added, which is what lets a page read days without reading calls.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

GAMMA = 1.02
FLOOR_MS = 0.1
LAST_STEP = 800
"""0.1 ms * 1.02**800 is about 12 minutes: longer than any call that a gateway lets live."""

_LOG_GAMMA = math.log(GAMMA)


def step_of(duration_ms: float) -> int:
    """The step of a duration; 0 for anything shorter than FLOOR_MS."""
    if duration_ms <= FLOOR_MS:
        return 0
    return min(int(math.log(duration_ms / FLOOR_MS) / _LOG_GAMMA), LAST_STEP)


def milliseconds_of(step: int) -> float:
    """The middle of a step, in ms."""
    return FLOOR_MS * float(GAMMA ** (step + 0.5))


def percentile(steps: Mapping[int, int], share: float) -> float | None:
    """The duration (ms) that `share` (0..1) of the calls do not exceed; None without calls."""
    total = sum(steps.values())
    if total == 0:
        return None
    wanted, seen = max(1, math.ceil(total * share)), 0
    for step in sorted(steps):
        seen += steps[step]
        if seen >= wanted:
            return milliseconds_of(step)
    return None
