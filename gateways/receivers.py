"""Which gateways an event touches: they are noted as behind, and the worker is rung for each, once.

Receivers run after the commit, in the process that made the change, and never fail it: a note or bell that
gets lost here is found by the sweep.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.models import Exists, Q, QuerySet
from django.dispatch import receiver

from apis.models import UpstreamBinding
from apis.models.upstream import AI_KINDS
from audit.models import AuditEvent
from audit.signals import event_recorded
from gateways.actions import mark_behind, ring, ring_for_tests
from gateways.engine.document import Kind
from gateways.engine.failpoints import failpoint
from gateways.models import AppliedObject, Gateway, Publication
from subscriptions.models import Block, Subscription

RUNTIMES = Q(kind=Gateway.Kind.AI_RUNTIME, retired_at=None)

type Touched = Callable[[str], QuerySet[Gateway]]
"""Given the public id of an event's target: the gateways that the event touches."""


@receiver(event_recorded)
def ring_touched(event: AuditEvent, **_kwargs: Any) -> None:
    """Note every gateway that `event` touches, then ring."""
    touched = TOUCHED.get(event.name)
    if touched is not None:
        failpoint("decision.committed")
        behind = mark_behind(touched(event.target_id).distinct())
        failpoint("decision.noted")
        ring(behind)


@receiver(event_recorded)
def run_asked_tests(event: AuditEvent, **_kwargs: Any) -> None:
    """The test cases of a prompt are run where its calls are answered."""
    if event.name == "prompt.test_run_started":
        ring_for_tests(event.target_id)


def _of_gateway(public_id: str) -> QuerySet[Gateway]:
    """The gateway, and the AI runtimes, which have to know who stands in front of them."""
    return Gateway.objects.filter(Q(public_id=public_id) | RUNTIMES)


def _of_publication(public_id: str) -> QuerySet[Gateway]:
    return _serving(Publication.objects.filter(public_id=public_id))


def _of_version(public_id: str) -> QuerySet[Gateway]:
    return _serving(Publication.objects.filter(api_version__public_id=public_id))


def _serving(publications: QuerySet[Publication]) -> QuerySet[Gateway]:
    """The gateways of `publications`, and the AI runtimes where one of them goes there."""
    behind = RUNTIMES & Exists(publications.filter(revision__upstream__kind__in=AI_KINDS))
    return Gateway.objects.filter(Q(pk__in=publications.values("gateway")) | behind)


def _runtimes(_public_id: str) -> QuerySet[Gateway]:
    return Gateway.objects.filter(RUNTIMES)


def _of_binding(public_id: str) -> QuerySet[Gateway]:
    """Gateways that serve a revision of the upstream in the environment of the binding."""
    bindings = UpstreamBinding.objects.filter(public_id=public_id)
    return _serving(
        Publication.objects.current().filter(
            revision__upstream__in=bindings.values("upstream"), environment__in=bindings.values("environment")
        )
    )


def _of_environment(public_id: str) -> QuerySet[Gateway]:
    return Gateway.objects.filter(listeners__environment__public_id=public_id)


def _of_subscription(public_id: str) -> QuerySet[Gateway]:
    return _serving_or_holding(Subscription.objects.filter(public_id=public_id), Kind.GRANT, public_id)


def _of_credential(public_id: str) -> QuerySet[Gateway]:
    subscriptions = Subscription.objects.filter(credentials__public_id=public_id)
    return _serving_or_holding(subscriptions, Kind.KEY, public_id)


def _of_block(public_id: str) -> QuerySet[Gateway]:
    """The target of a block's event is the block, or the subscription that it stops."""
    blocks = Block.objects.filter(Q(public_id=public_id) | Q(subscription__public_id=public_id))
    return _serving_or_holding(Subscription.objects.filter(blocks__in=blocks), Kind.BLOCK, public_id)


def _of_application(public_id: str) -> QuerySet[Gateway]:
    subscriptions = Subscription.objects.filter(application__public_id=public_id)
    return _serving_or_holding(subscriptions, Kind.CONSUMER, public_id)


def _serving_or_holding(
    subscriptions: QuerySet[Subscription], kind: Kind, public_id: str
) -> QuerySet[Gateway]:
    """Gateways on which what the subscriptions are for is published, with the AI runtimes behind them, and those that
    were seen to hold the object itself, whatever is published there now.

    Two sub-queries: one query over both joins would pair each publication with each object that is proven.
    """
    serving = Publication.objects.current().filter(
        api_version__in=subscriptions.values("api_version"),
        environment__in=subscriptions.values("environment"),
    )
    holding = AppliedObject.objects.filter(kind=kind, object_id=public_id).exclude(digest="")
    return _serving(serving) | Gateway.objects.filter(pk__in=holding.values("gateway"))


AI_EVENTS = (
    *("provider.created", "provider.changed", "provider.models_switched", "provider.models_updated"),
    *(
        "provider.paused",
        "provider.resumed",
        "provider.removed",
        "provider_key.paused",
        "provider_key.resumed",
    ),
    *("provider_key.added", "provider_key.changed", "provider_key.replaced", "provider_key.removed"),
    *("ai_model.added", "ai_model.changed", "model_price.overridden", "model_price.override_cleared"),
    *("model_route.created", "model_route.changed", "model_route.retired"),
    *("prompt.version_frozen", "prompt.label_moved"),
    *("budget.set", "budget.changed", "budget.retired"),
)
"""What only AI runtimes have to do with."""

TOUCHED: dict[str, Touched] = {
    **dict.fromkeys(("gateway.created", "gateway.changed", "gateway.released"), _of_gateway),
    **dict.fromkeys(
        ("publication.published", "publication.rolled_back", "publication.withdrawn"), _of_publication
    ),
    **dict.fromkeys(("version.published", "version.retired"), _of_version),
    "binding.set": _of_binding,
    "environment.changed": _of_environment,
    **dict.fromkeys(AI_EVENTS, _runtimes),
    **dict.fromkeys(
        (
            "subscription.opened",
            "subscription.plan_changed",
            "subscription.suspended",
            "subscription.resumed",
            "subscription.closed",
        ),
        _of_subscription,
    ),
    **dict.fromkeys(("credential.issued", "credential.revoked", "credential.expired"), _of_credential),
    **dict.fromkeys(("block.set", "block.lifted"), _of_block),
    **dict.fromkeys(("application.changed", "application.archived"), _of_application),
}
"""Events after which desired state may differ. An event that is missing here only waits for the sweep."""
