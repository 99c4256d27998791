"""What a reconcile would do: the changes, their order, and that carrying them out leaves nothing to do."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from gateways.engine.changes import Create, Delete, Update
from gateways.engine.diff import diff
from gateways.engine.document import Document, Item, Kind, Ref, ref
from tests.gateways import documents as make


def carried_out(observed: Document, changes: list[Create | Update | Delete]) -> Document:
    items = dict(observed.items)
    for change in changes:
        if isinstance(change, Delete):
            del items[change.ref]
        else:
            items[change.ref] = change.item
    return Document.of(items.values())


def test_equal_documents_need_no_change() -> None:
    assert diff(make.catalogue(3), make.catalogue(3)).is_empty


def test_a_new_key_is_one_creation() -> None:
    extra = make.key("9", "0001")
    changes = diff(make.catalogue(2), make.catalogue(2, extra))
    assert changes.changes == (Create(extra),)


def test_a_changed_limit_is_one_update_that_names_the_numbers() -> None:
    before, after = make.document(make.limit(calls=5)), make.document(make.limit(calls=6))
    changes = diff(before, after)
    assert isinstance(changes.changes[0], Update)
    assert changes.lines() == ["update limit/plr_1 (Plan 1): calls 5 -> 6"]


def test_creations_run_from_what_is_referred_to_to_what_refers() -> None:
    kinds = [change.ref.kind for change in diff(Document(), make.catalogue(1))]
    assert kinds == [Kind.UPSTREAM, Kind.LIMIT, Kind.CONSUMER, Kind.ROUTE, Kind.GRANT, Kind.KEY]


def test_deletions_run_backwards() -> None:
    kinds = [change.ref.kind for change in diff(make.catalogue(1), Document())]
    assert kinds == [Kind.KEY, Kind.GRANT, Kind.ROUTE, Kind.CONSUMER, Kind.LIMIT, Kind.UPSTREAM]


def test_a_revocation_comes_before_everything_that_could_fail() -> None:
    old, new = make.key("1"), make.route("2")
    base = [make.upstream(), make.limit(), make.consumer(), make.route(), make.grant("1", "1")]
    changes = diff(make.document(*base, old), make.document(*base, new))
    assert [change.ref for change in changes] == [ref(old), ref(new)]


def test_a_scope_leaves_the_rest_alone_and_still_carries_the_whole_document() -> None:
    desired = make.catalogue(2)
    changes = diff(Document(), desired, frozenset({Ref(Kind.UPSTREAM, "upb_1")}))
    assert changes.refs() == {Ref(Kind.UPSTREAM, "upb_1")}
    assert changes.desired is desired


def test_the_secret_of_a_key_is_never_printed() -> None:
    secret = make.key("0001").value
    changes = diff(Document(), make.catalogue(1))
    other = replace(make.key("0001"), value_digest="0" * 64)
    updated = diff(make.document(other), make.document(make.key("0001")))
    for found in (changes, updated):
        assert secret not in repr(found) + repr(found.lines()) + repr(found.to_plain())
    assert updated.lines() == ["update key/crd_0001 (key 0000000000000001): its secret value"]


POOL: list[Item] = [
    item
    for number in "123"
    for item in (
        make.upstream(number),
        make.upstream(number, "http://127.0.0.1:10"),
        make.limit(number),
        make.limit(number, calls=1),
        make.route(number, at=number),
        make.grant(number, number),
        make.grant(number),
        make.key(number),
    )
]


def documents_of(items: list[Item]) -> Document:
    return Document.of({ref(item): item for item in items}.values())


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(POOL)), st.lists(st.sampled_from(POOL)))
def test_carrying_out_a_change_set_leaves_nothing_to_do(one: list[Item], two: list[Item]) -> None:
    observed, desired = documents_of(one), documents_of(two)
    changes = diff(observed, desired)
    result = carried_out(observed, list(changes))
    assert result == desired
    assert diff(result, desired).is_empty
