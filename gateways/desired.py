"""What a gateway should hold: the one reader of the ORM for the engine; `gateways.objects` makes what it reads.

Whatever shows or pushes desired state asks here, so that a page, a preview and a push can never differ.
Digests are worked out without opening a key; values are opened only for a push.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from apis.models import ApiVersion, PlanRevision, Revision, UpstreamBinding
from gateways import ai_desired
from gateways.any_of import any_of
from gateways.engine.document import (
    Definition,
    Document,
    Endpoint,
    Item,
    Route,
    Upstream,
)
from gateways.engine.driver import Scope
from gateways.made import Made
from gateways.models import Gateway, Publication
from gateways.objects import (
    LIMIT_FIELDS,
    ROUTE_FIELDS,
    UPSTREAM_FIELDS,
    Bound,
    Caller,
    Granted,
    KeyRow,
    Place,
    Published,
    Subscriber,
    block_of,
    consumer_of,
    grant_of,
    key_of,
    limit_of,
    route_of,
    upstream_of,
)
from gateways.policies import aws_settings_of
from subscriptions import models as subscriptions

# ---- which rows: the rules of what is desired ----


def desired_publications() -> QuerySet[Publication]:
    """Publications that should be served, with all that `route_of` reads."""
    return (
        Publication.objects.current()
        .exclude(api_version__state=ApiVersion.State.RETIRED)
        .select_related("claim", "environment", "gateway", "revision__upstream", "api_version__api__team")
    )


def desired_subscriptions() -> QuerySet[subscriptions.Subscription]:
    """Subscriptions that should be let in."""
    return subscriptions.Subscription.objects.filter(state=subscriptions.Subscription.State.ACTIVE)


def desired_credentials() -> QuerySet[subscriptions.Credential]:
    """Keys that should be accepted, provided that their subscription is."""
    unexpired = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    return subscriptions.Credential.objects.usable().filter(unexpired)


def desired_blocks() -> QuerySet[subscriptions.Block]:
    """Blocks that stand."""
    return subscriptions.Block.objects.filter(lifted_at=None, until__gt=timezone.now())


# ---- the whole document ----


def desired_objects(
    gateway: Gateway,
    scope: Scope = None,
    *,
    with_values: bool = False,
    ahead: bool = False,
    made: Made | None = None,
) -> Document:
    """All that `gateway` should hold, read in one snapshot by a fixed number of queries.

    With a `scope` only the objects it names are in the answer. `with_values` opens the keys: only a push
    needs them, and the digests are the same without. `ahead` has the routes in it that wait for an AI runtime.
    `made` remembers the objects of an earlier reading, which then need not be made again.
    """
    made = made or Made()
    with snapshot():
        document = Document.of(_items(gateway, with_values, ahead, made), like=made.document)
    made.document = document
    if scope is None:
        return document
    return Document({name: item for name, item in document.items.items() if name in scope})


@contextmanager
def snapshot() -> Iterator[None]:
    """One REPEATABLE READ snapshot, so that all queries see the same moment.

    Inside a transaction that has already begun (a preview, a test) they see what that transaction sees:
    its isolation can no longer be chosen.
    """
    if connection.in_atomic_block:
        yield
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


@dataclass(frozen=True, slots=True)
class _Routes:
    """The routes of one gateway by place, what they need, and the publications that they are of."""

    by_place: Mapping[Place, list[Route]]
    items: tuple[Item, ...]
    publications: tuple[Published, ...] = ()


def _items(gateway: Gateway, with_values: bool, ahead: bool, made: Made) -> Iterator[Item]:
    if gateway.kind == Gateway.Kind.AI_RUNTIME:
        routes = _routes_on_runtime(gateway)
        yield from ai_desired.hops()
    else:
        routes = _routes(gateway, ahead)
    yield from map(made.same, routes.items)
    if gateway.kind == Gateway.Kind.AWS:
        yield from _definitions(routes.publications, with_values, made)
    for found in routes.by_place.values():
        yield from map(made.same, found)
    grants = yield from _grants(routes.by_place, made)
    if gateway.kind == Gateway.Kind.AI_RUNTIME:
        yield from ai_desired.callers(_subscriptions_to(routes.by_place), grants.values())
        yield from _on_every_runtime(routes, with_values)
    yield from _keys(routes.by_place, grants, with_values, made)
    for block in desired_blocks().filter(subscription__in=_subscriptions_to(routes.by_place)):
        if block.subscription_id in grants:
            yield block_of(block, grants[block.subscription_id])


def _routes(gateway: Gateway, ahead: bool) -> _Routes:
    found = desired_publications().filter(gateway=gateway).order_by().select_related(None)
    publications = [Published(*row) for row in found.values_list(*ROUTE_FIELDS)]
    upstreams = upstreams_for(publications, ahead=ahead)
    by_place: dict[Place, list[Route]] = defaultdict(list)
    used: dict[str, Upstream] = {}
    for publication in publications:
        upstream = upstreams.get(publication.public_id)
        if upstream is None:  # an upstream can lose an environment; the route then has nowhere to go
            continue
        used[upstream.id] = upstream
        by_place[publication.place].append(route_of(publication, upstream))
    return _Routes(by_place, tuple(used.values()), tuple(publications))


def _definitions(publications: Iterable[Published], with_values: bool, made: Made) -> Iterator[Definition]:
    """A revision never changes, so its document is read once."""
    rows = [p for p in publications if p.is_defined]
    new = {p.revision for p in rows if not made.knows((p.revision, with_values))}
    found = (
        definitions_of([p for p in rows if p.revision in new], whole=new if with_values else ())
        if new
        else {}
    )
    for revision in dict.fromkeys(p.revision for p in rows):
        yield made.of((revision, with_values), partial(found.__getitem__, revision))


def upstreams_for(publications: Iterable[Published], *, ahead: bool = False) -> dict[str, Upstream]:
    """Where each of `publications` leads, by its public id; what leads nowhere is left out.

    One that goes to AI runtimes leads somewhere once they hold it; `ahead` says already where it will lead. One query,
    three more where there are such.
    """
    rows = list(publications)
    bindings = bindings_for(rows)
    made = {key: upstream_of(binding) for key, binding in bindings.items()}
    found = {row.public_id: made[row.bound] for row in rows if not row.is_ai and row.bound in made}
    behind = [row.behind for row in rows if row.is_ai and row.bound in made]
    if not behind:
        return found
    known = ai_desired.runtimes()
    held = {one.public_id for one in behind} if ahead else ai_desired.held_by_runtimes(behind, known)
    for one in behind:
        upstream = ai_desired.upstream_behind(one, known)
        if upstream is not None and one.public_id in held:
            found[one.public_id] = upstream
    return found


# ---- AI runtimes ----


def _routes_on_runtime(runtime: Gateway) -> _Routes:
    publications = publications_on(runtime)
    by_place: dict[Place, list[Route]] = defaultdict(list)
    for publication in publications:
        by_place[publication.place].append(route_of(publication, None))
    return _Routes(by_place, (), tuple(publications))


def publications_on(runtime: Gateway, versions: Collection[int] | None = None) -> list[Published]:
    """What an AI runtime should hold of all that is published, or of some `versions` (primary keys); one query."""
    found = ai_desired.publications_for(runtime)
    if versions is not None:
        found = found.filter(api_version__in=versions)
    return [Published(*row) for row in found.order_by().values_list(*ROUTE_FIELDS)]


def endpoint_rows(publications: Sequence[Published]) -> list[ai_desired.Published]:
    """What the endpoints of `publications` are made of; one query."""
    bindings = UpstreamBinding.objects.filter(upstream__in={p.upstream_id for p in publications})
    names = ("upstream__prompt_id", "prompt_label", "log_bodies")
    rows = bindings.values_list("upstream_id", "environment_id", *names)
    known = {(upstream, environment): chosen for upstream, environment, *chosen in rows}
    return [
        ai_desired.Published(p.public_id, p.label, p.team, p.api, p.policies, p.upstream_id, *known[p.bound])
        for p in publications
        if p.bound in known
    ]


def endpoints_of(publications: Sequence[Published]) -> dict[str, Endpoint]:
    """The endpoints of `publications` on a runtime by public id, without what they stand on."""
    items = ai_desired.endpoints(endpoint_rows(publications))
    return {item.id: item for item in items if isinstance(item, Endpoint)}


def _on_every_runtime(routes: _Routes, with_values: bool) -> Iterator[Item]:
    yield from ai_desired.shared(with_values=with_values)
    yield from ai_desired.budgets()
    yield from ai_desired.endpoints(endpoint_rows(routes.publications))


def definitions_of(publications: Iterable[Published], *, whole: Collection[str]) -> dict[str, Definition]:
    """What the gateways of `publications` have to know of their operations, by the public ids of revisions.

    The documents themselves are read for those in `whole` alone. Two queries.
    """
    wanted = {p.revision: p for p in publications if p.is_defined}
    if not wanted:
        return {}
    specs = Revision.objects.filter(public_id__in=wanted).order_by().values_list("public_id", "spec__digest")
    texts = Revision.objects.filter(public_id__in=wanted.keys() & set(whole)).order_by()
    documents = dict(texts.values_list("public_id", "spec__text")) if whole else {}
    return {
        revision: Definition(
            id=revision,
            label=wanted[revision].label,
            document_digest=digest,
            settings=aws_settings_of(wanted[revision].policies),
            document=json.loads(documents[revision]) if revision in documents else {},
        )
        for revision, digest in specs
    }


def bindings_for(publications: Iterable[Published]) -> dict[tuple[int, int], Bound]:
    """The bindings of what `publications` serve, by (upstream, environment); one query."""
    wanted = {publication.bound for publication in publications}
    found = UpstreamBinding.objects.filter(
        any_of("upstream", {upstream for upstream, _environment in wanted})
    )
    bindings = (Bound(*row) for row in found.order_by().values_list(*UPSTREAM_FIELDS))
    return {
        (b.upstream_id, b.environment_id): b for b in bindings if (b.upstream_id, b.environment_id) in wanted
    }


def _subscriptions_to(routes: Mapping[Place, list[Route]]) -> QuerySet[subscriptions.Subscription]:
    return desired_subscriptions().filter(
        any_of("api_version", {version for version, _environment in routes})
    )


def _grants(routes: Mapping[Place, list[Route]], made: Made) -> Generator[Item, None, dict[int, str]]:
    """Consumers, limits and grants; returns the public ids of the subscriptions by primary key.

    Subscriptions come as plain rows and share their application and plan: there are many of them.
    """
    found = _subscriptions_to(routes)
    rows = list(
        found.order_by().values_list(
            "pk", "public_id", "api_version_id", "environment_id", "application_id", "plan_revision_id"
        )
    )
    granted = {place: Granted.by(on) for place, on in routes.items()}
    rows = [row for row in rows if (row[2], row[3]) in granted]
    applications = subscriptions.Application.objects.filter(any_of("pk", {row[4] for row in rows})).order_by()
    named = applications.values_list("pk", "public_id", "slug", "team__slug")
    callers = {pk: Caller(*values) for pk, *values in named}
    plans = PlanRevision.objects.filter(any_of("pk", {row[5] for row in rows})).order_by()
    limits = plans.select_related("plan").only(*LIMIT_FIELDS)
    terms = {plan_revision.pk: limit_of(plan_revision) for plan_revision in limits}
    yield from (made.same(consumer_of(caller)) for caller in callers.values())
    yield from map(made.same, terms.values())
    for _pk, public_id, version, environment, application, plan_revision in rows:
        caller = callers[application]
        subscriber = Subscriber(public_id, caller.public_id, caller.slug, terms[plan_revision].id)
        yield made.of((subscriber, on := granted[version, environment]), partial(grant_of, subscriber, on))
    return {row[0]: row[1] for row in rows}


def _keys(
    routes: Mapping[Place, list[Route]], grants: Mapping[int, str], with_values: bool, made: Made
) -> Iterator[Item]:
    found = desired_credentials().filter(subscription__in=_subscriptions_to(routes)).order_by()
    read = found.values_list("pk", "subscription_id", *KeyRow._fields)
    rows = [(pk, (KeyRow(*row), grants[of], with_values)) for pk, of, *row in read if of in grants]
    sealed = _sealed([pk for pk, content in rows if not made.knows(content)]) if with_values else {}
    for pk, content in rows:
        row, grant, _with_value = content
        yield made.of(content, partial(key_of, row, grant, sealed.get(pk)))


def _sealed(credentials: Sequence[int]) -> dict[int, bytes | memoryview[Any]]:
    """The sealed values of keys (primary keys)."""
    found = subscriptions.Credential.objects.filter(any_of("pk", credentials)).order_by()
    return dict(found.values_list("pk", "sealed"))
