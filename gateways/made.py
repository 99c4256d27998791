"""Objects that were made of rows before: equal rows give the very same object again, with the digest it has already.

Of a hundred thousand objects a push changes a handful; making the others anew, opening their keys and working out their
digests took most of its time. Nothing here can be out of date, because an object is found by all that it is made of.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable

from gateways.engine.document import Document, Item, Ref, ref

MOST_GATEWAYS = 16


class Made:
    """The objects of one gateway, from one reading to the next. What is not asked for again is forgotten."""

    __slots__ = ("_before", "_now", "document")

    def __init__(self, before: Made | None = None) -> None:
        self._before = before._now if before else {}
        self._now: dict[Hashable, Item] = {}
        self.document: Document | None = before.document if before else None
        """What was read last, all of it."""

    def knows(self, content: Hashable) -> bool:
        """Whether an object of this content was made before."""
        return content in self._before

    def of[T: Item](self, content: Hashable, make: Callable[[], T]) -> T:
        """The object made of `content`, which has to name all that `make` puts into it."""
        found = self._before.get(content)
        if found is None:
            found = make()
        self._now[content] = found
        return found  # type: ignore[return-value]  # what `make` made of the same content before

    def same[T: Item](self, item: T) -> T:
        """`item`, or the equal object of before."""
        name: Ref = ref(item)
        found = self._before.get(name)
        kept = found if found == item else item
        self._now[name] = kept
        return kept


class Memory:
    """What the readings of each gateway made last, in this process. It holds opened keys, as a worker may."""

    def __init__(self, most: int = MOST_GATEWAYS) -> None:
        self._most = most
        self._last: OrderedDict[int, Made] = OrderedDict()

    def next(self, gateway_id: int) -> Made:
        """For a new reading of a gateway. A reading that breaks off costs the next one its memory, no more."""
        made = Made(self._last.pop(gateway_id, None))
        self._last[gateway_id] = made
        while len(self._last) > self._most:
            self._last.popitem(last=False)
        return made
