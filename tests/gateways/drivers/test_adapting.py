"""Going on from one document to the next comes to the same as looking at all of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateways.drivers.agents.adapt import Adapting, NoMore, Refine
from gateways.drivers.nginx.adapt import NginxRules
from gateways.engine.document import Document, Grant, Item, Key, value_digest
from gateways.engine.driver import Listener
from tests.gateways import documents as make

LISTENERS = (Listener("production", 8080),)
BASE = tuple(make.catalogue(3).items.values())


def subscription(number: int, *, key: int, routes: int) -> tuple[Item, Item]:
    """A grant for the first routes, and its key; keys with one number have one value."""
    like = next(item for item in BASE if isinstance(item, Grant))
    named = sorted(item.id for item in BASE if item.kind == "route")
    grant = replace(like, id=f"sub_x{number}", routes=tuple(named[:routes]))
    value = f"ghpx{key:064d}"
    return grant, Key(f"crd_x{number}", f"key{number}", grant.id, value_digest(value), value)


STEPS = st.lists(
    st.dictionaries(st.integers(0, 6), st.tuples(st.integers(0, 6), st.integers(0, 3)), max_size=7),
    min_size=1, max_size=5,
)  # fmt: skip
"""Documents in a row: by the number of each subscription the number of its key, and how many routes it has."""


@pytest.mark.parametrize("rules", [NoMore, NginxRules])
@given(steps=STEPS, without=st.integers(0, 40))
@settings(max_examples=60)
def test_going_on_comes_to_the_same(
    rules: Callable[[], Refine], steps: list[dict[int, tuple[int, int]]], without: int
) -> None:
    kept: dict[object, Item] = {}
    found: Adapting | None = None
    for step, subscriptions in enumerate(steps):
        items = [item for index, item in enumerate(BASE) if step < 2 or index != without]
        for number, (key, routes) in subscriptions.items():
            items += subscription(number, key=key, routes=routes)
        same = [kept.setdefault(item, item) for item in items]
        document = Document.of(same)
        if found is None or not found.follow(document):
            found = Adapting.anew(document, LISTENERS, 1, rules())
        whole = Adapting.anew(document, LISTENERS, 1, rules()).result()
        assert found.result() == whole
        assert found.result().document.digest() == whole.document.digest()


def test_a_key_more_is_all_that_is_looked_at() -> None:
    first = Document.of([*BASE, *subscription(1, key=1, routes=1)])
    found = Adapting.anew(first, LISTENERS, 1, NoMore())
    seen: list[Item] = []

    class Watching(NoMore):
        def __call__(self, item: Item, adaption: object) -> Item:
            seen.append(item)
            return item

    found.refine = Watching()
    more = subscription(2, key=2, routes=2)
    assert found.follow(Document.of([*first.items.values(), *more]))
    assert seen == list(more)
