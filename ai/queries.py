"""Reads that span providers, models, prices and routes; a constant number of queries however many there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Exists, IntegerField, OuterRef, Prefetch, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ai.keys import digest_of, open_value
from ai.models import AiModel, ModelPrice, ModelRoute, Prompt, Provider, ProviderKey, RouteTarget
from ai.pricing import PriceList, Unit
from audit.models import TonedChoices
from audit.sealing import SealBroken
from teams.models import Team, Verb

if TYPE_CHECKING:
    from teams.models import Actor


class Readiness(TonedChoices):
    """Whether a provider can be called, as far as the portal knows: nobody asked the vendor."""

    READY = "ready", "live", _("Ready")
    NO_KEY = "no_key", "fail", _("No key")
    NO_MODEL = "no_model", "hold", _("No model in use")
    PAUSED = "paused", "hold", _("Paused")
    REMOVED = "removed", "off", _("Removed")


# ---- providers ----


def with_counts(providers: QuerySet[Provider]) -> QuerySet[Provider]:
    """With `active_keys`, `all_models`, `used_models`, `unpriced_models` (in use), `routes`, and `is_toy`: it has
    models, and all of them are toys.
    """
    models = AiModel.objects.filter(provider=OuterRef("pk"))
    used = models.filter(is_enabled=True)
    priced = ModelPrice.objects.filter(retired_at=None).values("model")
    keys = ProviderKey.objects.filter(provider=OuterRef("pk"), state=ProviderKey.State.ACTIVE)
    targets = RouteTarget.objects.filter(model__provider=OuterRef("pk"), route__retired_at=None)
    return providers.select_related("team").annotate(
        active_keys=_counted(keys, "provider"),
        all_models=_counted(models, "provider"),
        used_models=_counted(used, "provider"),
        unpriced_models=_counted(used.exclude(pk__in=priced), "provider"),
        routes=_counted(targets, "model__provider", distinct="route"),
        is_toy=Exists(models.filter(is_toy=True)) & ~Exists(models.filter(is_toy=False)),
    )


def _counted(rows: QuerySet[Any], by: str, distinct: str = "pk") -> Coalesce:
    count = rows.order_by().values(by).annotate(n=Count(distinct, distinct=True)).values("n")
    return Coalesce(Subquery(count, output_field=IntegerField()), 0)


def readiness_of(provider: Provider) -> Readiness:
    """Of a provider from `with_counts`."""
    if provider.state != Provider.State.ACTIVE:
        return Readiness(str(provider.state))
    if provider.auth != "none" and not provider.active_keys:  # type: ignore[attr-defined]
        return Readiness.NO_KEY
    return Readiness.READY if provider.used_models else Readiness.NO_MODEL  # type: ignore[attr-defined]


def may_manage(actor: Actor, owned: Provider | ModelRoute) -> bool:
    """Whether the actor may change it: what is shared by administrators alone."""
    if owned.team_id is None:
        return actor.everywhere(Verb.AI_MANAGE)
    return actor.may(Verb.AI_MANAGE, owned.team_id)


def managing_teams(actor: Actor) -> QuerySet[Team]:
    """The teams for which the actor may set up providers and routes."""
    if actor.everywhere(Verb.AI_MANAGE):
        return Team.objects.order_by("name")
    return Team.objects.filter(pk__in=actor.team_ids(Verb.AI_MANAGE)).order_by("name")


# ---- models and prices ----


@dataclass(frozen=True, slots=True)
class PriceInForce:
    """The price of a model. `row` is None where nobody knows it, which is not nothing. An override goes before all;
    `listed` is what the catalogue says then."""

    row: ModelPrice | None
    listed: ModelPrice | None
    announced: tuple[ModelPrice, ...] = ()

    @property
    def is_known(self) -> bool:
        return self.row is not None

    @property
    def is_override(self) -> bool:
        return self.row is not None and self.row.source == ModelPrice.Source.OVERRIDE

    @property
    def is_disputed(self) -> bool:
        return self.row is not None and self.row.is_disputed

    @property
    def prices(self) -> PriceList | None:
        """As the runtime reckons with it."""
        return None if self.row is None else price_list_of(self.row)

    def rate(self, unit: str) -> int | None:
        """The rate of a unit for short input, in billionths; None where there is none."""
        prices = self.prices
        return None if prices is None else prices.rate(Unit(unit), 0)


def price_list_of(row: ModelPrice) -> PriceList:
    """The row as `ai.pricing` reckons with it."""
    return PriceList.from_plain({"version": row.version, "currency": row.currency, "rates": row.rates})


def with_prices(models: QuerySet[AiModel]) -> QuerySet[AiModel]:
    """With provider and every price that was not taken back (`kept_prices`), for `price_of`."""
    kept = ModelPrice.objects.filter(retired_at=None).order_by("valid_from", "pk")
    return models.select_related("provider__team").prefetch_related(
        Prefetch("prices", kept, to_attr="kept_prices")
    )


def price_of(model: AiModel, at: datetime | None = None) -> PriceInForce:
    """The price of `model` at a moment; asks nothing of the database for a model from `with_prices`."""
    at = at or timezone.now()
    rows = kept_prices(model)
    began = [row for row in rows if row.valid_from <= at]
    listed = [row for row in began if row.source == ModelPrice.Source.CATALOGUE]
    entered = [row for row in began if row.source == ModelPrice.Source.OVERRIDE]
    announced = () if entered else tuple(row for row in rows if row.valid_from > at)
    chosen = entered or listed
    return PriceInForce(
        row=chosen[-1] if chosen else None, listed=listed[-1] if listed else None, announced=announced
    )


def effective_prices(model: AiModel) -> list[ModelPrice]:
    """The rows that hold one after the other, oldest first, announced ones included: what a runtime needs.

    From the first override on, overrides alone count, until they are cleared.
    """
    rows = kept_prices(model)
    entered = [row for row in rows if row.source == ModelPrice.Source.OVERRIDE]
    listed = [row for row in rows if row.source == ModelPrice.Source.CATALOGUE]
    if not entered:
        return listed
    return [*(row for row in listed if row.valid_from < entered[0].valid_from), *entered]


def kept_prices(model: AiModel) -> list[ModelPrice]:
    """Every price that was not taken back, oldest first."""
    found: list[ModelPrice] | None = getattr(model, "kept_prices", None)
    if found is not None:
        return found
    return list(model.prices.filter(retired_at=None).order_by("valid_from", "pk"))


def choosable_models(actor: Actor, team: Team | None) -> QuerySet[AiModel]:
    """The models that a route of `team` may name: usable ones, shared or the team's own; for None shared ones."""
    owned = Q(provider__team=None) | Q(provider__team=team) if team else Q(provider__team=None)
    return AiModel.objects.visible_to(actor).usable().filter(owned).select_related("provider")


# ---- routes ----


def with_targets(routes: QuerySet[ModelRoute]) -> QuerySet[ModelRoute]:
    """With team and targets, each with its model and provider."""
    targets = RouteTarget.objects.select_related("model__provider").order_by("rank", "id")
    return routes.select_related("team").prefetch_related(Prefetch("targets", targets))


def routes_through(provider: Provider) -> QuerySet[ModelRoute]:
    """The model routes in use that name a model of `provider`."""
    return ModelRoute.objects.usable().filter(targets__model__provider=provider).distinct()


def routes_naming(models: Iterable[AiModel]) -> QuerySet[ModelRoute]:
    """The model routes in use that name one of `models`."""
    return ModelRoute.objects.usable().filter(targets__model__in=models).distinct()


def prompts_through(route: ModelRoute) -> QuerySet[Prompt]:
    """The prompts in use that have a version by this route."""
    return Prompt.objects.active().filter(versions__route=route).select_related("team").distinct()


def broken_provider_keys() -> Iterator[str]:
    """A sentence for each vendor's key whose sealed value does not open, or is not the one that the row tells of."""
    for key in ProviderKey.objects.exclude(sealed=b"").order_by("pk").iterator():
        try:
            sound = digest_of(open_value(key)) == key.value_digest
        except SealBroken as error:
            yield f"provider key {key.public_id}: {error}"
            continue
        if not sound:
            yield f"provider key {key.public_id}: the sealed value is not the one that the row tells of"
