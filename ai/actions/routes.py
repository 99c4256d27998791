"""Model routes: the aliases that calls and prompts name, and the models behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ai.actions.records import apply_changes, require_over
from ai.models import AiModel, ModelRoute, Provider, RouteTarget
from ai.queries import prompts_through
from audit.actions import record_event
from audit.models import ActionRefused
from teams.models import Actor, Team, Verb

MOST_TARGETS = 20
MOST_RANK = 100


@dataclass(frozen=True, slots=True)
class TargetValues:
    """A model of a route: those of a lower `rank` are tried first, among equals `weight` decides."""

    model: AiModel
    rank: int = 0
    weight: int = 100


@dataclass(frozen=True, slots=True)
class RouteValues:
    """How a route behaves; what is None is as usual, or stays."""

    description: str | None = None
    retry_codes: Sequence[int] | None = None
    attempts: int | None = None
    try_timeout_ms: int | None = None
    stream_idle_ms: int | None = None
    breaker_failures: int | None = None
    breaker_s: int | None = None

    def changes(self) -> dict[str, Any]:
        """As fields of the model. Raises ValidationError."""
        codes = None if self.retry_codes is None else clean_codes(self.retry_codes)
        kept = {name: getattr(self, name) for name in self.__slots__ if name != "retry_codes"}
        return {**kept, "retry_codes": codes}


@transaction.atomic
def create_route(
    *,
    actor: Actor,
    alias: str,
    targets: Sequence[TargetValues],
    team: Team | None = None,
    values: RouteValues | None = None,
) -> ModelRoute:
    """A new alias of `team`, or shared by all for None. It stays for good: calls name it.

    Raises PermissionDenied, ValidationError.
    """
    require_over(actor, Verb.AI_MANAGE, team)
    route = ModelRoute(team=team, alias=alias, retry_codes=list(ModelRoute.RETRY_CODES))
    apply_changes(route, (values or RouteValues()).changes())
    route.full_clean()
    cleaned = _clean_targets(route, targets)
    route.save()
    _replace_targets(route, cleaned)
    record_event("model_route.created", route, actor=actor, after=_summary(route))
    return route


@transaction.atomic
def change_route(
    route: ModelRoute,
    *,
    actor: Actor,
    targets: Sequence[TargetValues] | None = None,
    values: RouteValues | None = None,
) -> ModelRoute:
    """Change what is given; `targets` takes the place of all there were.

    Raises PermissionDenied, ValidationError, and ActionRefused for a retired one.
    """
    route = _locked(route, actor)
    before = _summary(route)
    apply_changes(route, (values or RouteValues()).changes())
    route.full_clean()
    if targets is not None:
        _replace_targets(route, _clean_targets(route, targets))
    after = _summary(route)
    changed = [name for name, value in after.items() if before[name] != value]
    if not changed:
        return route
    route.save()
    record_event(
        "model_route.changed",
        route,
        actor=actor,
        before={name: before[name] for name in changed},
        after={name: after[name] for name in changed},
    )
    return route


@transaction.atomic
def retire_route(route: ModelRoute, *, actor: Actor, note: str = "") -> ModelRoute:
    """End an alias. Raises PermissionDenied, and ActionRefused while prompts in use go by it, naming them."""
    route = _locked(route, actor)
    using = sorted(f"{prompt.team.slug}/{prompt.slug}" for prompt in prompts_through(route))
    if using:
        raise ActionRefused(
            _(
                "Versions of these prompts go by %(route)s: %(prompts)s. Retire the prompts first, or keep the route."
            )
            % {"route": route, "prompts": ", ".join(using)},
            code="route_in_use",
        )
    route.retired_at = timezone.now()
    route.save()
    record_event("model_route.retired", route, actor=actor, before=_summary(route), note=note)
    return route


def clean_codes(codes: Sequence[int]) -> list[int]:
    """Statuses from 400 to 599, once each, in order. Raises ValidationError."""
    if not all(400 <= code <= 599 for code in codes):
        raise ValidationError(
            {"retry_codes": _("Statuses are whole numbers from 400 to 599, such as 429 and 503.")}
        )
    return sorted(set(codes))


def _clean_targets(route: ModelRoute, targets: Sequence[TargetValues]) -> list[TargetValues]:
    """Targets in order, all of them usable and fit for the route. Raises ValidationError.

    Their providers are locked, so that none is removed while a route begins to use it.
    """
    if not targets:
        raise ValidationError({"targets": _("Choose at least one model.")})
    if len(targets) > MOST_TARGETS:
        raise ValidationError({"targets": _("At most %(most)s models.") % {"most": MOST_TARGETS}})
    named = [target.model.pk for target in targets]
    if len(set(named)) < len(named):
        raise ValidationError({"targets": _("A model stands there twice. Leave it out once.")})
    providers = {target.model.provider_id for target in targets}
    list(Provider.objects.select_for_update(of=("self",)).filter(pk__in=providers).order_by("pk"))
    present = AiModel.objects.select_related("provider").in_bulk(named)
    for target in targets:
        _check_target(route, target, present[target.model.pk])
    if len({model.mode for model in present.values()}) > 1:
        raise ValidationError(
            {"targets": _("The models are of different kinds. Make a route for each kind.")}
        )
    return sorted(targets, key=lambda target: target.rank)


def _check_target(route: ModelRoute, target: TargetValues, model: AiModel) -> None:
    words = {"model": model.name}
    if not 0 <= target.rank <= MOST_RANK or not 1 <= target.weight <= 1000:
        raise ValidationError(
            {"targets": _("%(model)s: the order is 0 to 100, the weight 1 to 1000.") % words}
        )
    if model.provider.team_id not in (None, route.team_id):
        raise ValidationError(
            {"targets": _("%(model)s belongs to another team. Choose another model.") % words}
        )
    if model.provider.state != Provider.State.ACTIVE:
        raise ValidationError(
            {
                "targets": _("%(model)s: its provider is not active. Resume it, or choose another model.")
                % words
            }
        )
    if not model.is_enabled:
        raise ValidationError(
            {"targets": _("%(model)s is switched off. Switch it on, or choose another model.") % words}
        )


def _replace_targets(route: ModelRoute, targets: Sequence[TargetValues]) -> None:
    wanted = [(target.model.pk, target.rank, target.weight) for target in targets]
    if list(route.targets.values_list("model_id", "rank", "weight")) == wanted:
        return
    route.targets.all().delete()
    RouteTarget.objects.bulk_create(
        RouteTarget(route=route, model=target.model, rank=target.rank, weight=target.weight)
        for target in targets
    )


def _locked(route: ModelRoute, actor: Actor) -> ModelRoute:
    route = ModelRoute.objects.select_for_update(of=("self",)).select_related("team").get(pk=route.pk)
    require_over(actor, Verb.AI_MANAGE, route.team)
    if route.retired_at is not None:
        raise ActionRefused(
            _("%(route)s is retired. Make a new route.") % {"route": route}, code="route_retired"
        )
    return route


def _summary(route: ModelRoute) -> dict[str, Any]:
    targets = RouteTarget.objects.filter(route=route).select_related("model__provider").order_by("rank", "id")
    return {
        **{name: getattr(route, name) for name in ("alias", *RouteValues.__slots__)},
        "targets": [
            {"model": target.model.name, "rank": target.rank, "weight": target.weight} for target in targets
        ],
    }
