"""A document with the place in the text of each of its values, and JSON pointers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from apis.spec.problems import MAX_PROBLEMS, SpecProblem, SpecRefused

type Step = str | int
type Place = tuple[int, int]


def pointer_to(steps: Sequence[Step]) -> str:
    """RFC 6901 pointer of a path: `["paths", "/a"]` -> `/paths/~1a`."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def steps_of(pointer: str) -> list[str]:
    """The unescaped steps of an RFC 6901 pointer."""
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


@dataclass(slots=True)
class Problems:
    """Collects problems up to the most that are shown."""

    found: list[SpecProblem] = field(default_factory=list)
    cut: bool = False

    def add(self, problem: SpecProblem) -> None:
        if len(self.found) >= MAX_PROBLEMS:
            self.cut = True
        elif problem not in self.found:
            self.found.append(problem)

    def in_order(self) -> list[SpecProblem]:
        """The problems by line and column."""
        return sorted(self.found, key=lambda problem: (problem.line, problem.column))

    def raise_if_any(self) -> None:
        """Raises SpecRefused, in the order of the lines, when something was found."""
        if self.found:
            raise SpecRefused(self.in_order(), cut=self.cut)


@dataclass(slots=True)
class Source:
    """A parsed document. `root` is made of dict, list, str, int, float, bool and None; no value occurs twice.

    `marks[id(container)][key or index]` is the (line, column), both from 1, of that member: of its key in a
    mapping. Identity is a safe key because aliases are refused and `root` keeps every container alive.
    """

    root: Any = None
    marks: dict[int, dict[Step, Place]] = field(default_factory=dict)
    problems: Problems = field(default_factory=Problems)
    warnings: Problems = field(default_factory=Problems)

    def place(self, steps: Sequence[Step]) -> Place:
        """(line, column) of the value at `steps`, or of the nearest value around it that exists."""
        here, place = self.root, (1, 1)
        for given in steps:
            step = str(given) if isinstance(here, dict) else given  # validators give "200" as a number
            place = self.marks.get(id(here), {}).get(step, place)
            try:
                here = here[step]
            except (KeyError, IndexError, TypeError):
                break
        return place

    def problem(self, steps: Sequence[Step], code: str, message: str) -> SpecProblem:
        line, column = self.place(steps)
        return SpecProblem(pointer_to(steps), line, column, code, message)

    def refuse(self, steps: Sequence[Step], code: str, message: str, place: Place | None = None) -> None:
        """Note a problem that refuses the document; `place` when it is not where `steps` lead."""
        line, column = place or self.place(steps)
        self.problems.add(SpecProblem(pointer_to(steps), line, column, code, message))

    def warn(self, steps: Sequence[Step], code: str, message: str) -> None:
        """Note something wrong that harms nobody."""
        self.warnings.add(self.problem(steps, code, message))


def walk(root: Any) -> Iterator[tuple[tuple[Step, ...], dict[str, Any] | list[Any]]]:
    """Every container with the steps to it, in document order; iterative, for trees without sharing."""
    stack: list[tuple[tuple[Step, ...], Any]] = [((), root)]
    while stack:
        steps, value = stack.pop()
        if isinstance(value, dict):
            yield steps, value
            members: list[tuple[Step, Any]] = list(value.items())
        elif isinstance(value, list):
            yield steps, value
            members = list(enumerate(value))
        else:
            continue
        stack.extend(
            ((*steps, step), child) for step, child in reversed(members) if isinstance(child, (dict, list))
        )
