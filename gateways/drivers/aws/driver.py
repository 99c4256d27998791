"""The driver of AWS API Gateway in one account and Region: REST, HTTP and WebSocket APIs.

Level-triggered like the engine: each push looks at what is desired and at what is known to be there, and does what is
missing, in this order: keys that have to stop, APIs, usage plans, keys, and then what takes long and hurts nobody.
Keys of REST APIs are API keys of AWS in usage plans; those of the other types, which have no such thing, are known to
the portal's own Lambda authorizer.
What has to wait for a limit of AWS waits by itself, and the rest goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import ClassVar

from aws.client.calls import Calls
from gateways.drivers.aws import keys, logs, plans, publishing
from gateways.drivers.aws.adapt import Able, adapt
from gateways.drivers.aws.authorizer import deploy
from gateways.drivers.aws.kinds import ApiType, parted
from gateways.drivers.aws.names import Names
from gateways.drivers.aws.proof import confirmed
from gateways.drivers.aws.realised import in_force
from gateways.drivers.aws.work import PLANS, STAGES, Work
from gateways.engine.changes import ChangeSet
from gateways.engine.document import Document, Kind, Ref, Route, ref
from gateways.engine.drift import Reading
from gateways.engine.driver import Adapted, Connection, Feature, Mark, Progress, Scope, Verdict
from gateways.engine.holdings import Holdings

MARK = "mark"
NODE = "aws"
UNREAD = (
    "Changes by hand in the account are not looked for. What a push changes is read back, and nothing after."
)


class AwsDriver:
    """AWS API Gateway. Options: `prefix`, by which things of this installation are named; `features`, those that the
    account is used for, with commas; `authorizer_role`, the ARN of the role of the authorizer where the portal makes
    none; `log_group`, where calls are logged, empty where they are not; `partition` of AWS."""

    kind: ClassVar[str] = "aws"
    label: ClassVar[str] = "AWS API Gateway"
    supports: ClassVar[frozenset[Feature]] = frozenset(
        {
            Feature.KEY_AUTH,
            Feature.RATE_LIMIT,
            Feature.QUOTA_BLOCK,
            Feature.PROBLEM_ANSWERS,
            Feature.CORS,
            Feature.SLOW_RATES,
            Feature.ENDLESS_STREAMS,
            Feature.USAGE_FEED,
        }
    )
    renders_whole: ClassVar[bool] = False

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._names = Names(connection.options.get("prefix", "gatehouse"), connection.gateway)
        self.clock: Callable[[], float] = time.time
        self._work: Work | None = None

    def adapt(self, desired: Document) -> Adapted:
        """Drop what API Gateway cannot be given; see the module `adapt`."""
        return adapt(desired, self.connection.listeners, Able.of(self.connection.options))

    def observe(self, scope: Scope) -> Document:
        """What was last put in force and read back: a look at the account itself is `inspect`."""
        document = self._holdings.document()
        if scope is None:
            return document
        return Document({name: item for name, item in document.items.items() if name in scope})

    def inspect(self, expected: Document) -> tuple[Reading, ...]:
        """Nothing is read, and that is said: what the portal remembers is no proof of what AWS does now."""
        return (Reading("", unread=UNREAD),)

    def apply(self, changes: ChangeSet, progress: Progress) -> None:
        """Do what is missing. Raises DriverError where AWS refuses something for good; what was done stays done."""
        work = self._new_work(changes.desired, progress)
        self._work = work
        try:
            for about, what, step in _parts(work):
                work.attempt(about, what, step)
        finally:
            self._note_in_force(work)
        work.keep(MARK, MARK, {"version": self.connection.version, "digest": changes.desired.digest()})

    def verify(self, changes: ChangeSet) -> Verdict:
        """Read back what `changes` touched."""
        work = self._work or self._new_work(changes.desired, lambda *_: None)
        return confirmed(work, changes, in_force(work))

    def marks(self) -> dict[str, Mark]:
        """What was pushed last, as the portal remembers it: AWS keeps no such thing."""
        known = self._holdings.resource(MARK, MARK) or {}
        return {NODE: Mark(int(known.get("version", 0)), str(known.get("digest", "")))}

    def snapshot(self, desired: Document) -> bytes:
        """There is no agent that would fetch a configuration."""
        return b""

    def keep_logs(self) -> None:
        """See that calls of what is published are logged, or no longer are. Raises AwsError for what has to wait."""
        work = self._new_work(Document(), lambda *_: None)
        if logs.is_due(work):
            logs.prepare(work)
        for name in work.holdings.resources(STAGES):
            if parted(name)[1] is ApiType.REST:
                logs.keep(work, name)
        work.forget_past()

    def _note_in_force(self, work: Work) -> None:
        """Observed from now on is what is really there; what is neither desired nor there any more is forgotten."""
        now = in_force(work)
        held = work.holdings.document()
        work.holdings.hold(item for name, item in now.items() if held.items.get(name) != item)
        work.holdings.let_go(name for name in held.items if name not in now)

    def _new_work(self, desired: Document, progress: Progress) -> Work:
        options = self.connection.options
        return Work(
            self._calls, self._holdings, self._names, desired, progress, self.clock,
            log_group=options.get("log_group", ""), partition=options.get("partition", "aws"), options=options,
        )  # fmt: skip

    @property
    def _holdings(self) -> Holdings:
        assert self.connection.holdings is not None  # noqa: S101 - made so by gateways.connections
        return self.connection.holdings

    @property
    def _calls(self) -> Calls:
        assert self.connection.calls is not None  # noqa: S101 - likewise
        return self.connection.calls


type _Part = tuple[Ref | None, str, Callable[[], None]]


def _parts(work: Work) -> Iterator[_Part]:
    """What is to do, in order. Each part is worked out when its turn comes, by what those before it have done."""
    if deploy.must_stop(work):
        yield None, "take keys from the authorizer", partial(deploy.bring_up, work)
    for name in keys.to_stop(work):
        yield Ref(Kind.KEY, name), f"switch off key {name}", partial(keys.stop, work, name)
    if guarded := deploy.missing_for(work):
        yield ref(guarded), "make the authorizer", partial(deploy.make, work)
    if logs.is_due(work) and any(not publishing.serves(work, one) for one in work.desired.of_kind(Route)):
        yield None, "prepare the log of calls", partial(logs.prepare, work)
    yield from _publications(work)
    for tier in list(plans.tiers(work.desired).values()):
        if not work.resource(PLANS, tier.name).get("stage") and work.resource(STAGES, tier.route).get(
            "stage"
        ):
            what = f"usage plan of {tier.route}"
            yield Ref(Kind.LIMIT, tier.limit), what, partial(plans.make, work, tier)
    if deploy.is_outdated(work):
        yield None, "bring keys to the authorizer", partial(deploy.bring_up, work)
    yield from _keys(work)
    yield from _removals(work)


def _publications(work: Work) -> Iterator[_Part]:
    for route in list(work.desired.of_kind(Route)):
        if not publishing.serves(work, route):
            yield ref(route), f"publish {route.label}", partial(publishing.publish, work, route)


def _keys(work: Work) -> Iterator[_Part]:
    for key in keys.to_move(work):
        yield ref(key), f"move key {key.id}", partial(keys.move, work, key)
    for batch in keys.batches(keys.to_take_in(work)):
        about = ref(batch[0]) if len(batch) == 1 else None
        yield about, f"take in {len(batch)} keys", partial(keys.take_in, work, batch)
    for name in keys.to_start(work):
        yield Ref(Kind.KEY, name), f"switch on key {name}", partial(keys.start, work, name)


def _removals(work: Work) -> Iterator[_Part]:
    """What nobody misses: it may take minutes."""
    tiers = plans.tiers(work.desired)
    for name in work.holdings.resources(PLANS):
        if name not in tiers:
            yield None, f"remove usage plan {name}", partial(plans.remove, work, name)
    for name in publishing.abandoned_stages(work):
        about = Ref(Kind.ROUTE, parted(name)[0])
        yield about, f"take away {name}", partial(publishing.unpublish, work, name)
    for name in publishing.abandoned_apis(work):
        yield None, f"delete the API of {name}", partial(publishing.remove_api, work, name)
    for route in list(work.desired.of_kind(Route)):
        for wanted in publishing.outdated(work, route):
            yield None, f"prune {route.label}", partial(publishing.prune, work, route, wanted)
    if deploy.is_idle(work):
        yield None, "remove the authorizer", partial(deploy.remove, work)
    for name in keys.to_delete(work):
        yield None, f"delete key {name}", partial(keys.delete, work, name)
