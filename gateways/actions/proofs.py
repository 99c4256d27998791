"""Writing down what a read-back has confirmed, and what is held back. The only writer of AppliedObject."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from django.db import transaction
from django.db.models import Count, Max
from django.utils import timezone

from audit.models import AuditEvent
from gateways.actions.lease import Lease, lock_gateway
from gateways.engine.document import Block, Document, Grant, Item, Key, Kind, Limit, Ref, Route, digest
from gateways.engine.failpoints import failpoint
from gateways.models import AppliedObject, Gateway

REASON_CHARS = 400
BATCH = 1_000
READ_AT_ONCE = 10_000
MOST_ASKED = 5_000
"""Above so many changes at once the time of each decision is not looked up: it is a first push or a rebuild."""


class Proven(NamedTuple):
    """What was known of one object before: its confirmed digest (empty: confirmed gone) and what held it."""

    digest: str
    held_back_reason: str
    held_back_digest: str


@dataclass(frozen=True, slots=True)
class Finding:
    """What one run has found out, about whole documents before the driver's adaption.

    `confirmed` and `gone` were seen on the gateway (or seen to be missing) by this run; `held` says why
    objects are not pushed as desired, `refused` names those of them that the gateway itself refused.
    """

    desired: Document
    confirmed: Collection[Ref] = ()
    gone: Collection[Ref] = ()
    held: Mapping[Ref, str] = field(default_factory=dict)
    refused: Collection[Ref] = ()


def proven_objects(gateway_id: int, among: Collection[Ref] | None = None) -> dict[Ref, Proven]:
    """Every proof there is of one gateway, in one query; or those of objects with the ids in `among`."""
    found = AppliedObject.objects.filter(gateway_id=gateway_id)
    if among is not None and len(among) <= MOST_ASKED:
        found = found.filter(
            kind__in={name.kind for name in among}, object_id__in={name.id for name in among}
        )
    rows = found.values_list("kind", "object_id", "digest", "held_back_reason", "held_back_digest")
    kinds = {str(kind): kind for kind in Kind}
    return {
        Ref(kinds[kind], name): Proven(*proof)
        for kind, name, *proof in rows.order_by().iterator(READ_AT_ONCE)
    }


type _Stand = tuple[int, datetime | None]
"""How many proofs there are, and when the latest was written: every writing moves it."""

MOST_GATEWAYS = 16
_read: OrderedDict[int, tuple[_Stand, dict[Ref, Proven]]] = OrderedDict()
"""The proofs of each gateway as this process has read or written them last."""


def proofs_read(lease: Lease, *, anew: bool) -> Mapping[Ref, Proven]:
    """Every proof of the gateway whose lease is held; read only where another process wrote since, or `anew`."""
    stand, found = _read.pop(lease.gateway_id, (None, {}))
    if anew or stand != _stand(lease.gateway_id):
        stand, found = _stand(lease.gateway_id), proven_objects(lease.gateway_id)
    assert stand is not None  # noqa: S101 - it equals one that was looked up
    _keep_read(lease.gateway_id, stand, found)
    return found


def _keep_read(gateway_id: int, stand: _Stand, found: dict[Ref, Proven]) -> None:
    _read[gateway_id] = (stand, found)
    while len(_read) > MOST_GATEWAYS:
        _read.popitem(last=False)


def _stand(gateway_id: int) -> _Stand:
    rows = AppliedObject.objects.filter(gateway_id=gateway_id)
    found = rows.aggregate(count=Count("pk"), latest=Max("confirmed_at"))
    return found["count"], found["latest"]


def _note_written(gateway_id: int, rows: Iterable[AppliedObject]) -> None:
    """Keep what was read in step with what was just written and committed."""
    _stand_before, found = _read.pop(gateway_id, (None, None))
    if found is None:
        return
    for row in rows:
        proof = Proven(row.digest, row.held_back_reason, row.held_back_digest)
        found[Ref(Kind(row.kind), row.object_id)] = proof
    _keep_read(gateway_id, _stand(gateway_id), found)


_UNSAID = Proven("", "", "")


def unproven(desired: Document, proven: Mapping[Ref, Proven], held: Mapping[Ref, str]) -> set[Ref]:
    """Objects whose proof does not say what is desired, apart from those that are known to be held back."""
    said = proven.get
    missing = {
        name
        for name, wanted in desired.digests().items()
        if ((proof := said(name, _UNSAID)).digest != wanted or proof.held_back_reason) and name not in held
    }
    left = {name for name in proven.keys() - desired.items.keys() if proven[name].digest}
    return missing | left


def _says(proof: Proven, digest_wanted: str) -> bool:
    return proof.digest == digest_wanted and not proof.held_back_reason


def write_proofs(lease: Lease, finding: Finding) -> int:
    """Keep what `finding` proves, changed rows only; their number. Raises LeaseLost."""
    proven = proven_objects(lease.gateway_id, {*finding.confirmed, *finding.gone, *finding.held})
    failpoint("proofs.before")
    with transaction.atomic():
        gateway = lock_gateway(lease)
        rows = list(_rows(gateway, finding, proven))
        _set_asked(rows, finding.desired, gateway)
        for start in range(0, len(rows), BATCH):
            AppliedObject.objects.bulk_create(
                rows[start : start + BATCH],
                update_conflicts=True,
                unique_fields=["gateway", "kind", "object_id"],
                update_fields=["digest", "confirmed_at", "asked_at", "held_back_reason", "held_back_digest"],
            )
        failpoint("proofs.inside")
    failpoint("proofs.after")
    _note_written(lease.gateway_id, rows)
    return len(rows)


def _rows(gateway: Gateway, finding: Finding, proven: Mapping[Ref, Proven]) -> Iterable[AppliedObject]:
    now = timezone.now()
    for name in finding.confirmed:
        wanted = digest(finding.desired.items[name])
        if name not in finding.held and (name not in proven or not _says(proven[name], wanted)):
            yield _row(gateway, name, now, digest=wanted)
    for name in finding.gone:
        # Also without an earlier row: what was seen to be missing is then known to be missing.
        if name not in finding.held and (name not in proven or proven[name].digest):
            yield _row(gateway, name, now)
    for name, reason in finding.held.items():
        refused = digest(finding.desired.items[name]) if name in finding.refused else ""
        before = proven.get(name, _UNSAID)
        after = Proven(before.digest, reason[:REASON_CHARS], refused)
        if name not in proven or before != after:
            row = _row(gateway, name, now, digest=before.digest)
            row.held_back_reason, row.held_back_digest = after.held_back_reason, after.held_back_digest
            yield row


def _row(gateway: Gateway, name: Ref, now: datetime, *, digest: str = "") -> AppliedObject:
    return AppliedObject(
        gateway=gateway, kind=str(name.kind), object_id=name.id, digest=digest, confirmed_at=now
    )


# ---- since when it was waited for ----


_TARGETS = ("publication", "subscription", "credential", "block", "application", "upstreambinding")
"""The kinds of audit targets whose events lead to objects on gateways; they make the index usable."""


def _set_asked(rows: list[AppliedObject], desired: Document, gateway: Gateway) -> None:
    """Give each row the time of the decision that led to it: the latest recorded event about the object,
    or about what it stands on; where there is none, since when the gateway was behind."""
    chains = {row.object_id: _chain(row, desired) for row in rows} if len(rows) <= MOST_ASKED else {}
    ids = {name for chain in chains.values() for name in chain}
    events = AuditEvent.objects.filter(target_kind__in=_TARGETS, target_id__in=ids).order_by()
    latest = events.values("target_id").annotate(at=Max("occurred_at")).values_list("target_id", "at")
    times: dict[str, datetime] = dict(latest)
    for row in rows:
        known = [times[name] for name in chains.get(row.object_id, ()) if name in times]
        row.asked_at = min(max(known, default=gateway.behind_since or row.confirmed_at), row.confirmed_at)


def _chain(row: AppliedObject, desired: Document) -> set[str]:
    """The public ids of an object and of what it stands on."""
    item = desired.items.get(Ref(Kind(row.kind), row.object_id))
    return {row.object_id, *_stands_on(item, desired)}


def _stands_on(item: Item | None, desired: Document) -> Iterable[str]:
    match item:
        case Key(grant=grant) | Block(grant=grant):
            yield grant
            yield from _stands_on(desired.items.get(Ref(Kind.GRANT, grant)), desired)
        case Grant(routes=routes):
            yield from routes
        case Route(upstream=upstream):
            yield upstream
        case Limit() | None:
            return
        case _:
            return
