"""A dashboard as values: tiles, charts and breakdowns of one scope, ready to be drawn or serialised."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from ai.models import AiModel, PromptVersion
from apis.models import Api, Environment, Plan
from gateways.models import Gateway
from subscriptions.models import Application, Subscription
from usage.models import CountDifference
from usage.queries import UsageScope, overview, summary
from usage.ranges import Window
from usage.sums import Figures

CLASSES: tuple[tuple[int, Any, str], ...] = (
    (1, "1xx", "push"),
    (2, "2xx", "live"),
    (3, "3xx", "off"),
    (4, "4xx", "hold"),
    (5, "5xx", "fail"),
    (0, gettext_lazy("broken off"), "neutral"),
)
"""Status classes in the order in which they are stacked: digit, label, tone."""

PERCENTILES = (("p50", "live"), ("p95", "push"), ("p99", "hold"))
MOST_ROWS = 10


@dataclass(frozen=True, slots=True)
class Tile:
    """A figure with its change against the period before (a share; None where there was nothing).

    `detail` says more about it. Money is 1e-9 of `currency`.
    """

    label: str
    value: Any
    kind: str
    change: float | None
    detail: str = ""
    currency: str = ""

    @property
    def rose(self) -> bool:
        return self.change is not None and self.change >= 0

    @property
    def fall(self) -> float:
        return -(self.change or 0)


@dataclass(frozen=True, slots=True)
class BreakdownRow:
    """Figures of one value of a dimension; `share` is of all calls, 0..1."""

    id: str
    label: str
    figures: Figures
    share: float


@dataclass(frozen=True, slots=True)
class Breakdown:
    """A table of the largest values of one dimension; `left_out` of them are not shown."""

    title: str
    rows: list[BreakdownRow]
    left_out: int


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Everything that a usage page shows of one scope and window."""

    figures: Figures
    tiles: list[Tile]
    calls: Mapping[str, Any]
    latency: Mapping[str, Any]
    breakdowns: list[Breakdown]

    @property
    def is_empty(self) -> bool:
        return self.figures.calls == 0


def dashboard(scope: UsageScope, window: Window, by: Iterable[str]) -> Dashboard:
    """Read the sums of `scope` in `window`, with one breakdown per dimension in `by`."""
    now, before = overview(scope, window, by, most=MOST_ROWS), summary(scope, window.before())
    tables = [_breakdown(name, found, now.whole.calls) for name, found in now.breakdowns.items()]
    tiles = _tiles(now.whole, before)
    return Dashboard(now.whole, tiles, calls_chart(now.points), latency_chart(now.points), tables)


def _tiles(now: Figures, before: Figures) -> list[Tile]:
    return [
        Tile(_("Calls"), now.calls, "count", change_of(now.calls, before.calls)),
        Tile(_("Errors"), now.error_rate, "share", change_of(now.error_rate, before.error_rate)),
        Tile(_("p95 latency"), now.p95, "ms", change_of(now.p95, before.p95)),
        Tile(_("Sent"), now.bytes_out, "bytes", change_of(now.bytes_out, before.bytes_out)),
    ]


def change_of(now: float | None, before: float | None) -> float | None:
    """The change against before as a share; None where there is nothing to compare with."""
    return (now - before) / before if now is not None and before else None


def calls_chart(points: list[tuple[datetime, Figures]]) -> dict[str, Any]:
    """Calls over time, stacked by status class; classes that never occur are left out."""
    seen = {group for _at, figures in points for group in figures.by_class}
    series = [
        {
            "name": str(label),
            "tone": tone,
            "values": [figures.by_class.get(digit, 0) for _at, figures in points],
        }
        for digit, label, tone in CLASSES
        if digit in seen or digit == 2
    ]
    return {"times": [at.isoformat() for at, _figures in points], "unit": _("calls"), "series": series}


def latency_chart(points: list[tuple[datetime, Figures]]) -> dict[str, Any]:
    """Percentiles over time, in ms; a gap where there were no calls."""
    series = [
        {"name": name, "tone": tone, "values": [_rounded(getattr(figures, name)) for _at, figures in points]}
        for name, tone in PERCENTILES
    ]
    return {"times": [at.isoformat() for at, _figures in points], "unit": "ms", "series": series}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)


def _breakdown(by: str, found: list[tuple[str, Figures]], total: int) -> Breakdown:
    shown = found[:MOST_ROWS]
    labels = labels_of(by, [name for name, _figures in shown])
    rows = [
        BreakdownRow(
            name, labels.get(name) or name or _("not known"), figures, figures.calls / total if total else 0
        )
        for name, figures in shown
    ]
    return Breakdown(str(TITLES[by]), rows, len(found) - len(shown))


def named_differences(found: Iterable[CountDifference]) -> list[tuple[CountDifference, str, str]]:
    """Each difference with the names of its API and environment."""
    rows = list(found)
    apis = labels_of("api", [row.api for row in rows]) if rows else {}
    environments = labels_of("environment", [row.environment for row in rows]) if rows else {}
    return [(row, apis.get(row.api, ""), environments.get(row.environment, "")) for row in rows]


def _names(model: Any) -> Callable[[list[str]], dict[str, str]]:
    def read(ids: list[str]) -> dict[str, str]:
        return dict(model.objects.filter(public_id__in=ids).values_list("public_id", "name"))

    return read


def _application_names(ids: list[str]) -> dict[str, str]:
    rows = Application.objects.filter(public_id__in=ids).values_list("public_id", "name", "team__name")
    return {public_id: f"{name} · {team}" for public_id, name, team in rows}


def _subscription_names(ids: list[str]) -> dict[str, str]:
    found = Subscription.objects.filter(public_id__in=ids).select_related("application", "api_version__api")
    return {row.public_id: f"{row.application.name} · {row.api_version}" for row in found}


def _model_names(ids: list[str]) -> dict[str, str]:
    return {
        row.public_id: row.name
        for row in AiModel.objects.filter(public_id__in=ids).select_related("provider")
    }


def _prompt_names(ids: list[str]) -> dict[str, str]:
    found = PromptVersion.objects.filter(public_id__in=ids).select_related("prompt")
    return {row.public_id: f"{row.prompt.name} v{row.number}" for row in found}


def _unknown_caller(labels: Callable[[list[str]], dict[str, str]]) -> Callable[[list[str]], dict[str, str]]:
    return lambda ids: {**labels(ids), "": _("refused before the caller was known")}


def labels_of(by: str, ids: list[str]) -> dict[str, str]:
    """Names of the objects behind `ids`."""
    return READERS[by](ids) if by in READERS else {}


READERS: Mapping[str, Callable[[list[str]], dict[str, str]]] = {
    "api": _names(Api),
    "plan": _unknown_caller(_names(Plan)),
    "environment": _names(Environment),
    "gateway": _names(Gateway),
    "application": _unknown_caller(_application_names),
    "subscription": _unknown_caller(_subscription_names),
    "model": lambda ids: {**_model_names(ids), "": _("no model: from the cache, or refused before")},
    "prompt": lambda ids: {**_prompt_names(ids), "": _("messages of the caller's own")},
    "operation": lambda _ids: {"": _("not in the document")},
    "status": lambda _ids: {"0": _("broken off")},
    "key_id": lambda ids: {key: f"{key[:8]}…" if key else _("no known key") for key in ids},
}
TITLES: Mapping[str, Any] = {
    "api": gettext_lazy("By API"),
    "plan": gettext_lazy("By plan"),
    "environment": gettext_lazy("By environment"),
    "gateway": gettext_lazy("By gateway"),
    "application": gettext_lazy("By application"),
    "operation": gettext_lazy("By operation"),
    "key_id": gettext_lazy("By key"),
    "status": gettext_lazy("By status"),
    "model": gettext_lazy("By model"),
    "prompt": gettext_lazy("By prompt version"),
    "subscription": gettext_lazy("By subscription"),
}
