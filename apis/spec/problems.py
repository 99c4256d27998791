"""What is wrong with a document, and where."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

MAX_PROBLEMS = 200


@dataclass(frozen=True, slots=True)
class SpecProblem:
    """One thing wrong. `pointer` is a JSON pointer ("" is the whole document); `line` and `column` count from 1.

    `line` 0 means that no place is known (the file as a whole). `code` is stable and names the class of the
    problem; `message` is an English sentence that says what to do.
    """

    pointer: str
    line: int
    column: int
    code: str
    message: str

    def __str__(self) -> str:
        place = f"line {self.line}" if self.line else "the file"
        return f"{place}{f', {self.pointer}' if self.pointer else ''}: {self.message}"

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> SpecProblem:
        """The problem that the worker wrote as a JSON object."""
        return cls(value["pointer"], value["line"], value["column"], value["code"], value["message"])


class SpecRefused(Exception):
    """The document is not taken. `problems` holds at least one; `cut` says that there were more than are shown."""

    def __init__(self, problems: Iterable[SpecProblem], *, cut: bool = False) -> None:
        self.problems = tuple(problems)[:MAX_PROBLEMS]
        self.cut = cut
        super().__init__(str(self.problems[0]) if self.problems else "refused")


def whole_file(code: str, message: str, *, line: int = 0, column: int = 0) -> SpecRefused:
    """A refusal for one reason that concerns the file, or one place in its text, rather than a value in it."""
    return SpecRefused([SpecProblem("", line, column, code, message)])
