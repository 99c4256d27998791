"""Desired state held against what gateways have proved, and against what was found there since."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from gateways.enforcement.shown import Enforcement, NodeLine, Segment, State
from gateways.enforcement.subjects import Subject
from gateways.engine.document import Kind, Ref
from gateways.models import AppliedObject, Deployment, DriftFinding, Gateway, GatewayNode
from teams.models import Actor, Verb

SPREADS = timedelta(minutes=5)
"""After so long all of AWS knows of a key; AWS promises no time."""


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
    waits: Mapping[int, str]
    drift: Mapping[int, _Drift]


def enforcements(subjects: Mapping[int, Subject], actor: Actor | None) -> dict[int, Enforcement]:
    evidence = _gather(subjects.values(), tell_all=actor is None or actor.everywhere(Verb.GATEWAY_VIEW))
    return {pk: _enforcement(subject, evidence) for pk, subject in subjects.items()}


def _gather(subjects: Iterable[Subject], *, tell_all: bool) -> _Evidence:
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
        rows,
        gateways,
        _node_lines(gateways),
        _failures(gateways, tell_all=tell_all),
        _waits(gateways),
        _drift(gateways, names),
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
    words = _("The gateway did not take the last push. The next attempt is in %(n)s s.")
    return words % {"n": _seconds_to(gateway.retry_at)}


def _seconds_to(moment: datetime) -> int:
    return max(1, round((moment - timezone.now()).total_seconds()))


def _waits(gateways: Mapping[int, Gateway]) -> dict[int, str]:
    """What the pushes that were begun and not ended wait on. It names a limit, and nothing of anybody's."""
    found: dict[int, str] = {}
    waiting = Deployment.objects.waiting().filter(gateway__in=gateways).order_by()
    for pk, limit in waiting.values_list("gateway", "waits_on"):
        why = _("Waits on %(limit)s") % {"limit": limit} if limit else _("Waits for AWS")
        at = gateways[pk].retry_at
        goes_on = _("goes on in %(n)s s.") % {"n": _seconds_to(at)} if at else _("goes on now.")
        found[pk] = f"{why}, {goes_on}"
    return found


def _enforcement(subject: Subject, evidence: _Evidence) -> Enforcement:
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
            note = evidence.waits.get(pk, "")
            segments.append(_segment(pk, evidence, State.REMOVING, None, note=note))
        elif subject.ended and row is not None:
            note = _spreading(subject.main, row, evidence.gateways[pk])
            segments.append(_segment(pk, evidence, State.REMOVED, row, note=note))
    return Enforcement(subject.kind, subject.main.id, tuple(segments), subject.remark)


def _may_come_yet(subject: Subject, row: AppliedObject | None, gateway: Gateway) -> bool:
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
        return _segment(pk, evidence, State.LIVE, own, note=_spreading(main, own, evidence.gateways[pk]))
    if pk in evidence.failures:
        return _segment(pk, evidence, State.FAILED, None, note=evidence.failures[pk])
    return _segment(pk, evidence, State.PUSHING, None, note=evidence.waits.get(pk, ""))


def _still_there(pk: int, evidence: _Evidence) -> Segment:
    if pk in evidence.failures:
        note = _("Still in force there. %(why)s") % {"why": evidence.failures[pk]}
        return _segment(pk, evidence, State.FAILED, None, note=note)
    return _segment(pk, evidence, State.REMOVING, None, note=evidence.waits.get(pk, ""))


def _spreading(main: Ref, row: AppliedObject | None, gateway: Gateway) -> str:
    """What is to be said of a key that AWS has just confirmed: not all of AWS knows of it at once."""
    if not gateway.is_at_aws or main.kind is not Kind.KEY or row is None:
        return ""
    if timezone.now() - row.confirmed_at > SPREADS:
        return ""
    if row.digest:
        return _("Confirmed by AWS, which spreads the word: calls may be refused for some minutes yet.")
    return _("Switched off at AWS, which spreads the word: calls may get through for some minutes yet.")


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
