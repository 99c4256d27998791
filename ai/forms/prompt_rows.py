"""The rows that the editor of a prompt shows: messages, variables with the fields of their type, parameters, rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from ai.forms.prompts import text_of
from ai.prompts.drafts import Problem
from ai.prompts.guards import PERSONAL, Action, Side
from ai.prompts.parameters import EFFORTS
from ai.prompts.templates import MESSAGES_ROLE, ROLES
from ai.prompts.variables import VariableType

FIELDS_OF: Mapping[str, tuple[str, ...]] = {
    "string": ("max_length", "pattern", "enum"),
    "integer": ("minimum", "maximum"),
    "number": ("minimum", "maximum"),
    "boolean": (),
    "array": ("max_items", "max_length", "enum"),
    "object": ("schema",),
    "messages": ("max_items", "max_length"),
    "image": ("max_bytes", "mime_types"),
    "file": ("max_bytes", "mime_types"),
}
"""Which limits a type has."""
LABELS: Mapping[str, Any] = {
    "max_length": _("Most characters"),
    "pattern": _("Pattern (RE2)"),
    "enum": _("One of (one a line)"),
    "minimum": _("Least"),
    "maximum": _("Most"),
    "max_items": _("Most entries"),
    "schema": _("JSON Schema"),
    "max_bytes": _("Most bytes"),
    "mime_types": _("Media types (one a line)"),
}
LONG = ("enum", "schema", "mime_types")
ROLE_LABELS: Mapping[str, Any] = {
    "system": _("System"),
    "user": _("User"),
    "assistant": _("Assistant"),
    MESSAGES_ROLE: _("Conversation"),
}
TYPE_LABELS: Mapping[str, Any] = {
    "string": _("Text"),
    "integer": _("Whole number"),
    "number": _("Number"),
    "boolean": _("Yes or no"),
    "array": _("List of texts"),
    "object": _("Object"),
    "messages": _("Conversation"),
    "image": _("Image"),
    "file": _("File"),
}
RULE_LABELS: Mapping[str, Any] = {
    "email": _("E-mail addresses"),
    "card": _("Card numbers"),
    "iban": _("Bank accounts (IBAN)"),
    "phone": _("Telephone numbers"),
    "ip_address": _("IP addresses"),
    "words": _("Words"),
    "regex": _("Expression (RE2)"),
}
ACTION_LABELS: Mapping[str, Any] = {"block": _("refuse the call"), "mask": _("hide them")}
SIDE_LABELS: Mapping[str, Any] = {
    "both": _("both ways"),
    "input": _("on the way in"),
    "output": _("in the answer"),
}
PARAMETER_LABELS: Mapping[str, Any] = {
    "temperature": _("Temperature"),
    "top_p": _("Top p"),
    "max_tokens": _("Most output tokens"),
    "seed": _("Seed"),
    "presence_penalty": _("Presence penalty"),
    "frequency_penalty": _("Frequency penalty"),
}
HINTS: Mapping[str, str] = {
    "temperature": "0–2",
    "top_p": "0–1",
    "presence_penalty": "−2–2",
    "frequency_penalty": "−2–2",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """One entry of a select."""

    value: str
    label: Any
    chosen: bool


@dataclass(frozen=True, slots=True)
class MessageRow:
    """One message; `last` and `number` say where it can be moved."""

    number: int
    roles: Sequence[Choice]
    content: str
    problems: Sequence[Problem]
    last: bool


@dataclass(frozen=True, slots=True)
class Limit:
    """One field that a type has."""

    name: str
    label: Any
    text: str
    long: bool


@dataclass(frozen=True, slots=True)
class VariableRow:
    """One variable with the fields of its type."""

    number: int
    name: str
    kind: str
    kind_label: Any
    types: Sequence[Choice]
    required: bool
    sensitive: bool
    untrusted: bool
    may_be_untrusted: bool
    description: str
    default: str
    example: str
    choices: Sequence[str]
    limits: Sequence[Limit]
    value: str
    problems: Sequence[Problem]

    @property
    def is_long(self) -> bool:
        """Whether its value takes more than a line."""
        return self.kind in {"array", "object", "messages", "image", "file"} or (
            self.kind == "string" and not self.choices
        )


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One rule of the guard."""

    number: int
    name: str
    kinds: Sequence[Choice]
    actions: Sequence[Choice]
    sides: Sequence[Choice]
    text: str
    takes_text: bool


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number among the parameters."""

    name: str
    label: Any
    text: str
    hint: str


@dataclass(frozen=True, slots=True)
class EditorRows:
    """All of a draft as the editor shows it. `shown` names the variables and the types whose fields are drawn."""

    messages: Sequence[MessageRow]
    variables: Sequence[VariableRow]
    rules: Sequence[RuleRow]
    parameters: Sequence[Parameter]
    efforts: Sequence[Choice]
    stop: str
    output_schema: str
    route: str
    cache_s: int
    max_input: str
    max_output: str
    problems: Mapping[str, Sequence[Problem]]

    @property
    def shown(self) -> str:
        """The same as long as no row has to be drawn anew."""
        return " ".join(f"{row.name}:{row.kind}" for row in self.variables)


def editor_rows(
    draft: Mapping[str, Any], values: Mapping[str, Any], problems: Sequence[Problem]
) -> EditorRows:
    """What the editor shows of a draft, of values to try it with, and of what is wrong with it."""
    parameters, guard = draft["parameters"], draft["guard"]
    count = len(draft["messages"])
    return EditorRows(
        messages=[_message(n, one, problems, last=n == count - 1) for n, one in enumerate(draft["messages"])],
        variables=[_variable(n, one, values, problems) for n, one in enumerate(draft["variables"])],
        rules=[_rule(n, one) for n, one in enumerate(guard.get("rules", []))],
        parameters=[
            Parameter(name, label, text_of(parameters.get(name)), HINTS.get(name, ""))
            for name, label in PARAMETER_LABELS.items()
        ],
        efforts=_choices({"": _("usual"), **dict(zip(EFFORTS, EFFORTS, strict=True))},
                         str(parameters.get("reasoning_effort", ""))),
        stop=text_of(parameters.get("stop")),
        output_schema=text_of(draft["output_schema"]),
        route=draft["route"],
        cache_s=draft["cache_s"],
        max_input=text_of(guard.get("max_input")),
        max_output=text_of(guard.get("max_output")),
        problems={
            part: [problem for problem in problems if problem.part == part]
            for part in ("output_schema", "parameters", "route", "guard", "cache_s")
        },
    )  # fmt: skip


def _choices(labels: Mapping[str, Any], chosen: str) -> list[Choice]:
    return [Choice(value, label, value == chosen) for value, label in labels.items()]


def _message(number: int, plain: Mapping[str, Any], problems: Sequence[Problem], *, last: bool) -> MessageRow:
    own = [problem for problem in problems if problem.part == "messages" and problem.message == number]
    roles = {role: ROLE_LABELS[role] for role in (*ROLES, MESSAGES_ROLE)}
    return MessageRow(
        number, _choices(roles, str(plain.get("role", ""))), str(plain.get("content", "")), own, last
    )


def _variable(
    number: int, plain: Mapping[str, Any], values: Mapping[str, Any], problems: Sequence[Problem]
) -> VariableRow:
    name, kind = str(plain.get("name", "")), str(plain.get("type", "string"))
    enum = plain.get("enum")
    choices = [str(one) for one in enum] if kind == "string" and isinstance(enum, list) else []
    return VariableRow(
        number=number,
        name=name,
        kind=kind,
        kind_label=TYPE_LABELS.get(kind, kind),
        types=_choices({str(one): TYPE_LABELS[one] for one in VariableType}, kind),
        required=plain.get("required", True) is not False,
        sensitive=bool(plain.get("sensitive")),
        untrusted=bool(plain.get("untrusted")),
        may_be_untrusted=kind not in {"messages", "image", "file"} or bool(plain.get("untrusted")),
        description=text_of(plain.get("description")),
        default=text_of(plain.get("default")),
        example=text_of(plain.get("example")),
        choices=["true", "false"] if kind == "boolean" else choices,
        limits=[
            Limit(field, LABELS[field], text_of(plain.get(field)), field in LONG)
            for field in FIELDS_OF.get(kind, ())
        ],
        value=text_of(values.get(name)),
        problems=[
            problem for problem in problems if problem.part == "variables" and problem.variable == name
        ],
    )


def _rule(number: int, plain: Mapping[str, Any]) -> RuleRow:
    kind = str(plain.get("kind", ""))
    kinds = {name: RULE_LABELS.get(name, name) for name in (*PERSONAL, "words", "regex")}
    words = plain.get("words")
    text = "\n".join(map(str, words)) if isinstance(words, list) else text_of(plain.get("pattern"))
    return RuleRow(
        number,
        text_of(plain.get("name")),
        _choices(kinds, kind),
        _choices({str(one): ACTION_LABELS[one] for one in Action}, str(plain.get("action", "block"))),
        _choices({str(one): SIDE_LABELS[one] for one in (Side.BOTH, Side.INPUT, Side.OUTPUT)},
                 str(plain.get("side", "both"))),
        text,
        kind in {"words", "regex"},
    )  # fmt: skip
