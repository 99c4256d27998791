"""Tokens and money of one call. Money is whole billionths (1e-9) of the currency; rates are those per million tokens.

Vendors count differently: OpenAI's and Gemini's input holds the cached tokens, Anthropic's does not. Here `input` is
always all of it, so that the parts never sum to more (BerriAI/litellm#9812, #6215, #14849).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

MILLION = 1_000_000


class Unit(StrEnum):
    """What a rate is for: a million tokens of a sort, or one call."""

    INPUT = "input"
    CACHED_INPUT = "cached_input"
    CACHE_WRITE = "cache_write"
    OUTPUT = "output"
    REASONING = "reasoning"
    INPUT_AUDIO = "input_audio"
    OUTPUT_AUDIO = "output_audio"
    CALL = "call"


@dataclass(frozen=True, slots=True)
class Usage:
    """What a call consumed, in tokens. `input` is all input, `output` all output.

    `cached_input`, `cache_write` and `input_audio` are parts of `input`; `reasoning` and `output_audio` are parts
    of `output`. `estimated` says that the vendor gave no count and characters were counted.
    """

    input: int = 0
    output: int = 0
    cached_input: int = 0
    cache_write: int = 0
    reasoning: int = 0
    input_audio: int = 0
    output_audio: int = 0
    estimated: bool = False

    @property
    def total(self) -> int:
        """All tokens."""
        return self.input + self.output

    def if_any(self) -> Usage | None:
        """None where nothing was counted: no call reads nothing, so that zeros are what a vendor says for "unknown"."""
        return self if self.total else None

    def plus(self, other: Usage) -> Usage:
        """Both together, as for two attempts."""
        counts = {name: getattr(self, name) + getattr(other, name) for name in _COUNTS}
        return Usage(**counts, estimated=self.estimated or other.estimated)

    def to_plain(self) -> dict[str, int]:
        """As a prompt endpoint shows it."""
        return {
            "input_tokens": self.input,
            "output_tokens": self.output,
            "cached_input_tokens": self.cached_input,
            "cache_write_tokens": self.cache_write,
            "reasoning_tokens": self.reasoning,
            "total_tokens": self.total,
        }


_COUNTS = ("input", "output", "cached_input", "cache_write", "reasoning", "input_audio", "output_audio")


@dataclass(frozen=True, slots=True)
class Rate:
    """What a million tokens of a sort cost (`nanos`), from `from_tokens` tokens of input on: dear long contexts."""

    unit: Unit
    nanos: int
    from_tokens: int = 0


@dataclass(frozen=True, slots=True)
class PriceList:
    """The rates of one model from one moment on. `version` names it, as in `2026-11-10`.

    An unknown price is no list at all, never one without rates.
    """

    version: str
    currency: str
    rates: tuple[Rate, ...]

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> PriceList:
        """The JSON form: `{"version", "currency", "rates": [{"unit", "nanos", "from_tokens"}]}`."""
        rates = (Rate(Unit(r["unit"]), int(r["nanos"]), int(r.get("from_tokens", 0))) for r in plain["rates"])
        return cls(str(plain["version"]), str(plain["currency"]), tuple(rates))

    def rate(self, unit: Unit, input_tokens: int) -> int | None:
        """The rate that holds for a call with so much input; None where the list has none."""
        best: Rate | None = None
        for rate in self.rates:
            is_fitting = rate.unit is unit and rate.from_tokens <= input_tokens
            if is_fitting and (best is None or rate.from_tokens > best.from_tokens):
                best = rate
        return best.nanos if best else None

    def cost(self, usage: Usage) -> int | None:
        """What `usage` costs, in billionths, rounded half up. A sort without a rate of its own costs as its whole.

        None where the list does not say: it has no rate for calls, and none for tokens that were used, or none were
        counted. What is not known is not free.
        """
        per_call = self.rate(Unit.CALL, usage.input)
        if per_call is None and not self._prices(usage):
            return None
        total = sum(count * rate for count, rate in self._parts(usage))
        return (total + MILLION // 2) // MILLION + (per_call or 0)

    def _prices(self, usage: Usage) -> bool:
        """Whether there is a rate for every side of `usage`, and `usage` for one."""
        sides = ((Unit.INPUT, usage.input), (Unit.OUTPUT, usage.output))
        priced = all(self.rate(unit, usage.input) is not None for unit, count in sides if count)
        return priced and usage.total > 0

    def _parts(self, usage: Usage) -> Iterable[tuple[int, int]]:
        """Counts that do not overlap, each with its rate. Parts of a vendor's may: cached sound counts once."""
        whole_in, whole_out = (
            self.rate(Unit.INPUT, usage.input) or 0,
            self.rate(Unit.OUTPUT, usage.input) or 0,
        )
        left_in, left_out = usage.input, usage.output
        for unit, count in (
            (Unit.CACHED_INPUT, usage.cached_input),
            (Unit.CACHE_WRITE, usage.cache_write),
            (Unit.INPUT_AUDIO, usage.input_audio),
        ):
            rate = self.rate(unit, usage.input) if count else None
            if rate is not None:
                part = min(count, left_in)
                left_in -= part
                yield part, rate
        for unit, count in ((Unit.REASONING, usage.reasoning), (Unit.OUTPUT_AUDIO, usage.output_audio)):
            rate = self.rate(unit, usage.input) if count else None
            if rate is not None:
                part = min(count, left_out)
                left_out -= part
                yield part, rate
        yield left_in, whole_in
        yield left_out, whole_out


def money(nanos: int) -> str:
    """Billionths as a decimal number without rounding, at least two places: `0.0000102`."""
    whole, rest = divmod(nanos, 1_000_000_000)
    places = f"{rest:09d}".rstrip("0")
    return f"{whole}.{places.ljust(2, '0')}"


def estimated_tokens(characters: int) -> int:
    """A rough count: about four characters a token. Tokenisers would have to be fetched, one per vendor."""
    return (characters + 3) // 4
