"""What a driver has made at a vendor, as the portal keeps it: agents remember by themselves, AWS does not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from gateways.engine.document import Document, Item, Ref

type Resource = Mapping[str, Any]
"""JSON values: ids at the vendor, and how far something has come."""


class Holdings(Protocol):
    """The holdings of one gateway. What is written is committed when the call returns, so that whoever comes after a
    crash knows what was begun. The one writer is the run that holds the lease."""

    def document(self) -> Document:
        """The objects that were put in force, keys without values."""

    def hold(self, items: Iterable[Item]) -> None:
        """These objects are in force now."""

    def let_go(self, names: Iterable[Ref]) -> None:
        """These objects are not in force any more."""

    def resources(self, sort: str) -> Mapping[str, Resource]:
        """What there is of one sort, by name."""

    def resource(self, sort: str, name: str) -> Resource | None:
        """One of them."""

    def keep(self, sort: str, resources: Mapping[str, Resource]) -> None:
        """Write these down, in the place of what was known of them."""

    def drop(self, sort: str, names: Iterable[str]) -> None:
        """These are no more."""
