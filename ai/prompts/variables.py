"""The typed variables of a prompt, and the JSON Schema of the body that a caller sends.

One schema checks a call, describes it in OpenAPI and fills the form of the editor, so that the three cannot differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from ai.prompts.schemas import faults_of, schema_faults, validator

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
MOST_VARIABLES = 64
MOST_CHARACTERS = 1_000_000
"""The longest text that a variable takes where its author set no limit."""
MOST_FILE_BYTES = 10_000_000


class VariableType(StrEnum):
    """What a variable holds. `messages` is a conversation so far, `image` and `file` are data URLs (RFC 2397)."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    ARRAY = "array"
    OBJECT = "object"
    MESSAGES = "messages"
    IMAGE = "image"
    FILE = "file"


class VariableError(ValueError):
    """A variable is not declared as it must be; the text says what to do."""


_MEMBERS: tuple[tuple[str, tuple[type, ...], str], ...] = (
    ("description", (str,), "a text"),
    ("pattern", (str,), "a text"),
    *((name, (bool,), "true or false") for name in ("required", "sensitive", "untrusted")),
    *((name, (int,), "a whole number from 0") for name in ("max_length", "max_items", "max_bytes")),
    *((name, (int, float, type(None)), "a number") for name in ("minimum", "maximum")),
    ("schema", (Mapping, type(None)), "a JSON Schema"),
)
"""What the members of a variable hold."""


def _texts(name: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, list | tuple) and all(isinstance(one, str) for one in value):
        return tuple(value)
    raise VariableError(f"{name} must be a list of texts.")


@dataclass(frozen=True, slots=True)
class Variable:
    """One declared variable.

    `default` None means that there is none; a variable with a default is never required. `sensitive` values are
    never logged. `untrusted` values come from strangers: they are fenced, so that the model can tell them from the
    prompt. `max_length` counts characters, `max_items` entries of an array, `max_bytes` the bytes of an image or
    file. `pattern` is a regular expression in the syntax of RE2. `schema` is the JSON Schema of an object.
    """

    name: str
    type: VariableType = VariableType.STRING
    description: str = ""
    required: bool = True
    default: Any = None
    example: Any = None
    sensitive: bool = False
    untrusted: bool = False
    max_length: int = 0
    pattern: str = ""
    enum: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    max_items: int = 0
    max_bytes: int = 0
    mime_types: tuple[str, ...] = ()
    schema: Mapping[str, Any] | None = None

    @property
    def is_required(self) -> bool:
        """Whether a call without it is refused."""
        return self.required and self.default is None

    @property
    def is_media(self) -> bool:
        """Whether it becomes a part of its own in a message, and no text."""
        return self.type in {VariableType.IMAGE, VariableType.FILE}

    def to_plain(self) -> dict[str, Any]:
        """JSON values; what is as it is by default is left out."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        plain["type"] = self.type.value
        usual = Variable(self.name)
        kept = {n: list(v) if isinstance(v, tuple) else v for n, v in plain.items() if v != getattr(usual, n)}
        return {"name": self.name, "type": self.type.value, **kept}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Variable:
        """The inverse of `to_plain`. Raises VariableError for members that are not known, or not of their type."""
        known = {f.name for f in fields(cls)}
        strange = sorted(set(plain) - known)
        if strange:
            raise VariableError(
                f"A variable has no {', '.join(strange)}. It has: {', '.join(sorted(known))}."
            )
        values = dict(plain)
        try:
            values["type"] = VariableType(values.get("type", "string"))
        except ValueError:
            listed = ", ".join(VariableType)
            raise VariableError(
                f"{values['type']!r} is no type of a variable. Use one of: {listed}."
            ) from None
        for name in ("enum", "mime_types"):
            values[name] = _texts(name, values.get(name) or ())
        variable = cls(**{"name": "", **values})
        variable.check()
        return variable

    def check(self) -> None:
        """Raises VariableError unless it makes sense by itself."""
        if not NAME.fullmatch(str(self.name)):
            raise VariableError(
                f"{self.name!r} is no name of a variable. Use small letters, digits and underscores, a letter first."
            )
        for name, kinds, what in _MEMBERS:
            value = getattr(self, name)
            if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
                raise VariableError(f"{name} of {self.name} must be {what}.")
        for name in ("max_length", "max_items", "max_bytes"):
            if getattr(self, name) < 0:
                raise VariableError(f"{name} of {self.name} must be a whole number from 0.")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise VariableError(f"The minimum of {self.name} is above its maximum.")
        if self.type is VariableType.OBJECT and not isinstance(self.schema, Mapping):
            raise VariableError(f"{self.name} is an object: give the JSON Schema that it follows.")
        if self.untrusted and self.type in {VariableType.MESSAGES, VariableType.IMAGE, VariableType.FILE}:
            raise VariableError(
                f"{self.name} cannot be fenced: only texts and data can be marked as untrusted. Take the mark away."
            )

    def json_schema(self) -> dict[str, Any]:
        """The JSON Schema (2020-12) of its value."""
        schema = _SCHEMAS[self.type](self)
        if self.description:
            schema["description"] = self.description
        if self.default is not None:
            schema["default"] = self.default
        if self.example is not None:
            schema["examples"] = [self.example]
        return schema


def _string(variable: Variable) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string", "maxLength": variable.max_length or MOST_CHARACTERS}
    if variable.enum:
        return {"type": "string", "enum": list(variable.enum)}
    if variable.pattern:
        schema["pattern"] = variable.pattern
    return schema


def _number(variable: Variable) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": variable.type.value}
    for name in ("minimum", "maximum"):
        if getattr(variable, name) is not None:
            schema[name] = getattr(variable, name)
    return schema


def _array(variable: Variable) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "array", "items": _string(variable)}
    if variable.max_items:
        schema["maxItems"] = variable.max_items
    return schema


def _messages(variable: Variable) -> dict[str, Any]:
    message = {
        "type": "object",
        "properties": {
            "role": {"enum": ["user", "assistant"]},
            "content": {"type": "string", "maxLength": variable.max_length or MOST_CHARACTERS},
        },
        "required": ["role", "content"],
        "additionalProperties": False,
    }
    schema: dict[str, Any] = {"type": "array", "items": message}
    if variable.max_items:
        schema["maxItems"] = variable.max_items
    return schema


def _media(variable: Variable) -> dict[str, Any]:
    usual = ("image/png", "image/jpeg", "image/webp", "image/gif")
    types = variable.mime_types or (usual if variable.type is VariableType.IMAGE else ("application/pdf",))
    named = "|".join(re.escape(name) for name in types)
    most = variable.max_bytes or MOST_FILE_BYTES
    return {
        "type": "string",
        "pattern": f"^data:({named});base64,[A-Za-z0-9+/]+={{0,2}}$",
        "maxLength": (most + 2) // 3 * 4 + 100,
        "contentEncoding": "base64",
        "contentMediaType": types[0],
    }


def _object(variable: Variable) -> dict[str, Any]:
    return {"type": "object", **(variable.schema or {})}


_SCHEMAS = {
    VariableType.STRING: _string,
    VariableType.INTEGER: _number,
    VariableType.NUMBER: _number,
    VariableType.BOOLEAN: lambda _: {"type": "boolean"},
    VariableType.ARRAY: _array,
    VariableType.OBJECT: _object,
    VariableType.MESSAGES: _messages,
    VariableType.IMAGE: _media,
    VariableType.FILE: _media,
}


def variables_of(plain: Iterable[Mapping[str, Any]]) -> tuple[Variable, ...]:
    """The variables in their JSON form. Raises VariableError, also for a name that stands twice."""
    found = tuple(Variable.from_plain(one) for one in plain)
    names = [variable.name for variable in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise VariableError(f"{', '.join(twice)} is declared twice. Keep one of them.")
    if len(found) > MOST_VARIABLES:
        raise VariableError(f"A prompt has at most {MOST_VARIABLES} variables.")
    return found


def body_schema(variables: Sequence[Variable]) -> dict[str, Any]:
    """The JSON Schema of the body of a call: exactly these variables."""
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {variable.name: variable.json_schema() for variable in variables},
        "additionalProperties": False,
    }
    required = [variable.name for variable in variables if variable.is_required]
    if required:
        schema["required"] = required
    return schema


def variable_faults(variable: Variable) -> list[str]:
    """What is wrong with the schema of one variable, and with its default and its example by that schema."""
    schema = variable.json_schema()
    wrong = schema_faults(schema)
    if wrong:
        return [f"{fault.pointer.removeprefix('/') or 'The schema'}: {fault.detail}" for fault in wrong]
    checked_by = validator(schema)
    return [
        f"The {name} does not fit: {fault.detail}"
        for name in ("default", "example")
        if (value := getattr(variable, name)) is not None
        for fault in faults_of(checked_by, value, most=1)
    ]


def interface_of(variables: Sequence[Variable]) -> dict[str, Any]:
    """What callers must keep to: the schema of the body without what only describes it."""
    schema = body_schema(variables)
    told = ("description", "examples", "default")
    schema["properties"] = {
        name: {key: value for key, value in each.items() if key not in told}
        for name, each in schema["properties"].items()
    }
    return schema


def with_defaults(variables: Iterable[Variable], values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` with the defaults of what is missing in them; an explicit null counts as missing."""
    found = {name: value for name, value in values.items() if value is not None}
    for variable in variables:
        if variable.name not in found and variable.default is not None:
            found[variable.name] = variable.default
    return found
