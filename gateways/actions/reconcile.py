"""One reconcile of one gateway: desired -> adapt -> observe -> diff -> guard -> apply -> verify -> proof.

Level-triggered: a run reads what is desired now, whatever rang. It holds a lease and no transaction, so it
may be killed at any step: the lease ends by time, the next run sees on the gateway what has been done, and
nothing is called done before it was read back.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog
from django.db.models import Case, DateTimeField, ExpressionWrapper, F, Q, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Coalesce, Now

from audit.sealing import SealBroken
from gateways.actions.deployments import Journal, abandon_running
from gateways.actions.hand_over import hand_over
from gateways.actions.lease import (
    Lease,
    LeaseLost,
    kept,
    release_lease,
    renew_lease,
    take_lease,
    take_version,
)
from gateways.actions.proofs import Finding, Proven, proofs_read, unproven, write_proofs
from gateways.actions.restored import WAITS, hold_if_unknown, remember_handed_out
from gateways.actions.ringing import ring
from gateways.comparison import Comparison, compare, weigh
from gateways.connections import counted_nodes, driver_for, setup_digest
from gateways.desired import desired_objects
from gateways.egress import refusal_of_target
from gateways.engine.changes import ChangeSet, Create, HeldBack, raise_if_unsafe
from gateways.engine.document import Document, Ref
from gateways.engine.driver import Driver, DriverError, Mark, Wait
from gateways.engine.failpoints import failpoint
from gateways.made import Memory
from gateways.models import Deployment, Gateway, GatewayNode
from gateways.queries.due import is_due
from gateways.queries.explained import explained_deletions
from gateways.queries.restored import ends_of_access

MOST_RUNS = 8
"""Runs in a row by one worker while events keep arriving; then the bell is rung again for the next."""
GATHER_S = 0.06
"""What is decided in one breath, like an approval and its first key, goes out in one run and not in two."""
MOST_REFUSALS = 20
SECOND_LOOK = timedelta(minutes=5)
"""A run that held something back is repeated after so long: an address may have become reachable."""
RENEW_EVERY_S = 1.0
LEAST_WAIT_S = 0.2
BACK_OFF_S = 4.0
MOST_BACK_OFF_S = 120.0
NEVER = Cast(Value(None), DateTimeField())
"""A NULL that PostgreSQL knows the type of, also where a CASE has no other."""

State = Deployment.State
Speaker = Deployment.Speaker
log = structlog.get_logger(__name__)
_made = Memory()


def reconcile(gateway: Gateway, *, whether_due: bool = False) -> Deployment | None:
    """Make `gateway` serve what is desired, and prove it; again while events arrive meanwhile.

    Returns the last Deployment that it recorded: none where nothing was to do and nobody asked, and none
    while another run holds the lease. `whether_due` does nothing unless somebody rang.
    """
    if whether_due:
        time.sleep(GATHER_S)
    recorded: Deployment | None = None
    for attempt in range(MOST_RUNS):
        if (whether_due or attempt) and not is_due(gateway.pk):
            break
        failpoint("push.before-lease")
        lease = take_lease(gateway.pk)
        if lease is None:
            break
        try:
            with kept(lease):
                recorded = _Run(lease).carry_out() or recorded
        except LeaseLost:
            # Lost to another run, which then holds it; or only the number was, to an agent that fetched.
            log.warning("lease_lost", gateway=gateway.slug)
        finally:
            release_lease(lease)
    else:
        ring([gateway.pk])
    return recorded


@dataclass(slots=True)
class _Result:
    """How a run stands. `comparison` is the last one, `changes` the part of it that goes out, `confirmed` what
    reading back has confirmed; `refusal` and `guarded` say why the rest does not."""

    comparison: Comparison
    changes: ChangeSet = field(default_factory=ChangeSet)
    confirmed: frozenset[Ref] = frozenset()
    unconfirmed: Mapping[Ref, str] = field(default_factory=dict)
    refusal: str = ""
    guarded: str = ""
    wait: Wait | None = None
    refused: Mapping[Ref, str] = field(default_factory=dict)


class _Run:
    """One run under one lease."""

    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        self.gateway = Gateway.objects.get(pk=lease.gateway_id)
        self.journal = Journal(lease.gateway_id)
        self.rung_at: datetime | None = self.gateway.rung_at
        self.version = self.gateway.version + 1
        self.version_taken = False
        self.nodes: list[GatewayNode] = []
        self.away: list[GatewayNode] = []
        self.held = ""
        self.setup = ""
        self.renewed_at = 0.0

    def carry_out(self) -> Deployment | None:
        """The whole run; the Deployment it recorded, if any. Raises LeaseLost."""
        abandon_running(self.gateway.pk)
        self.journal.adopt()
        try:
            return self._conclude(self._run())
        except DriverError as error:
            speaker = Speaker.GATEWAY if error.permanent else Speaker.PORTAL
            return self._fail(error.message, permanent=error.permanent, speaker=speaker)
        except SealBroken as error:
            return self._fail(str(error), permanent=True)
        except LeaseLost:
            raise
        except Exception:
            # Whatever it is, it is counted and waits longer each time; the task's log has the traceback.
            self._fail("An error inside the portal stopped this push; its log says more.", permanent=False)
            raise

    # ---- the steps ----

    def _run(self) -> _Result:
        self._step("snapshot", "")
        proven = proofs_read(self.lease, anew=self.journal.deployment is not None)
        desired = desired_objects(self.gateway, with_values=True, made=_made.next(self.gateway.pk))
        failpoint("push.after-snapshot")
        self._step("compare", f"{len(desired)} objects")
        driver = self._driver()
        roots = _still_refused(desired, proven, asked=self.journal.deployment is not None)
        comparison = compare(driver, desired, roots, check_target=refusal_of_target)
        driver = self._numbered(driver)
        failpoint("push.after-observe")
        result = self._push(driver, _Result(comparison, refused=roots))
        self._verify(driver, result, proven)
        return result

    def _driver(self) -> Driver:
        nodes, self.away = counted_nodes(self.gateway)
        self.setup = setup_digest(self.gateway, len(nodes))
        self.nodes = nodes
        return driver_for(self.gateway, version=self.version, nodes=nodes, remembers=True)

    def _numbered(self, driver: Driver) -> Driver:
        """The driver, with a number above all that its nodes hold; notes when they hold more than we know.

        A portal restored from a backup must not fall behind the numbers that its nodes have seen.
        """
        marks = list(driver.marks().values())
        self.held = hold_if_unknown(self.gateway, marks)
        seen = max((mark.version for mark in marks), default=0)
        if seen < self.version:
            return driver
        self.version = seen + 1
        return driver_for(self.gateway, version=self.version, nodes=self.nodes, remembers=True)

    def _push(self, driver: Driver, result: _Result) -> _Result:
        """Apply what may be applied. What the gateway refuses by name is held back, and the rest tried again."""
        for _attempt in range(MOST_REFUSALS):
            result.changes = self._guarded(driver, result)
            try:
                if not (self.held and result.changes.is_empty):
                    self._apply(driver, result)
                return result
            except DriverError as error:
                if not error.permanent:
                    raise
                offenders = _new_offenders(error, result)
                if not offenders:
                    return self._push_removals(driver, result, error)
                result.refused = {**result.refused, **offenders}
                self._step("hold back", error.message)
                result.comparison = self._without(driver, result)
        return result

    def _apply(self, driver: Driver, result: _Result) -> None:
        """Have the gateway take `result.changes` under a number of their own.

        Nothing is done without changes, unless the gateway itself was set up anew since the last push.
        """
        anew = driver.renders_whole and self.setup != self.gateway.pushed_setup
        if result.changes.is_empty and not anew:
            return
        if not self.version_taken:
            take_version(self.lease, self.version)
            self.version_taken = True
            failpoint("push.version-taken")
        comparison = result.comparison
        self.journal.record(result.changes, comparison.held, comparison.adapted.notes, self.version)
        remember_handed_out(self.gateway.pk, Mark(self.version, result.changes.desired.digest()))
        failpoint("push.before-apply")
        driver.apply(result.changes, self._step)
        failpoint("push.after-apply")
        Gateway.objects.filter(pk=self.gateway.pk, lease_owner=self.lease.owner).update(
            pushed_version=self.version,
            pushed_digest=result.changes.desired.digest(),
            pushed_setup=self.setup,
        )

    def _guarded(self, driver: Driver, result: _Result) -> ChangeSet:
        """The changes that may go out: all, or the removals of access alone where a person has to look first."""
        if self.held:
            return self._withheld(driver, result)
        changes = result.comparison.changes
        if changes.is_empty or (self.journal.deployment and self.journal.deployment.forced):
            return changes
        self._step("guard", _in_words(changes))
        try:
            raise_if_unsafe(changes, explained_deletions(self.gateway, changes))
        except HeldBack as held:
            result.guarded = held.message
            return held.changes.only_removals()
        return changes

    def _withheld(self, driver: Driver, result: _Result) -> ChangeSet:
        """Of a held gateway: the ends of access that this database knows of. The rest is said to wait."""
        comparison = result.comparison
        removals = comparison.changes.only_removals(
            ends_of_access(comparison.changes, whole=driver.renders_whole)
        )
        waiting = comparison.changes.refs() & comparison.desired.items.keys()
        result.comparison = replace(comparison, held={**comparison.held, **dict.fromkeys(waiting, WAITS)})
        result.guarded = self.held
        return removals

    def _without(self, driver: Driver, result: _Result) -> Comparison:
        before = result.comparison
        return weigh(before.desired, before.adapted, driver.observe(None), {**before.roots, **result.refused})

    def _push_removals(self, driver: Driver, result: _Result, error: DriverError) -> _Result:
        """Refused as a whole, and the gateway names nobody: at least no revoked key may stay because of it."""
        result.refusal = error.message
        removals = result.changes.only_removals()
        tried, result.changes = len(result.changes), ChangeSet()
        if 0 < len(removals) < tried:
            self._step("push removals", error.message)
            result.changes = removals
            self._apply(driver, result)
        return result

    def _verify(self, driver: Driver, result: _Result, proven: Mapping[Ref, Proven]) -> None:
        """Read back what changed, and what is there already without a proof. Keeps what is confirmed."""
        comparison = result.comparison
        missing = unproven(comparison.desired, proven, comparison.held)
        kept = _unchanged(comparison, missing)
        to_verify = replace(
            result.changes, changes=(*result.changes, *kept), desired=comparison.changes.desired
        )
        if not to_verify.is_empty:
            self._step("verify", f"{len(to_verify)} objects")
            failpoint("push.before-verify")
            verdict = driver.verify(to_verify)
            failpoint("push.after-verify")
            result.confirmed, result.unconfirmed = verdict.confirmed, verdict.unconfirmed
            result.wait = verdict.wait
        renew_lease(self.lease)
        if not self.away:
            finding = _finding(result, proven)
            write_proofs(self.lease, finding)
            hand_over(self.gateway, finding)

    # ---- how it ends ----

    def _conclude(self, result: _Result) -> Deployment | None:
        message = self._message(result)
        if result.refusal:
            partly = not result.changes.is_empty
            return self._fail(message, permanent=True, partly=partly, speaker=Speaker.GATEWAY)
        if result.wait:
            return self._wait(result.wait)
        if result.unconfirmed or self.away:
            return self._fail(message, permanent=False, partly=True)
        held = bool(result.comparison.held or result.guarded)
        failpoint("push.before-settle")
        self._settle(result, second_look=held)
        if result.guarded and self.journal.deployment is None and not self.journal.said_last(message):
            comparison = result.comparison
            self.journal.record(comparison.changes, comparison.held, comparison.adapted.notes, 0)
        failpoint("push.before-finish")
        state = State.PARTIAL if held else State.SUCCEEDED
        return self.journal.finish(state, message=message, speaker=_speaker(result))

    def _wait(self, wait: Wait) -> Deployment | None:
        """Part of it is done and proven; the rest goes on by itself when the vendor lets it."""
        renew_lease(self.lease)
        Gateway.objects.filter(pk=self.gateway.pk).update(
            failures=0,
            behind_since=Coalesce(F("behind_since"), Now()),
            retry_at=_in(timedelta(seconds=max(LEAST_WAIT_S, wait.seconds))),
        )
        ring([self.gateway.pk], in_s=max(LEAST_WAIT_S, wait.seconds))
        return self.journal.wait(wait)

    def _message(self, result: _Result) -> str:
        """The words of whoever did not agree, first of all the gateway's."""
        lines = [result.refusal, result.guarded, *dict.fromkeys(result.unconfirmed.values())]
        if self.away:
            names = ", ".join(node.name for node in self.away)
            lines.append(f"Silent, so nothing is proven there: {names}.")
        lines += dict.fromkeys(result.comparison.roots.values())
        return "\n".join(line for line in lines if line)[:4_000]

    def _settle(self, result: _Result, *, second_look: bool) -> None:
        """The gateway is not behind any more, unless somebody rang during the run, or has to look first."""
        unmoved = Q(rung_at=self.rung_at) if self.rung_at else Q(rung_at=None)
        served = result.comparison.changes.desired.digest()
        Gateway.objects.filter(pk=self.gateway.pk, lease_owner=self.lease.owner).update(
            behind_since=Coalesce(F("behind_since"), Now())
            if result.guarded
            else Case(When(unmoved, then=NEVER), default=F("behind_since")),
            retry_at=Case(When(unmoved, then=_in(SECOND_LOOK) if second_look else NEVER), default=NEVER),
            failures=0,
            compared_at=Now(),
            pushed_digest=F("pushed_digest") if result.guarded else Value(served),
        )

    def _fail(
        self, message: str, *, permanent: bool, partly: bool = False, speaker: Speaker = Speaker.PORTAL
    ) -> Deployment | None:
        """Count the failure, say when the next attempt is, and keep the gateway's own words."""
        attempt = self.gateway.failures + 1
        wait = min(MOST_BACK_OFF_S, BACK_OFF_S * 2 ** (attempt - 1)) * random.uniform(0.75, 1.25)  # noqa: S311
        renew_lease(self.lease)
        Gateway.objects.filter(pk=self.gateway.pk).update(
            failures=attempt,
            behind_since=Coalesce(F("behind_since"), Now()),
            retry_at=_in(timedelta(seconds=wait)),
        )
        log.warning("reconcile_failed", gateway=self.gateway.slug, permanent=permanent, attempt=attempt)
        state = State.PARTIAL if partly else State.REFUSED if permanent else State.FAILED
        if self.journal.deployment is None or state == State.FAILED:
            return self.journal.fail_before_changes(message, attempt, speaker)
        return self.journal.finish(state, message=message, speaker=speaker, attempt=attempt)

    def _step(self, name: str, detail: str) -> None:
        """Progress of the driver, too: every step holds the lease anew. Raises LeaseLost."""
        begun = self.journal.begin(name, detail)
        if begun or time.monotonic() - self.renewed_at > RENEW_EVERY_S:
            self.renewed_at = time.monotonic()
            renew_lease(self.lease)


def _speaker(result: _Result) -> Speaker:
    """Whose words the message of a run that came to its end opens with."""
    if result.guarded:
        return Speaker.GUARD
    return Speaker.GATEWAY if result.refused else Speaker.PORTAL


def _in_words(changes: ChangeSet) -> str:
    """How many changes of each sort, those that there are: "2 to add, 1 to remove"."""
    words = {"create": "to add", "update": "to change", "delete": "to remove"}
    return ", ".join(f"{count} {words[verb]}" for verb, count in changes.counts().items() if count)


def _still_refused(desired: Document, proven: Mapping[Ref, Proven], *, asked: bool) -> dict[Ref, str]:
    """What the gateway refused before and is desired in the same form still; a person's question tries it again."""
    if asked:
        return {}
    refused = {name: proof for name, proof in proven.items() if proof.held_back_digest}
    digests = Document({name: desired.items[name] for name in refused if name in desired.items}).digests()
    return {
        name: refused[name].held_back_reason
        for name, found in digests.items()
        if found == refused[name].held_back_digest
    }


def _new_offenders(error: DriverError, result: _Result) -> dict[Ref, str]:
    """The desired objects that the gateway blames and that were not held back yet."""
    pushed = result.comparison.changes.desired.items
    return {name: error.message for name in error.offenders if name in pushed and name not in result.refused}


def _unchanged(comparison: Comparison, missing: set[Ref]) -> list[Create]:
    """Objects that the gateway holds as desired and that lack their proof, in the form of changes to verify."""
    changed = comparison.changes.refs()
    wanted = comparison.changes.desired.items
    return [Create(wanted[name]) for name in sorted(missing) if name in wanted and name not in changed]


def _finding(result: _Result, proven: Mapping[Ref, Proven]) -> Finding:
    """What the run proves: what was confirmed, and what neither stands on the gateway nor is desired."""
    comparison = result.comparison
    desired = comparison.desired
    confirmed = {name for name in result.confirmed if name in desired.items and name not in comparison.held}
    deleted = {name for name in result.confirmed if name not in desired.items}
    absent = {
        name
        for name in proven.keys() - desired.items.keys()
        if proven[name].digest and name not in comparison.observed.items
    }
    return Finding(desired, confirmed, deleted | absent, comparison.held, set(result.refused))


def _in(time: timedelta) -> Combinable:
    """A moment ahead, by the database's clock."""
    return ExpressionWrapper(Now() + Value(time), output_field=DateTimeField())
