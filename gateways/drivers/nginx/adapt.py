"""What nginx asks of an object beyond the rules of every gateway; each departure is said in a note."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from gateways.drivers.agents.adapt import Adaption, Dropped
from gateways.drivers.agents.names import address
from gateways.drivers.nginx.limits import MOST, is_too_slow
from gateways.engine.document import Item, Key, Kind, Limit, Target, Upstream

_WORDS = frozenset({"default", "include", "hostnames", "volatile"})


@dataclass(slots=True)
class NginxRules:
    """The rules over one document: nginx compares the texts of its tables without regard to case."""

    seen: set[tuple[Kind, str]] = field(default_factory=set)
    values: set[str] = field(default_factory=set)

    def __call__(self, item: Item, adaption: Adaption) -> Item:
        """`item` as nginx takes it. Raises Dropped."""
        name = (item.kind, item.id.lower())
        if item.id.lower() in _WORDS:
            raise Dropped("Dropped: its id is a word of nginx's own.")
        if name in self.seen:
            raise Dropped("Dropped: nginx cannot tell its id from another one.")
        self.seen.add(name)
        match item:
            case Upstream():
                return _upstream(item, adaption)
            case Limit():
                return _limit(item, adaption)
            case Key():
                return self._key(item)
        return item

    def forget(self, item: Item) -> None:
        """Another object may have its id and its value now."""
        self.seen.discard((item.kind, item.id.lower()))
        if isinstance(item, Key):
            self.values.discard(item.value.lower())

    def _key(self, key: Key) -> Key:
        if key.value and key.value.lower() in self.values:
            raise Dropped("Dropped: nginx cannot tell it from another key.")
        self.values.add(key.value.lower())
        return key


def _upstream(upstream: Upstream, adaption: Adaption) -> Upstream:
    first = address(upstream.targets[0].url)
    targets = tuple(target for target in upstream.targets if address(target.url).tls == first.tls)
    if targets != upstream.targets:
        adaption.note(upstream, "A target is left out: on nginx all of them speak either http or https.")
    if upstream.health is not None:
        adaption.note(
            upstream,
            "Without health check: nginx makes none. A target that fails three calls is left out for ten seconds.",
        )
    if len({address(target.url).authority for target in targets}) > 1 and _names_differ(targets):
        adaption.note(upstream, f"All targets are asked for the host {first.authority}.")
    unchanged = targets == upstream.targets and upstream.health is None
    return upstream if unchanged else replace(upstream, targets=targets, health=None)


def _names_differ(targets: tuple[Target, ...]) -> bool:
    """Whether it can matter to a target which host it is asked for: an address and a port rarely do."""
    return len({address(target.url).host for target in targets}) > 1


def _limit(limit: Limit, adaption: Adaption) -> Limit:
    if limit.calls > MOST or limit.burst > MOST:
        raise Dropped("Dropped: nginx cannot count so many calls.")
    if is_too_slow(limit):
        adaption.note(limit, "Weaker than the plan: nginx counts no slower than one call a minute.")
    return limit
