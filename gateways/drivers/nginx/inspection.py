"""The files of an nginx, read and held against what is expected there. Pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from gateways.drivers.agents.inspection import Files, Setup, doubts_of
from gateways.drivers.nginx.inverse import Unreadable, document_of, unexplained
from gateways.drivers.nginx.translate import files as rendered
from gateways.engine.directives import NotDirectives, parse
from gateways.engine.document import Document
from gateways.engine.drift import Fields, Oddity, Reading, Sort, digest_of, name_of


def read(files: Files, expected: Document, setup: Setup, *, stale: Sequence[str] = ()) -> Reading:
    """The document that `files` realise, and all in them that is none of our objects.

    nginx reads all files together: while one is missing or can't be read, nothing can be said of the rest, and what
    is expected is taken for granted. The file is put back at once, and the next look sees the others.
    """
    wanted = rendered(_without_values(expected), setup.listeners, address=setup.address, nodes=setup.nodes)
    lost = [_lost(name, files.get(name)) for name in sorted(wanted) if not _is_readable(files.get(name))]
    if lost:
        return Reading("", expected, tuple(lost))
    own = {name: text for name, text in files.items() if name in wanted}
    try:
        document = document_of(own, expected, setup.listeners, address=setup.address, nodes=setup.nodes)
        left = unexplained(own, document, setup.listeners, address=setup.address, nodes=setup.nodes)
    except (Unreadable, NotDirectives, ValueError, KeyError, IndexError, TypeError):
        # Directives that nginx reads and that are none of ours in any form.
        return Reading("", expected, tuple(_changed(name, files[name]) for name in sorted(own)))
    oddities = [
        *(_changed(name, files[name]) for name in left),
        *(_foreign(name, files[name]) for name in sorted(files.keys() - wanted.keys())),
        *(_stale(name) for name in stale if name in own and name not in left),
    ]
    return Reading("", document, tuple(oddities))


def _without_values(expected: Document) -> Document:
    """Names of files do not depend on keys; a key without a value could not be written."""
    return Document.of(item for item in expected.items.values() if item.kind != "key")


def _is_readable(text: str | None) -> bool:
    try:
        return text is not None and parse(text) is not None
    except NotDirectives:
        return False


def _lost(name: str, text: str | None) -> Oddity:
    sort = Sort.MISSING if text is None else Sort.CHANGED
    fields: Fields = () if text is None else (("content", "", "can't be read"),)
    return Oddity("file", name, sort, digest_of(text), fields, doubts_of("nginx", name), urgent=True)


def _changed(name: str, text: str) -> Oddity:
    words = ("content", "", "holds more or less than our objects say")
    return Oddity(
        "file", name, Sort.CHANGED, digest_of(text), (words,), doubts_of("nginx", name), urgent=True
    )


def _foreign(name: str, text: str) -> Oddity:
    """nginx includes every file of the directory: one of somebody else's may let calls pass by the check of keys."""
    return Oddity(
        "file", name_of(name), Sort.FOREIGN, digest_of(text), (("size", "", f"{len(text)}"),), urgent=True
    )


def _stale(name: str) -> Oddity:
    words = ("in force", "this file", "another version of it")
    return Oddity("file", name, Sort.CHANGED, "stale", (words,), doubts_of("nginx", name), urgent=True)
