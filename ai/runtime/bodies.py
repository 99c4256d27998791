"""What is told of the words of a call, where a team wants them kept: without personal data, and only so much of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ai.prompts.guards import PERSONAL, Guard
from ai.prompts.variables import Variable

MOST_CHARACTERS = 32_000
"""Of either side. The feed is shipped in batches of some megabytes: a line that is longer would hold it up for good."""

BEYOND = 1_000
"""Characters that are looked at behind the cut, so that nothing is cut in two and then not known for what it is."""

MOST_DEPTH = 20
LEAST_HIDDEN = 3
DATA = "(data)"
HIDDEN = "(hidden)"

type Find = Callable[[str], Sequence[tuple[int, int]]]
type Span = tuple[int, int, str]
"""Start and end of something to be taken out, and what stands there instead."""


def redacted(values: Mapping[str, Any], variables: Sequence[Variable]) -> dict[str, Any]:
    """The values of variables without those of sensitive ones."""
    names = {variable.name for variable in variables if variable.sensitive}
    return {name: HIDDEN if name in names else value for name, value in values.items()}


def secrets_of(values: Mapping[str, Any], variables: Sequence[Variable]) -> tuple[str, ...]:
    """The texts in values of sensitive variables: they may come again in what a model answers."""
    names = [variable.name for variable in variables if variable.sensitive]
    return tuple(text for name in names if name in values for text in _texts(values[name]))


def loggable(bodies: Mapping[str, Any], guard: Guard, secrets: Sequence[str]) -> dict[str, Any]:
    """`bodies` as they may be told: `{"input", "output", "is_cut"}`.

    Taken out is all personal data that is recognised, whatever the rules of the API do with it, what its rules look
    for, and `secrets`.
    """
    finds = [*PERSONAL.items(), *((rule.name, rule.find) for rule in guard.rules)]
    told: dict[str, Any] = {}
    was_cut = False
    for side in ("input", "output"):
        if side in bodies:
            reading = _Reading(finds, secrets)
            told[side] = reading.value(bodies[side])
            was_cut = was_cut or reading.was_cut
    return {**told, "is_cut": was_cut}


class _Reading:
    """One side, read from its start until there is enough of it."""

    def __init__(self, finds: Sequence[tuple[str, Find]], secrets: Sequence[str]) -> None:
        self._finds = finds
        self._secrets = [text for text in secrets if len(text.strip()) >= LEAST_HIDDEN]
        self._left = MOST_CHARACTERS
        self.was_cut = False

    def value(self, plain: Any, depth: int = 0) -> Any:
        """The same value without what may not be told."""
        if self._left <= 0 or depth > MOST_DEPTH:
            self.was_cut = True
            return "…"
        if isinstance(plain, str):
            return self._text(plain)
        if isinstance(plain, Mapping):
            return {
                self._text(str(name)): self.value(one, depth + 1) for name, one in self._some(plain.items())
            }
        if isinstance(plain, list | tuple):
            return [self.value(one, depth + 1) for one in self._some(plain)]
        if plain is None or isinstance(plain, bool):
            return plain
        text = str(plain)
        told = self._text(text)
        return plain if told == text else told

    def _some(self, values: Any) -> Iterator[Any]:
        for value in values:
            if self._left <= 0:
                self.was_cut = True
                return
            self._left -= 2
            yield value

    def _text(self, text: str) -> str:
        if _is_data(text):
            self._left -= len(DATA)
            return DATA
        room = max(0, self._left)
        pieces, end = [], 0
        for start, stop, instead in sorted(self._spans(text, room), key=_longest_first):
            if start < end:
                end = max(end, stop)
                continue
            pieces += [text[end:start], instead]
            end = stop
        pieces.append(text[end:room])
        self.was_cut = self.was_cut or len(text) > room
        self._left -= min(len(text), room)
        return "".join(pieces)

    def _spans(self, text: str, room: int) -> Iterator[Span]:
        """What begins before the cut."""
        seen = text[: room + BEYOND]
        for name, find in self._finds:
            yield from ((start, stop, f"[{name.upper()}]") for start, stop in find(seen) if start < room)
        for secret in self._secrets:
            start = text.find(secret)
            while 0 <= start < room:
                yield start, start + len(secret), HIDDEN
                start = text.find(secret, start + len(secret))


def _longest_first(span: Span) -> tuple[int, int]:
    """In their order; of two that begin at the same place, the one that says more."""
    return (span[0], -span[1])


def _is_data(text: str) -> bool:
    """Whether it is an image or a file in letters, which tells a reader nothing."""
    head = text[:BEYOND]
    return text.startswith("data:") or (
        len(text) > BEYOND and head.isascii() and not any(c.isspace() for c in head)
    )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)
    elif value is not None and not isinstance(value, bool):
        yield str(value)
