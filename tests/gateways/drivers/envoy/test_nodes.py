"""Several nodes read together: what one of them lacks or has otherwise never equals what is wanted."""

from __future__ import annotations

import pytest

from gateways.drivers.agents.client import Served
from gateways.drivers.agents.nodes import merged, named_in
from gateways.engine.changes import Delete, Update
from gateways.engine.diff import diff
from gateways.engine.document import Document, Item, Kind, Ref
from gateways.engine.driver import Mark
from tests.gateways import documents as make


def seen(*nodes: Document) -> Document:
    return merged([Served(Mark(1, document.digest()), document, ()) for document in nodes])


def test_nodes_that_agree_are_one() -> None:
    assert seen(make.catalogue(2), make.catalogue(2)) == make.catalogue(2)


@pytest.mark.parametrize(
    "item", [make.upstream("9"), make.key("9", "0001"), make.block("0001", 2_000_000_000), make.grant("9")]
)
def test_what_one_node_lacks_is_pushed_again_or_taken_away(item: Item) -> None:
    observed = seen(make.catalogue(1), make.catalogue(1, item))
    wanted = diff(observed, make.catalogue(1, item))
    unwanted = diff(observed, make.catalogue(1))
    assert [type(change) for change in wanted] == [Update]
    assert [type(change) for change in unwanted] == [Delete]


def test_what_nodes_have_otherwise_is_pushed_again() -> None:
    one, other = make.document(make.limit(calls=1)), make.document(make.limit(calls=2))
    for wanted in (one, other):
        assert len(diff(seen(one, other), wanted)) == 1


def test_only_whole_names_are_blamed() -> None:
    document = make.document(make.route("1"), make.route("10"), make.upstream("1"))
    assert named_in("route 'pub_10': no such cluster upb_1.", document) == (
        Ref(Kind.UPSTREAM, "upb_1"),
        Ref(Kind.ROUTE, "pub_10"),
    )
