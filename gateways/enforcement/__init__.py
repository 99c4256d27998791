"""What each gateway does with a key, a subscription or a publication: desired state held against the proof.

Nothing here is stored. An object is live where the proven digest of everything that it needs is the digest
that is desired now; it is removed where its absence was read back; in between it is said to be in between.
Where a later look at the gateway found that it does otherwise, it is drifted, whatever was proven before.
A fixed number of queries answers for any number of objects.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateways.desired import desired_publications
from gateways.enforcement.proof import enforcements
from gateways.enforcement.shown import Enforcement, NodeLine, Segment, State, sentence_of
from gateways.enforcement.subjects import (
    Served,
    blocked,
    of_budget,
    of_credential,
    of_publication,
    of_subscription,
    places_of,
)
from gateways.models import Gateway, Publication
from subscriptions.models import Budget, Credential, Subscription
from teams.models import Actor

__all__ = [
    "Enforcement",
    "NodeLine",
    "Segment",
    "State",
    "enforcement_of",
    "objects_of",
    "of_budgets",
    "of_credentials",
    "of_publications",
    "of_subscriptions",
    "sentence_of",
]


def of_credentials(
    credentials: Iterable[Credential], *, actor: Actor | None = None
) -> dict[int, Enforcement]:
    """By primary key. Needs `subscription` loaded with application, plan_revision__plan and environment."""
    found = list(credentials)
    served = Served.of(places_of(credential.subscription for credential in found))
    subjects = {credential.pk: of_credential(credential, served) for credential in found}
    return enforcements(subjects, actor)


def of_subscriptions(
    subscriptions: Iterable[Subscription], *, actor: Actor | None = None
) -> dict[int, Enforcement]:
    """By primary key. Needs application and plan_revision__plan loaded."""
    found = list(subscriptions)
    served = Served.of(places_of(found))
    remarks = blocked(found)
    subjects = {
        subscription.pk: of_subscription(subscription, served, remarks.get(subscription.pk, ""))
        for subscription in found
    }
    return enforcements(subjects, actor)


def of_publications(
    publications: Iterable[Publication], *, actor: Actor | None = None
) -> dict[int, Enforcement]:
    """By primary key."""
    found = list(publications)
    current = desired_publications().filter(pk__in=[publication.pk for publication in found])
    served = Served.of_publications(list(current.select_related("gateway")))
    subjects = {publication.pk: of_publication(publication, served) for publication in found}
    return enforcements(subjects, actor)


def of_budgets(budgets: Iterable[Budget], *, actor: Actor | None = None) -> dict[int, Enforcement]:
    """By primary key. Needs what `BudgetQuerySet.told` loads."""
    found = list(budgets)
    runtimes = list(
        Gateway.objects.active().filter(kind=Gateway.Kind.AI_RUNTIME).values_list("pk", flat=True)
    )
    standing = set(
        Budget.objects.standing().filter(pk__in=[b.pk for b in found]).values_list("pk", flat=True)
    )
    subjects = {b.pk: of_budget(b, runtimes, stands=b.pk in standing) for b in found}
    return enforcements(subjects, actor)


def objects_of(kind: str, actor: Actor) -> Any:
    """The objects of `kind` that `actor` may see, with all that this module reads of them; None for no kind."""
    subscription = ("application", "plan_revision__plan", "environment")
    match kind:
        case "credential":
            prefixed = [f"subscription__{name}" for name in subscription]
            return Credential.objects.visible_to(actor).select_related(*prefixed)
        case "subscription":
            return Subscription.objects.visible_to(actor).select_related(*subscription)
        case "publication":
            return Publication.objects.visible_to(actor).select_related("gateway", "environment")
        case "budget":
            return Budget.objects.visible_to(actor).told()
        case _:
            return None


def enforcement_of(
    target: Credential | Subscription | Publication | Budget, *, actor: Actor | None = None
) -> Enforcement:
    """The enforcement of one object that `objects_of` found."""
    if isinstance(target, Credential):
        return of_credentials([target], actor=actor)[target.pk]
    if isinstance(target, Subscription):
        return of_subscriptions([target], actor=actor)[target.pk]
    if isinstance(target, Budget):
        return of_budgets([target], actor=actor)[target.pk]
    return of_publications([target], actor=actor)[target.pk]
