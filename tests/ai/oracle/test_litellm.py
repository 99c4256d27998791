"""What LiteLLM, an independent library, reads in the raw answers of vendors: the same text, calls, tokens and money.

It runs as a library in an environment of its own (`scripts/ai-clients compared`), against the same bytes. Money is
compared with the rates that it goes by itself, so that only the arithmetic is: prices are kept up to date elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from ai.pricing import PriceList, Rate, Unit, Usage
from ai.runtime.dialects import DIALECTS
from tests.ai.dialects.support import Heard
from tests.ai.oracle.cases import CASES, Case, asked_litellm
from tests.ai.vendor import Asked, Reply, Vendor

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("oracle")]

FIELDS = ("text", "reasoning", "calls", "finish", "usage", "cost")
COUNTS = ("input", "output", "cached_input", "cache_write", "reasoning", "input_audio", "output_audio")

_ESTIMATED = (
    "Where the vendor says no number, LiteLLM counts the tokens of the thought that it was shown, which is a summary: "
    "BerriAI/litellm#36290. Either way they are within the output, and cost what it costs."
)
EXCEPTIONS: Mapping[tuple[str, str], str] = {
    ("anthropic_tools", "usage"): _ESTIMATED,
    ("anthropic_stream", "usage"): _ESTIMATED,
    ("bedrock_whole", "usage"): _ESTIMATED,
    ("bedrock_stream", "usage"): _ESTIMATED,
    ("bedrock_at_tier", "usage"): _ESTIMATED,
    ("bedrock_above_tier", "usage"): _ESTIMATED,
}
"""By case and field: where LiteLLM is known to read something else, and why it is not we who are wrong."""

UNITS = {
    Unit.INPUT: "input_cost_per_token",
    Unit.CACHED_INPUT: "cache_read_input_token_cost",
    Unit.CACHE_WRITE: "cache_creation_input_token_cost",
    Unit.INPUT_AUDIO: "input_cost_per_audio_token",
    Unit.OUTPUT: "output_cost_per_token",
    Unit.OUTPUT_AUDIO: "output_cost_per_audio_token",
    Unit.REASONING: "output_cost_per_reasoning_token",
}
TIERS = {"": 0, "_above_200k_tokens": 200_001, "_above_272k_tokens": 272_001}
"""LiteLLM's "above" is more than that; our rates hold from a number of tokens on."""


@pytest.fixture(scope="module")
def theirs() -> dict[str, dict[str, Any]]:
    """What LiteLLM reads in every case: one process for all, because it takes seconds to start."""
    with Vendor() as vendor:
        vendor.answers(_answer)
        return asked_litellm([case.asked(vendor.url) for case in CASES.values()])


def _answer(asked: Asked) -> Reply:
    return CASES[asked.path.split("/")[1]].reply


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def test_they_read_the_same(case: Case, theirs: dict[str, dict[str, Any]]) -> None:
    found = theirs[case.name]
    assert "error" not in found
    mine = ours(case, found["rates"])
    for field in FIELDS:
        if (case.name, field) in EXCEPTIONS:
            assert mine[field] != found[field], "They agree by now: take the exception off the list."
        else:
            assert mine[field] == found[field], field


def test_an_estimate_of_thoughts_is_all_that_is_counted_otherwise(theirs: dict[str, dict[str, Any]]) -> None:
    """The exceptions are about one number: every other count is held against LiteLLM's there too."""
    for name, _field in EXCEPTIONS:
        found = theirs[name]
        mine = ours(CASES[name], found["rates"])["usage"]
        assert {**mine, "reasoning": 0} == {**found["usage"], "reasoning": 0}


def test_every_exception_is_of_a_case() -> None:
    assert {name for name, _ in EXCEPTIONS} <= CASES.keys()
    assert {field for _, field in EXCEPTIONS} <= set(FIELDS)


def ours(case: Case, rates: Mapping[str, Any]) -> dict[str, Any]:
    """What our dialect reads, and what it costs at these rates, in the words of the script."""
    said, usage = _heard(case) if case.is_stream else _read(case)
    assert usage is not None
    cost = price_list(rates).cost(usage)
    assert cost is not None
    counts = {name: getattr(usage, name) for name in COUNTS}
    return {**said, "usage": counts, "cost": pytest.approx(cost / 1e9, abs=1e-9)}


def _read(case: Case) -> tuple[dict[str, Any], Usage | None]:
    answer = DIALECTS[case.dialect].answer(case.bytes)
    choice = answer.chat["choices"][0]
    message = choice["message"]
    calls = [call["function"] for call in message.get("tool_calls") or ()]
    said = {
        "text": message.get("content") or "",
        "reasoning": message.get("reasoning_content") or "",
        "calls": [[call["name"], json.loads(call["arguments"])] for call in calls],
        "finish": choice["finish_reason"],
    }
    return said, answer.usage


def _heard(case: Case) -> tuple[dict[str, Any], Usage | None]:
    heard = Heard(case.dialect, [case.bytes])
    said = {
        "text": heard.text,
        "reasoning": heard.reasoning,
        "calls": [[name, json.loads(arguments)] for _id, name, arguments in heard.calls.values()],
        "finish": heard.finish,
    }
    return said, heard.reader.usage


def price_list(rates: Mapping[str, Any]) -> PriceList:
    """LiteLLM's rates, in dollars for a token, as ours: billionths of a dollar for a million."""
    found = [
        Rate(unit, round(rates[f"{name}{ending}"] * 1e15), tokens)
        for unit, name in UNITS.items()
        for ending, tokens in TIERS.items()
        if rates.get(f"{name}{ending}") is not None
    ]
    return PriceList("litellm", "USD", tuple(found))
