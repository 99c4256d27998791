"""Prices of one's own: entered over what the catalogue says, and cleared again. No row is ever changed or deleted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ai.actions.records import locked_provider
from ai.models import AiModel, ModelPrice
from ai.pricing import Unit
from ai.queries import price_of
from audit.actions import record_event
from audit.models import ActionRefused
from teams.models import Actor

MOST_RATES = 40
MOST_NANOS = 10**16
"""Ten million for a million tokens: more is a slip of the pen."""
MOST_TOKENS = 100_000_000
ORDER = {unit.value: place for place, unit in enumerate(Unit)}


@transaction.atomic
def override_price(
    model: AiModel,
    *,
    actor: Actor,
    rates: Sequence[Mapping[str, Any]],
    currency: str = "USD",
    note: str = "",
) -> ModelPrice:
    """Bill `model` by `rates` from now on, whatever the catalogue says; rates of 0 are a price, too.

    `rates` as ModelPrice keeps them: `{"unit", "nanos", "from_tokens"}`. It is marked as disputed where the catalogue
    says otherwise. Raises PermissionDenied, ValidationError, ActionRefused.
    """
    model = _locked(model, actor)
    cleaned = clean_rates(rates, model.mode)
    now, present = timezone.now(), price_of(model)
    currency = clean_currency(currency)
    if present.row is not None and present.is_override:
        same = (present.row.rates, present.row.currency, present.row.source_note)
        if same == (cleaned, currency, note):
            return present.row
    price = ModelPrice(
        model=model,
        version=f"own {now:%Y-%m-%d}",
        valid_from=now,
        currency=currency,
        rates=cleaned,
        source=ModelPrice.Source.OVERRIDE,
        source_note=note,
        is_disputed=_differs(present.listed, cleaned, currency),
    )
    price.full_clean()
    price.save()
    record_event(
        "model_price.overridden",
        model,
        actor=actor,
        before=_summary(present.row),
        after=_summary(price),
        note=note,
    )
    return price


@transaction.atomic
def clear_override(model: AiModel, *, actor: Actor) -> AiModel:
    """Bill by the catalogue again; without a price there, it is unknown. What was entered stays on record.

    Raises PermissionDenied, and ActionRefused where no price was entered.
    """
    model = _locked(model, actor)
    before = price_of(model).row
    entered = list(model.prices.filter(source=ModelPrice.Source.OVERRIDE, retired_at=None))
    if not entered:
        raise ActionRefused(
            _("No price was entered for %(model)s. There is nothing to clear.") % {"model": model},
            code="no_override",
        )
    for price in entered:
        price.retired_at = timezone.now()
        price.save(update_fields=["retired_at"])
    record_event(
        "model_price.override_cleared",
        model,
        actor=actor,
        before=_summary(before),
        after=_summary(price_of(model).row),
    )
    return model


def clean_rates(rates: Sequence[Mapping[str, Any]], mode: str) -> list[dict[str, Any]]:
    """Rates as kept, in order: input, and output where there is any, from the first token on.

    Raises ValidationError.
    """
    if len(rates) > MOST_RATES:
        raise ValidationError({"rates": _("At most %(most)s rates.") % {"most": MOST_RATES}})
    cleaned = sorted(map(_clean_rate, rates), key=lambda rate: (ORDER[rate["unit"]], rate["from_tokens"]))
    counted = Counter((rate["unit"], rate["from_tokens"]) for rate in cleaned)
    twice = [unit for (unit, _from), count in counted.items() if count > 1]
    if twice:
        raise ValidationError({"rates": _("There are two rates for %(unit)s.") % {"unit": twice[0]}})
    needed = (
        (Unit.INPUT,)
        if mode in (AiModel.Mode.EMBEDDING, AiModel.Mode.MODERATION)
        else (Unit.INPUT, Unit.OUTPUT)
    )
    base = {rate["unit"] for rate in cleaned if rate["from_tokens"] == 0}
    tiered = {rate["unit"] for rate in cleaned}
    missing = sorted({unit.value for unit in needed} - base | tiered - base)
    if missing:
        raise ValidationError(
            {
                "rates": _("Give the rate for %(unit)s from the first token on; 0 for none.")
                % {"unit": missing[0]}
            }
        )
    return cleaned


def _clean_rate(rate: Mapping[str, Any]) -> dict[str, Any]:
    unit, nanos, from_tokens = rate.get("unit"), rate.get("nanos"), rate.get("from_tokens", 0)
    if unit not in ORDER:
        known = ", ".join(ORDER)
        raise ValidationError({"rates": _("A rate is for one of: %(known)s.") % {"known": known}})
    if not _is_within(nanos, MOST_NANOS):
        raise ValidationError({"rates": _("A rate is a whole number of billionths, from 0 to 10^16.")})
    if not _is_within(from_tokens, MOST_TOKENS):
        raise ValidationError({"rates": _("A rate holds from 0 to 100 million tokens of input on.")})
    return {"unit": str(unit), "nanos": nanos, "from_tokens": from_tokens}


def _is_within(value: object, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


def clean_currency(currency: str) -> str:
    """Three capital letters. Raises ValidationError."""
    currency = currency.strip().upper()
    if not (len(currency) == 3 and currency.isascii() and currency.isalpha()):
        raise ValidationError({"currency": _("A currency is three letters, such as USD.")})
    return currency


def _differs(listed: ModelPrice | None, rates: list[dict[str, Any]], currency: str) -> bool:
    return listed is not None and (listed.rates, listed.currency) != (rates, currency)


def _locked(model: AiModel, actor: Actor) -> AiModel:
    provider = locked_provider(model.provider, actor)
    model = AiModel.objects.select_for_update().get(pk=model.pk)
    model.provider = provider
    return model


def _summary(price: ModelPrice | None) -> dict[str, Any]:
    if price is None:
        return {"price": "unknown"}
    return {"price": price.version, "currency": price.currency, "rates": price.rates, "source": price.source}
