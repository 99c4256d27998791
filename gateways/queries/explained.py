"""Which deletions a recorded event explains, so that the guard need not stop them."""

from __future__ import annotations

from django.db.models import Max

from apis.models import ApiVersion
from audit.models import AuditEvent
from gateways.engine.changes import ChangeSet, Delete, Update
from gateways.engine.document import Document, Kind, Ref, Route
from gateways.models import AppliedObject, Gateway

PUBLICATION_EVENTS = ("publication.published", "publication.rolled_back", "publication.withdrawn")


def explained_deletions(gateway: Gateway, changes: ChangeSet) -> set[Ref]:
    """The routes whose publication was withdrawn or version retired since they were confirmed, and the
    upstreams that no other route had any use for."""
    deleted = {change.ref.id for change in changes if isinstance(change, Delete)}
    if not any(change.ref.kind in (Kind.ROUTE, Kind.UPSTREAM) for change in changes):
        return set()
    routes = {route.id: route for route in changes.observed.of_kind(Route)}
    moved = {change.ref.id for change in changes if isinstance(change, Update)} & routes.keys()
    told = _told_of(gateway, (deleted & routes.keys()) | moved, routes)
    explained = {Ref(Kind.ROUTE, name) for name in told & deleted}
    return explained | _freed_upstreams(changes.observed, deleted, told)


def _told_of(gateway: Gateway, ids: set[str], routes: dict[str, Route]) -> set[str]:
    """Those of the publications `ids` about which an event was recorded since their route was confirmed."""
    confirmed = dict(
        AppliedObject.objects.filter(gateway=gateway, kind=Kind.ROUTE, object_id__in=ids).values_list(
            "object_id", "confirmed_at"
        )
    )
    events = AuditEvent.objects.filter(
        target_kind="publication", target_id__in=ids, name__in=PUBLICATION_EVENTS
    )
    times = events.order_by().values("target_id").annotate(at=Max("occurred_at"))
    latest = dict(times.values_list("target_id", "at"))
    told = {name for name, at in latest.items() if name not in confirmed or at >= confirmed[name]}
    versions = {routes[name].api_version for name in ids - told}
    retired = set(
        ApiVersion.objects.filter(public_id__in=versions, state=ApiVersion.State.RETIRED).values_list(
            "public_id", flat=True
        )
    )
    return told | {name for name in ids - told if routes[name].api_version in retired}


def _freed_upstreams(observed: Document, deleted: set[str], told: set[str]) -> set[Ref]:
    users: dict[str, set[str]] = {}
    for route in observed.of_kind(Route):
        users.setdefault(route.upstream, set()).add(route.id)
    return {Ref(Kind.UPSTREAM, name) for name in deleted if users.get(name, set()) <= told}
