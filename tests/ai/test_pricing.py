"""Tokens and money: whole numbers, no part counted twice, nothing unknown taken for free."""

from __future__ import annotations

from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai.pricing import MILLION, PriceList, Rate, Unit, Usage, estimated_tokens, money

TOKENS = st.integers(0, 3_000_000)
NANOS = st.integers(0, 200_000_000_000)
IN_PARTS = {
    "cached_input": Unit.CACHED_INPUT,
    "cache_write": Unit.CACHE_WRITE,
    "input_audio": Unit.INPUT_AUDIO,
}
OUT_PARTS = {"reasoning": Unit.REASONING, "output_audio": Unit.OUTPUT_AUDIO}


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    """Also with parts that sum to more than their whole, as vendors count cached sound twice."""
    names = ("input", "output", *IN_PARTS, *OUT_PARTS)
    return Usage(**{name: draw(TOKENS) for name in names})


@st.composite
def price_lists(draw: st.DrawFn) -> PriceList:
    """Input and output, and some of the rest."""
    others = draw(st.sets(st.sampled_from([*IN_PARTS.values(), *OUT_PARTS.values(), Unit.CALL])))
    rates = [Rate(unit, draw(NANOS)) for unit in (Unit.INPUT, Unit.OUTPUT, *sorted(others))]
    return PriceList("v", "USD", tuple(rates))


def priced(*rates: tuple[Unit, int]) -> PriceList:
    """A list of rates."""
    return PriceList("v", "USD", tuple(Rate(unit, nanos) for unit, nanos in rates))


@given(price_lists(), usages())
def test_no_token_is_billed_twice(prices: PriceList, usage: Usage) -> None:
    """Every token at the dearest rate of its side is the most there can be, and at the cheapest the least."""
    cost = prices.cost(usage)
    if not usage.total:
        assert cost == prices.rate(Unit.CALL, 0)
        return
    assert cost is not None
    by_unit = {rate.unit: rate.nanos for rate in prices.rates}
    sides = [
        (usage.input, (Unit.INPUT, *IN_PARTS.values())),
        (usage.output, (Unit.OUTPUT, *OUT_PARTS.values())),
    ]
    rates = [(count, [by_unit[unit] for unit in units if unit in by_unit]) for count, units in sides]
    call = by_unit.get(Unit.CALL, 0) * MILLION
    least, most = (sum(count * pick(each) for count, each in rates) + call for pick in (min, max))
    assert least - MILLION <= cost * MILLION <= most + MILLION


@given(price_lists(), usages(), st.sampled_from(["input", "output"]), st.integers(1, 100_000))
def test_more_tokens_never_cost_less(prices: PriceList, usage: Usage, side: str, more: int) -> None:
    before = prices.cost(usage)
    after = prices.cost(replace(usage, **{side: getattr(usage, side) + more}))
    assert after is not None
    assert after >= (before or 0)


@given(TOKENS, TOKENS, NANOS, NANOS)
def test_a_cost_is_exact_to_the_billionth(inputs: int, outputs: int, rate_in: int, rate_out: int) -> None:
    exact = (Decimal(inputs) * rate_in + Decimal(outputs) * rate_out) / MILLION
    cost = priced((Unit.INPUT, rate_in), (Unit.OUTPUT, rate_out)).cost(Usage(inputs, outputs))
    assert cost == (exact.quantize(Decimal(1), ROUND_HALF_UP) if inputs + outputs else None)


@given(st.integers(0, 10**21))
def test_money_is_written_without_rounding(nanos: int) -> None:
    text = money(nanos)
    assert Decimal(text).scaleb(9) == nanos
    assert "e" not in text.lower()
    assert len(text.partition(".")[2]) >= 2


@pytest.mark.parametrize(
    ("nanos", "text"), [(0, "0.00"), (10_200, "0.0000102"), (1_500_000_000, "1.50"), (1, "0.000000001")]
)
def test_money_has_two_places_at_least(nanos: int, text: str) -> None:
    assert money(nanos) == text


def test_a_long_context_costs_as_its_tier_says_for_all_of_its_tokens() -> None:
    """https://ai.google.dev/gemini-api/docs/pricing: above 200,000 tokens of input every token is dearer."""
    rates = (
        Rate(Unit.INPUT, 1_250),
        Rate(Unit.INPUT, 2_500, 200_001),
        Rate(Unit.OUTPUT, 10_000),
        Rate(Unit.OUTPUT, 15_000, 200_001),
    )
    prices = PriceList("v", "USD", tuple(replace(rate, nanos=rate.nanos * MILLION) for rate in rates))
    assert prices.cost(Usage(200_000, 10)) == 200_000 * 1_250 + 10 * 10_000
    assert prices.cost(Usage(200_001, 10)) == 200_001 * 2_500 + 10 * 15_000


def test_a_part_without_a_rate_costs_as_its_whole() -> None:
    usage = Usage(100, 50, cached_input=40, cache_write=10, reasoning=20, input_audio=5, output_audio=5)
    plain = priced((Unit.INPUT, 3 * MILLION), (Unit.OUTPUT, 7 * MILLION))
    assert plain.cost(usage) == 100 * 3 + 50 * 7
    cached = priced((Unit.INPUT, 3 * MILLION), (Unit.OUTPUT, 7 * MILLION), (Unit.CACHED_INPUT, MILLION))
    assert cached.cost(usage) == 60 * 3 + 40 + 50 * 7


def test_what_no_rate_is_for_is_not_free() -> None:
    only_input, per_call = priced((Unit.INPUT, MILLION)), priced((Unit.CALL, 40_000_000))
    assert only_input.cost(Usage(input=10)) == 10
    assert only_input.cost(Usage(input=10, output=1)) is None
    assert only_input.cost(Usage()) is None
    assert per_call.cost(Usage()) == per_call.cost(Usage(input=10, output=5)) == 40_000_000
    assert priced().cost(Usage(input=1)) is None


def test_a_rate_for_something_unknown_is_refused() -> None:
    with pytest.raises(ValueError, match="per_pixel"):
        PriceList.from_plain(
            {"version": "v", "currency": "USD", "rates": [{"unit": "per_pixel", "nanos": 1}]}
        )


@given(usages(), usages())
def test_two_attempts_are_both_counted(one: Usage, other: Usage) -> None:
    both = one.plus(replace(other, estimated=True))
    assert both.total == one.total + other.total
    assert both.estimated
    assert both.reasoning == one.reasoning + other.reasoning


def test_tokens_are_guessed_by_characters() -> None:
    assert [estimated_tokens(characters) for characters in (0, 1, 4, 5)] == [0, 1, 1, 2]
