"""The price catalogue of the package `genai-prices`, as whole billionths of a US dollar.

Importing this costs about 0.5 s and 35 MB, so that only the seeding does, and only when it runs: never a web process
at its start (tests/ai/portal/test_models_prices.py measures that).

A price of the catalogue is taken if it can be kept exactly and holds enough to bill a call; anything else is unknown,
which is no price, never zero. It is disputed (`Listed.is_disputed`) where OpenRouter, which passes on the prices of the
vendors whose models carry their own names there, lists other rates for input or output, and where the vendor's price
depends on the hour, since calls are billed at the dearest one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal
from functools import lru_cache
from typing import Any

import genai_prices
from genai_prices.data import providers
from genai_prices.types import ModelInfo, ModelPrice, StartDateConstraint, TieredPrices, TimeOfDateConstraint
from genai_prices.types import Provider as Catalogue

from ai.families import mode_of
from ai.pricing import Rate, Unit

UNITS = {
    "input_mtok": Unit.INPUT,
    "cache_read_mtok": Unit.CACHED_INPUT,
    "cache_write_mtok": Unit.CACHE_WRITE,
    "output_mtok": Unit.OUTPUT,
    "output_reasoning_mtok": Unit.REASONING,
    "input_audio_mtok": Unit.INPUT_AUDIO,
    "output_audio_mtok": Unit.OUTPUT_AUDIO,
}
CALLS = "requests_kcount"
NANO = Decimal(1_000_000_000)
RESIDUE = Decimal("0.001")
"""Some rates come from binary fractions (0.18000000000000002): less than a thousandth of a billionth is no price."""
ORDER = {unit: place for place, unit in enumerate(Unit)}
AUTHORS = {
    "openai": "openai",
    "anthropic": "anthropic",
    "google": "google",
    "deepseek": "deepseek",
    "mistral": "mistralai",
    "x-ai": "x-ai",
    "cohere": "cohere",
    "perplexity": "perplexity",
    "moonshotai": "moonshotai",
    "minimax": "minimax",
    "zai": "z-ai",
}
"""How OpenRouter names the vendors whose prices it passes on."""
NO_MODEL = ("ft:", ":batch", ":extended", ":thinking")
"""Entries that price a way of calling, not a model that can be called."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A price: `since` is None for the one that holds now, the moment for one that is announced."""

    since: datetime | None
    rates: tuple[Rate, ...]
    note: str
    is_disputed: bool


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model of the catalogue; no prices: unknown. `context` is 0 where the catalogue does not say."""

    remote: str
    mode: str
    context: int
    prices: tuple[Listed, ...]


def version() -> str:
    """The name of this price list."""
    return f"genai-prices {genai_prices.__version__}"


def listed_models(catalogue: str, now: datetime) -> list[ListedModel]:
    """The models that the catalogue knows of one vendor, without those it calls deprecated."""
    found = _catalogues().get(catalogue)
    if found is None:
        return []
    models = [model for model in found.models if not model.deprecated and _is_model(model.id)]
    return [
        ListedModel(
            remote=model.id,
            mode=mode_of(model.id),
            context=model.context_window or 0,
            prices=tuple(_prices(found, model, now)),
        )
        for model in models
    ]


@lru_cache(maxsize=1)
def _catalogues() -> dict[str, Catalogue]:
    return {one.id: one for one in providers}


def _is_model(name: str) -> bool:
    return not any(part in name for part in NO_MODEL) and not name.endswith("-") and len(name) <= 160


def _prices(catalogue: Catalogue, model: ModelInfo, now: datetime) -> Iterable[Listed]:
    """The price of now, then those that are announced."""
    note = (catalogue.pricing_urls or [""])[0]
    disputed = _is_hourly(model) or _differs_elsewhere(catalogue, model, now)
    for since in (None, *_announced(model, now)):
        rates = _rates_at(model, since or now)
        if _is_enough(rates, mode_of(model.id)):
            yield Listed(since, rates, _with_left_out(note, model, since or now), disputed)


def _announced(model: ModelInfo, now: datetime) -> list[datetime]:
    """The moments from which other prices hold."""
    conditions = [one.constraint for one in model.prices] if isinstance(model.prices, list) else []
    days = {one.start_date for one in conditions if isinstance(one, StartDateConstraint)}
    moments = [datetime.combine(day, time.min, UTC) for day in days]
    return sorted(moment for moment in moments if moment > now)


def _in_force(model: ModelInfo, at: datetime) -> list[ModelPrice]:
    """What may be asked on that day: the price of the day, and those of some of its hours."""
    if isinstance(model.prices, ModelPrice):
        return [model.prices]
    hourly = [one for one in model.prices if isinstance(one.constraint, TimeOfDateConstraint)]
    daily = [one for one in model.prices if one not in hourly]
    active = [one for one in daily if one.constraint is None or one.constraint.active(at)]
    chosen = [*(active or daily)[-1:], *hourly]
    return [one.prices for one in chosen]


def _is_hourly(model: ModelInfo) -> bool:
    return isinstance(model.prices, list) and any(
        isinstance(one.constraint, TimeOfDateConstraint) for one in model.prices
    )


def _rates_at(model: ModelInfo, at: datetime) -> tuple[Rate, ...]:
    """The rates of a day, the dearest of its hours; empty where one cannot be kept exactly."""
    dearest: dict[tuple[Unit, int], int] = {}
    for price in _in_force(model, at):
        for unit, from_tokens, amount in _amounts(price):
            nanos = _nanos(amount)
            if nanos is None:
                return ()
            dearest[unit, from_tokens] = max(nanos, dearest.get((unit, from_tokens), 0))
    rates = [Rate(unit, nanos, from_tokens) for (unit, from_tokens), nanos in dearest.items()]
    return tuple(sorted(rates, key=lambda rate: (ORDER[rate.unit], rate.from_tokens)))


def _amounts(price: ModelPrice) -> Iterable[tuple[Unit, int, Decimal]]:
    """Unit, tokens of input from which it holds, and dollars for a million tokens, or for a call.

    A tier of the catalogue begins above its start: with the token after it.
    """
    for key, unit in UNITS.items():
        value = getattr(price, key)
        if isinstance(value, TieredPrices):
            yield unit, 0, value.base
            yield from ((unit, tier.start + 1, tier.price) for tier in value.tiers)
        elif value is not None:
            yield unit, 0, value
    calls = getattr(price, CALLS)
    if isinstance(calls, Decimal):
        yield Unit.CALL, 0, calls / 1000


def _nanos(amount: Decimal) -> int | None:
    """Dollars as whole billionths; None where they are none."""
    exact = amount * NANO
    whole = exact.to_integral_value()
    return int(whole) if amount >= 0 and abs(exact - whole) < RESIDUE else None


def _is_enough(rates: tuple[Rate, ...], mode: str) -> bool:
    """Whether a call can be billed by it: input, and output unless there is none. Zeros alone are no price."""
    units = {rate.unit for rate in rates if rate.from_tokens == 0}
    needed = {Unit.INPUT} if mode in ("embedding", "moderation") else {Unit.INPUT, Unit.OUTPUT}
    return needed <= units and any(rate.nanos for rate in rates)


def _with_left_out(note: str, model: ModelInfo, at: datetime) -> str:
    """The vendor's page, and what it asks for beyond what is billed here."""
    named = {key for price in _in_force(model, at) for key, value in vars(price).items() if value is not None}
    left_out = sorted({_words(key) for key in named - UNITS.keys() - {CALLS}})
    return f"{note}; not in it: {', '.join(left_out)}"[:200] if left_out else note[:200]


def _words(key: str) -> str:
    """The catalogue's name of a price without its measure: `web_searches_kcount` -> "web searches"."""
    return key.rpartition("_")[0].replace("_", " ")


def _differs_elsewhere(catalogue: Catalogue, model: ModelInfo, now: datetime) -> bool:
    """Whether OpenRouter lists other rates for the same name."""
    second = _passed_on(catalogue.id).get(_plain(model.id))
    if second is None:
        return False
    ours, theirs = _base(_rates_at(model, now)), _base(_rates_at(second, now))
    return bool(ours and theirs) and ours != theirs


def _base(rates: tuple[Rate, ...]) -> dict[Any, int]:
    kept = (Unit.INPUT, Unit.OUTPUT)
    return {rate.unit: rate.nanos for rate in rates if rate.unit in kept and rate.from_tokens == 0}


@lru_cache(maxsize=32)
def _passed_on(catalogue: str) -> dict[str, ModelInfo]:
    """OpenRouter's entries of one vendor by plain name."""
    author, router = AUTHORS.get(catalogue), _catalogues().get("openrouter")
    if author is None or router is None:
        return {}
    begin = f"{author}/"
    return {
        _plain(model.id.removeprefix(begin)): model
        for model in router.models
        if model.id.startswith(begin) and ":" not in model.id and not model.deprecated
    }


def _plain(name: str) -> str:
    return name.lower().replace(".", "-")
