"""A draft of a prompt: its shape, and everything that is still wrong with it, each with its place.

A draft may be half done: a variable without a type, a schema that is no JSON yet. Whatever has the shape is kept;
`problems_of` says what keeps it from being frozen.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ai.prompts.guards import Guard, GuardError
from ai.prompts.parameters import parameter_faults
from ai.prompts.schemas import MOST_DEPTH, depth_of, schema_faults
from ai.prompts.templates import MESSAGES_ROLE, Template, message_faults, names_in, read_messages
from ai.prompts.variables import (
    MOST_VARIABLES,
    Variable,
    VariableError,
    VariableType,
    variable_faults,
    variables_of,
)

MEMBERS = ("messages", "variables", "output_schema", "parameters", "route", "cache_s", "guard")
MOST_CHARACTERS = 1_000_000
MOST_CACHE_S = 30 * 24 * 3600


class DraftError(ValueError):
    """This is no draft: it has not even the shape. The text says what to do."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What keeps a draft from being frozen. `part` is its member of MEMBERS.

    `message` and `offset` are the place in a message, `variable` is the name of one, `pointer` (RFC 6901) the place
    within the part: in the output schema, the parameters or the guard.
    """

    part: str
    detail: str
    message: int | None = None
    offset: int | None = None
    variable: str = ""
    pointer: str = ""

    @property
    def field(self) -> str:
        """The place in the draft as a JSON pointer. Variables are named beside it: their order means nothing."""
        if self.part == "messages" and self.message is not None:
            return f"/messages/{self.message}"
        return f"/{self.part}{self.pointer}"

    def to_plain(self) -> dict[str, Any]:
        """JSON values; what does not apply is left out."""
        return {name: value for name, value in asdict(self).items() if value not in (None, "")}


@dataclass(frozen=True, slots=True)
class ReadDraft:
    """A draft whose texts can be put together: `templates` and `variables`, ready to be rendered."""

    templates: tuple[Template, ...]
    variables: tuple[Variable, ...]


def as_draft(plain: Any) -> dict[str, Any]:
    """`plain` with every member, as it is kept. Raises DraftError where it has not the shape of a draft."""
    if not isinstance(plain, Mapping):
        raise DraftError("A draft is an object.")
    strange = sorted(set(map(str, plain)) - set(MEMBERS))
    if strange:
        raise DraftError(f"A draft has no {', '.join(strange)}. It has: {', '.join(MEMBERS)}.")
    draft = {
        "messages": [_message(one) for one in _list(plain, "messages")],
        "variables": [_object("variables", one) for one in _list(plain, "variables")],
        "output_schema": _schema(plain.get("output_schema")),
        "parameters": _object("parameters", plain.get("parameters") or {}),
        "route": _text("route", plain.get("route") or ""),
        "cache_s": _seconds(plain.get("cache_s") or 0),
        "guard": _object("guard", plain.get("guard") or {}),
    }
    _require_storable(draft)
    return draft


def problems_of(draft: Mapping[str, Any]) -> list[Problem]:
    """Everything that is wrong with a draft by itself, in the order of its parts. Its route is not looked up."""
    return [
        *_of_variables(draft["variables"]),
        *_of_messages(draft),
        *_of_schema(draft["output_schema"]),
        *_of_parameters(draft),
        *_of_guard(draft["guard"]),
    ]


def read_draft(draft: Mapping[str, Any]) -> ReadDraft | None:
    """What can be rendered of a draft; None where its messages or variables are not right yet."""
    try:
        variables = variables_of(draft["variables"])
        if any(message_faults(draft["messages"], variables)):
            return None
        used = [variable for variable in variables if variable.name in set(names_of(draft["messages"]))]
        return ReadDraft(read_messages(draft["messages"], used), tuple(used))
    except ValueError:
        return None


def names_of(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    """The variables that messages name, each once, as they come."""
    return list(dict.fromkeys(name for message in messages for name in names_in(str(message.get("content")))))


def with_named(draft: Mapping[str, Any]) -> dict[str, Any]:
    """The draft with a variable for each name in its messages that is not declared yet.

    One that was added like that and is named no more goes again, unless somebody has written into it.
    """
    named = names_of(draft["messages"])
    kept = [one for one in draft["variables"] if one.get("name") in named or not _is_bare(one)]
    known = {one.get("name") for one in kept}
    added = [_bare(name, draft["messages"]) for name in named if name not in known]
    return {**draft, "variables": [*kept, *added[: max(0, MOST_VARIABLES - len(kept))]]}


def _bare(name: str, messages: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    alone = f"{{{{{name}}}}}"
    is_conversation = any(
        message.get("role") == MESSAGES_ROLE and str(message.get("content")).strip() == alone
        for message in messages
    )
    return {"name": name, "type": str(VariableType.MESSAGES if is_conversation else VariableType.STRING)}


def _is_bare(variable: Mapping[str, Any]) -> bool:
    return set(variable) == {"name", "type"}


# ---- the shape ----


def _list(plain: Mapping[str, Any], name: str) -> list[Any]:
    value = plain.get(name) or []
    if not isinstance(value, list | tuple):
        raise DraftError(f"{name} is a list.")
    return list(value)


def _object(name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise DraftError(f"{name} holds objects." if name == "variables" else f"{name} is an object.")
    return dict(value)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise DraftError(f"{name} is a text.")
    return value


def _message(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping) or set(value) - {"role", "content"}:
        raise DraftError("A message is an object with role and content.")
    return {name: _text(f"{name} of a message", value.get(name) or "") for name in ("role", "content")}


def _schema(value: Any) -> Any:
    """An object, nothing, or the text of what is to become one."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        return _object("output_schema", value)
    try:
        found = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return found if isinstance(found, dict) else value


def _seconds(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST_CACHE_S:
        raise DraftError(f"cache_s is a whole number of seconds from 0 to {MOST_CACHE_S:,}.")
    return value


def _require_storable(draft: Mapping[str, Any]) -> None:
    """PostgreSQL keeps neither NUL nor half a pair of surrogates in JSON. Raises DraftError."""
    if depth_of(draft) > MOST_DEPTH:
        raise DraftError(f"It is nested deeper than {MOST_DEPTH} levels. Flatten it.")
    text = json.dumps(draft, ensure_ascii=False)
    if len(text) > MOST_CHARACTERS:
        raise DraftError(f"A draft has at most {MOST_CHARACTERS:,} characters. Shorten it.")
    if not is_storable(draft):
        raise DraftError(
            "It holds what cannot be kept: NUL, half a surrogate pair, an endless number. Remove it."
        )


def is_storable(value: Any) -> bool:
    """Whether every text in a JSON value can be kept."""
    if isinstance(value, Mapping):
        return all(is_storable(name) and is_storable(inner) for name, inner in value.items())
    if isinstance(value, list | tuple):
        return all(is_storable(inner) for inner in value)
    if isinstance(value, str):
        return "\x00" not in value and not any("\ud800" <= character <= "\udfff" for character in value)
    return not isinstance(value, float) or math.isfinite(value)


# ---- what is wrong ----


def _of_variables(listed: Sequence[Mapping[str, Any]]) -> Iterator[Problem]:
    seen: set[str] = set()
    for plain in listed:
        name = str(plain.get("name", ""))
        try:
            wrong = variable_faults(Variable.from_plain(plain))
        except VariableError as error:
            wrong = [str(error)]
        if name in seen:
            wrong = [f"{name} is declared twice. Keep one of them."]
        seen.add(name)
        for detail in wrong:
            yield Problem("variables", detail, variable=name)
    if len(listed) > MOST_VARIABLES:
        yield Problem("variables", f"A prompt has at most {MOST_VARIABLES} variables.")


def _of_messages(draft: Mapping[str, Any]) -> Iterator[Problem]:
    """By the variables that can be read; one that cannot is told of by itself, and counts as a text here."""
    variables = [_readable(plain) for plain in draft["variables"]]
    for error in message_faults(draft["messages"], variables):
        yield Problem("messages", str(error), message=error.message, offset=error.offset)
    used = set(names_of(draft["messages"]))
    for plain in draft["variables"]:
        name = str(plain.get("name", ""))
        if name and name not in used:
            detail = f"{name} is declared and not used. Write {{{{{name}}}}} into a message, or remove it."
            yield Problem("variables", detail, variable=name)


def _readable(plain: Mapping[str, Any]) -> Variable:
    try:
        return Variable.from_plain(plain)
    except VariableError:
        return Variable(str(plain.get("name", "")))


def _of_schema(schema: Any) -> Iterator[Problem]:
    if schema is None:
        return
    if isinstance(schema, str):
        try:
            schema = json.loads(schema)
        except (ValueError, RecursionError) as error:
            yield Problem("output_schema", f"It is no JSON: {error}.")
            return
    for fault in schema_faults(schema):
        yield Problem("output_schema", fault.detail, pointer=fault.pointer)


def _of_parameters(draft: Mapping[str, Any]) -> Iterator[Problem]:
    parameters = draft["parameters"]
    for name, detail in parameter_faults(parameters).items():
        yield Problem("parameters", detail, pointer=f"/{name}")
    temperature = parameters.get("temperature")
    if draft["cache_s"] and isinstance(temperature, int | float) and temperature > 0:
        yield Problem(
            "cache_s",
            "Answers are kept at temperature 0 only. Set the temperature to 0, or keep no answers.",
        )


def _of_guard(guard: Mapping[str, Any]) -> Iterator[Problem]:
    try:
        Guard.from_plain(guard)
    except GuardError as error:
        yield Problem("guard", str(error), pointer=error.pointer)
