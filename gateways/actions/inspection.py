"""Drift: looking at what gateways really do, writing down what nobody decided, and what then happens.

Every minute each gateway at rest is read: every node's own configuration is held against the desired snapshot.
A gateway is at rest while nothing is pushed to it and nothing is due; it is read without the lease, and what was
read counts only if no push has begun meanwhile, which is seen under the lock of the gateway's row. So a push is
never taken for drift, and never waits for a look.

What becomes of a finding is the same every time:

* *Access is put right at once.* What opens something that nobody approved (a key or subscription of unknown
  origin, a subscription with a route too many, a way past the check of keys) is taken away, and what is missing or
  can't be read is put back, by a push in the same minute. Such a finding can be asked to be overwritten and
  can't be ignored: the removal of access that nobody approved is never held back.
* *Everything else waits for a person*, who overwrites, adopts or ignores it; with the gateway's policy
  "overwrite" it is pushed over at once as well. The look itself changes nothing.
* *A push makes the whole gateway as it was decided.* For a gateway of files nothing else is possible. So any
  push, also one for another reason, ends every finding of that gateway; it then ends as overwritten, with the
  push named, and its difference stays in the record.
* *Nothing is hidden.* A finding stands until a later look does not see it any more. While it stands, open or
  ignored, what it is about is shown as drifted and never as live (`gateways.enforcement`).

The same drift again is the same row. One that is ignored stays so until something else is there; then it is open
again. A node that does not answer, or that has another configuration than was pushed last, is said to be
unread, and its findings stay as they are. What the last push has held back is not looked at: it is not as
desired, and known not to be. An edit that a push overwrites before anybody has looked leaves no finding.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db import transaction
from django.db.models import DateTimeField, ExpressionWrapper, F, Q, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from audit.actions import record_event
from audit.models import AuditEvent
from gateways.actions.deployments import ask_deployment
from gateways.actions.proofs import proven_objects, unproven
from gateways.actions.ringing import mark_behind, ring
from gateways.connections import counted_nodes, driver_for, setup_digest
from gateways.desired import desired_objects
from gateways.drivers import driver_class
from gateways.engine.document import Document, HealthCheck, Key, Ref, Upstream, to_plain
from gateways.engine.drift import Found, Reading, Sort, differences, name_of, shown
from gateways.engine.driver import Driver, DriverError
from gateways.models import DriftFinding, Gateway, GatewayNode
from gateways.queries.due import lease_is_free
from subscriptions.models import Credential
from teams.actions import notify
from teams.models import SYSTEM, PlatformRole, User

LOOK_EVERY = timedelta(seconds=60)
LOOK_SOON = timedelta(seconds=10)
"""When a gateway that was not at rest is tried again."""
MOST_LOOKS = 3
"""Looks in a row at a gateway to which somebody pushes in the midst of them."""
_REASON_CHARS = 400

State = DriftFinding.State
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Moment:
    """What a push changes first. Two equal ones, with no lease held: no push has begun in between."""

    version: int
    pushed_version: int
    pushed_digest: str
    rung_at: datetime | None


@dataclass(frozen=True, slots=True)
class _Expected:
    """What each node should do, and what of it can't be said now because it was held back."""

    document: Document
    ignore: Collection[Ref]
    driver: Driver
    away: tuple[Reading, ...]


def sweep_drift() -> list[int]:
    """Read every gateway whose turn it is; the primary keys of those that were read."""
    return [gateway.pk for gateway in _due() if _take_turn(gateway) and _was_read(gateway)]


def _was_read(gateway: Gateway) -> bool:
    """One gateway that can't be looked at stops none of the others."""
    try:
        return inspect_gateway(gateway) is not None
    except Exception:
        log.exception("look_failed", gateway=gateway.slug)
        why = _("An error inside the portal stopped the look; its log says more.")
        Gateway.objects.filter(pk=gateway.pk).update(unread=[{"node": "", "why": why}])
        return False


def inspect_after_push(gateway: Gateway) -> list[DriftFinding] | None:
    """Look again at once where a push has gone over findings that stand, so that they end now."""
    standing = DriftFinding.objects.standing().filter(gateway=gateway)
    overtaken = standing.filter(seen_version__lt=F("gateway__pushed_version")).exists()
    return inspect_gateway(gateway) if overtaken else None


def inspect_gateway(gateway: Gateway) -> list[DriftFinding] | None:
    """Read `gateway` and write down what is not as decided: the findings that stand now.

    None where it was not at rest; nothing is written down then.
    """
    for _attempt in range(MOST_LOOKS):
        gateway = Gateway.objects.get(pk=gateway.pk)
        moment = _at_rest(gateway)
        expected = _expected(gateway) if moment else None
        if moment is None or expected is None:
            break
        readings = [*_read(expected), *expected.away]
        if _record(gateway, moment, expected, readings):
            return list(DriftFinding.objects.standing().filter(gateway=gateway))
    _try_soon(gateway)
    return None


# ---- whose turn it is ----


def _due() -> list[Gateway]:
    turn = Q(inspect_at=None) | Q(inspect_at__lte=Now())
    return list(Gateway.objects.active().filter(turn, pushed_version__gt=0).order_by("inspect_at", "pk"))


def _take_turn(gateway: Gateway) -> bool:
    """Of several workers one reads a gateway."""
    turn = Gateway.objects.filter(pk=gateway.pk, inspect_at=gateway.inspect_at)
    return bool(turn.update(inspect_at=_ahead(LOOK_EVERY)))


def _try_soon(gateway: Gateway) -> None:
    """A gateway that takes no push is not read, and that is said: nobody knows what it does."""
    changes: dict[str, Any] = {"inspect_at": _ahead(LOOK_SOON)}
    if gateway.failures:
        changes["unread"] = [{"node": "", "why": _("It did not take the last push.")}]
    Gateway.objects.filter(pk=gateway.pk).update(**changes)


def _at_rest(gateway: Gateway) -> _Moment | None:
    free = Gateway.objects.active().filter(lease_is_free(), pk=gateway.pk, behind_since=None, failures=0)
    if not gateway.pushed_version or not free.exists():
        return None
    return _moment(gateway)


def _moment(gateway: Gateway) -> _Moment:
    return _Moment(gateway.version, gateway.pushed_version, gateway.pushed_digest, gateway.rung_at)


def _ahead(time: timedelta) -> Combinable:
    return ExpressionWrapper(Now() + Value(time), output_field=DateTimeField())


# ---- what is there, and what should be ----


def _expected(gateway: Gateway) -> _Expected | None:
    """What the gateway should do; None where a push is due that nobody has rung for yet, and rings for it."""
    proven = proven_objects(gateway.pk)
    held = {name: proof.held_back_reason for name, proof in proven.items() if proof.held_back_reason}
    desired = desired_objects(gateway)
    nodes, away = counted_nodes(gateway)
    reached = _as_pushed(gateway, nodes, away)
    if reached is None or unproven(desired, proven, held):
        ring(mark_behind([gateway.pk]))
        return None
    driver = driver_for(gateway, nodes=reached)
    document = driver.adapt(desired).document
    silent = tuple(Reading(node.name, unread=_("It is silent.")) for node in away if node not in reached)
    return _Expected(document, {*held, *(desired.items.keys() - document.items.keys())}, driver, silent)


def _as_pushed(
    gateway: Gateway, nodes: list[GatewayNode], away: list[GatewayNode]
) -> list[GatewayNode] | None:
    """The nodes among which the last push has divided rates: with those that are silent now, or without."""
    if not driver_class(gateway.kind).renders_whole:
        return nodes
    choices = (nodes, [*nodes, *away])
    return next((c for c in choices if setup_digest(gateway, len(c)) == gateway.pushed_setup), None)


def _read(expected: _Expected) -> list[Reading]:
    try:
        return list(expected.driver.inspect(expected.document))
    except DriverError as error:
        return [Reading("", unread=error.message)]


# ---- writing it down ----


def _record(gateway: Gateway, moment: _Moment, expected: _Expected, readings: Iterable[Reading]) -> bool:
    """Keep what was found, unless a push has begun since `moment`."""
    with transaction.atomic():
        gateway = Gateway.objects.select_for_update().get(pk=gateway.pk)
        if _at_rest(gateway) != moment:
            return False
        readings = [_checked(reading, gateway) for reading in readings]
        fresh = [finding for reading in readings for finding in _keep_reading(gateway, expected, reading)]
        _end_those_of_nodes_that_left(gateway, {reading.node for reading in readings})
        _note_look(gateway, readings)
        events = [_tell_trail("drift.found", finding) for finding in fresh]
        _tell_administrators(gateway, fresh)
        _put_right(gateway, {reading.node for reading in readings if not reading.unread}, events)
    return True


def _checked(reading: Reading, gateway: Gateway) -> Reading:
    """A node that was given something else than was pushed last is behind, which is no drift."""
    if reading.unread or reading.holds in (None, gateway.pushed_digest):
        return reading
    why = _("It has another configuration than was pushed last.")
    return Reading(reading.node, unread=why)


def _keep_reading(gateway: Gateway, expected: _Expected, reading: Reading) -> list[DriftFinding]:
    """Bring the findings of one node up to date; those that are new, or open again."""
    if reading.unread:
        return []
    standing = {
        (row.kind, row.object_id): row
        for row in DriftFinding.objects.standing().filter(gateway=gateway, node=reading.node)
    }
    found = differences(expected.document, reading, ignore=expected.ignore)
    known = _credentials(found)
    fresh = []
    for one in found:
        kind, name, label = _named(one, known)
        row = standing.pop((kind, name), None)
        row = row or DriftFinding(gateway=gateway, node=reading.node, kind=kind, object_id=name)
        row.label = label
        if _keep(row, one, gateway):
            fresh.append(row)
    for row in standing.values():
        _end(row, gateway)
    return fresh


def _keep(row: DriftFinding, found: Found, gateway: Gateway) -> bool:
    """Write one finding; whether it is new, or open again because something else is there by now."""
    digest = salted_hmac("gateways.drift", f"{found.sort} {found.digest}", algorithm="sha256").hexdigest()
    is_new, now = row._state.adding, timezone.now()
    opens_again = row.state == State.IGNORED and (row.digest != digest or found.urgent)
    row.first_seen = now if is_new else row.first_seen
    if opens_again:
        row.move_to(State.OPEN)
        row.reason, row.decided_by = "", ""
    row.last_seen, row.seen_version = now, gateway.pushed_version
    row.sort, row.digest, row.urgent = found.sort, digest, found.urgent
    row.doubts = sorted(str(kind) for kind in found.doubts)
    row.difference = {"fields": [list(part) for part in found.fields], **_adoptable(found)}
    row.save()
    return is_new or opens_again


def _adoptable(found: Found) -> dict[str, Any]:
    """What a binding of an upstream can say is kept, so that a person can adopt it; nothing else ever is."""
    seen = found.seen
    if found.sort is not Sort.CHANGED or not isinstance(seen, Upstream):
        return {}
    if seen.health not in (None, HealthCheck(seen.health.path if seen.health else "")):
        return {}  # a binding has no times and thresholds of checks
    if any(shown(target.url) != target.url for target in seen.targets):
        return {}  # too long, or something in it could be a secret
    plain = to_plain(seen)
    return {"seen": {name: plain[name] for name in ("targets", "timeout_ms", "connect_timeout_ms", "health")}}


def _credentials(found: Iterable[Found]) -> Mapping[str, Credential]:
    """The portal's own keys among the unknown ones, by digest: a revoked key that is there again has a name."""
    digests = [one.seen.value_digest for one in found if isinstance(one.seen, Key) and one.sort is Sort.GHOST]
    return {row.value_digest: row for row in Credential.objects.filter(value_digest__in=digests)}


def _named(found: Found, known: Mapping[str, Credential]) -> tuple[str, str, str]:
    """Kind, id and label of a finding. A key of unknown origin is named by a keyed digest: it may be a weak one."""
    if found.sort is not Sort.GHOST or not isinstance(found.seen, Key):
        return found.kind, name_of(found.id), shown(found.label) or name_of(found.id)
    credential = known.get(found.seen.value_digest)
    if credential is not None:
        label = _("key %(key)s, which is %(state)s")
        return (
            found.kind,
            credential.public_id,
            label % {"key": credential.key_id, "state": credential.get_state_display().lower()},
        )
    name = salted_hmac("gateways.drift.key", found.seen.value_digest, algorithm="sha256").hexdigest()[:20]
    head = shown(found.seen.key_id)
    label = _("key %(key)s") % {"key": head} if head else _("a key that was not made here")
    return found.kind, f"key-{name}", label


def _end(row: DriftFinding, gateway: Gateway) -> None:
    """It is not there any more: a later push has gone over it, or somebody put it right by hand."""
    overwritten = gateway.pushed_version > row.seen_version
    row.move_to(State.OVERWRITTEN if overwritten else State.GONE)
    pushed = _("push %(n)s") % {"n": gateway.pushed_version}
    row.decided_by = (row.decided_by or pushed) if overwritten else ""
    row.decided_at = timezone.now()
    row.save()
    after = {"push": gateway.pushed_version} if overwritten else {}
    record_event(f"drift.{row.state}", row, actor=SYSTEM, after={**_summary(row), **after})


def _end_those_of_nodes_that_left(gateway: Gateway, nodes: set[str]) -> None:
    for row in DriftFinding.objects.standing().filter(gateway=gateway).exclude(node__in=nodes):
        left = GatewayNode.objects.filter(gateway=gateway, name=row.node, retired_at=None)
        if row.node and not left.exists():
            _end(row, gateway)


def _note_look(gateway: Gateway, readings: Iterable[Reading]) -> None:
    unread = [
        {"node": reading.node, "why": shown(reading.unread)[:_REASON_CHARS]}
        for reading in readings
        if reading.unread
    ]
    changes: dict[str, Any] = {"unread": unread}
    if not unread:
        changes["inspected_at"] = Now()
    Gateway.objects.filter(pk=gateway.pk).update(**changes)


# ---- what then happens ----


def _put_right(gateway: Gateway, nodes: set[str], events: list[AuditEvent]) -> None:
    """Push where access is at stake or the gateway's policy says so. The caller holds the gateway's row.

    Only what was seen just now counts, on `nodes`: of a node that was not read nobody knows what it does.
    """
    waiting = DriftFinding.objects.open().filter(gateway=gateway, node__in=nodes)
    if gateway.drift_policy == Gateway.DriftPolicy.REPORT:
        waiting = waiting.filter(urgent=True)
    if waiting.exists():
        push_over(gateway)
        ask_deployment(gateway, cause=events[0] if events else None, asked_by=_("Look for drift"))
        transaction.on_commit(lambda: ring([gateway.pk]))


def push_over(gateway: Gateway) -> None:
    """Have the next run push even if the agent remembers that all is there: as to a gateway set up anew."""
    Gateway.objects.filter(pk=gateway.pk).update(pushed_setup="")
    mark_behind([gateway.pk])


def _tell_trail(name: str, finding: DriftFinding) -> AuditEvent:
    return record_event(name, finding, actor=SYSTEM, after=_summary(finding))


def _summary(finding: DriftFinding) -> dict[str, Any]:
    return {
        "gateway": finding.gateway.slug,
        "node": finding.node,
        "kind": finding.kind,
        "object": finding.object_id,
        "sort": finding.sort,
        "urgent": finding.urgent,
        "difference": finding.difference.get("fields", []),
    }


def _tell_administrators(gateway: Gateway, fresh: list[DriftFinding]) -> None:
    """Each finding is told about once; those of one look together."""
    if not fresh:
        return
    title = ngettext(
        "%(gateway)s is not as it should be: %(what)s",
        "%(gateway)s is not as it should be: %(n)s findings",
        len(fresh),
    ) % {"gateway": gateway, "n": len(fresh), "what": fresh[0].label}
    lines = [f"{finding.get_sort_display()}: {finding.label}" for finding in fresh[:20]]
    people = User.objects.filter(platform_roles__contains=[PlatformRole.ADMINISTRATOR], is_active=True)
    path = f"{reverse('drift')}?gateway={gateway.slug}"
    notify(people, name="drift.found", title=title, body="\n".join(lines), path=path)
    log.warning("drift_found", gateway=gateway.slug, findings=len(fresh), urgent=any(f.urgent for f in fresh))
