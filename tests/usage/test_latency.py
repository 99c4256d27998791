"""Percentiles of added buckets are those of all calls, within one per cent."""

from __future__ import annotations

import math
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from usage.latency import FLOOR_MS, percentile, step_of

DURATIONS = st.lists(st.floats(FLOOR_MS * 1.03, 500_000), min_size=1, max_size=200)


def test_there_is_no_percentile_without_calls() -> None:
    assert percentile({}, 0.5) is None


@settings(max_examples=200, deadline=None, derandomize=True)
@given(DURATIONS, st.sampled_from([0.5, 0.95, 0.99]))
def test_a_percentile_is_within_one_per_cent(durations: list[float], share: float) -> None:
    found = percentile(Counter(map(step_of, durations)), share)
    exact = sorted(durations)[math.ceil(len(durations) * share) - 1]
    assert found is not None
    assert abs(found - exact) / exact < 0.0101


@settings(max_examples=100, deadline=None, derandomize=True)
@given(DURATIONS, DURATIONS)
def test_steps_can_be_added_in_any_order(one: list[float], other: list[float]) -> None:
    added = Counter(map(step_of, one)) + Counter(map(step_of, other))
    assert added == Counter(map(step_of, other + one))
