"""Where a version could be published, and why not where it could not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from apis.models import ApiVersion, Environment
from gateways.models import Gateway, GatewayListener, Publication
from gateways.queries.aws_capabilities import closed_to
from teams.models import Actor

SMALL = 2
"""With so many gateways an API usually goes to all of them."""


@dataclass(frozen=True, slots=True)
class PlaceOption:
    """One environment of one gateway as a choice. `value` stands in forms; `obstacle` says why it is none."""

    value: str
    gateway: Gateway
    listener: GatewayListener
    publication: Publication | None
    obstacle: Any = ""

    @property
    def is_published(self) -> bool:
        return self.publication is not None and self.publication.state == Publication.State.PUBLISHED


def place_options(version: ApiVersion, actor: Actor) -> list[PlaceOption]:
    """Every environment of every gateway that `actor` sees, in order; a fixed number of queries."""
    listeners = (
        GatewayListener.objects.filter(gateway__in=Gateway.objects.visible_to(actor).for_publishers())
        .select_related("gateway__aws_account", "environment")
        .prefetch_related("environment__publishers", "gateway__aws_account__teams")
        .order_by("environment__position", "environment__slug", "gateway__name")
    )
    known = {
        (publication.gateway_id, publication.environment_id): publication
        for publication in Publication.objects.filter(api_version=version).select_related("revision", "claim")
    }
    bound = (
        set(version.upstream.bindings.values_list("environment", flat=True)) if version.upstream else set()
    )
    needs_runtime = bool(version.upstream and version.upstream.is_ai)
    runtimes = set(with_runtimes().values_list("pk", flat=True)) if needs_runtime else None
    return [
        PlaceOption(
            f"{listener.gateway.slug}.{listener.environment.slug}",
            listener.gateway,
            listener,
            known.get((listener.gateway_id, listener.environment_id)),
            _obstacle(listener, version, bound, runtimes),
        )
        for listener in listeners
    ]


def with_runtimes() -> QuerySet[Environment]:
    """The environments in which an AI runtime answers."""
    runtimes = Gateway.objects.active().filter(kind=Gateway.Kind.AI_RUNTIME)
    return Environment.objects.filter(listeners__gateway__in=runtimes).distinct()


def _obstacle(
    listener: GatewayListener, version: ApiVersion, bound: set[int], runtimes: set[int] | None
) -> Any:
    publishers = listener.environment.publishers.all()
    if publishers and version.api.team not in publishers:
        return _("Your team may not publish here. Ask an administrator.")
    if listener.environment_id not in bound:
        return _("The upstream has no address here yet.")
    if runtimes is not None and listener.gateway.is_at_aws:
        return _("API Gateway cannot reach the AI runtimes that answer this API.")
    closed = closed_to(listener.gateway.aws_account, version.api.team)
    if closed:
        return closed
    if runtimes is not None and listener.environment_id not in runtimes:
        return _("No AI runtime serves this environment. Ask an administrator to add one.")
    return ""


def chosen_at_first(options: list[PlaceOption]) -> list[str]:
    """What a form starts with: where it is published already, else every place of a small landscape."""
    free = [option for option in options if not option.obstacle]
    published = [option.value for option in free if option.is_published]
    if published:
        return published
    return [option.value for option in free] if len({option.gateway.pk for option in free}) <= SMALL else []
