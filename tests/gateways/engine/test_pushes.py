"""A push comes back from its bytes, whole or put together from what a node holds, and nothing else does."""

from __future__ import annotations

import json
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateways.engine.document import Document, Item, Key, Kind, digest
from gateways.engine.pushes import (
    BaseUnknown,
    Push,
    WireError,
    difference,
    edit_of,
    make_push,
    read_push,
)
from tests.gateways import documents as make

LONG = "".join(f'{{"client":"sub_{number}","key":"{number * 7919}"}},' for number in range(2_000))


def push() -> Push:
    return make_push(
        "envoy", 7, make.catalogue(2), [{"cds.json": "{}"}, {"cds.json": "{}", "lds.json": "[]"}]
    )


def test_a_push_comes_back_from_its_bytes() -> None:
    back = read_push(push().to_bytes())
    assert back.to_bytes() == push().to_bytes()
    assert back.files == {"cds.json": "{}", "lds.json": "[]"}
    assert back.document().digest() == make.catalogue(2).digest() == back.digest
    assert all(not key.value for key in back.document().of_kind(Key))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b'"cds.json"', b'"../x.json"', "file name"),
        (b'"cds.json"', b'"/etc/x.json"', "file name"),
        (b'"format":2', b'"format":1', "format"),
        (b'"kind":"route"', b'"kind":"rout3"', "kind"),
        (b'"label":"Plan 1"', b'"label":"Plan 2"', "digest"),
        (b'"[]"', b'"[ ]"', "digest"),
        (b'"version":7', b'"version":{}', "no configuration push"),
        (b"{", b"", "no configuration push"),
    ],
)
def test_a_push_that_was_changed_on_the_way_is_refused(old: bytes, new: bytes, said: str) -> None:
    with pytest.raises(WireError, match=said):
        read_push(push().to_bytes().replace(old, new, 1))


# Only what is new


def files_of(document: Document) -> dict[str, str]:
    """Files that change with the document, one of them long."""
    keys = "".join(f"{key.id} {key.value_digest}\n" for key in document.of_kind(Key))
    return {"keys.conf": f"{LONG}\n{keys}{LONG}\n{document.digest()}", "routes.conf": str(len(document))}


def whole(document: Document, version: int = 1) -> Push:
    return make_push("nginx", version, document, [files_of(document)])


def changed(document: Document, base: Document, version: int = 2) -> bytes:
    phases = [files_of(document)]
    return difference("nginx", version, document, phases, base=base, files=files_of(base))


def some_of(catalogue: Document, rng: Random) -> Document:
    """Any part of `catalogue`, some of it edited: a push does not look at what refers to what."""
    items = [item for item in catalogue.items.values() if rng.random() < 0.8]
    return Document.of(edited(item) if rng.random() < 0.1 else item for item in items)


def edited(item: Item) -> Item:
    return replace(item, value_digest="f" * 64) if isinstance(item, Key) else item


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False))
def test_what_is_put_together_is_what_would_have_been_sent_whole(rng: Random) -> None:
    catalogue = make.catalogue(12)
    base, document = some_of(catalogue, rng), some_of(catalogue, rng)
    put_together = read_push(changed(document, base), whole(base))
    assert put_together == whole(document, 2)
    assert list(put_together.items) == list(whole(document, 2).items), "in the order of the document"
    assert put_together.to_bytes() == whole(document, 2).to_bytes(), "and it is kept whole"


def test_one_key_more_is_little_to_say() -> None:
    base = make.catalogue(200)
    document = Document.of([*base.items.values(), make.key("more", "0001")])
    body = changed(document, base)
    assert len(body) < 3_000 < len(whole(document).to_bytes())
    assert json.loads(body)["gone"] == []
    assert read_push(body, whole(base)) == whole(document, 2)


def test_a_node_that_holds_something_else_asks_for_the_whole() -> None:
    base, other = make.catalogue(3), make.catalogue(2)
    body = changed(make.catalogue(4), base)
    for held in (None, whole(other)):
        with pytest.raises(BaseUnknown):
            read_push(body, held)
    with_other_files = replace(whole(base), blobs={})
    with pytest.raises(BaseUnknown, match="file"):
        read_push(body, with_other_files)


def test_files_that_are_not_known_here_go_out_whole() -> None:
    base, document = make.catalogue(3), make.catalogue(4)
    body = difference("nginx", 2, document, [files_of(document)], base=base, files={})
    assert json.loads(body)["edits"] == {}
    assert read_push(body, whole(base)) == whole(document, 2)


def test_a_difference_that_was_changed_on_the_way_is_refused() -> None:
    base, document = make.catalogue(3), make.catalogue(4)
    plain = json.loads(changed(document, base))
    key = next(name for name in base.items if name.kind is Kind.KEY)
    assert digest(base.items[key])
    for wrong in (
        {"gone": [str(key)]},
        {"gone": ["key/unheard-of"]},
        {"items": []},
        {"edits": {named: {**edit, "put": "x"} for named, edit in plain["edits"].items()}},
        {"edits": {named: {"of": edit["of"]} for named, edit in plain["edits"].items()}},
    ):
        with pytest.raises(WireError):
            read_push(json.dumps({**plain, **wrong}).encode(), whole(base))


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, len(LONG) - 3_500),
    st.integers(0, 3_000),
    st.text(max_size=200),
    st.text("abc", max_size=128),
)
def test_an_edit_gives_the_new_text(at: int, cut: int, put: str, end: str) -> None:
    new = LONG[:at] + put + LONG[at + cut : len(LONG) - len(end)] + end
    edit = edit_of(LONG, new)
    assert edit is not None
    assert edit.carried_out(LONG) == new
    assert len(edit.put) <= len(put), "only what is new goes out"
