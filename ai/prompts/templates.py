"""Templates of messages: `{{name}}` is a value, `{{#name}} ... {{/name}}` stands only where there is one.

A template is taken apart once, when it is saved or loaded. Values are put into texts that are already apart, so that
nothing in a value is ever read as a template (T19): no second pass, no JSON text, no Jinja.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ai.prompts.variables import NAME, Variable, VariableType

ROLES = ("system", "user", "assistant")
MESSAGES_ROLE = "messages"
"""The role of an entry that stands for a whole conversation: its content is one variable of type `messages`."""
MOST_MESSAGES = 100
MOST_TEMPLATE_CHARACTERS = 200_000

_MARK = re.compile(
    r"\\\{\{|\{\{(.{0,80}?)\}\}", re.DOTALL
)  # bounded, or many open braces take quadratic time
_LITERAL = r"\{{"


class TemplateError(ValueError):
    """A template cannot be used. `message` is the number of the message from 0, `offset` the place in its text."""

    def __init__(self, text: str, *, message: int = 0, offset: int = 0) -> None:
        super().__init__(text)
        self.message = message
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Slot:
    """The place of a value."""

    name: str


@dataclass(frozen=True, slots=True)
class Section:
    """What stands only where `name` has a value that is not empty and not false."""

    name: str
    parts: tuple[Part, ...]


type Part = str | Slot | Section


@dataclass(frozen=True, slots=True)
class Template:
    """One message: its role and its text in parts."""

    role: str
    parts: tuple[Part, ...]

    def names(self) -> Iterator[str]:
        """The variables that it names, each as often as it does."""
        return _names(self.parts)


def _names(parts: Iterable[Part]) -> Iterator[str]:
    for part in parts:
        if isinstance(part, Slot):
            yield part.name
        elif isinstance(part, Section):
            yield part.name
            yield from _names(part.parts)


# ---- reading ----


def names_in(text: str) -> list[str]:
    """The variables of a text that may be half written, each once, as they come. For an editor; never raises."""
    marks = (match[1] for match in _MARK.finditer(text) if match[1] is not None)
    names = (mark.strip().lstrip("#/").strip() for mark in marks)
    return list(dict.fromkeys(name for name in names if NAME.fullmatch(name)))


def read_text(text: str, *, message: int = 0) -> tuple[Part, ...]:
    """`text` in parts. Raises TemplateError with the place of the first fault."""
    if len(text) > MOST_TEMPLATE_CHARACTERS:
        raise TemplateError(
            f"A message has at most {MOST_TEMPLATE_CHARACTERS:,} characters.", message=message
        )
    open_sections: list[tuple[str, int, list[Part]]] = []
    parts: list[Part] = []
    end = 0
    for match in _MARK.finditer(text):
        parts.append(_literal(text, end, match.start(), message))
        end = match.end()
        if match[0] == _LITERAL:
            parts.append("{{")
            continue
        sign, name = _mark(match, message)
        if sign == "#":
            open_sections.append((name, match.start(), parts))
            parts = []
        elif sign == "/":
            parts = _closed(name, open_sections, parts, match.start(), message)
        else:
            parts.append(Slot(name))
    if open_sections:
        name, offset, _ = open_sections[-1]
        raise TemplateError(
            f"{{{{#{name}}}}} is never closed. Put {{{{/{name}}}}} behind it.", message=message, offset=offset
        )
    parts.append(_literal(text, end, len(text), message))
    return tuple(part for part in parts if part != "")


def _literal(text: str, start: int, end: int, message: int) -> str:
    piece = text[start:end]
    if "{{" in piece:
        raise TemplateError(
            r"{{ is never closed. Put }} behind the name; for two braces as text write \{{.",
            message=message,
            offset=start + piece.index("{{"),
        )
    return piece


def _mark(match: re.Match[str], message: int) -> tuple[str, str]:
    inner = match[1].strip()
    sign = inner[0] if inner[:1] in {"#", "/"} else ""
    name = inner[len(sign) :].strip()
    if not NAME.fullmatch(name):
        shown = match[0] if len(match[0]) < 60 else f"{match[0][:57]}..."
        raise TemplateError(
            f"{shown} names no variable. Use lower-case letters, digits and underscores, a letter first; "
            r"for two braces as text write \{{.",
            message=message,
            offset=match.start(),
        )
    return sign, name


def _closed(
    name: str, open_sections: list[tuple[str, int, list[Part]]], parts: list[Part], offset: int, message: int
) -> list[Part]:
    if not open_sections or open_sections[-1][0] != name:
        expected = f" {{{{/{open_sections[-1][0]}}}}} is expected here." if open_sections else ""
        raise TemplateError(f"{{{{/{name}}}}} closes nothing.{expected}", message=message, offset=offset)
    _, _, outer = open_sections.pop()
    outer.append(Section(name, tuple(part for part in parts if part != "")))
    return outer


def read_messages(
    messages: Sequence[Mapping[str, Any]], variables: Sequence[Variable]
) -> tuple[Template, ...]:
    """The messages of a prompt, `[{"role", "content"}]`, taken apart.

    Raises TemplateError for the first that is wrong, for a variable that is used and not declared, or the reverse.
    """
    for fault in message_faults(messages, variables):
        raise fault
    templates = tuple(_template(number, message) for number, message in enumerate(messages))
    used = {name for template in templates for name in template.names()}
    unused = [variable.name for variable in variables if variable.name not in used]
    if unused:
        raise TemplateError(
            f"{', '.join(unused)} is declared and not used. Write {{{{{unused[0]}}}}} into a message, or remove it."
        )
    return templates


def message_faults(
    messages: Sequence[Mapping[str, Any]], variables: Sequence[Variable]
) -> Iterator[TemplateError]:
    """The first fault of each message, with its place: for an editor, which shows them all."""
    if not messages:
        yield TemplateError("A prompt has at least one message. Write what the model is to do.")
    if len(messages) > MOST_MESSAGES:
        yield TemplateError(f"A prompt has at most {MOST_MESSAGES} messages.", message=MOST_MESSAGES)
        return
    known = {variable.name: variable for variable in variables}
    for number, message in enumerate(messages):
        try:
            _check_use(number, _template(number, message), known, str(message["content"]))
        except TemplateError as error:
            yield error


def _template(number: int, message: Mapping[str, Any]) -> Template:
    role, content = message.get("role"), message.get("content")
    if role not in (*ROLES, MESSAGES_ROLE):
        listed = ", ".join((*ROLES, MESSAGES_ROLE))
        raise TemplateError(f"{role!r} is no role of a message. Use one of: {listed}.", message=number)
    if not isinstance(content, str) or not content.strip():
        raise TemplateError("The message has no text. Write one, or remove the message.", message=number)
    return Template(str(role), read_text(content, message=number))


def _check_use(number: int, template: Template, known: Mapping[str, Variable], text: str) -> None:
    for name in template.names():
        if name not in known:
            raise TemplateError(
                f"{{{{{name}}}}} is not declared. Declare the variable {name}.",
                message=number,
                offset=_place(text, name),
            )
    if template.role == MESSAGES_ROLE:
        alone = template.parts[0] if len(template.parts) == 1 else None
        if not isinstance(alone, Slot) or known[alone.name].type is not VariableType.MESSAGES:
            raise TemplateError(
                "A message of this role is one variable of type messages and nothing else, like {{history}}.",
                message=number,
            )
        return
    for slot in _slots(template.parts):
        if wrong := _misplaced(slot, template.role, known):
            raise TemplateError(wrong, message=number, offset=_place(text, slot.name))


def _misplaced(slot: Slot, role: str, known: Mapping[str, Variable]) -> str:
    """Why the value of a slot cannot stand in a message of this role; empty where it can."""
    if known[slot.name].type is VariableType.MESSAGES:
        return f"{{{{{slot.name}}}}} is a conversation: give it a message of its own with the role messages."
    if known[slot.name].is_media and role != "user":
        return f"{{{{{slot.name}}}}} is an image or file: only a user message takes it."
    return ""


def _place(text: str, name: str) -> int:
    """Where a variable is first named in a text that names it."""
    marks = ((match.start(), match[1]) for match in _MARK.finditer(text) if match[1] is not None)
    return next((start for start, mark in marks if mark.strip().lstrip("#/").strip() == name), 0)


def _slots(parts: Iterable[Part]) -> Iterator[Slot]:
    for part in parts:
        if isinstance(part, Slot):
            yield part
        elif isinstance(part, Section):
            yield from _slots(part.parts)


# ---- rendering ----


def render(
    templates: Iterable[Template], variables: Iterable[Variable], values: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The messages of a call in the form of OpenAI's chat completions. `values` have been checked and have defaults."""
    known = {variable.name: variable for variable in variables}
    messages: list[dict[str, Any]] = []
    for template in templates:
        if template.role == MESSAGES_ROLE:
            messages.extend(dict(message) for message in values.get(next(template.names()), ()))
            continue
        content = _content(list(_filled(template.parts, known, values)))
        if content:
            messages.append({"role": template.role, "content": content})
    return messages


def _filled(
    parts: Iterable[Part], known: Mapping[str, Variable], values: Mapping[str, Any]
) -> Iterator[str | dict[str, Any]]:
    for part in parts:
        if isinstance(part, str):
            yield part
        elif isinstance(part, Slot):
            value = values.get(part.name)
            if value is not None:
                yield _value(known[part.name], value)
        elif _is_there(values.get(part.name)):
            yield from _filled(part.parts, known, values)


def _is_there(value: Any) -> bool:
    """Whether a section stands: nought is a value, an empty text is none."""
    return value is not None and value is not False and value not in ("", [], {})


def _content(pieces: Sequence[str | dict[str, Any]]) -> str | list[dict[str, Any]]:
    """One text, or parts where an image or a file is among them."""
    if all(isinstance(piece, str) for piece in pieces):
        return "".join(str(piece) for piece in pieces)
    parts: list[dict[str, Any]] = []
    for piece in pieces:
        if not isinstance(piece, str):
            parts.append(piece)
        elif parts and parts[-1]["type"] == "text":
            parts[-1]["text"] += piece
        else:
            parts.append({"type": "text", "text": piece})
    return [part for part in parts if part["type"] != "text" or part["text"].strip()]


def _value(variable: Variable, value: Any) -> str | dict[str, Any]:
    match variable.type:
        case VariableType.IMAGE:
            return {"type": "image_url", "image_url": {"url": value}}
        case VariableType.FILE:
            return {"type": "file", "file": {"filename": variable.name, "file_data": value}}
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return fenced(variable.name, text) if variable.untrusted else text


def fenced(name: str, text: str) -> str:
    """`text` between marks that it cannot contain: they carry a digest of it, so that nobody can write them into it."""
    mark = base64.b32encode(hashlib.sha256(text.encode()).digest()[:10]).decode().lower()
    return f"<{name}-{mark}>\n{text}\n</{name}-{mark}>"
