"""The body of `PUT /v1/config`: one configuration of one node, whole or as what is new in it.

A push carries the finished files of the gateway, the order in which to swap them, and the neutral objects that
they realise (without secrets), which the agent hands back when asked what it serves. To a node that holds the
configuration before (`base`) only the difference goes out: the objects that are new and the names of those that
are gone, the files that are new to it, and of long files the stretch that is. The node puts it together again and
checks every digest; where it does not hold what the difference is one of, it asks for the whole.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from gateways.engine.document import (
    Document,
    Item,
    Kind,
    canonical_json,
    digest,
    digest_of_all,
    from_plain,
    in_order,
    item_text,
)
from gateways.engine.wire import content_digest

WIRE_FORMAT = 2

END = 128
"""So many characters at the end of a file go out anyhow: an xDS file ends with a digest of itself."""
LEAST_EDITED = 8_192
"""Characters below which a file goes out whole."""

type Phases = tuple[tuple[tuple[str, str], ...], ...]

_FILE_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}\.(json|conf)")
_RANK = {str(kind): rank for rank, kind in enumerate(Kind)}


class WireError(ValueError):
    """A push that is not of this format; the message says what is wrong with it."""


class BaseUnknown(WireError):
    """A push that says what is new against something that is not held here. It has to be sent whole."""


@dataclass(frozen=True, slots=True)
class Push:
    """One whole configuration of one node.

    `phases` are swapped in order: each is a tuple of (file name, SHA-256 of its content), and the last one
    names every file there is. `blobs` holds the contents by their SHA-256. `items` are the objects of the
    adapted document by name (`route/pub_1`), in the document's order and each as canonical JSON; `digests` are
    theirs, `digest` is that of the document.
    """

    kind: str
    version: int
    digest: str
    items: Mapping[str, str]
    digests: Mapping[str, str]
    phases: Phases
    blobs: Mapping[str, str]

    @property
    def files(self) -> dict[str, str]:
        """Every file when all is done: name to content."""
        return {name: self.blobs[content] for name, content in self.phases[-1]}

    @property
    def file_digests(self) -> dict[str, str]:
        """The SHA-256 of the content of every file."""
        return dict(self.phases[-1])

    def document(self) -> Document:
        """The objects that the files realise, keys without values."""
        return Document.of(from_plain(json.loads(text)) for text in self.items.values())

    def to_bytes(self) -> bytes:
        """The body of the whole push."""
        return _body(self, {"base": "", "gone": [], "blobs": self.blobs, "edits": {}}, self.items.values())


@dataclass(frozen=True, slots=True)
class Edit:
    """A text as another one (`of`, its SHA-256) with `cut` characters at `at` replaced, and a new end."""

    of: str
    at: int
    cut: int
    put: str
    end: str

    def carried_out(self, text: str) -> str:
        """The new text."""
        return f"{text[: self.at]}{self.put}{text[self.at + self.cut : len(text) - END]}{self.end}"


def make_push(kind: str, version: int, document: Document, phases: Sequence[Mapping[str, str]]) -> Push:
    """A push of `document` through `phases`, each a mapping of file names to contents."""
    named, blobs = _named(phases)
    items = {str(name): item_text(item) for name, item in document.items.items()}
    digests = {str(name): found for name, found in document.digests().items()}
    return Push(kind, version, document.digest(), items, digests, named, blobs)


def difference(
    kind: str,
    version: int,
    document: Document,
    phases: Sequence[Mapping[str, str]],
    *,
    base: Document,
    files: Mapping[str, str],
) -> bytes:
    """The body of a push for a node that holds the whole of `base`.

    `files` are those that it holds, as far as they are known: what is missing here goes out whole.
    """
    named, blobs = _named(phases)
    held = {content_digest(text): text for text in files.values()}
    edits = _edits(phases, blobs, files)
    changed = [
        name for name in document.new_to(base) if not _same(base.items.get(name), document.items[name])
    ]
    new = [item_text(document.items[name]) for name in changed]
    what = {
        "base": base.digest(),
        "gone": [str(name) for name in sorted(base.items.keys() - document.items.keys())],
        "blobs": {d: text for d, text in blobs.items() if d not in held and d not in edits},
        "edits": {d: asdict(edit) for d, edit in edits.items()},
    }
    return _body(Push(kind, version, document.digest(), {}, {}, named, {}), what, new)


def _same(before: Item | None, item: Item) -> bool:
    return before is not None and digest(before) == digest(item)


def read_push(body: bytes, held: Push | None = None) -> Push:
    """The push in `body`, put together with what is `held`.

    Raises WireError when it is none, or its contents are not what they are named; BaseUnknown when it says what is
    new against something else.
    """
    try:
        plain = json.loads(body)
        if plain["format"] != WIRE_FORMAT:
            raise WireError(
                f"format {plain['format']!r} is not known here; this agent speaks {WIRE_FORMAT}. "
                "Run the same version of Gatehouse on both sides."
            )
        return _put_together(plain, held)
    except WireError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WireError(f"this is no configuration push: {type(error).__name__}") from None


def _body(push: Push, what: Mapping[str, Any], items: Iterable[str]) -> bytes:
    """The objects are JSON already, and most of it: they are put in by hand."""
    head = {
        "format": WIRE_FORMAT,
        "kind": push.kind,
        "version": push.version,
        "digest": push.digest,
        "phases": push.phases,
        **what,
    }
    return f'{canonical_json(head)[:-1]},"items":[{",".join(items)}]}}'.encode()


def _named(phases: Sequence[Mapping[str, str]]) -> tuple[Phases, dict[str, str]]:
    digests = {text: content_digest(text) for text in {text for phase in phases for text in phase.values()}}
    named = tuple(tuple((name, digests[text]) for name, text in phase.items()) for phase in phases)
    return named, {found: text for text, found in digests.items()}


# ---- what is new of a long text ----


def _edits(
    phases: Sequence[Mapping[str, str]], blobs: Mapping[str, str], files: Mapping[str, str]
) -> dict[str, Edit]:
    digests = {text: found for found, text in blobs.items()}
    edits = {}
    for name, text in ((name, text) for phase in phases for name, text in phase.items()):
        before = files.get(name, "")
        found = edit_of(before, text) if before != text and digests[text] not in edits else None
        if found is not None:
            edits[digests[text]] = found
    return edits


def edit_of(old: str, new: str) -> Edit | None:
    """How `new` comes from `old`; None where sending it whole is no worse."""
    if min(len(old), len(new)) < LEAST_EDITED:
        return None
    before, after = old[:-END], new[:-END]
    at = _common_start(before, after)
    same = _common_start(before[at:][::-1], after[at:][::-1])
    put = after[at : len(after) - same]
    if len(put) > len(new) // 2:
        return None
    return Edit(content_digest(old), at, len(before) - same - at, put, new[-END:])


def changed_files(files: Mapping[str, str], told: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The files that come of `files` by what an agent told of each: its digest, and the edits that lead to it. A file
    is left out with which they do not."""
    found = {}
    for name in files.keys() & told.keys():
        text = files[name]
        for edit in told[name]["edits"]:
            text = Edit(**edit).carried_out(text)
        if content_digest(text) == told[name]["digest"]:
            found[name] = text
    return found


def _common_start(one: str, other: str) -> int:
    """How many characters both begin with, by halves: comparing stretches is what Python does fast."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


# ---- putting together ----


def _put_together(plain: Mapping[str, Any], held: Push | None) -> Push:
    if plain["base"] and (held is None or held.digest != plain["base"]):
        raise BaseUnknown("this node does not hold the configuration that the push is a change of")
    items, digests = _items(plain, held if plain["base"] else None)
    phases = tuple(tuple((str(n), str(d)) for n, d in phase) for phase in plain["phases"])
    push = Push(
        kind=str(plain["kind"]),
        version=int(plain["version"]),
        digest=str(plain["digest"]),
        items=items,
        digests=digests,
        phases=phases,
        blobs=_blobs(plain, phases, held),
    )
    if digest_of_all(digests) != push.digest:
        raise WireError("the objects of the push do not have its digest")
    return push


def _items(plain: Mapping[str, Any], base: Push | None) -> tuple[dict[str, str], dict[str, str]]:
    """The objects by name, and their digests, both in the order of the document."""
    items, digests = (dict(base.items), dict(base.digests)) if base else ({}, {})
    for name in plain["gone"]:
        del items[name], digests[name]
    for item in plain["items"]:
        if item["kind"] not in _RANK:
            raise WireError("an object of the push is of a kind not known here")
        name, text = f"{item['kind']}/{item['id']}", canonical_json(item)
        items[name], digests[name] = text, hashlib.sha256(text.encode()).hexdigest()
    ordered = in_order(items, base.items if base else {}, _order)
    return {name: items[name] for name in ordered}, {name: digests[name] for name in ordered}


def _order(name: str) -> tuple[int, str]:
    kind, _, item_id = name.partition("/")
    return (_RANK[kind], item_id)


def _blobs(plain: Mapping[str, Any], phases: Phases, held: Push | None) -> dict[str, str]:
    """The content of every file that the phases name."""
    if not phases:
        raise WireError("a push needs at least one phase")
    known = held.blobs if held else {}
    new = {str(named): str(text) for named, text in plain["blobs"].items()}
    for named, change in plain["edits"].items():
        edit = Edit(**change)
        if edit.of not in known:
            raise BaseUnknown("this node does not hold a file that the push is a change of")
        new[named] = edit.carried_out(known[edit.of])
    if any(content_digest(text) != named for named, text in new.items()):
        raise WireError("a content of the push does not have the digest it is named by")
    return {content: _content(name, content, new, known) for phase in phases for name, content in phase}


def _content(name: str, content: str, new: Mapping[str, str], known: Mapping[str, str]) -> str:
    if not _FILE_NAME.fullmatch(name):
        raise WireError("a file name of the push is not allowed")
    if content in new:
        return new[content]
    if content not in known:
        raise BaseUnknown(f"the content of {name} is missing")
    return known[content]
