"""Which neutral objects are in force, by what is known of the things at AWS that stand for them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from gateways.drivers.aws import keys, plans, publishing
from gateways.drivers.aws.authorizer import table
from gateways.drivers.aws.work import KEYS, Work
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
        self._lines = table.wanted_lines(work)
        self._let_in = table.known_lines(work)
        self._let_in_by_grant = table.by_grant(self._let_in)
        self._of_grant: dict[str, list[Key]] = defaultdict(list)
        for key in work.desired.of_kind(Key):
            self._of_grant[key.grant].append(key)

    def is_there(self, item: Item) -> bool:
        """Whether a desired object is in force."""
        match item:
            case Route():
                return publishing.serves(self._work, item)
            case Grant():
                tiers = plans.tiers_of(self._work.desired, item)
                made = all(plans.plan_id(self._work, tier) for tier in tiers)
                return made and all(
                    self._is_placed(key) for key in self._of_grant[item.id] if key.id in self._known
                )
            case Key():
                return self._is_switched(item) and self._is_let_in(item)
            case Block():
                mine = [self._known.get(key.id, {}) for key in self._of_grant[item.grant]]
                lines = self._let_in_by_grant.get(item.grant, ())
                is_off = all(known.get("enabled") is False for known in mine if known)
                return is_off and all(line["blocked"] for line in lines)
            case _:
                return True  # it has no being of its own there: it is part of a stage, a plan or a key

    def _is_switched(self, key: Key) -> bool:
        """As an API key of AWS, where it is one."""
        if not keys.is_of_plans(self._work, key):
            return not self._known.get(key.id, {}).get("enabled")
        is_on = self._known.get(key.id, {}).get("enabled")
        return self._is_placed(key) and is_on is (key.grant not in self._blocked)

    def _is_let_in(self, key: Key) -> bool:
        """By the authorizer, where that is asked."""
        line = self._lines.get(key.id)
        complete = line is None or table.is_complete(self._work, key, line)
        return complete and self._let_in.get(key.id) == line

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
                is_on = bool(known) and known.get("enabled") is not False
                lingers = is_on or item.id in self._let_in
            elif isinstance(item, Route):
                lingers = publishing.is_served(self._work, item.id)
            else:
                lingers = ref(item) in self._work.desired.items
            if lingers:
                yield item
