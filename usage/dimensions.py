"""What a call belongs to: the objects behind the ids in a feed, read once per batch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from django.db.models.expressions import RawSQL

from apis.models import Operation
from apis.spec.matcher import OperationMatcher
from gateways.models import Gateway, Publication
from subscriptions.models import Subscription


@dataclass(frozen=True, slots=True)
class RouteFacts:
    """What a publication says of its calls. Ids are public ids; `spec` is a primary key."""

    environment: str
    api: str
    api_version: str
    revision: str
    base_path: str
    spec: int


@dataclass(frozen=True, slots=True)
class CallerFacts:
    """What a subscription says of its calls."""

    pk: int
    application: str
    plan: str


def routes_of(gateway: Gateway, publications: Iterable[str]) -> dict[str, RouteFacts]:
    """Facts of those of `publications` that stand on `gateway`; a feed says nothing about other gateways. An AI
    runtime stands behind all of them."""
    found = Publication.objects.filter(public_id__in=_together(set(publications)))
    if gateway.kind != Gateway.Kind.AI_RUNTIME:
        found = found.filter(gateway=gateway)
    rows = found.values_list(
        "public_id", "environment__public_id", "api_version__api__public_id", "api_version__public_id",
        "revision__public_id", "claim__path", "revision__spec_id",
    )  # fmt: skip
    return {row[0]: RouteFacts(*row[1:]) for row in rows}


def callers_of(subscriptions: Iterable[str]) -> dict[str, CallerFacts]:
    """Facts of `subscriptions`, by public id."""
    wanted = _together(set(subscriptions) - {""})
    rows = Subscription.objects.filter(public_id__in=wanted).values_list(
        "public_id", "pk", "application__public_id", "plan_revision__plan__public_id"
    )
    return {row[0]: CallerFacts(*row[1:]) for row in rows}


def _together(values: Iterable[str]) -> RawSQL:
    """`values` handed over as one array: a thousand parameters would cost more than the rest of the query."""
    return RawSQL("SELECT unnest(%s::text[])", [list(values)])


@lru_cache(maxsize=512)
def matcher_of(spec: int) -> OperationMatcher:
    """The matcher of a stored document; documents never change, so it is kept."""
    return OperationMatcher(Operation.objects.filter(spec_id=spec).only("method", "path", "key"))


def operation_of(route: RouteFacts, method: str, path: str) -> str:
    """The key of the operation that a call went to; empty where the document has none for it."""
    return matcher_of(route.spec).match(method, path.removeprefix(route.base_path) or "/") or ""
