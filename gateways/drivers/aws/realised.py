"""Which neutral objects are in force, by what is known of the things at AWS that stand for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from gateways.drivers.aws import keys, plans, rest
from gateways.drivers.aws.work import KEYS, STAGES, Work
from gateways.engine.document import Block, Grant, Item, Key, Ref, Route, ref


def in_force(work: Work) -> dict[Ref, Item]:
    """The objects in force: those desired that are there, and of the others those that are there still."""
    looked = _Looked(work)
    now = {name: item for name, item in work.desired.items.items() if looked.is_there(item)}
    held = work.holdings.document()
    return {
        **now,
        **{ref(item): item for item in looked.lingering(held.items.values()) if ref(item) not in now},
    }


class _Looked:
    """What is known, looked at once for all objects."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._blocked = keys.blocked(work.desired)
        self._known = work.holdings.resources(KEYS)
        self._of_grant: dict[str, list[Key]] = defaultdict(list)
        for key in work.desired.of_kind(Key):
            self._of_grant[key.grant].append(key)

    def is_there(self, item: Item) -> bool:
        """Whether a desired object is in force."""
        match item:
            case Route():
                return rest.serves(self._work, item)
            case Grant():
                made = all(plans.plan_id(self._work, tier) for tier in plans.tiers_of(item))
                return made and all(
                    self._is_placed(key) for key in self._of_grant[item.id] if key.id in self._known
                )
            case Key():
                return self._is_placed(item) and self._known[item.id]["enabled"] is (
                    item.grant not in self._blocked
                )
            case Block():
                mine = [self._known.get(key.id, {}) for key in self._of_grant[item.grant]]
                return all(known.get("enabled") is False for known in mine if known)
            case _:
                return True  # it has no being of its own there: it is part of a stage, a plan or a key

    def _is_placed(self, key: Key) -> bool:
        known = self._known.get(key.id, {})
        if not known.get("id") or known.get("unsure"):
            return False
        return sorted(known["plans"]) == keys.plan_ids(self._work, key)

    def lingering(self, held: Iterable[Item]) -> Iterator[Item]:
        """What was in force and is still there, although something else or nothing is desired."""
        for item in held:
            if isinstance(item, Key):
                known = self._known.get(item.id, {})
                lingers = bool(known) and known.get("enabled") is not False
            elif isinstance(item, Route):
                lingers = bool(self._work.resource(STAGES, item.id).get("wanted"))
            else:
                lingers = ref(item) in self._work.desired.items
            if lingers:
                yield item
