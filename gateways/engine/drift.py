"""What a gateway would really do, held against what it should: the difference that nobody decided.

A driver reads each node's own configuration (`Driver.inspect`) and gives a `Reading`; `differences` compares it
with the expected document. Pure functions over values; no text that comes out of here holds a key's value.

A finding is *urgent* where somebody's access is at stake, and is then put right without waiting for a person:

* it opens something: a key or subscription that the portal does not know, a key that lets somebody else in, a
  subscription with a route too many, a part of the gateway's own configuration in which calls may pass by the
  check of keys;
* it closes something: an object or a file of ours is missing or cannot be read, a subscription lacks a route, a
  block stands that nobody set.

Everything else (another timeout, a target of an upstream, a foreign cluster that nothing leads to) is merely
different, and waits.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from gateways.engine.changes import describe
from gateways.engine.document import (
    Block,
    Document,
    Grant,
    Item,
    Key,
    Kind,
    Ref,
    Route,
    Upstream,
    canonical_json,
    digest,
    to_plain,
)

MOST_OF_ONE_SORT = 100
"""Above so many objects of one kind that are, say, missing, they are one finding with a count."""
MOST_FIELDS = 12
_MOST_CHARS = 160
_SECRET = re.compile(r"[A-Za-z0-9+=]{32,}")
"""A run of letters and digits as long as keys and tokens are; our own ids end at 26."""
_UNREADABLE = re.compile(r"[^\x20-\x7e]")


class Sort(StrEnum):
    """How something is not as it should be."""

    GHOST = "ghost"
    MISSING = "missing"
    CHANGED = "changed"
    FOREIGN = "foreign"


type Fields = tuple[tuple[str, str, str], ...]
"""(name, before, after) of what differs, as people read it; one side may be empty."""


@dataclass(frozen=True, slots=True)
class Oddity:
    """Something in a node's own configuration that can't be read back as one of our objects.

    `kind` is the word for it (`file`, `listener`, `filter`, `cluster`), or the kind of the object of which it is a
    part; `id` names it. `doubts` are the kinds of object that can't be vouched for while it is there.
    """

    kind: str
    id: str
    sort: Sort
    digest: str
    fields: Fields = ()
    doubts: frozenset[Kind] = frozenset()
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """One node as it is. `node` is empty for a gateway without nodes.

    `holds` is the digest of the document that the node itself says it was given, None where it keeps none;
    `unread` says why it could not be read, and then the rest says nothing.
    """

    node: str
    document: Document = field(default_factory=Document)
    oddities: tuple[Oddity, ...] = ()
    holds: str | None = None
    unread: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that is not as it should be. `digest` names what is there.

    `seen` is the object as read; None where there is none, or where something about it can't be read.
    """

    kind: str
    id: str
    label: str
    sort: Sort
    digest: str
    fields: Fields = ()
    doubts: frozenset[Kind] = frozenset()
    urgent: bool = False
    seen: Item | None = None


def differences(expected: Document, reading: Reading, *, ignore: Collection[Ref] = ()) -> list[Found]:
    """Everything in which `reading` is not `expected`, apart from the objects in `ignore`.

    One finding for each object: parts of it that can't be read join what can.
    """
    found = {(one.kind, one.id): one for one in _objects(expected, reading.document, ignore)}
    ignored = {(str(name.kind), name.id) for name in ignore}
    for oddity in reading.oddities:
        name = (oddity.kind, oddity.id)
        if name not in ignored:
            found[name] = _joined(found.get(name), oddity, expected)
    return _collapsed(found.values())


def _objects(expected: Document, seen: Document, ignore: Collection[Ref]) -> Iterator[Found]:
    gone = {route.id for route in expected.of_kind(Route)} - {route.id for route in seen.of_kind(Route)}
    for name, item in expected.items.items():
        there = seen.items.get(name)
        if name in ignore or there == item or _differ_by_routes(item, there, gone):
            continue
        if there is None:
            yield _found(item, Sort.MISSING, None, urgent=True)
        else:
            yield _found(item, Sort.CHANGED, there, urgent=_changes_access(item, there))
    for name, item in seen.items.items():
        if name not in expected.items and name not in ignore:
            yield _found(item, Sort.GHOST, item, urgent=_gives_access(item))


def _differ_by_routes(wanted: Item, there: Item | None, gone: Collection[str]) -> bool:
    """A subscription that lacks no more than a route which is missing altogether is no finding of its own."""
    if not gone or not isinstance(wanted, Grant) or not isinstance(there, Grant):
        return False
    left = [replace(item, routes=tuple(r for r in item.routes if r not in gone)) for item in (wanted, there)]
    return left[0] == left[1]


def _found(item: Item, sort: Sort, there: Item | None, *, urgent: bool) -> Found:
    fields = _fields(item, there) if sort is Sort.CHANGED and there is not None else ()
    return Found(
        str(item.kind),
        item.id,
        describe(item),
        sort,
        digest(there) if there else "",
        fields,
        urgent=urgent,
        seen=there,
    )


def _changes_access(wanted: Item, there: Item) -> bool:
    """Whether a changed object lets in whom nobody let in, or keeps out whom somebody did."""
    match wanted, there:
        case Grant(), Grant():
            return set(wanted.routes) != set(there.routes) or wanted.consumer != there.consumer
        case Key(), Key():
            return True
        case Block(), Block():
            return there.until < wanted.until
        case _:
            return False


def _gives_access(ghost: Item) -> bool:
    """A route nobody may call, an upstream, a limit or an application give no access by themselves."""
    return isinstance(ghost, Key | Block) or (isinstance(ghost, Grant) and bool(ghost.routes))


def _fields(wanted: Item, there: Item) -> Fields:
    before, after = _readable(wanted), _readable(there)
    named = [(name, before.get(name), after.get(name)) for name in {**before, **after}]
    changed = tuple((name, shown(old), shown(new)) for name, old, new in named if old != new)
    return changed or (("value", "", "another one"),)


def _readable(item: Item) -> dict[str, Any]:
    """The fields of an object for people: targets one by one, nothing of a key's value."""
    plain = {
        name: value for name, value in to_plain(item).items() if name not in ("value_digest", "kind", "id")
    }
    if isinstance(item, Upstream):
        plain["targets"] = [f"{target.url} ({target.weight})" for target in item.targets]
        plain["health"] = item.health.path if item.health else ""
    return plain


def _joined(known: Found | None, oddity: Oddity, expected: Document) -> Found:
    if known is None:
        ours = next(
            (i for n, i in expected.items.items() if (n.kind, n.id) == (oddity.kind, oddity.id)), None
        )
        label = describe(ours) if ours else oddity.id
        known = Found(oddity.kind, oddity.id, label, oddity.sort, oddity.digest)
    return replace(
        known,
        digest=digest_of([known.digest, oddity.digest]),
        fields=(known.fields + oddity.fields)[:MOST_FIELDS],
        doubts=known.doubts | oddity.doubts,
        urgent=known.urgent or oddity.urgent,
        seen=None,
    )


def _collapsed(found: Iterable[Found]) -> list[Found]:
    """Many objects of one kind in the same way: one finding that counts them, so that nobody drowns."""
    alike: dict[tuple[str, Sort], list[Found]] = defaultdict(list)
    for one in found:
        alike[one.kind, one.sort].append(one)
    rows: list[Found] = []
    for (kind, sort), group in alike.items():
        rows += group if len(group) <= MOST_OF_ONE_SORT else [_together(kind, sort, group)]
    return sorted(rows, key=lambda one: (not one.urgent, one.kind, one.label, one.id))


def _together(kind: str, sort: Sort, group: list[Found]) -> Found:
    some = ", ".join(one.label for one in group[:5])
    text = f"{len(group)}: {some}…"
    fields = (("objects", text, "") if sort is Sort.MISSING else ("objects", "", text),)
    known = {str(one) for one in Kind}
    doubts = frozenset({Kind(kind)}) if kind in known else frozenset[Kind]()
    return Found(
        kind,
        f"many-{sort}",
        f"{len(group)} together",
        sort,
        digest_of(sorted([one.id, one.digest] for one in group)),
        fields,
        doubts.union(*(one.doubts for one in group)),
        any(one.urgent for one in group),
    )


# ---- texts and digests ----


def shown(value: Any) -> str:
    """A value as text for people: short, printable, and without what could be a secret."""
    if isinstance(value, Mapping):
        value = ", ".join(f"{name} {shown(part)}" for name, part in value.items())
    elif isinstance(value, list | tuple):
        value = ", ".join(shown(part) for part in value)
    text = "" if value is None else str(value)
    text = _UNREADABLE.sub("?", _SECRET.sub("(hidden)", text))
    return text if len(text) <= _MOST_CHARS else f"{text[:_MOST_CHARS]}…"


def name_of(text: object) -> str:
    """What somebody else named, as an id of a finding: short, printable, and without what could be a secret."""
    name = str(text)
    clean = _UNREADABLE.sub("?", _SECRET.sub("(hidden)", name)).strip()[:80]
    return clean if clean == name else f"{clean} {digest_of(name)[:8]}".strip()


def digest_of(value: Any) -> str:
    """SHA-256 (hex) of a JSON value."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()
