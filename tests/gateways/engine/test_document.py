"""Documents: one name once, digests that name content, a plain form without secrets that comes back whole."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateways.engine.document import Document, Key, canonical_json, digest, from_plain, to_plain
from tests.gateways import documents as make


def test_two_objects_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="upb_1"):
        make.document(make.upstream(), make.upstream())


def test_the_order_in_which_objects_come_does_not_matter() -> None:
    items = list(make.catalogue(3).items.values())
    assert Document.of(reversed(items)).digest() == Document.of(items).digest()


def test_the_plain_form_comes_back_whole_but_for_the_secret() -> None:
    for item in make.catalogue(1, make.block("0001", 1_800_000_000)).items.values():
        back = from_plain(to_plain(item))
        assert back == item
        assert digest(back) == digest(item)
    assert from_plain(to_plain(make.key("1"))) == replace(make.key("1"), value="")


def test_another_value_is_another_key() -> None:
    one, other = make.key("1"), replace(make.key("1"), value_digest="f" * 64)
    assert digest(one) != digest(other)


def test_what_is_learned_is_what_would_have_been_worked_out() -> None:
    known, fresh, changed = make.catalogue(3), make.catalogue(3), make.catalogue(3)
    known.digest()
    fresh.learn(known)
    assert fresh.digests() == make.catalogue(3).digests()
    name = next(name for name, item in changed.items.items() if isinstance(item, Key))
    other = Document({**changed.items, name: replace(make.key("1"), id=name.id, value_digest="f" * 64)})
    other.learn(known)
    assert other.digests()[name] != known.digests()[name]


def test_a_key_never_shows_its_value() -> None:
    key = make.key("1")
    assert key.value not in repr(key) + canonical_json(to_plain(key))
