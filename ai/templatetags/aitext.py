"""What pages about AI say the same way everywhere: rates, capabilities, ways of reaching. `{% load aitext %}`."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from ai.forms.models import CAPABILITIES, RATES
from ai.pricing import Unit, money
from ai.queries import PriceInForce

register = template.Library()

SIGNS = {"EUR": "€", "USD": "$", "GBP": "£"}
UNITS = {**{unit.value: label for unit, label in RATES}, Unit.CALL.value: _lazy("Each call")}
FLAGS = {
    "unknown": (_lazy("price unknown"), "fail", _lazy("Nobody knows its price: budgets cannot hold it.")),
    "disputed": (
        _lazy("disputed"),
        "hold",
        _lazy("Sources differ on its price. Check it, and enter your own."),
    ),
    "override": (_lazy("own price"), "accent", _lazy("Entered here; goes before the catalogue.")),
    "toy": (_lazy("toy"), "off", _lazy("For trying things out: do not rely on its answers or its price.")),
}


@register.filter
def rate(price: PriceInForce, unit: str) -> str:
    """What a million tokens cost, exactly; a dash where there is no rate, never a zero for what is unknown."""
    nanos = price.rate(unit)
    return "–" if nanos is None or price.row is None else amount(nanos, price.row.currency)


@register.filter
def amount(nanos: int, currency: str) -> str:
    """Billionths without rounding: 75000000, "USD" -> "$ 0.075"."""
    return f"{SIGNS.get(currency, currency)} {money(nanos)}"


@register.filter
def unit_name(unit: str) -> str:
    """The unit of a rate in words."""
    return str(UNITS.get(unit, unit))


@register.filter
def capability(name: str) -> str:
    """A capability in words."""
    return str(CAPABILITIES.get(name, name))


@register.simple_tag
def flags_of(model: Any, price: PriceInForce) -> list[dict[str, Any]]:
    """What to know before relying on its price, each with its words and tone."""
    shown = {
        "unknown": not price.is_known,
        "disputed": price.is_disputed,
        "override": price.is_override,
        "toy": model.is_toy,
    }
    return [flag_words(name) for name, is_so in shown.items() if is_so]


@register.filter
def flag_words(name: str) -> dict[str, Any]:
    """A flag as it is shown."""
    label, tone, why = FLAGS[name]
    return {"name": name, "label": label, "tone": tone, "why": why}


@register.filter
def owner(owned: Any) -> str:
    """Whose a provider or route is."""
    return str(owned.team.name) if owned.team else _("everybody's")


@register.filter
def kilo(tokens: int) -> str:
    """A number of tokens in few characters: 128000 -> "128 k", 1048576 -> "1 M"; a dash where nobody knows."""
    if not tokens:
        return "–"
    if tokens >= 1_000_000:
        return f"{tokens / 1_000_000:.2g} M"
    return f"{tokens // 1_000} k" if tokens >= 1_000 else str(tokens)


@register.filter
def in_seconds(milliseconds: int) -> str:
    """A time that somebody set: 60000 -> "60 s", 1500 -> "1.5 s"."""
    return f"{milliseconds / 1000:g} s"
