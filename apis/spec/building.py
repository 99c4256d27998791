"""Builds a document from the events of a parser, within limits, iteratively: no nesting can exhaust a stack."""

from __future__ import annotations

from typing import Any

from apis.spec.places import Place, Source, Step
from apis.spec.problems import whole_file

MAX_DEPTH = 64
MAX_NODES = (
    250_000  # keys not counted; the largest known documents within the byte limit have a quarter of it
)


class Builder:
    """Takes opens, closes, keys and scalars in document order and grows `source.root`.

    Raises SpecRefused at once past MAX_DEPTH or MAX_NODES, so that no bomb is ever built; a key given twice and
    text that cannot be stored are noted and the reading goes on.
    """

    def __init__(self) -> None:
        self.source = Source()
        self.steps: list[Step] = []
        self._stack: list[Any] = []
        self._nodes = 0
        self._key: str | None = None
        self._key_place: Place = (1, 1)

    @property
    def wants_key(self) -> bool:
        """Whether the next scalar is a key of the open mapping."""
        return self._key is None and bool(self._stack) and isinstance(self._stack[-1], dict)

    @property
    def depth(self) -> int:
        return len(self._stack)

    @property
    def next_steps(self) -> tuple[Step, ...]:
        """The path of the value that comes next, given that its key is known."""
        if not self._stack:
            return ()
        parent = self._stack[-1]
        return (*self.steps, len(parent) if isinstance(parent, list) else self._key or "")

    def open(self, container: dict[str, Any] | list[Any], place: Place) -> None:
        """Begin a mapping or a sequence; what follows goes into it until `close`."""
        if len(self._stack) >= MAX_DEPTH:
            raise whole_file(
                "too-deep",
                f"Values are nested more than {MAX_DEPTH} deep here. Flatten the document, or move parts of it to "
                "components and refer to them.",
                line=place[0],
                column=place[1],
            )
        step = self._attach(container, place)
        self.source.marks[id(container)] = {}
        if self._stack:
            self.steps.append(step)
        self._stack.append(container)

    def close(self) -> None:
        self._stack.pop()
        if self._stack:
            self.steps.pop()

    def key(self, text: str, place: Place) -> None:
        """The key of the value that follows."""
        text = self._storable(text, place)
        if text in self._stack[-1]:
            first = self.source.marks[id(self._stack[-1])][text]
            self.source.refuse(
                [*self.steps, text],
                "duplicate-key",
                f"The key {shown(text)} is given twice: here on line {place[0]}, and before on line {first[0]}. "
                "Remove or rename one of them.",
                place,
            )
        self._key, self._key_place = text, place

    def scalar(self, value: Any, place: Place) -> None:
        """A value that is no container."""
        self._attach(self._storable(value, place) if isinstance(value, str) else value, place)

    def _attach(self, value: Any, place: Place) -> Step:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise whole_file(
                "too-many-values",
                f"The document holds more than {MAX_NODES:,} values. Split it into several APIs.",
                line=place[0],
                column=place[1],
            )
        if not self._stack:
            self.source.root = value
            return ""
        parent = self._stack[-1]
        if isinstance(parent, list):
            parent.append(value)
            step: Step = len(parent) - 1
        else:
            assert self._key is not None  # noqa: S101  the readers give a key before each value
            step, place, self._key = self._key, self._key_place, None
            parent[step] = value
        self.source.marks[id(parent)][step] = place
        return step

    def _storable(self, text: str, place: Place) -> str:
        """`text`, or "" with a problem noted when it holds a NUL or half a surrogate pair (no database takes those)."""
        if text.isascii() and "\0" not in text:
            return text
        if "\0" in text or any("\ud800" <= c <= "\udfff" for c in text):
            self.source.refuse(
                self.next_steps if self._key is not None else self.steps,
                "bad-character",
                f"The text on line {place[0]} holds a NUL character or half of a surrogate pair. Remove it.",
                place,
            )
            return text.replace("\0", "").encode("utf-8", "replace").decode()
        return text


def shown(text: str, limit: int = 80) -> str:
    """`text` in quotes, cut to `limit` characters, for a message."""
    text = "".join(c if c.isprintable() else " " for c in text[: limit + 1])
    return f"“{text[:limit]}…”" if len(text) > limit else f"“{text}”"
