"""What of a document a gateway can be given: everything else is dropped here, with a note that says why.

The rule is to fail closed: a subscription whose limit cannot be enforced is dropped, it does not become
unlimited; a path that does not fit is dropped, it does not become another path.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Protocol

from gateways.drivers.agents.names import (
    BASE_PATH,
    CHECK_PATH,
    HOST,
    IDENTIFIER,
    KEY_VALUE,
    ORIGIN,
    address,
)
from gateways.engine.document import (
    Block,
    Consumer,
    Document,
    Grant,
    Item,
    Key,
    Kind,
    Limit,
    Ref,
    Route,
    Target,
    Upstream,
    ref,
    references,
    value_digest,
)
from gateways.engine.driver import Adapted, DriverError, Listener

_UINT32 = 4_294_967_295
_LONGEST_MS = 3_600_000


class Dropped(Exception):
    """An object that the gateway cannot be given; the text is the note."""


@dataclass(slots=True)
class Adaption:
    """What has been taken so far, and the notes. `paths` and `values` find what is there twice."""

    environments: frozenset[str]
    nodes: int
    is_ai_runtime: bool = False
    kept: dict[Ref, Item] = field(default_factory=dict)
    notes: dict[Ref, str] = field(default_factory=dict)
    paths: dict[tuple[str, str, str], str] = field(default_factory=dict)
    values: set[str] = field(default_factory=set)

    def has[T: Item](self, item_type: type[T], item_id: str) -> bool:
        """Whether an object that another one refers to has been taken."""
        return Ref(item_type.kind, item_id) in self.kept

    def note(self, item: Item, text: str) -> None:
        """Say something about `item`; several notes stand beside each other."""
        self.notes[ref(item)] = " ".join(filter(None, (self.notes.get(ref(item)), text)))


class Refine(Protocol):
    """What a kind of gateway asks beyond the common rules, over one document."""

    def __call__(self, item: Item, adaption: Adaption) -> Item:
        """The object as that gateway takes it; may note something about it, or raise Dropped."""

    def forget(self, item: Item) -> None:
        """Let go of what was noticed about an object that was taken, and is not there any more."""


class NoMore:
    """The rules of a gateway that asks no more than the common ones."""

    def __call__(self, item: Item, adaption: Adaption) -> Item:
        """`item` itself."""
        return item

    def forget(self, item: Item) -> None:
        """Nothing was noticed."""


def adapt(
    desired: Document,
    listeners: Sequence[Listener],
    nodes: int,
    refine: Refine | None = None,
    *,
    is_ai_runtime: bool = False,
) -> Adapted:
    """The part of `desired` that a gateway can serve on `listeners`, as it will be read back."""
    return Adapting.anew(desired, listeners, nodes, refine or NoMore(), is_ai_runtime=is_ai_runtime).result()


_LEAVES = frozenset({Kind.GRANT, Kind.KEY, Kind.BLOCK})
"""Kinds that come and go all the time, and on which no other kind than these depends."""


@dataclass(slots=True)
class Adapting:
    """What was made of one document, from which what is made of the next is worked out by what has changed."""

    desired: Document
    adaption: Adaption
    refine: Refine
    other: set[Ref] = field(default_factory=set)
    """What the gateway is not given as it is desired."""

    @classmethod
    def anew(
        cls,
        desired: Document,
        listeners: Sequence[Listener],
        nodes: int,
        refine: Refine,
        *,
        is_ai_runtime: bool = False,
    ) -> Adapting:
        """Look at every object."""
        _check_listeners(listeners)
        environments = frozenset(listener.environment for listener in listeners)
        found = cls(desired, Adaption(environments, nodes, is_ai_runtime), refine)
        for name, item in desired.items.items():
            found._take(name, item)
        return found

    def result(self) -> Adapted:
        """In the order of the document. What happens later does not change it."""
        if not self.other:
            return Adapted(self.desired, dict(self.adaption.notes))
        kept = self.adaption.kept
        document = Document({name: kept[name] for name in self.desired.items if name in kept})
        return Adapted(document, dict(self.adaption.notes))

    def follow(self, desired: Document) -> bool:
        """Go on to `desired`, looking at the objects alone that are new or not the same.

        False, with nothing done, where that might not come to the same as to look at all: something changes on which
        others depend, or an object was or is dropped whose place another one may take.
        """
        new = desired.new_to(self.desired)
        gone = self.desired.items.keys() - desired.items.keys()
        touched = {*new, *gone}
        if not all(name.kind in _LEAVES for name in touched) or any(
            name.kind in _LEAVES for name in self.adaption.notes
        ):
            return False
        if any(name.kind is Kind.GRANT for name in gone) and self._orphans(desired, gone):
            return False
        self._go_on(desired, new, touched)
        return not any(name.kind in _LEAVES for name in self.adaption.notes)

    def _orphans(self, desired: Document, gone: Collection[Ref]) -> bool:
        """Whether something stays whose grant goes."""
        grants = {name.id for name in gone if name.kind is Kind.GRANT}
        stays: list[Key | Block] = [*desired.of_kind(Key), *desired.of_kind(Block)]
        return any(item.grant in grants for item in stays)

    def _go_on(self, desired: Document, new: Iterable[Ref], touched: Set[Ref]) -> None:
        self.other -= touched
        for name in touched:
            item = self.adaption.kept.pop(name, None)
            if item is not None:
                self.refine.forget(item)
            if isinstance(item, Key):
                self.adaption.values.discard(item.value_digest)
        self.desired = desired
        for name in new:
            self._take(name, desired.items[name])

    def _take(self, name: Ref, item: Item) -> None:
        try:
            taken = self.refine(_adapted(item, self.adaption), self.adaption)
        except Dropped as reason:
            self.adaption.note(item, str(reason))
            self.other.add(name)
            return
        self.adaption.kept[name] = taken
        if taken is not item:
            self.other.add(name)


def _check_listeners(listeners: Sequence[Listener]) -> None:
    seen: dict[tuple[int, str], str] = {}
    for listener in listeners:
        if listener.host and not HOST.fullmatch(listener.host):
            raise DriverError(f"{listener.host!r} is no host name. Correct the listener.", permanent=True)
        other = seen.setdefault((listener.port, listener.host), listener.environment)
        if other != listener.environment:
            raise DriverError(
                f"{other} and {listener.environment} listen on port {listener.port} for the same host. "
                "Give one of them another port or host.",
                permanent=True,
            )


def _adapted(item: Item, adaption: Adaption) -> Item:
    if not IDENTIFIER.fullmatch(item.id):
        raise Dropped("Dropped: its id holds characters that a gateway cannot carry.")
    match item:
        case Upstream():
            return _upstream(item, adaption)
        case Limit():
            return _limit(item, adaption)
        case Consumer():
            return item
        case Route():
            return _route(item, adaption)
        case Grant():
            return _grant(item, adaption)
        case Key():
            return _key(item, adaption)
        case Block():
            return _block(item, adaption)
        case _:
            return _ai_part(item, adaption)


def _ai_part(item: Item, adaption: Adaption) -> Item:
    if not adaption.is_ai_runtime:
        raise Dropped("Dropped: only an AI runtime takes it.")
    missing = [needed for needed in references(item) if needed not in adaption.kept]
    if missing:
        raise Dropped(f"Dropped: {missing[0]} is not on this gateway.")
    return item


def _upstream(upstream: Upstream, adaption: Adaption) -> Upstream:
    targets = _usable_targets(upstream, adaption)
    if not targets:
        raise Dropped("Dropped: none of its targets can be used.")
    if not (1 <= upstream.timeout_ms <= _LONGEST_MS and 1 <= upstream.connect_timeout_ms <= _LONGEST_MS):
        raise Dropped("Dropped: a timeout lies between one millisecond and one hour.")
    health = upstream.health
    if health and not (CHECK_PATH.fullmatch(health.path) and _positive(health.interval_s, health.timeout_s)):
        adaption.note(upstream, "Without health check: its path or its times cannot be used.")
        health = None
    if health and not _positive(health.healthy, health.unhealthy):
        adaption.note(upstream, "Without health check: its thresholds start at one.")
        health = None
    unchanged = targets == upstream.targets and health == upstream.health
    return upstream if unchanged else replace(upstream, targets=targets, health=health)


def _usable_targets(upstream: Upstream, adaption: Adaption) -> tuple[Target, ...]:
    """The targets that calls can be shared out to: one path prefix for all, every weight above zero."""
    usable: list[Target] = []
    for target in upstream.targets:
        try:
            found = address(target.url)
            if not 1 <= target.weight <= 1_000_000:
                raise ValueError("a weight lies between one and a million")
            if usable and found.prefix != address(usable[0].url).prefix:
                raise ValueError("all targets of an upstream share one path")
        except ValueError as reason:
            adaption.note(upstream, f"A target is left out: {reason}.")
        else:
            usable.append(target)
    return tuple(usable)


def _limit(limit: Limit, adaption: Adaption) -> Limit:
    if not all(1 <= number <= _UINT32 for number in (limit.calls, limit.period_s, limit.burst)):
        raise Dropped("Dropped: calls, period and burst start at one.")
    if adaption.nodes > 1:
        adaption.note(limit, f"Approximate: each of {adaption.nodes} nodes counts its own share.")
    return limit


def _route(route: Route, adaption: Adaption) -> Route:
    if route.environment not in adaption.environments:
        raise Dropped(f"Dropped: this gateway has no listener for {route.environment!r}.")
    if not BASE_PATH.fullmatch(route.base_path):
        raise Dropped("Dropped: its base path holds more than plain segments.")
    if route.host and not HOST.fullmatch(route.host):
        raise Dropped("Dropped: its host is no host name in small letters.")
    if not adaption.is_ai_runtime and not adaption.has(Upstream, route.upstream):
        raise Dropped("Dropped: its upstream is not on this gateway.")
    place = (route.environment, route.host, route.base_path)
    other = adaption.paths.setdefault(place, route.id)
    if other != route.id and not adaption.is_ai_runtime:
        raise Dropped(f"Dropped: {other} has the same base path.")
    origins = tuple(origin for origin in route.cors_origins if ORIGIN.fullmatch(origin))
    if origins != route.cors_origins:
        adaption.note(route, "An origin is left out: it is no scheme and host.")
        return replace(route, cors_origins=origins)
    return route


def _grant(grant: Grant, adaption: Adaption) -> Grant:
    if not adaption.has(Consumer, grant.consumer):
        raise Dropped("Dropped: its application is not on this gateway.")
    if grant.limit and not adaption.has(Limit, grant.limit):
        raise Dropped("Dropped: its limit is not on this gateway.")
    routes = tuple(sorted({route for route in grant.routes if adaption.has(Route, route)}))
    return grant if routes == grant.routes else replace(grant, routes=routes)


def _key(key: Key, adaption: Adaption) -> Key:
    """A preview works without the values of keys; a push without them is refused by the driver."""
    if not adaption.has(Grant, key.grant):
        raise Dropped("Dropped: its subscription is not on this gateway.")
    if key.value and not (KEY_VALUE.fullmatch(key.value) and value_digest(key.value) == key.value_digest):
        raise Dropped("Dropped: its value is not that of a key.")
    if key.value_digest in adaption.values:
        raise Dropped("Dropped: another key has the same value.")
    adaption.values.add(key.value_digest)
    return key


def _block(block: Block, adaption: Adaption) -> Block:
    if not adaption.has(Grant, block.grant):
        raise Dropped("Dropped: its subscription is not on this gateway.")
    return block


def _positive(*numbers: int) -> bool:
    return all(1 <= number <= _UINT32 for number in numbers)
