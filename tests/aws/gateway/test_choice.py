"""Which type of API is recommended for what an API needs."""

from __future__ import annotations

import pytest

from gateways.drivers.aws.choice import COMPARISON, Need, recommended
from gateways.drivers.aws.kinds import ApiType


@pytest.mark.parametrize(
    ("needs", "kind"),
    [
        ((), ApiType.REST),
        ((Need.KEYS, Need.PLANS), ApiType.REST),
        ((Need.KEYS, Need.LOW_PRICE), ApiType.HTTP),
        ((Need.JWT, Need.CORS), ApiType.HTTP),
        ((Need.LOW_PRICE, Need.VALIDATION), ApiType.REST),
        ((Need.KEYS, Need.MESSAGES), ApiType.WEBSOCKET),
        ((Need.VALIDATION, Need.WAF, Need.MESSAGES), ApiType.WEBSOCKET),
    ],
)
def test_the_type_that_lacks_least_is_recommended(needs: tuple[Need, ...], kind: ApiType) -> None:
    assert recommended(needs).type is kind


def test_what_a_type_lacks_is_said_of_every_type() -> None:
    found = recommended((Need.VALIDATION, Need.MESSAGES, Need.PLANS))
    assert found.lacks == {
        ApiType.REST: (Need.MESSAGES,),
        ApiType.HTTP: (Need.VALIDATION, Need.MESSAGES),
        ApiType.WEBSOCKET: (Need.VALIDATION,),
    }
    assert found.partly[ApiType.HTTP] == (Need.PLANS,)
    assert not found.is_full


def test_the_comparison_is_whole() -> None:
    assert set(COMPARISON) == set(Need)
    assert all(set(row.cells) == set(ApiType) for row in COMPARISON.values())
