"""What a reconcile would do, as values: one `Change` per object, and the `ChangeSet` that orders them.

The preview page prints a ChangeSet and the push carries it out, so both are one path. Nothing here ever
prints a key: `to_plain` of the document module leaves the value out, and its digest is left out here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gateways.engine.document import Block, Document, Grant, Item, Key, Kind, Ref, ref, to_plain

GUARDED_KINDS = frozenset({Kind.ROUTE, Kind.UPSTREAM})
GUARD_SHARE = 0.3
GUARD_AT_LEAST = 10


@dataclass(frozen=True, slots=True)
class Create:
    """`item` is wanted and not there."""

    item: Item

    @property
    def ref(self) -> Ref:
        return ref(self.item)


@dataclass(frozen=True, slots=True)
class Update:
    """`before` is there, `after` is wanted; both bear one name."""

    before: Item
    after: Item

    @property
    def ref(self) -> Ref:
        return ref(self.after)

    @property
    def item(self) -> Item:
        return self.after


@dataclass(frozen=True, slots=True)
class Delete:
    """`item` is there and not wanted."""

    item: Item

    @property
    def ref(self) -> Ref:
        return ref(self.item)


type Change = Create | Update | Delete


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """Changes in the order in which they are to be carried out.

    `desired` is always the whole adapted document, so that a driver that renders files can render all of
    them; `observed` is what was looked at to find the changes, which may be a part.
    """

    changes: tuple[Change, ...] = ()
    observed: Document = field(default_factory=Document)
    desired: Document = field(default_factory=Document)

    def __len__(self) -> int:
        return len(self.changes)

    def __iter__(self) -> Iterator[Change]:
        return iter(self.changes)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.changes

    def refs(self) -> frozenset[Ref]:
        """The names of all objects that change."""
        return frozenset(change.ref for change in self.changes)

    def counts(self) -> dict[str, int]:
        """How many changes of each sort: `{"create": 2, "update": 0, "delete": 1}`."""
        found = Counter(_verb(change) for change in self.changes)
        return {verb: found[verb] for verb in ("create", "update", "delete")}

    def lines(self) -> list[str]:
        """One sentence per change, in order, for people. Never holds a secret."""
        return [_line(change) for change in self.changes]

    def to_plain(self) -> dict[str, Any]:
        """JSON values for the preview: counts, and each change with what it was and what it will be."""
        return {"counts": self.counts(), "changes": [_change_to_plain(change) for change in self.changes]}

    def only_removals(self, among: Collection[Ref] | None = None) -> ChangeSet:
        """What takes access away, alone, with a `desired` in which nothing else has changed.

        That is: deleted keys, grants and blocks, grants that lose a route, and new blocks. They go out even when
        the rest has to wait for a person. A block of a deleted grant goes with it, because it would point at
        nothing. `among` keeps to the changes of the objects that it names.
        """
        items = dict(self.desired.items)
        removals: list[Change] = []
        for change in self.changes:
            removal = _removal(change) if among is None or change.ref in among else None
            if removal is None:
                _undo(change, items)
                continue
            removals.append(removal)
            if isinstance(removal, Update):
                items[removal.ref] = removal.after
        desired = Document.of(_standing(items))
        there = tuple(c for c in removals if not isinstance(c, Create) or c.ref in desired.items)
        return ChangeSet(there, self.observed, desired)


class HeldBack(Exception):
    """Too much would be deleted without an event that explains it: a person has to look first.

    `changes` is the whole ChangeSet, `refs` the unexplained deletions, `message` a sentence for people.
    Carry out `changes.only_removals()` meanwhile.
    """

    def __init__(self, message: str, *, changes: ChangeSet, refs: tuple[Ref, ...]) -> None:
        super().__init__(message)
        self.message = message
        self.changes = changes
        self.refs = refs


def raise_if_unsafe(changes: ChangeSet, explained: Collection[Ref] = ()) -> None:
    """Raise HeldBack when unexplained deletions of routes or upstreams pass 30 % of at least 10.

    `explained` names what a recorded event since the last push says should go. Each kind is counted apart.
    """
    for kind in sorted(GUARDED_KINDS):
        existing = sum(1 for name in changes.observed.items if name.kind is kind)
        gone = tuple(
            change.ref
            for change in changes
            if isinstance(change, Delete) and change.ref.kind is kind and change.ref not in explained
        )
        if existing >= GUARD_AT_LEAST and len(gone) > existing * GUARD_SHARE:
            raise HeldBack(
                f"{len(gone)} of {existing} {kind}s would be deleted, and nothing recorded explains it. "
                "Compare the gateway with the portal, then confirm or repair.",
                changes=changes,
                refs=gone,
            )


def _removal(change: Change) -> Change | None:
    """The part of `change` that takes access away; None where there is none."""
    match change:
        case Delete(item=Key() | Grant() | Block()) | Create(item=Block()):
            return change
        case Update(before=Grant() as before, after=Grant() as after):
            left = tuple(route for route in before.routes if route in after.routes)
            return Update(before, replace(before, routes=left)) if left != before.routes else None
        case _:
            return None


def _standing(items: Mapping[Ref, Item]) -> Iterator[Item]:
    """All but blocks of grants that are not there: a new grant waits, and so does its block."""
    for item in items.values():
        if not isinstance(item, Block) or Ref(Kind.GRANT, item.grant) in items:
            yield item


def _undo(change: Change, items: dict[Ref, Item]) -> None:
    match change:
        case Create():
            items.pop(change.ref, None)
        case Update(before=Key()):
            # An observed key has no value to put back, and the old value is no longer wanted.
            items.pop(change.ref, None)
        case Update(before=before):
            items[change.ref] = before
        case Delete(item=item):
            items[change.ref] = item


def _verb(change: Change) -> str:
    match change:
        case Create():
            return "create"
        case Update():
            return "update"
        case Delete():
            return "delete"


def describe(item: Item) -> str:
    """The name of `item` for people: its label, or for a key its public part, or what a block stops."""
    if isinstance(item, Key):
        return f"key {item.key_id}"
    return getattr(item, "label", "") or f"{item.kind} {item.id}"


def _line(change: Change) -> str:
    line = f"{_verb(change)} {change.ref} ({describe(change.item)})"
    if isinstance(change, Update):
        line += f": {', '.join(_changed_fields(change))}"
    return line


def _changed_fields(change: Update) -> list[str]:
    before, after = _shown(change.before), _shown(change.after)
    changed = [
        f"{name} {before[name]!r} -> {after[name]!r}" for name in after if before.get(name) != after[name]
    ]
    return changed or ["its secret value"]


def _shown(item: Item) -> dict[str, Any]:
    plain = to_plain(item)
    plain.pop("value_digest", None)
    return plain


def _change_to_plain(change: Change) -> dict[str, Any]:
    before = change.before if isinstance(change, Update) else change.item
    return {
        "verb": _verb(change),
        "kind": str(change.ref.kind),
        "id": change.ref.id,
        "label": describe(change.item),
        "before": None if isinstance(change, Create) else _shown(before),
        "after": None if isinstance(change, Delete) else _shown(change.item),
    }
