"""A portal that was restored from a backup must not give back what was taken away since.

Every configuration that goes out is remembered before (`HandedOut`), and every node tells which one it holds.
A node that holds one this database never gave knows more than the database: the gateway is held. Nothing is
pushed to it then but the end of access that the database knows of, until an administrator has seen what a push
would bring back and take away, and has confirmed exactly that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from django.db import transaction
from django.db.models import Min
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from audit.actions import record_event
from audit.models import ActionRefused
from gateways.actions.deployments import ask_deployment
from gateways.actions.ringing import mark_behind, ring
from gateways.comparison import Comparison, compare
from gateways.connections import counted_nodes, driver_for
from gateways.desired import desired_objects
from gateways.egress import refusal_of_target
from gateways.engine.changes import Change, ChangeSet, Create, Delete, describe
from gateways.engine.document import Block, Document, Grant, Key, Kind, Ref, canonical_json
from gateways.engine.driver import DriverError, Mark
from gateways.models import Deployment, Gateway, HandedOut
from teams.models import SYSTEM, Actor, Verb

KEPT = 5_000
"""Configurations remembered per gateway; a node that comes back with an older one is just old."""
FORGET_EVERY = 100
RESTORED = (
    "This gateway holds a configuration that the portal does not know: the portal's database was restored, "
    "or lost its last changes. Nothing is pushed until an administrator has looked at the difference."
)
WAITS = "Waits until an administrator has looked at what the restored portal would change."

log = structlog.get_logger(__name__)


def remember_handed_out(gateway_id: int, mark: Mark) -> None:
    """Note a configuration before it leaves the portal."""
    HandedOut.objects.bulk_create(
        [HandedOut(gateway_id=gateway_id, version=mark.version, digest=mark.digest)], ignore_conflicts=True
    )
    if mark.version % FORGET_EVERY == 0:
        HandedOut.objects.filter(gateway_id=gateway_id, version__lt=mark.version - KEPT).delete()


def unknown_marks(gateway_id: int, marks: Iterable[Mark]) -> list[Mark]:
    """Those of `marks` that this database never handed out."""
    asked = {mark for mark in marks if mark.version}
    if not asked:
        return []
    rows = HandedOut.objects.filter(gateway_id=gateway_id)
    known = {
        Mark(*row)
        for row in rows.filter(version__in={mark.version for mark in asked}).values_list("version", "digest")
    }
    left = sorted(asked - known, key=lambda mark: mark.version)
    oldest = rows.aggregate(oldest=Min("version"))["oldest"] if left else None
    return [mark for mark in left if oldest is None or mark.version >= oldest]


def hold_if_unknown(gateway: Gateway, marks: Sequence[Mark], *, wake: bool = False) -> str:
    """Hold the gateway when one of its nodes holds what this database never gave; why it is held, or "".

    `gateway` is brought up to date. `wake` asks the worker to look at it.
    """
    if gateway.held_since is None:
        gateway.refresh_from_db(fields=["held_since", "held_reason"])
    if gateway.held_since is None and (unknown := unknown_marks(gateway.pk, marks)):
        log.error("gateway_knows_more", gateway=gateway.slug, version=unknown[-1].version)
        hold_gateway(gateway, reason=RESTORED, wake=wake)
    return gateway.held_reason if gateway.held_since is not None else ""


def hold_gateway(gateway: Gateway, *, reason: str, actor: Actor = SYSTEM, wake: bool = True) -> None:
    """Push nothing to `gateway` but the end of access until somebody releases it. Again: nothing happens."""
    with transaction.atomic():
        row = Gateway.objects.select_for_update().get(pk=gateway.pk)
        if row.held_since is None:
            row.held_since, row.held_reason = timezone.now(), reason[:300]
            row.save(update_fields=["held_since", "held_reason"])
            record_event("gateway.held", row, actor=actor, note=reason)
    gateway.held_since, gateway.held_reason = row.held_since, row.held_reason
    if wake:
        ring(mark_behind([gateway.pk]))


# ---- what a person looks at, and what it is confirmed by ----


@dataclass(frozen=True, slots=True)
class Line:
    """One object that a push would bring, take or change. `of` says whose it is: the subscription of a key."""

    kind: str
    id: str
    name: str
    of: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """What the next push would do to a held gateway: access that comes back, access that goes, and the rest.

    `seen` names exactly this difference, for `release_gateway`. `error` is why there is none to be had.
    """

    brings: tuple[Line, ...] = ()
    takes: tuple[Line, ...] = ()
    others: tuple[dict[str, Any], ...] = ()
    marks: tuple[Mark, ...] = ()
    seen: str = ""
    error: str = ""

    @property
    def is_empty(self) -> bool:
        return not (self.brings or self.takes or self.others)


def difference_of(gateway: Gateway) -> Difference:
    """Look at the gateway and work out what a push would change, keys included."""
    nodes, away = counted_nodes(gateway)
    driver = driver_for(gateway, nodes=nodes)
    try:
        comparison = compare(driver, desired_objects(gateway), {}, check_target=refusal_of_target)
        marks = tuple(driver.marks().values())
    except DriverError as error:
        return Difference(error=error.message)
    marks += tuple(Mark(node.version, node.digest) for node in away)
    return _difference(comparison, marks)


def _difference(comparison: Comparison, marks: tuple[Mark, ...]) -> Difference:
    changes = comparison.changes
    access = {change.ref for change in changes if _is_access(change)}
    plain = changes.to_plain()["changes"]
    return Difference(
        brings=tuple(_line(c, changes.desired) for c in changes if c.ref in access and _gives(c)),
        takes=tuple(_line(c, _both(changes)) for c in changes if c.ref in access and not _gives(c)),
        others=tuple(p for p in plain if Ref(Kind(p["kind"]), p["id"]) not in access),
        marks=marks,
        seen=hashlib.sha256(canonical_json(plain).encode()).hexdigest(),
    )


def _is_access(change: Change) -> bool:
    return isinstance(change.item, Key | Grant | Block) and isinstance(change, Create | Delete)


def _gives(change: Change) -> bool:
    """Whether somebody can call who could not before: a key or subscription comes, or a block goes."""
    return isinstance(change, Create) is not isinstance(change.item, Block)


def _both(changes: ChangeSet) -> Document:
    return Document({**changes.observed.items, **changes.desired.items})


def _line(change: Change, document: Document) -> Line:
    item = change.item
    grant = document.items.get(Ref(Kind.GRANT, item.grant)) if isinstance(item, Key | Block) else None
    return Line(str(item.kind), item.id, describe(item), describe(grant) if grant else "")


def release_gateway(gateway: Gateway, *, actor: Actor, seen: str, note: str = "") -> Deployment:
    """Push again to a held gateway, beginning with the difference that `seen` names; the push that does it.

    What its nodes hold counts as known from now on. Raises PermissionDenied, and ActionRefused when it is not
    held, cannot be looked at, or would be changed otherwise by now than was seen.
    """
    actor.require(Verb.GATEWAY_MANAGE)
    difference = difference_of(gateway)
    if difference.error:
        raise ActionRefused(
            _("The gateway cannot be looked at now: %(reason)s") % {"reason": difference.error},
            code="gateway_unreachable",
        )
    if difference.seen != seen:
        raise ActionRefused(
            _("The difference is another one by now. Look at it again, then confirm."),
            code="difference_changed",
        )
    return _release(gateway, difference, actor=actor, note=note)


@transaction.atomic
def _release(gateway: Gateway, difference: Difference, *, actor: Actor, note: str) -> Deployment:
    gateway = Gateway.objects.select_for_update().get(pk=gateway.pk)
    if gateway.held_since is None:
        raise ActionRefused(_("%(gateway)s is not held.") % {"gateway": gateway}, code="not_held")
    for mark in difference.marks:
        if mark.version:
            remember_handed_out(gateway.pk, mark)
    before = {"held_since": gateway.held_since.isoformat(), "reason": gateway.held_reason}
    gateway.held_since, gateway.held_reason = None, ""
    gateway.version = max(gateway.version, *(mark.version for mark in difference.marks), 0)
    gateway.save(update_fields=["held_since", "held_reason", "version"])
    deployment = ask_deployment(gateway, asked_by=actor.label, forced=True)
    after = {
        "brings_back": len(difference.brings),
        "takes_away": len(difference.takes),
        "others": len(difference.others),
    }
    record_event("gateway.released", gateway, actor=actor, before=before, after=after, note=note)
    return deployment
