"""The guard: what may go out alone, what waits for a person, and what is never held back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateways.engine.changes import Delete, HeldBack, raise_if_unsafe
from gateways.engine.diff import diff
from gateways.engine.document import Document, Grant, Key, Kind, Ref, Route, Upstream, ref
from tests.gateways import documents as make


def without(document: Document, *gone: Ref) -> Document:
    return Document.of(item for name, item in document.items.items() if name not in gone)


def routes(*names: str) -> list[Ref]:
    return [Ref(Kind.ROUTE, f"pub_{name}") for name in names]


def test_a_mass_deletion_without_an_event_is_held_back() -> None:
    before = make.catalogue(10)
    changes = diff(before, without(before, *routes("0001", "0002", "0003", "0004")))
    with pytest.raises(HeldBack) as held:
        raise_if_unsafe(changes)
    assert set(held.value.refs) == set(routes("0001", "0002", "0003", "0004"))
    assert "4 of 10 routes" in held.value.message


@pytest.mark.parametrize(("existing", "gone"), [(10, 3), (9, 9)])
def test_thirty_percent_or_fewer_than_ten_pass(existing: int, gone: int) -> None:
    before = make.catalogue(existing)
    names = [f"{number:04d}" for number in range(1, gone + 1)]
    raise_if_unsafe(diff(before, without(before, *routes(*names))))


def test_what_an_event_explains_passes() -> None:
    before = make.catalogue(10)
    gone = routes(*[f"{number:04d}" for number in range(1, 11)])
    raise_if_unsafe(diff(before, without(before, *gone)), set(gone))


def test_upstreams_are_guarded_too() -> None:
    before = make.document(*(make.upstream(str(number)) for number in range(10)))
    with pytest.raises(HeldBack, match="upstream"):
        raise_if_unsafe(diff(before, Document()))


def test_removed_keys_and_grants_are_never_held_back() -> None:
    before = make.catalogue(20)
    after = Document.of(item for item in before.items.values() if not isinstance(item, Key | Grant))
    raise_if_unsafe(diff(before, after))


def test_removals_go_out_alone_while_everything_else_stays_as_it_was() -> None:
    before = make.catalogue(10, make.key("9", "0001"))
    after = make.catalogue(2, make.upstream("2"))
    removals = diff(before, after).only_removals()
    assert all(isinstance(change, Delete) for change in removals)
    assert {change.ref.kind for change in removals} == {Kind.KEY, Kind.GRANT}
    assert ref(make.key("9", "0001")) in removals.refs()
    kept = removals.desired
    assert list(kept.of_kind(Route)) == list(before.of_kind(Route))
    assert list(kept.of_kind(Upstream)) == list(before.of_kind(Upstream))
    assert {key.id for key in kept.of_kind(Key)} == {"crd_0001", "crd_0002"}


def test_removals_keep_the_values_of_the_keys_that_stay() -> None:
    wanted = make.catalogue(10)
    seen = Document.of(replace(i, value="") if isinstance(i, Key) else i for i in wanted.items.values())
    after = without(wanted, ref(make.key("0001")), *routes("0002", "0003", "0004", "0005"))
    kept = diff(seen, after).only_removals().desired
    assert all(key.value for key in kept.of_kind(Key))
    assert len(list(kept.of_kind(Key))) == 9


def test_a_narrowed_grant_and_a_new_block_go_out_too_and_nothing_widens() -> None:
    """Somebody has given sub_0001 a second route by hand; four other routes are gone without an event."""
    wanted = make.catalogue(10, make.block("0002", 1_900_000_000))
    wide = replace(make.grant("0001", "0001"), routes=("pub_0001", "pub_0010"))  # type: ignore[call-arg]
    seen = Document.of([*(i for n, i in make.catalogue(10).items.items() if n != ref(wide)), wide])
    after = without(wanted, *routes("0003", "0004", "0005", "0006"))
    removals = diff(seen, after).only_removals()
    assert {str(change.ref) for change in removals} == {"grant/sub_0001", "block/blk_0002"}
    kept = removals.desired.items
    assert kept[ref(wide)] == replace(wide, routes=("pub_0001",))
    assert {ref_.id for ref_ in kept if ref_.kind is Kind.ROUTE} == {r.id for r in seen.of_kind(Route)}


def test_a_block_of_a_grant_that_waits_to_be_made_waits_with_it() -> None:
    before = make.catalogue(10)
    new = [make.route("new"), make.grant("new", "new"), make.block("new", 1_900_000_000)]
    removals = diff(before, make.catalogue(10, *new)).only_removals()
    assert removals.is_empty
    assert removals.desired == before
