"""What AI calls consumed as values: tiles, charts and breakdowns, beside those of the calls themselves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from usage.ai_queries import ai_overview, ai_summary
from usage.ai_sums import AiFigures
from usage.dashboards import MOST_ROWS, TITLES, Tile, change_of, labels_of
from usage.queries import UsageScope
from usage.ranges import Window

type Points = list[tuple[datetime, AiFigures]]

PARTS: tuple[tuple[str, Any, str], ...] = (
    ("input", gettext_lazy("input"), "push"),
    ("cached", gettext_lazy("input from the vendor's cache"), "off"),
    ("output", gettext_lazy("output"), "live"),
    ("reasoning", gettext_lazy("reasoning"), "hold"),
)
"""Tokens in the order in which they are stacked: parts that do not overlap."""


@dataclass(frozen=True, slots=True)
class AiRow:
    """Figures of one value of a dimension."""

    id: str
    label: str
    figures: AiFigures


@dataclass(frozen=True, slots=True)
class AiBreakdown:
    """A table of the largest values of one dimension; `left_out` of them are not shown."""

    title: str
    rows: list[AiRow]
    left_out: int


@dataclass(frozen=True, slots=True)
class CostChart:
    """Money over time in one currency."""

    currency: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AiDashboard:
    """What a usage page shows of AI calls in one scope and window."""

    figures: AiFigures
    tiles: list[Tile]
    tokens: Mapping[str, Any]
    costs: list[CostChart]
    breakdowns: list[AiBreakdown]


def ai_dashboard(scope: UsageScope, window: Window, by: Iterable[str]) -> AiDashboard | None:
    """Read the sums of `scope` in `window`, with one breakdown per dimension in `by`; None without AI calls."""
    now = ai_overview(scope, window, by)
    if now is None or now.whole.is_empty:
        return None
    tables = [_breakdown(name, found) for name, found in now.breakdowns.items()]
    return AiDashboard(
        now.whole,
        _tiles(now.whole, ai_summary(scope, window.before()) or AiFigures()),
        tokens_chart(now.points),
        [CostChart(currency, cost_chart(now.points, currency)) for currency, _nano in now.whole.by_currency],
        tables,
    )


def _tiles(now: AiFigures, before: AiFigures) -> list[Tile]:
    cached = _("%(n)s of them from the vendor's cache") % {"n": _count(now.cached_input_tokens)}
    reasoning = _("%(n)s of them reasoning") % {"n": _count(now.reasoning_tokens)}
    hits = _("%(n)s of %(all)s AI calls") % {"n": _count(now.from_cache), "all": _count(now.calls)}
    more_in = change_of(now.input_tokens, before.input_tokens)
    more_out = change_of(now.output_tokens, before.output_tokens)
    return [
        Tile(_("Input tokens"), now.input_tokens, "count", more_in, cached),
        Tile(_("Output tokens"), now.output_tokens, "count", more_out, reasoning),
        *_cost_tiles(now, before),
        Tile(_("Answered from the cache"), now.cache_share, "share", None, hits),
    ]


def _cost_tiles(now: AiFigures, before: AiFigures) -> list[Tile]:
    """One for each currency; where nothing is known, one that says so. Sums that lack something are not compared."""
    is_whole = not (now.unpriced or before.unpriced)
    if now.unpriced and not now.costs:
        return [Tile(_("Cost"), None, "money", None, _("not known"))]
    lacks = _("without what has no known price") if now.unpriced else ""
    return [
        Tile(
            _("Cost in %(currency)s") % {"currency": currency},
            nano,
            "money",
            change_of(nano, before.costs.get(currency)) if is_whole else None,
            lacks,
            currency,
        )
        for currency, nano in now.by_currency
    ]


def _count(value: int) -> str:
    return number_format(value, use_l10n=True, force_grouping=True)


def tokens_chart(points: Points) -> dict[str, Any]:
    """Tokens over time, in parts that do not overlap; parts that never occur are left out."""
    parts = [_parts(figures) for _at, figures in points]
    series = [
        {"name": str(label), "tone": tone, "values": [part[name] for part in parts]}
        for name, label, tone in PARTS
        if name in ("input", "output") or any(part[name] for part in parts)
    ]
    return {"times": [at.isoformat() for at, _figures in points], "unit": _("tokens"), "series": series}


def _parts(figures: AiFigures) -> dict[str, int]:
    return {
        "input": max(0, figures.input_tokens - figures.cached_input_tokens),
        "cached": figures.cached_input_tokens,
        "output": max(0, figures.output_tokens - figures.reasoning_tokens),
        "reasoning": figures.reasoning_tokens,
    }


def cost_chart(points: Points, currency: str) -> dict[str, Any]:
    """Known cost over time in one currency, in 1e-9 of it; a gap where none is known."""
    values = [figures.costs.get(currency) for _at, figures in points]
    return {
        "times": [at.isoformat() for at, _figures in points],
        "unit": currency,
        "currency": currency,
        "series": [
            {"name": _("cost in %(currency)s") % {"currency": currency}, "tone": "accent", "values": values}
        ],
    }


def labels_in(by: str, ids: list[str]) -> dict[str, str]:
    """The names behind `ids`, in their order; an id stands for itself where nothing has it any more."""
    names = labels_of(by, ids)
    return {one: names.get(one) or one for one in ids}


def _breakdown(by: str, found: list[tuple[str, AiFigures]]) -> AiBreakdown:
    shown = found[:MOST_ROWS]
    labels = labels_of(by, [name for name, _figures in shown])
    rows = [AiRow(name, labels.get(name) or name or _("not known"), figures) for name, figures in shown]
    return AiBreakdown(str(TITLES[by]), rows, len(found) - len(shown))
