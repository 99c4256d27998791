"""What the last pushes changed: a worker that did not push them itself is told the difference."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from gateways.engine.pushes import Edit, Push, edit_of

MOST_STEPS = 32
MOST_NAMES = 2_000
"""Of more objects than this a difference is not worth asking for."""


@dataclass(frozen=True, slots=True)
class Step:
    """The digest of what was held before a push, the names of the objects that it changed, and how its files came from
    those before; None for a file that is better sent whole."""

    before: str
    names: frozenset[str]
    edits: Mapping[str, Edit | None]


@dataclass(frozen=True, slots=True)
class Difference:
    """What is new against the configuration with the digest `since`: objects as canonical JSON, names of those that are
    gone, and of each file its digest and the edits that lead to it. Other files are not told."""

    since: str
    items: tuple[str, ...]
    gone: tuple[str, ...]
    files: Mapping[str, Mapping[str, Any]]


class History:
    """The steps that led to what is held. In memory alone: after a restart all of it is asked for once."""

    def __init__(self) -> None:
        self._steps: deque[Step] = deque(maxlen=MOST_STEPS)

    def note(self, before: Push | None, now: Push) -> None:
        """`now` is held, in the place of `before`."""
        if before is None:
            return
        known = before.items.get
        changed = {name for name, text in now.items.items() if known(name) != text}
        gone = before.items.keys() - now.items.keys()
        self._steps.append(Step(before.digest, frozenset(changed | gone), _edits(before.files, now.files)))

    def since(self, known: Collection[str], now: Push) -> Difference | None:
        """What of `now` is new against the last of those whose digests are `known`; None where that is not told."""
        names: set[str] = set()
        steps: list[Step] = []
        for step in reversed(self._steps):
            names |= step.names
            steps.insert(0, step)
            if len(names) > MOST_NAMES:
                return None
            if step.before in known:
                there = sorted(names & now.items.keys())
                gone = sorted(names - now.items.keys())
                items = tuple(now.items[name] for name in there)
                return Difference(step.before, items, tuple(gone), _files(steps, now))
        return None


def _edits(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, Edit | None]:
    return {
        name: edit_of(before.get(name, ""), text) for name, text in now.items() if before.get(name) != text
    }


def _files(steps: list[Step], now: Push) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for name, digest in now.file_digests.items():
        edits = [step.edits[name] for step in steps if name in step.edits]
        if all(edits):
            found[name] = {"digest": digest, "edits": [asdict(edit) for edit in edits if edit]}
    return found
