"""The snapshot of an AI runtime, read and held against what is expected there. Pure functions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from gateways.drivers.agents.inspection import Files, Setup, doubts_of
from gateways.drivers.ai_runtime.translate import files as rendered
from gateways.drivers.ai_runtime.translate import listeners_file
from gateways.engine.document import Document, Item, from_plain, value_digest
from gateways.engine.drift import Fields, Oddity, Reading, Sort, digest_of, name_of
from gateways.engine.wire import AI_FILES, AI_LISTENERS_FILE

UNREADABLE = (ValueError, KeyError, TypeError, AttributeError)


def read(files: Files, expected: Document, setup: Setup, *, stale: Sequence[str] = ()) -> Reading:
    """The objects that `files` hold, and all in them that is none of our objects.

    The runtime reads all files together: while one can't be read, it serves what it had.
    """
    items: dict[str, Item] = {}
    oddities: list[Oddity] = []
    for kind, name in AI_FILES.items():
        try:
            for item in _items(files[name]):
                if item.kind is not kind or f"{item.kind}/{item.id}" in items:
                    raise ValueError(item.id)
                items[f"{item.kind}/{item.id}"] = item
        except UNREADABLE:
            oddities.append(_lost(name, files.get(name)))
    document = Document.of(items.values())
    unreadable = {oddity.id for oddity in oddities}
    again = rendered(document, setup.listeners, address=setup.address)
    oddities += [
        _changed(name, files[name])
        for name in AI_FILES.values()
        if name not in unreadable and _without_values(files[name]) != again[name]
    ]
    if files.get(AI_LISTENERS_FILE) != listeners_file(setup.listeners, setup.address):
        oddities.append(_lost(AI_LISTENERS_FILE, files.get(AI_LISTENERS_FILE)))
    own = {*AI_FILES.values(), AI_LISTENERS_FILE}
    oddities += [_foreign(name, files[name]) for name in sorted(files.keys() - own)]
    oddities += [_stale(name) for name in stale if name in own and name not in unreadable]
    return Reading("", document, tuple(oddities))


def _items(text: str) -> Iterator[Item]:
    for plain in json.loads(text)["items"]:
        yield from_plain(_masked(plain))


def _masked(plain: dict[str, Any]) -> dict[str, Any]:
    """A vendor's key by the digest of what is really there."""
    value = plain.get("value")
    if not value:
        return plain
    return {**{n: v for n, v in plain.items() if n != "value"}, "value_digest": value_digest(str(value))}


def _without_values(text: str) -> str:
    """The file as it would be without secrets. Only the file of vendors' keys holds any."""
    if '"value":' not in text:
        return text
    lines = text.split("\n")
    return "\n".join(_line_without_value(line) for line in lines)


def _line_without_value(line: str) -> str:
    comma = "," if line.endswith(",") else ""
    try:
        plain = json.loads(line.removesuffix(","))
    except ValueError:
        return line
    if not isinstance(plain, dict):
        return line
    return json.dumps(_masked(plain), sort_keys=True, separators=(",", ":"), ensure_ascii=False) + comma


def _lost(name: str, text: str | None) -> Oddity:
    sort = Sort.MISSING if text is None else Sort.CHANGED
    fields: Fields = () if text is None else (("content", "", "can't be read as our objects"),)
    return Oddity("file", name, sort, digest_of(text), fields, doubts_of("ai_runtime", name), urgent=True)


def _changed(name: str, text: str) -> Oddity:
    words = ("content", "", "holds more or less than our objects say")
    return Oddity(
        "file", name, Sort.CHANGED, digest_of(text), (words,), doubts_of("ai_runtime", name), urgent=True
    )


def _foreign(name: str, text: str) -> Oddity:
    """The runtime reads only the files that it knows."""
    return Oddity("file", name_of(name), Sort.FOREIGN, digest_of(text), (("size", "", f"{len(text)}"),))


def _stale(name: str) -> Oddity:
    words = ("in force", "this file", "another version of it")
    return Oddity("file", name, Sort.CHANGED, "stale", (words,), doubts_of("ai_runtime", name), urgent=True)
