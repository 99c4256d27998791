"""Models and prices from the catalogue: new models, and a new row where a price changed; what is there stays."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone

from ai.families import capabilities_of
from ai.models import AiModel, ModelPrice, Provider
from ai.vendors import vendor_named
from audit.actions import record_event
from teams.models import Actor

if TYPE_CHECKING:
    from ai.price_list import Listed, ListedModel


@dataclass(frozen=True, slots=True)
class Seeded:
    """What a run brought."""

    models: int = 0
    prices: int = 0

    def __add__(self, other: Seeded) -> Seeded:
        return Seeded(self.models + other.models, self.prices + other.prices)


def update_models(*, actor: Actor) -> Seeded:
    """Bring the models and prices of every provider up to the catalogue at hand. Twice changes nothing more.

    A provider at a time, each in a transaction of its own: one that fails leaves the others as they are.
    """
    outcome = Seeded()
    for provider in Provider.objects.exclude(state=Provider.State.REMOVED).exclude(vendor=""):
        outcome += seed_provider(provider, actor=actor)
    return outcome


@transaction.atomic
def seed_provider(provider: Provider, *, actor: Actor) -> Seeded:
    """Add what the catalogue knows of the provider's vendor. Prices entered here and models changed by hand stay."""
    vendor = vendor_named(provider.vendor)
    if vendor is None or not vendor.prices:
        return Seeded()
    # Read on first use: half a second and 35 MB that only this needs, in web processes too.
    from ai.price_list import listed_models, version

    provider = Provider.objects.select_for_update(of=("self",)).select_related("team").get(pk=provider.pk)
    now = timezone.now()
    listed = listed_models(vendor.prices, now)
    known, added = _models(provider, listed)
    prices = _prices(known, listed, version(), now)
    outcome = Seeded(added, len(prices))
    if outcome != Seeded():
        record_event(
            "provider.models_updated",
            provider,
            actor=actor,
            after={"price_list": version(), **asdict(outcome)},
        )
    return outcome


def _models(provider: Provider, listed: Iterable[ListedModel]) -> tuple[dict[str, AiModel], int]:
    """Every model by the vendor's name for it, those that are new made; and how many these are."""
    known = {model.remote: model for model in provider.ai_models.all()}
    new = [_model(provider, one) for one in listed if one.remote not in known]
    known |= {model.remote: model for model in AiModel.objects.bulk_create(new)}
    for one in listed:
        if one.context and not known[one.remote].context:
            known[one.remote].context = one.context
            known[one.remote].save(update_fields=["context"])
    return known, len(new)


def _model(provider: Provider, one: ListedModel) -> AiModel:
    return AiModel(
        provider=provider,
        remote=one.remote,
        mode=one.mode,
        context=one.context,
        capabilities=capabilities_of(one.remote) if one.mode == AiModel.Mode.CHAT else [],
    )


def _prices(
    models: dict[str, AiModel], listed: Iterable[ListedModel], version: str, now: datetime
) -> list[ModelPrice]:
    """The rows that are new: prices of now that differ from the row in force, and announced ones."""
    rows: dict[int, list[ModelPrice]] = defaultdict(list)
    for row in ModelPrice.objects.filter(
        model__in=models.values(), source=ModelPrice.Source.CATALOGUE, retired_at=None
    ).order_by("valid_from", "pk"):
        rows[row.model_id].append(row)
    new = []
    for one in listed:
        model = models[one.remote]
        new += [_row(model, price, version, now) for price in _changed(rows[model.pk], one.prices, now)]
    return ModelPrice.objects.bulk_create(new)


def _changed(rows: list[ModelPrice], prices: Iterable[Listed], now: datetime) -> list[Listed]:
    """The listed prices that no row says yet. Announcements that the catalogue took back are retired."""
    prices = list(prices)
    began = [row for row in rows if row.valid_from <= now]
    in_force = began[-1] if began else None
    announced = {row.valid_from: row for row in rows if row.valid_from > now}
    wanted = {price.since: price for price in prices if price.since is not None}
    for moment, row in announced.items():
        if moment not in wanted or not _says(row, wanted[moment]):
            row.retired_at = now
            row.save(update_fields=["retired_at"])
    return [
        price
        for price in prices
        if not _says(in_force if price.since is None else announced.get(price.since), price)
    ]


def _says(row: ModelPrice | None, price: Listed) -> bool:
    return row is not None and row.rates == _plain(price) and row.is_disputed == price.is_disputed


def _row(model: AiModel, price: Listed, version: str, now: datetime) -> ModelPrice:
    return ModelPrice(
        model=model,
        version=version,
        valid_from=price.since or now,
        currency="USD",
        rates=_plain(price),
        source=ModelPrice.Source.CATALOGUE,
        source_note=price.note,
        is_disputed=price.is_disputed,
    )


def _plain(price: Listed) -> list[dict[str, Any]]:
    return [
        {"unit": rate.unit.value, "nanos": rate.nanos, "from_tokens": rate.from_tokens}
        for rate in price.rates
    ]
