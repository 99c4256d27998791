"""What was found on the way from an author's document to API Gateway's, and the result."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from apis.spec.places import Step, pointer_to
from gateways.engine.document import canonical_json


@dataclass(frozen=True, slots=True)
class Trap:
    """Something that API Gateway takes otherwise than the document says, or not at all.

    `pointer` is an RFC 6901 pointer into the author's document ("" is all of it), unless said otherwise. With
    `blocks` the import would fail, and `cure` says what to change; without, it was repaired, and `cure` says what
    that costs. `code` is stable and names the kind."""

    pointer: str
    what: str
    cure: str
    blocks: bool
    code: str

    def __str__(self) -> str:
        return f"{self.pointer or 'the document'}: {self.what} {self.cure}"


class CannotImport(Exception):
    """API Gateway would refuse the document; nothing was called. `traps` are those that block, at least one."""

    def __init__(self, traps: Iterable[Trap]) -> None:
        self.traps = tuple(trap for trap in traps if trap.blocks)
        super().__init__(str(self.traps[0]))


@dataclass(frozen=True, slots=True)
class Rendered:
    """A document that API Gateway can import, and what is not in it as its author wrote it."""

    document: dict[str, Any]
    notes: tuple[Trap, ...]

    @property
    def text(self) -> str:
        """The document as it is sent: equal documents give equal text."""
        return canonical_json(self.document)

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of `text`."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(slots=True)
class Found:
    """Collects traps: each kind once at each place."""

    traps: dict[tuple[str, str], Trap] = field(default_factory=dict)

    def note(self, code: str, steps: Sequence[Step], what: str, cost: str) -> None:
        """Something that was repaired."""
        self._add(Trap(pointer_to(steps), what, cost, False, code))

    def block(self, code: str, steps: Sequence[Step], what: str, cure: str) -> None:
        """Something that must be changed first."""
        self._add(Trap(pointer_to(steps), what, cure, True, code))

    def _add(self, trap: Trap) -> None:
        self.traps.setdefault((trap.pointer, trap.code), trap)

    def add(self, traps: Iterable[Trap]) -> None:
        """Take over what another one found."""
        for trap in traps:
            self._add(trap)

    @property
    def all(self) -> tuple[Trap, ...]:
        """In the order found, those that block first."""
        return tuple(sorted(self.traps.values(), key=lambda trap: not trap.blocks))

    def raise_if_blocked(self) -> None:
        """Raises CannotImport when something blocks."""
        if any(trap.blocks for trap in self.traps.values()):
            raise CannotImport(self.all)
