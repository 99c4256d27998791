"""What differs between two versions of a prompt: messages line by line, variables, schema, parameters, the rest."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOST_WORK = 4_000_000
"""Pairs of lines that are compared at most: longer texts are shown as replaced, in place of a page that never comes."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a text: `sign` is `+`, `-` or a space for one that is the same in both."""

    sign: str
    text: str


@dataclass(frozen=True, slots=True)
class MessageChange:
    """The messages at one place. A role is empty where there is no message on that side."""

    number: int
    role_before: str
    role_after: str
    lines: tuple[Line, ...]

    @property
    def differs(self) -> bool:
        """Whether anything changed here."""
        return self.role_before != self.role_after or any(line.sign != " " for line in self.lines)


@dataclass(frozen=True, slots=True)
class Change:
    """A member that differs; None stands for one that is not there."""

    name: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class VariableChange:
    """A variable that is on both sides and not the same."""

    name: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that differs from one version to another."""

    messages: tuple[MessageChange, ...]
    variables_added: tuple[str, ...]
    variables_removed: tuple[str, ...]
    variables_changed: tuple[VariableChange, ...]
    output_schema: tuple[Line, ...]
    parameters: tuple[Change, ...]
    others: tuple[Change, ...]

    @property
    def nothing(self) -> bool:
        """Whether both are the same."""
        return not (
            any(message.differs for message in self.messages)
            or self.variables_added
            or self.variables_removed
            or self.variables_changed
            or self.output_schema
            or self.parameters
            or self.others
        )

    def to_plain(self) -> dict[str, Any]:
        """JSON values. Messages that are the same are left out."""
        return {
            "messages": [
                {
                    "number": message.number,
                    "role_before": message.role_before,
                    "role_after": message.role_after,
                    "lines": _plain_lines(message.lines),
                }
                for message in self.messages
                if message.differs
            ],
            "variables": {
                "added": list(self.variables_added),
                "removed": list(self.variables_removed),
                "changed": [
                    {"name": variable.name, "changes": _plain_changes(variable.changes)}
                    for variable in self.variables_changed
                ],
            },
            "output_schema": _plain_lines(self.output_schema),
            "parameters": _plain_changes(self.parameters),
            "others": _plain_changes(self.others),
        }


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> Comparison:
    """Compare two versions in their JSON form: the members of a draft (`ai.prompts.drafts.MEMBERS`)."""
    old = {str(one.get("name")): one for one in before["variables"]}
    new = {str(one.get("name")): one for one in after["variables"]}
    return Comparison(
        messages=_messages(before["messages"], after["messages"]),
        variables_added=tuple(name for name in new if name not in old),
        variables_removed=tuple(name for name in old if name not in new),
        variables_changed=tuple(
            VariableChange(name, changes)
            for name in new
            if name in old and (changes := _members(old[name], new[name]))
        ),
        output_schema=_schema(before["output_schema"], after["output_schema"]),
        parameters=_members(before["parameters"], after["parameters"]),
        others=_members(*({n: side[n] for n in ("route", "cache_s", "guard")} for side in (before, after))),
    )


def _messages(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]
) -> tuple[MessageChange, ...]:
    count = max(len(before), len(after))
    sides = [[*side, *[{}] * (count - len(side))] for side in (before, after)]
    return tuple(
        MessageChange(
            number,
            str(old.get("role", "")),
            str(new.get("role", "")),
            lines(str(old.get("content", "")), str(new.get("content", ""))),
        )
        for number, (old, new) in enumerate(zip(*sides, strict=True), 1)
    )


def lines(before: str, after: str) -> tuple[Line, ...]:
    """Two texts as one list of lines: the same, removed, added."""
    old, new = before.splitlines(), after.splitlines()
    if len(old) * len(new) > MOST_WORK and old != new:
        return tuple([Line("-", text) for text in old] + [Line("+", text) for text in new])
    found: list[Line] = []
    for tag, i, j, k, m in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            found += [Line(" ", text) for text in old[i:j]]
        else:
            found += [Line("-", text) for text in old[i:j]] + [Line("+", text) for text in new[k:m]]
    return tuple(found)


def _schema(before: Any, after: Any) -> tuple[Line, ...]:
    if before == after:
        return ()
    return lines(
        *("" if side is None else json.dumps(side, indent=2, ensure_ascii=False) for side in (before, after))
    )


def _members(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    names = dict.fromkeys([*before, *after])
    return tuple(
        Change(name, before.get(name), after.get(name))
        for name in names
        if before.get(name) != after.get(name)
    )


def _plain_lines(found: Sequence[Line]) -> list[dict[str, str]]:
    return [{"sign": line.sign, "text": line.text} for line in found]


def _plain_changes(changes: Sequence[Change]) -> list[dict[str, Any]]:
    return [{"name": change.name, "before": change.before, "after": change.after} for change in changes]
