"""Holding objects back: what is left to push when some objects may not go, and what depends on them.

Pure functions over documents. What is held back keeps its last form on the gateway where it has one, so that
a bad change of one API takes nothing away that works, and stops nobody else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from gateways.engine.document import Document, Grant, Item, Key, Kind, Ref, ref, references


@dataclass(frozen=True, slots=True)
class Held:
    """`document` is what may be pushed, `reasons` says why each other object is not in it as wished."""

    document: Document
    reasons: Mapping[Ref, str] = field(default_factory=dict)


def hold_back(wanted: Document, observed: Document, roots: Mapping[Ref, str]) -> Held:
    """Take `roots` (with reasons) out of `wanted`, and with them what cannot stand without them.

    A root that the gateway holds stays there as observed. A root that is not in `wanted` at all (the driver
    could not be given it) counts as well. Without roots nothing is missing: a driver adapts to that.
    """
    if not roots:
        return Held(wanted)
    holding = _Holding(dict(wanted.items), observed)
    for root, reason in roots.items():
        holding.hold(root, reason)
    for kind in Kind:
        for item in [item for item in holding.items.values() if item.kind is kind]:
            holding.check(item)
    if not holding.reasons:
        return Held(wanted)
    return Held(Document.of(holding.items.values()), holding.reasons)


@dataclass(slots=True)
class _Holding:
    items: dict[Ref, Item]
    observed: Document
    reasons: dict[Ref, str] = field(default_factory=dict)
    kept: set[Ref] = field(default_factory=set)

    def hold(self, name: Ref, reason: str) -> None:
        """Put the observed form of `name` in the place of the wanted one, or nothing."""
        self.reasons[name] = reason
        self.items.pop(name, None)
        self.keep(name)

    def keep(self, name: Ref) -> None:
        """Let an observed object stay, with all that it refers to. A key has no value to stay with."""
        before = self.observed.items.get(name)
        if before is None or name in self.items or isinstance(before, Key):
            return
        self.items[name] = before
        self.kept.add(name)
        for needed in references(before):
            self.keep(needed)

    def check(self, item: Item) -> None:
        """Hold `item` if something that it refers to is not there."""
        name = ref(item)
        if name in self.kept or self.items.get(name) is not item:
            return
        missing = [needed for needed in references(item) if needed not in self.items]
        if isinstance(item, Grant):
            missing = self._trim(item, missing)
        if missing:
            self.hold(name, self.reasons.get(missing[0], f"Waits for {missing[0]}."))

    def _trim(self, grant: Grant, missing: list[Ref]) -> list[Ref]:
        """A grant goes on with the routes that are there, if any; what else it needs it cannot do without."""
        routes = tuple(route for route in grant.routes if Ref(Kind.ROUTE, route) in self.items)
        if not routes:
            return missing or [Ref(Kind.ROUTE, "")]
        if routes != grant.routes:
            self.items[ref(grant)] = replace(grant, routes=routes)
            gone = next(needed for needed in missing if needed.kind is Kind.ROUTE)
            self.reasons[ref(grant)] = self.reasons.get(gone, f"Waits for {gone}.")
        return [needed for needed in missing if needed.kind is not Kind.ROUTE]
