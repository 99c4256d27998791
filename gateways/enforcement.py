"""What each gateway does with a key, a subscription or a publication: desired state held against the proof.

Nothing here is stored. An object is live where the proven digest of everything that it needs is the digest
that is desired now; it is removed where its absence was read back; in between it is said to be in between.
Where a later look at the gateway found that it does otherwise, it is drifted, whatever was proven before.
A fixed number of queries answers for any number of objects.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from gateways.desired import (
    Place,
    Published,
    desired_publications,
    endpoints_of,
    grant_of,
    key_of,
    limit_of,
    publications_on,
    route_of,
    upstreams_for,
)
from gateways.engine.document import Item, Kind, Ref, Route, digest, ref
from gateways.models import (
    AppliedObject,
    Deployment,
    DriftFinding,
    EnforcementState,
    Gateway,
    GatewayNode,
    Publication,
)
from subscriptions.models import Block, Credential, Subscription
from teams.models import Actor, Verb

State = EnforcementState


@dataclass(frozen=True, slots=True)
class NodeLine:
    """One process of a gateway, as it last reported."""

    name: str
    state: str
    label: Any
    tone: str
    version: int
    heartbeat_at: datetime | None


@dataclass(frozen=True, slots=True)
class Segment:
    """One gateway's part. `note` says in words what is the matter, where something is."""

    gateway: str
    slug: str
    state: State
    confirmed_at: datetime | None = None
    asked_at: datetime | None = None
    note: str = ""
    nodes: tuple[NodeLine, ...] = ()

    @property
    def label(self) -> str:
        return str(self.state.label).lower()

    @property
    def tone(self) -> str:
        return self.state.tone

    @property
    def took(self) -> timedelta | None:
        """From the decision to the read-back, where both are known and it is over."""
        if self.state not in (State.LIVE, State.REMOVED) or not self.confirmed_at or not self.asked_at:
            return None
        return max(self.confirmed_at - self.asked_at, timedelta(0))


@dataclass(frozen=True, slots=True)
class Enforcement:
    """All gateways that have to do with one object. `remark` qualifies "live": a standing block, for one."""

    kind: str
    public_id: str
    segments: tuple[Segment, ...] = ()
    remark: str = ""

    @property
    def moving(self) -> bool:
        """Whether it will look different soon, so that a page keeps asking."""
        return any(
            segment.state in (State.PUSHING, State.REMOVING, State.FAILED) for segment in self.segments
        )

    @property
    def is_live(self) -> bool:
        """Whether it is in force on every gateway that it should be on, and there is one."""
        return bool(self.segments) and all(segment.state is State.LIVE for segment in self.segments)

    @property
    def sentence(self) -> str:
        """In words: "live on 2 of 3 gateways"."""
        return sentence_of([segment.state for segment in self.segments])


def sentence_of(states: Sequence[State]) -> str:
    """Sum up the states of several gateways; what still has to happen is said before what is done."""
    total, gone = len(states), states.count(State.REMOVED)
    if not total:
        return _("not on a gateway")
    if gone + states.count(State.REMOVING) == total:
        if gone == total:
            return ngettext("removed from %(n)s gateway", "removed from all %(n)s gateways", total) % {
                "n": total
            }
        return _("removed from %(count)s of %(total)s gateways") % {"count": gone, "total": total}
    live = states.count(State.LIVE)
    if live == total:
        return ngettext("live on %(n)s gateway", "live on all %(n)s gateways", total) % {"n": total}
    return _("live on %(count)s of %(total)s gateways") % {"count": live, "total": total}


# ---- of what ----


def of_credentials(
    credentials: Iterable[Credential], *, actor: Actor | None = None
) -> dict[int, Enforcement]:
    """By primary key. Needs `subscription` loaded with application, plan_revision__plan and environment."""
    found = list(credentials)
    served = _Served.of(_places(credential.subscription for credential in found))
    subjects = {credential.pk: _of_credential(credential, served) for credential in found}
    return _enforcements(subjects, actor)


def of_subscriptions(
    subscriptions: Iterable[Subscription], *, actor: Actor | None = None
) -> dict[int, Enforcement]:
    """By primary key. Needs application and plan_revision__plan loaded."""
    found = list(subscriptions)
    served = _Served.of(_places(found))
    remarks = _blocked(found)
    subjects = {
        subscription.pk: _of_subscription(subscription, served, remarks.get(subscription.pk, ""))
        for subscription in found
    }
    return _enforcements(subjects, actor)


def of_publications(
    publications: Iterable[Publication], *, actor: Actor | None = None
) -> dict[int, Enforcement]:
    """By primary key."""
    found = list(publications)
    current = desired_publications().filter(pk__in=[publication.pk for publication in found])
    served = _Served.of_publications(list(current.select_related("gateway")))
    subjects = {publication.pk: _of_publication(publication, served) for publication in found}
    return _enforcements(subjects, actor)


@dataclass(slots=True)
class _Subject:
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
class _Served:
    """What is published where, by place and by publication."""

    by_place: Mapping[Place, list[_OnGateway]]
    by_publication: Mapping[str, list[_OnGateway]]

    @classmethod
    def of(cls, places: set[Place]) -> _Served:
        """The publications of some places that are desired now."""
        versions = {version for version, _environment in places}
        wanted = desired_publications().filter(api_version__in=versions, gateway__retired_at=None)
        found = [p for p in wanted if (p.api_version_id, p.environment_id) in places]
        return cls.of_publications(found)

    @classmethod
    def of_publications(cls, publications: Sequence[Publication]) -> _Served:
        """These, as far as their upstream has an address; those of AI on the runtimes too."""
        rows = {publication.public_id: Published.of(publication) for publication in publications}
        upstreams = upstreams_for(rows.values(), ahead=True)
        by_place: dict[Place, list[_OnGateway]] = defaultdict(list)
        by_publication: dict[str, list[_OnGateway]] = defaultdict(list)
        for publication in publications:
            row, upstream = rows[publication.public_id], upstreams.get(publication.public_id)
            if upstream is not None:
                route = route_of(row, upstream)
                there = _OnGateway(publication.gateway_id, (route,), (route, upstream))
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


def _places(subscriptions: Iterable[Subscription]) -> set[Place]:
    return {(subscription.api_version_id, subscription.environment_id) for subscription in subscriptions}


def _of_credential(credential: Credential, served: _Served) -> _Subject:
    subscription = credential.subscription
    usable = credential.state in (Credential.State.ACTIVE, Credential.State.ROTATING)
    expired = credential.expires_at is not None and credential.expires_at <= timezone.now()
    subject = _Subject(
        "credential", Ref(Kind.KEY, credential.public_id), not usable or expired or _stopped(subscription)
    )
    if not subject.ended:
        key = key_of(credential, subscription.public_id)
        subject.gateways = _needs(subscription, served, key)
        return subject
    subject.near = _near(subscription, served)
    subject.since = max(filter(None, (credential.ended_at, subscription.updated_at)))
    return subject


def _of_subscription(subscription: Subscription, served: _Served, remark: str) -> _Subject:
    subject = _Subject(
        "subscription", Ref(Kind.GRANT, subscription.public_id), _stopped(subscription), remark=remark
    )
    if not subject.ended:
        subject.gateways = _needs(subscription, served)
        return subject
    subject.near, subject.since = _near(subscription, served), subscription.updated_at
    return subject


def _needs(subscription: Subscription, served: _Served, *more: Item) -> dict[int, dict[Ref, str]]:
    """Per gateway that serves what the subscription is for: the digests that let a call through."""
    needs = {}
    limit = limit_of(subscription.plan_revision)
    for there in served.by_place.get((subscription.api_version_id, subscription.environment_id), ()):
        grant = grant_of(subscription, there.routes)
        items = (*more, grant, limit, *there.items)
        needs[there.gateway_id] = {ref(item): digest(item) for item in items}
    return needs


def _near(subscription: Subscription, served: _Served) -> frozenset[int]:
    place = (subscription.api_version_id, subscription.environment_id)
    return frozenset(there.gateway_id for there in served.by_place.get(place, ()))


def _stopped(subscription: Subscription) -> bool:
    return subscription.state != Subscription.State.ACTIVE


def _of_publication(publication: Publication, served: _Served) -> _Subject:
    found = served.by_publication.get(publication.public_id, [])
    main = Ref(Kind.ROUTE, publication.public_id)
    subject = _Subject("publication", main, not found, since=publication.updated_at)
    subject.near = frozenset({publication.gateway_id})
    subject.gateways = {
        there.gateway_id: {ref(item): digest(item) for item in there.items} for there in found
    }
    return subject


def _blocked(subscriptions: Iterable[Subscription]) -> dict[int, str]:
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


# ---- held against the proof ----


@dataclass(frozen=True, slots=True)
class _Drift:
    """What stands against the proofs of one gateway: in words by object, and the kinds nobody can vouch for."""

    objects: Mapping[Ref, str] = field(default_factory=dict)
    doubts: frozenset[str] = frozenset()

    def against(self, names: Iterable[Ref]) -> str:
        """Why objects of these `names` can't be called live; empty where nothing is known against them."""
        found = [self.objects[name] for name in names if name in self.objects]
        if found:
            return found[0]
        doubted = any(str(name.kind) in self.doubts for name in names)
        return _("The gateway's own configuration was changed by hand.") if doubted else ""


@dataclass(frozen=True, slots=True)
class _Evidence:
    """The proofs and gateways that the subjects have to do with."""

    rows: Mapping[Ref, Mapping[int, AppliedObject]]
    gateways: Mapping[int, Gateway]
    nodes: Mapping[int, tuple[NodeLine, ...]]
    failures: Mapping[int, str]
    drift: Mapping[int, _Drift]


def _enforcements(subjects: Mapping[int, _Subject], actor: Actor | None) -> dict[int, Enforcement]:
    evidence = _gather(subjects.values(), tell_all=actor is None or actor.everywhere(Verb.GATEWAY_VIEW))
    return {pk: _enforcement(subject, evidence) for pk, subject in subjects.items()}


def _gather(subjects: Iterable[_Subject], *, tell_all: bool) -> _Evidence:
    names: set[Ref] = set()
    ids: set[int] = set()
    for subject in subjects:
        names.add(subject.main)
        ids |= subject.gateways.keys() | subject.near
        names |= {name for needs in subject.gateways.values() for name in needs}
    rows: dict[Ref, dict[int, AppliedObject]] = defaultdict(dict)
    kinds = {name.kind for name in names}
    proofs = AppliedObject.objects.filter(kind__in=kinds, object_id__in={name.id for name in names})
    for row in proofs.order_by():
        rows[Ref(Kind(row.kind), row.object_id)][row.gateway_id] = row
    ids |= {gateway for subject in subjects for gateway in rows.get(subject.main, ())}
    ids |= _where_found(subject.main for subject in subjects if subject.ended)
    gateways = {gateway.pk: gateway for gateway in Gateway.objects.active().filter(pk__in=ids)}
    return _Evidence(
        rows, gateways, _node_lines(gateways), _failures(gateways, tell_all=tell_all), _drift(gateways, names)
    )


def _drift(gateways: Mapping[int, Gateway], names: Iterable[Ref]) -> dict[int, _Drift]:
    """What stands on these gateways, open or ignored: an ignored difference is still a difference."""
    ids = {name.id for name in names}
    found = DriftFinding.objects.standing().filter(gateway__in=gateways)
    objects: dict[int, dict[Ref, str]] = defaultdict(dict)
    doubts: dict[int, set[str]] = defaultdict(set)
    kinds = {str(kind): kind for kind in Kind}
    for row in found.filter(Q(object_id__in=ids) | ~Q(doubts=[])).order_by("-pk"):
        doubts[row.gateway_id] |= set(row.doubts)
        if row.kind in kinds:
            objects[row.gateway_id][Ref(kinds[row.kind], row.object_id)] = _in_words(row)
    return {pk: _Drift(objects[pk], frozenset(doubts[pk])) for pk in {*objects, *doubts}}


def _in_words(row: DriftFinding) -> str:
    where = _("on %(node)s") % {"node": row.node} if row.node else _("there")
    text = {
        DriftFinding.Sort.MISSING: _("Taken away by hand %(where)s."),
        DriftFinding.Sort.GHOST: _("Put there by hand %(where)s."),
    }.get(DriftFinding.Sort(row.sort), _("Changed by hand %(where)s."))
    return text % {"where": where}


def _where_found(names: Iterable[Ref]) -> set[int]:
    """Gateways on which something is there again that has ended."""
    found = DriftFinding.objects.standing().filter(object_id__in={name.id for name in names})
    return set(found.values_list("gateway_id", flat=True))


def _node_lines(gateways: Mapping[int, Gateway]) -> dict[int, tuple[NodeLine, ...]]:
    lines: dict[int, tuple[NodeLine, ...]] = defaultdict(tuple)
    for node in GatewayNode.objects.filter(gateway__in=gateways, retired_at=None).order_by("name"):
        state = node.state
        line = NodeLine(node.name, state.value, state.label, state.tone, node.version, node.heartbeat_at)
        lines[node.gateway_id] += (line,)
    return lines


def _failures(gateways: Mapping[int, Gateway], *, tell_all: bool) -> dict[int, str]:
    """What the gateways that fail now said last. Their words may name other teams' things, so that only
    those who oversee the platform read them; others read that, and when, it is tried again."""
    failing = [gateway for gateway in gateways.values() if gateway.failures]
    if not failing:
        return {}
    words: dict[int, str] = {}
    if tell_all:
        latest = Deployment.objects.filter(gateway__in=failing, finished_at__isnull=False)
        newest = latest.order_by("gateway_id", "-id").distinct("gateway_id")
        words = dict(newest.values_list("gateway_id", "message"))
    return {
        gateway.pk: " ".join(filter(None, (words.get(gateway.pk, ""), _next_attempt(gateway))))
        for gateway in failing
    }


def _next_attempt(gateway: Gateway) -> str:
    if gateway.retry_at is None:
        return _("The gateway did not take the last push. The next attempt is under way.")
    seconds = max(1, round((gateway.retry_at - timezone.now()).total_seconds()))
    return _("The gateway did not take the last push. The next attempt is in %(n)s s.") % {"n": seconds}


def _enforcement(subject: _Subject, evidence: _Evidence) -> Enforcement:
    proven = evidence.rows.get(subject.main, {})
    segments = []
    for pk in sorted(evidence.gateways, key=lambda pk: evidence.gateways[pk].name):
        needs, row = subject.gateways.get(pk), proven.get(pk)
        drift = evidence.drift.get(pk, _Drift())
        if needs is None and subject.ended and subject.main in drift.objects:
            segments.append(_segment(pk, evidence, State.DRIFTED, row, note=drift.objects[subject.main]))
        elif needs is not None:
            segments.append(_wanted(pk, needs, subject.main, evidence))
        elif row is not None and row.digest:
            segments.append(_still_there(pk, evidence))
        elif subject.ended and _may_come_yet(subject, row, evidence.gateways[pk]):
            segments.append(_segment(pk, evidence, State.REMOVING, None))
        elif subject.ended and row is not None:
            segments.append(_segment(pk, evidence, State.REMOVED, row))
    return Enforcement(subject.kind, subject.main.id, tuple(segments), subject.remark)


def _may_come_yet(subject: _Subject, row: AppliedObject | None, gateway: Gateway) -> bool:
    """Whether a push that began before the object ended may still be bringing it there.

    Then the gateway is still noted as behind, and no proof is younger than the end.
    """
    if gateway.behind_since is None or gateway.pk not in subject.near:
        return False
    return row is None or subject.since is None or row.confirmed_at < subject.since


def _wanted(pk: int, needs: Mapping[Ref, str], main: Ref, evidence: _Evidence) -> Segment:
    rows = {name: evidence.rows.get(name, {}).get(pk) for name in needs}
    own = rows[main]
    live = all(row is not None and row.digest == needs[name] for name, row in rows.items())
    held = [row.held_back_reason for row in rows.values() if row is not None and row.held_back_reason]
    if held:
        return _segment(pk, evidence, State.HELD_BACK, own, note=held[0])
    drift = evidence.drift[pk].against(rows) if pk in evidence.drift else ""
    if live and drift:
        return _segment(pk, evidence, State.DRIFTED, own, note=drift)
    if live:
        return _segment(pk, evidence, State.LIVE, own)
    if pk in evidence.failures:
        return _segment(pk, evidence, State.FAILED, None, note=evidence.failures[pk])
    return _segment(pk, evidence, State.PUSHING, None)


def _still_there(pk: int, evidence: _Evidence) -> Segment:
    if pk in evidence.failures:
        note = _("Still in force there. %(why)s") % {"why": evidence.failures[pk]}
        return _segment(pk, evidence, State.FAILED, None, note=note)
    return _segment(pk, evidence, State.REMOVING, None)


def _segment(
    pk: int, evidence: _Evidence, state: State, row: AppliedObject | None, *, note: str = ""
) -> Segment:
    gateway = evidence.gateways[pk]
    return Segment(
        gateway=gateway.name,
        slug=gateway.slug,
        state=state,
        confirmed_at=row.confirmed_at if row is not None else None,
        asked_at=row.asked_at if row is not None else None,
        note=note,
        nodes=evidence.nodes.get(pk, ()),
    )


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
        case _:
            return None


def enforcement_of(
    target: Credential | Subscription | Publication, *, actor: Actor | None = None
) -> Enforcement:
    """The enforcement of one object that `objects_of` found."""
    if isinstance(target, Credential):
        return of_credentials([target], actor=actor)[target.pk]
    if isinstance(target, Subscription):
        return of_subscriptions([target], actor=actor)[target.pk]
    return of_publications([target], actor=actor)[target.pk]
