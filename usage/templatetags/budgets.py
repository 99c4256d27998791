"""Budgets in words: `{% load budgets %}`."""

from __future__ import annotations

from django import template
from django.contrib.humanize.templatetags.humanize import intcomma
from django.utils.translation import gettext as _

from ai.pricing import money
from subscriptions.budget_targets import words_of
from subscriptions.models import Budget, Endpoint

register = template.Library()


@register.filter
def amount(value: int, budget: Budget) -> str:
    """Tokens or billionths, as `budget` counts them: `12,000 tokens`, `0.0042 USD`."""
    if budget.unit == Budget.Unit.TOKENS:
        return _("%(tokens)s tokens") % {"tokens": intcomma(value)}
    whole, _point, rest = money(value).partition(".")
    return f"{intcomma(int(whole))}.{rest} {budget.currency}"


@register.filter
def budget_of(budget: Budget) -> str:
    """What a budget is for."""
    if budget.of_version is not None and budget.of_environment is not None:
        return words_of(Endpoint(budget.of_version, budget.of_environment))
    return words_of(budget.target)
