"""The difference between what a gateway holds and what it should hold."""

from __future__ import annotations

from gateways.engine.changes import Change, ChangeSet, Create, Delete, Update
from gateways.engine.document import Document, Kind, Ref
from gateways.engine.driver import Scope

_RANK = {kind: rank for rank, kind in enumerate(Kind)}
_REVOCATIONS = frozenset({Kind.GRANT, Kind.KEY, Kind.BLOCK})


def diff(observed: Document, desired: Document, scope: Scope = None) -> ChangeSet:
    """What turns `observed` into `desired`, both as the driver shows them (see `Driver.adapt`).

    With a `scope` only the objects it names are compared, while the ChangeSet still carries the whole
    `desired`. The order: first revocations (keys, then grants, so that nothing which fails later can delay
    them), then creations and updates in dependency order, then the other deletions backwards. So whatever
    a new object refers to is there before it, and whatever an old object refers to outlives it.
    """
    changes = [*_upserts(observed, desired, scope), *_deletes(observed, desired, scope)]
    return ChangeSet(tuple(sorted(changes, key=_order)), observed, desired)


def _upserts(observed: Document, desired: Document, scope: Scope) -> list[Change]:
    changes: list[Change] = []
    for name in desired.new_to(observed):
        if not _in(scope, name):
            continue
        before, item = observed.items.get(name), desired.items[name]
        if before is None:
            changes.append(Create(item))
        elif before != item:
            changes.append(Update(before, item))
    return changes


def _deletes(observed: Document, desired: Document, scope: Scope) -> list[Change]:
    gone = observed.items.keys() - desired.items.keys()
    return [Delete(observed.items[name]) for name in gone if _in(scope, name)]


def _in(scope: Scope, name: Ref) -> bool:
    return scope is None or name in scope


def _order(change: Change) -> tuple[int, int, str]:
    rank = _RANK[change.ref.kind]
    if not isinstance(change, Delete):
        return (1, rank, change.ref.id)
    return (0 if change.ref.kind in _REVOCATIONS else 2, -rank, change.ref.id)
