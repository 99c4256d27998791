"""A model and what it costs."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from ai.models import AiModel
from ai.pricing import Unit
from ai.queries import PriceInForce

NANO = 1_000_000_000
CURRENCIES = [(code, code) for code in ("USD", "EUR", "GBP", "CHF", "JPY", "CNY", "INR")]
RATES: tuple[tuple[Unit, Any], ...] = (
    (Unit.INPUT, _("Input")),
    (Unit.OUTPUT, _("Output")),
    (Unit.CACHED_INPUT, _("Cached input")),
    (Unit.CACHE_WRITE, _("Cache write")),
    (Unit.REASONING, _("Reasoning")),
    (Unit.INPUT_AUDIO, _("Audio input")),
    (Unit.OUTPUT_AUDIO, _("Audio output")),
)
LONG = (Unit.INPUT, Unit.OUTPUT)
CAPABILITIES = {
    "stream": _("Streaming"),
    "tools": _("Tools"),
    "json_mode": _("JSON"),
    "json_schema": _("JSON by a schema"),
    "vision": _("Images as input"),
    "files": _("Files as input"),
    "audio": _("Audio as input"),
    "reasoning": _("Reasoning"),
}


class ModelForm(forms.Form):
    """What a model can do."""

    mode = forms.ChoiceField(label=_("Kind"), choices=AiModel.Mode.choices)
    context = forms.IntegerField(
        label=_("Context (tokens)"),
        min_value=0,
        max_value=100_000_000,
        required=False,
        help_text=_("Empty: not known."),
    )
    max_output = forms.IntegerField(
        label=_("Most output (tokens)"),
        min_value=0,
        max_value=100_000_000,
        required=False,
        help_text=_("Empty: not known."),
    )
    capabilities = forms.MultipleChoiceField(
        label=_("It can"),
        choices=list(CAPABILITIES.items()),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    is_toy = forms.BooleanField(
        label=_("A toy for trying things out"),
        required=False,
        help_text=_("Pages and answers say that its text means nothing."),
    )

    def __init__(self, data: Any = None, *, model: AiModel | None = None) -> None:
        initial: dict[str, Any] = {"mode": AiModel.Mode.CHAT, "capabilities": ["stream"]}
        if model is not None:
            initial = {name: getattr(model, name) or None for name in ModelForm.base_fields}
        super().__init__(data, initial=initial)

    @property
    def values(self) -> dict[str, Any]:
        """What `change_model` takes."""
        data = self.cleaned_data
        return {**data, "context": data["context"] or 0, "max_output": data["max_output"] or 0}


class NewModelForm(ModelForm):
    """A model that the catalogue does not know."""

    remote = forms.CharField(
        label=_("The vendor's name for it"),
        max_length=160,
        widget=forms.TextInput(attrs={"class": "mono"}),
        help_text=_("As its API takes it, such as llama3.3:70b; with Azure that of the deployment."),
    )
    field_order = ("remote",)


def _rate_field(label: Any, *, required: bool = False) -> forms.DecimalField:
    return forms.DecimalField(
        label=label, min_value=0, max_digits=17, decimal_places=9, required=required, localize=False
    )


class PriceForm(forms.Form):
    """A price of one's own for a million tokens, and perhaps another one for long input."""

    currency = forms.ChoiceField(label=_("Currency"), choices=CURRENCIES)
    call = _rate_field(_("For each call"))
    from_tokens = forms.IntegerField(
        label=_("Long input begins with"),
        min_value=1,
        max_value=100_000_000,
        required=False,
        help_text=_("So many tokens of input. Empty: no other price for long input."),
    )
    long_input = _rate_field(_("Input then"))
    long_output = _rate_field(_("Output then"))
    note = forms.CharField(
        label=_("Where it is from"),
        max_length=200,
        required=False,
        help_text=_("Such as a contract or a page."),
    )

    def __init__(self, data: Any = None, *, model: AiModel, price: PriceInForce) -> None:
        super().__init__(data, initial=_initial(price))
        needs_output = model.mode not in (AiModel.Mode.EMBEDDING, AiModel.Mode.MODERATION)
        for unit, label in RATES:
            needed = unit is Unit.INPUT or (unit is Unit.OUTPUT and needs_output)
            self.fields[unit.value] = _rate_field(label, required=needed)

    def main_fields(self) -> list[Any]:
        """For the template: what every price has."""
        return [self[unit.value] for unit, _label in RATES[:2]]

    def more_fields(self) -> list[Any]:
        """And what some have."""
        return [*(self[unit.value] for unit, _label in RATES[2:]), self["call"]]

    @property
    def has_more(self) -> bool:
        """Whether any of the rarer ones is filled in."""
        names = (*(unit.value for unit, _label in RATES[2:]), "call", "from_tokens")
        return any(self[name].value() not in (None, "") for name in names)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        long = [data.get("long_input"), data.get("long_output")]
        if data.get("from_tokens") is None and any(amount is not None for amount in long):
            self.add_error("from_tokens", _("Say from how many tokens on."))
        if data.get("from_tokens") is not None and data.get("long_input") is None:
            self.add_error("long_input", _("Give the price for long input, too."))
        return data

    @property
    def values(self) -> dict[str, Any]:
        """What `override_price` takes."""
        data = self.cleaned_data
        amounts: list[tuple[Unit, Any, int | None]] = [
            (unit, data.get(unit.value), 0) for unit, _label in RATES
        ]
        amounts += [(Unit.CALL, data.get("call"), 0)]
        amounts += [(unit, data.get(f"long_{unit.value}"), data.get("from_tokens") or 0) for unit in LONG]
        rates = [
            {"unit": unit.value, "nanos": int(amount * NANO), "from_tokens": from_tokens}
            for unit, amount, from_tokens in amounts
            if amount is not None
        ]
        return {"rates": rates, "currency": data["currency"], "note": data["note"]}


def _initial(price: PriceInForce) -> dict[str, Any]:
    """The price in force, so that one changes what differs."""
    if price.row is None:
        return {"currency": "USD"}
    initial: dict[str, Any] = {"currency": price.row.currency}
    if price.is_override:
        initial["note"] = price.row.source_note
    for rate in price.row.rates:
        amount = _plain(rate["nanos"])
        if not rate["from_tokens"]:
            initial[rate["unit"]] = amount
        elif (
            rate["unit"] in LONG
            and initial.setdefault("from_tokens", rate["from_tokens"]) == rate["from_tokens"]
        ):
            initial[f"long_{rate['unit']}"] = amount
    return initial


def _plain(nanos: int) -> str:
    """Without an exponent or zeros at the end."""
    return f"{(Decimal(nanos) / NANO).normalize():f}"
