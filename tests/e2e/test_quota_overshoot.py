"""A used-up quota stops calls at the edge within the bound that the pages state: the real parts, 8 clients."""

from __future__ import annotations

import pytest

from apis.models import QUOTA_OVERSHOOT
from benchmarks.quota_overshoot import Bench, Place
from tests.e2e.conftest import System

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("live")]


@pytest.mark.parametrize("quota", [200])
def test_no_call_passes_once_the_block_is_live(system: System, quota: int) -> None:
    tokens = system.tokens
    place = Place(system.portal, system.orders, tokens["alice"], tokens["dana"])
    seen = Bench(place).measure(quota)
    assert {status for _begun, _ended, status in seen.calls} == {200, 429}
    assert seen.overshoot >= 0, "no call of the quota is withheld"
    assert seen.late == 0, "none passes after the gateway proved the block"
    assert 0 <= seen.open_for_s <= QUOTA_OVERSHOOT.total_seconds(), "the bound that the pages state"
