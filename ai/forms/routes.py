"""A model route: its targets in rows, and when another one is tried."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from ai.actions import RouteValues, TargetValues
from ai.forms.providers import OwnedForm
from ai.models import AiModel, ModelRoute
from teams.models import Actor, Team

EMPTY_ROWS = 2
MOST_ROWS = 20


class TargetForm(forms.Form):
    """One model of a route. An empty row is none."""

    model = forms.CharField(
        label=_("Model"),
        max_length=220,
        required=False,
        widget=forms.TextInput(
            attrs={
                "class": "mono",
                "list": "models",
                "autocomplete": "off",
                "placeholder": "openai/gpt-4o-mini",
            }
        ),
    )
    rank = forms.IntegerField(label=_("Order"), min_value=0, max_value=100, required=False)
    weight = forms.IntegerField(label=_("Weight"), min_value=1, max_value=1000, required=False)


TargetRows: Any = forms.formset_factory(TargetForm, extra=0, max_num=MOST_ROWS, absolute_max=MOST_ROWS)


class BehaviourForm(forms.Form):
    """When another model is tried, and when one is left out for a while."""

    description = forms.CharField(label=_("What it is for"), max_length=200, required=False)
    retry_codes = forms.CharField(
        label=_("Statuses after which another model is tried"),
        max_length=200,
        required=False,
        widget=forms.TextInput(attrs={"class": "mono"}),
        help_text=_("With commas between them. Failures of the line always count."),
    )
    attempts = forms.IntegerField(label=_("Most tries"), min_value=1, max_value=10)
    try_timeout = forms.DecimalField(
        label=_("Time for one try (s)"), min_value=0, max_value=600, decimal_places=3, localize=False
    )
    stream_idle = forms.DecimalField(
        label=_("Longest silence within a stream (s)"),
        min_value=0,
        max_value=600,
        decimal_places=3,
        localize=False,
    )
    breaker_failures = forms.IntegerField(
        label=_("Failures in a row until a model is left out"),
        min_value=0,
        max_value=100,
        help_text=_("0: never left out."),
    )
    breaker_s = forms.IntegerField(label=_("How long it is left out (s)"), min_value=1, max_value=3600)

    def clean_retry_codes(self) -> list[int]:
        words = [word for word in re.split(r"[\s,;]+", self.cleaned_data["retry_codes"]) if word]
        if not all(word.isascii() and word.isdigit() and len(word) == 3 for word in words):
            raise ValidationError(_("Statuses have three digits, such as 429, 503."))
        return [int(word) for word in words]

    @property
    def values(self) -> RouteValues:
        data = self.cleaned_data
        return RouteValues(
            description=data["description"],
            retry_codes=data["retry_codes"],
            attempts=data["attempts"],
            try_timeout_ms=int(data["try_timeout"] * 1000),
            stream_idle_ms=int(data["stream_idle"] * 1000),
            breaker_failures=data["breaker_failures"],
            breaker_s=data["breaker_s"],
        )


class RouteForm(BehaviourForm):
    """An existing route, or with the usual values; `more` shows one more row instead of saving."""

    def __init__(
        self,
        data: Any = None,
        *,
        models: Iterable[AiModel],
        route: ModelRoute | None = None,
        more: bool = False,
        **kwargs: Any,
    ) -> None:
        shown = route or ModelRoute(retry_codes=list(ModelRoute.RETRY_CODES))
        targets = [_row(target) for target in route.targets.all()] if route else [{"rank": 0}, {"rank": 1}]
        super().__init__(data, initial=_initial(shown), **kwargs)
        self.models = list(models)
        rows = _with_row(data) if more else data
        # What is sent is taken as it is: a row like the one that was there is no empty row.
        self.rows = TargetRows(rows, initial=None if rows else targets, prefix="targets")

    def is_valid(self) -> bool:
        return super().is_valid() and self.rows.is_valid() and self._targets_found()

    def _targets_found(self) -> bool:
        """Whether each name is that of a model; the team's own goes before a shared one of the same name."""
        known = {
            model.name: model for model in sorted(self.models, key=lambda one: one.provider.team_id or 0)
        }
        for row in self.rows:
            name = row.cleaned_data.get("model", "").strip()
            if name and name not in known:
                row.add_error("model", _("There is no such model in use. Choose one of the list."))
        self.known = known
        return not any(row.errors for row in self.rows)

    @property
    def targets(self) -> list[TargetValues]:
        """Rows with a model, as the actions take them."""
        filled = [row for row in self.rows.cleaned_data if row.get("model", "").strip()]
        return [
            TargetValues(self.known[row["model"].strip()], row.get("rank") or 0, row.get("weight") or 100)
            for row in filled
        ]


class NewRouteForm(OwnedForm, RouteForm):
    """A new alias."""

    alias = forms.SlugField(
        label=_("Alias"),
        max_length=48,
        widget=forms.TextInput(attrs={"class": "mono", "placeholder": "fast-text"}),
        help_text=_("Calls and prompts name it, so it stays for good."),
    )
    field_order = ("team", "alias", "description")

    def __init__(
        self, data: Any = None, *, actor: Actor, models: Iterable[AiModel], more: bool = False
    ) -> None:
        super().__init__(data, actor=actor, models=models, more=more)

    @property
    def team_chosen(self) -> Team | None:
        return self.cleaned_data["team"]  # type: ignore[no-any-return]


def _row(target: Any) -> dict[str, Any]:
    return {"model": target.model.name, "rank": target.rank, "weight": target.weight}


def _with_row(data: Any) -> Any:
    name, sent = "targets-TOTAL_FORMS", data.copy()
    count = sent.get(name, "0")
    row = min(int(count) if count.isdigit() else 0, MOST_ROWS - 1)
    sent[name] = str(row + 1)
    return sent


def _initial(route: ModelRoute) -> dict[str, Any]:
    return {
        "description": route.description,
        "retry_codes": ", ".join(map(str, route.retry_codes)),
        "attempts": route.attempts,
        "try_timeout": _seconds(route.try_timeout_ms),
        "stream_idle": _seconds(route.stream_idle_ms),
        "breaker_failures": route.breaker_failures,
        "breaker_s": route.breaker_s,
    }


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:g}"
