"""Finding what an address names, or 404 for whoever may not see it."""

from __future__ import annotations

from django.shortcuts import get_object_or_404

from ai.actions.records import require_over
from ai.models import AiModel, ModelRoute, Provider, ProviderKey
from ai.queries import with_counts, with_prices, with_targets
from teams.access import HtmxHttpRequest
from teams.models import Verb


def find_provider(request: HtmxHttpRequest, public_id: str) -> Provider:
    """A provider that the reader sees, with its counts."""
    return get_object_or_404(with_counts(Provider.objects.visible_to(request.actor)), public_id=public_id)


def managed_provider(request: HtmxHttpRequest, public_id: str) -> Provider:
    """A provider that the actor may change. Raises Http404, PermissionDenied."""
    provider = find_provider(request, public_id)
    require_over(request.actor, Verb.AI_MANAGE, provider.team)
    return provider


def managed_key(request: HtmxHttpRequest, public_id: str) -> ProviderKey:
    """A key that the actor may change, if it was not removed. Raises Http404, PermissionDenied."""
    visible = ProviderKey.objects.visible_to(request.actor).exclude(state=ProviderKey.State.REMOVED)
    key = get_object_or_404(visible.select_related("provider__team"), public_id=public_id)
    require_over(request.actor, Verb.AI_MANAGE, key.provider.team)
    return key


def find_model(request: HtmxHttpRequest, public_id: str) -> AiModel:
    """A model that the reader sees, with its prices."""
    return get_object_or_404(with_prices(AiModel.objects.visible_to(request.actor)), public_id=public_id)


def managed_model(request: HtmxHttpRequest, public_id: str) -> AiModel:
    """A model that the actor may change. Raises Http404, PermissionDenied."""
    model = find_model(request, public_id)
    require_over(request.actor, Verb.AI_MANAGE, model.provider.team)
    return model


def find_route(request: HtmxHttpRequest, public_id: str) -> ModelRoute:
    """A route that the reader sees, with its targets."""
    return get_object_or_404(with_targets(ModelRoute.objects.visible_to(request.actor)), public_id=public_id)


def managed_route(request: HtmxHttpRequest, public_id: str) -> ModelRoute:
    """A route that the actor may change. Raises Http404, PermissionDenied."""
    route = find_route(request, public_id)
    require_over(request.actor, Verb.AI_MANAGE, route.team)
    return route
