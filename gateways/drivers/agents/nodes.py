"""What several nodes show, read together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from gateways.drivers.agents.client import Served
from gateways.engine.changes import Change, Delete
from gateways.engine.document import Block, Document, Item, Key, Ref, digest

_DIFFERS = " (not the same on every node)"


def merged(served: Iterable[Served]) -> Document:
    """One document of several nodes. What is not the same on all of them is made to differ from any wish."""
    documents = [node.document for node in served]
    if all(document == documents[0] for document in documents[1:]):
        return documents[0]
    names = {name for document in documents for name in document.items}
    return Document.of(_common([document.items.get(name) for document in documents]) for name in names)


def shows(document: Document, change: Change) -> bool:
    """Whether `document` is as after `change`."""
    held = document.items.get(change.ref)
    if isinstance(change, Delete):
        return held is None
    return held is not None and digest(held) == digest(change.item)


def states(served: Mapping[str, Served]) -> dict[str, str]:
    """A sentence for each node: `serving`, or what is wrong."""
    return {name: " ".join(node.problems) or "serving" for name, node in served.items()}


def named_in(text: str, document: Document) -> tuple[Ref, ...]:
    """The objects whose id stands in `text` as a word of its own."""
    words = set(re.findall(r"[A-Za-z0-9_.-]+", text))
    words |= {word.strip(".") for word in words}
    return tuple(name for name in document.items if name.id in words)


def _common(found: list[Item | None]) -> Item:
    first = next(item for item in found if item is not None)
    return first if all(item == first for item in found) else _differing(first)


def _differing(item: Item) -> Item:
    match item:
        case Key():
            return replace(item, value_digest="")
        case Block():
            return replace(item, reason=item.reason + _DIFFERS)
        case _:
            return replace(item, label=item.label + _DIFFERS)
