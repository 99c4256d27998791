"""Money of AI calls, which is often less than a cent: `{% load aimoney %}`."""

from __future__ import annotations

from django import template

from ai.pricing import money

register = template.Library()


@register.filter
def exact_money(nano: int, currency: str) -> str:
    """Billionths of a currency without rounding, so that a small cost is never shown as nothing: `0.0000102 USD`."""
    return f"{money(nano)} {currency}"
