"""What each object needs on which gateway, by desired state."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.utils import timezone
from django.utils.translation import gettext as _

from gateways.ai_desired import budget_of
from gateways.desired import (
    definitions_of,
    desired_publications,
    endpoints_of,
    publications_on,
    upstreams_for,
)
from gateways.engine.document import Item, Kind, Ref, Route, digest, ref
from gateways.models import Gateway, Publication
from gateways.objects import (
    Granted,
    Place,
    Published,
    Subscriber,
    grant_of,
    key_of,
    limit_of,
    route_of,
)
from subscriptions.models import Block, Budget, Credential, Subscription


@dataclass(slots=True)
class Subject:
    """One object: its own name first, and per gateway the digests of all that it needs there.

    Of one that has `ended`, `since` is when, and `near` are the gateways that a push may be carrying it to
    at this moment.
    """

    kind: str
    main: Ref
    ended: bool
    since: datetime | None = None
    near: frozenset[int] = frozenset()
    gateways: dict[int, dict[Ref, str]] = field(default_factory=dict)
    remark: str = ""


@dataclass(frozen=True, slots=True)
class _OnGateway:
    """What of a publication is on one gateway: its routes there, and all that it stands on."""

    gateway_id: int
    routes: tuple[Route, ...]
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Served:
    """What is published where, by place and by publication."""

    by_place: Mapping[Place, list[_OnGateway]]
    by_publication: Mapping[str, list[_OnGateway]]

    @classmethod
    def of(cls, places: set[Place]) -> Served:
        """The publications of some places that are desired now."""
        versions = {version for version, _environment in places}
        wanted = desired_publications().filter(api_version__in=versions, gateway__retired_at=None)
        found = [p for p in wanted if (p.api_version_id, p.environment_id) in places]
        return cls.of_publications(found)

    @classmethod
    def of_publications(cls, publications: Sequence[Publication]) -> Served:
        """These, as far as their upstream has an address; those of AI on the runtimes too."""
        rows = {publication.public_id: Published.of(publication) for publication in publications}
        upstreams = upstreams_for(rows.values(), ahead=True)
        definitions = definitions_of(rows.values(), whole=())
        by_place: dict[Place, list[_OnGateway]] = defaultdict(list)
        by_publication: dict[str, list[_OnGateway]] = defaultdict(list)
        for publication in publications:
            row, upstream = rows[publication.public_id], upstreams.get(publication.public_id)
            if upstream is not None:
                route = route_of(row, upstream)
                defined = (definitions[route.definition],) if route.definition else ()
                there = _OnGateway(publication.gateway_id, (route,), (route, upstream, *defined))
                by_place[row.place].append(there)
                by_publication[row.public_id].append(there)
        _add_runtimes([row for row in rows.values() if row.is_ai], by_place, by_publication)
        return cls(by_place, by_publication)


def _add_runtimes(
    rows: Sequence[Published],
    by_place: dict[Place, list[_OnGateway]],
    by_publication: dict[str, list[_OnGateway]],
) -> None:
    """What of AI publications is on the runtimes. A subscription there has the routes of all gateways in front."""
    if not rows:
        return
    names, versions = {row.public_id for row in rows}, {row.api_version_id for row in rows}
    for runtime in Gateway.objects.active().filter(kind=Gateway.Kind.AI_RUNTIME):
        held = publications_on(runtime, versions)
        endpoints = endpoints_of(held)
        there: dict[Place, list[Route]] = defaultdict(list)
        for row in held:
            route = route_of(row, None)
            there[row.place].append(route)
            if row.public_id in endpoints and row.public_id in names:
                found = _OnGateway(runtime.pk, (route,), (route, endpoints[row.public_id]))
                by_publication[row.public_id].append(found)
        for place in {row.place for row in rows} & there.keys():
            routes = tuple(sorted(there[place], key=lambda route: route.id))
            by_place[place].append(_OnGateway(runtime.pk, routes, routes))


def places_of(subscriptions: Iterable[Subscription]) -> set[Place]:
    return {(subscription.api_version_id, subscription.environment_id) for subscription in subscriptions}


def of_credential(credential: Credential, served: Served) -> Subject:
    subscription = credential.subscription
    usable = credential.state in (Credential.State.ACTIVE, Credential.State.ROTATING)
    expired = credential.expires_at is not None and credential.expires_at <= timezone.now()
    subject = Subject(
        "credential", Ref(Kind.KEY, credential.public_id), not usable or expired or _stopped(subscription)
    )
    if not subject.ended:
        key = key_of(credential, subscription.public_id)
        subject.gateways = _needs(subscription, served, key)
        return subject
    subject.near = _near(subscription, served)
    subject.since = max(filter(None, (credential.ended_at, subscription.updated_at)))
    return subject


def of_subscription(subscription: Subscription, served: Served, remark: str) -> Subject:
    subject = Subject(
        "subscription", Ref(Kind.GRANT, subscription.public_id), _stopped(subscription), remark=remark
    )
    if not subject.ended:
        subject.gateways = _needs(subscription, served)
        return subject
    subject.near, subject.since = _near(subscription, served), subscription.updated_at
    return subject


def _needs(subscription: Subscription, served: Served, *more: Item) -> dict[int, dict[Ref, str]]:
    """Per gateway that serves what the subscription is for: the digests that let a call through."""
    needs = {}
    limit = limit_of(subscription.plan_revision)
    for there in served.by_place.get((subscription.api_version_id, subscription.environment_id), ()):
        grant = grant_of(Subscriber.of(subscription), Granted.by(there.routes))
        items = (*more, grant, limit, *there.items)
        needs[there.gateway_id] = {ref(item): digest(item) for item in items}
    return needs


def _near(subscription: Subscription, served: Served) -> frozenset[int]:
    place = (subscription.api_version_id, subscription.environment_id)
    return frozenset(there.gateway_id for there in served.by_place.get(place, ()))


def _stopped(subscription: Subscription) -> bool:
    return subscription.state != Subscription.State.ACTIVE


def of_publication(publication: Publication, served: Served) -> Subject:
    found = served.by_publication.get(publication.public_id, [])
    main = Ref(Kind.ROUTE, publication.public_id)
    subject = Subject("publication", main, not found, since=publication.updated_at)
    subject.near = frozenset({publication.gateway_id})
    subject.gateways = {
        there.gateway_id: {ref(item): digest(item) for item in there.items} for there in found
    }
    return subject


def blocked(subscriptions: Iterable[Subscription]) -> dict[int, str]:
    """What stops calls although the subscription is let in, by primary key."""
    found = Subscription.objects.filter(pk__in=[subscription.pk for subscription in subscriptions])
    standing = found.filter(blocks__lifted_at=None, blocks__until__gt=timezone.now())
    rows = standing.values_list("pk", "blocks__reason", "blocks__until").order_by("blocks__until")
    words = dict(Block.Reason.choices)
    return {
        pk: _("%(reason)s: calls are answered 429 until %(until)s UTC")
        % {"reason": words[reason], "until": f"{until:%Y-%m-%d %H:%M}"}
        for pk, reason, until in rows
    }


def of_budget(budget: Budget, runtimes: Iterable[int], *, stands: bool) -> Subject:
    """A budget is on every runtime (primary keys) while it `stands`. Needs what `BudgetQuerySet.told` loads."""
    item = budget_of(budget)
    subject = Subject("budget", ref(item), not stands, since=budget.updated_at, near=frozenset(runtimes))
    if stands:
        subject.gateways = {runtime: {ref(item): digest(item)} for runtime in runtimes}
        if budget.count.base is None:
            subject.remark = _("counted anew: the ledger is being added up")
    return subject
