"""Turns errors of the official schemas into sentences about the value that is wrong.

A schema says "is not valid under any of the schemas listed in 'oneOf'"; a person needs to know that `in` must be
one of four words. So each choice is followed into the branch that the author evidently meant.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from apis.spec.building import shown
from apis.spec.places import Step
from apis.spec.rules import METHODS

type Error = Any  # jsonschema_rs.ValidationError

MAX_OPTIONS = 14

_TYPE_WORDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "null",
}
# Fields that 3.1 allows by a condition. When the condition's own error is reported, they only look unknown.
_CONDITIONAL = {
    "security-scheme": frozenset(("name", "in", "scheme", "bearerFormat", "flows", "openIdConnectUrl")),
    "parameter": frozenset(
        ("style", "explode", "allowReserved", "allowEmptyValue", "required", "example", "examples")
    ),
    "header": frozenset(("style", "explode", "example", "examples")),
}
# What sits in Schema Objects of well-known documents and weakens nothing but the schema itself: said, not refused.
_TOLERATED_KEYWORDS = frozenset({"exclusiveMinimum", "exclusiveMaximum", "$recursiveAnchor", "$recursiveRef"})
# Objects in which the specification has readers ignore what they do not know: Schema Objects of 3.0, $ref siblings.
_LOOSE_OWNERS = frozenset({"Schema", "reference"})
_CHOICES = frozenset({"anyOf", "oneOf"})


@dataclass(frozen=True, slots=True)
class SchemaProblem:
    """One wrong value: where, which class, what to do; `tolerated` when the document is usable all the same."""

    steps: tuple[Step, ...]
    code: str
    message: str
    tolerated: bool = False


def explain(error: Error, definitions: Mapping[str, Any]) -> Iterator[SchemaProblem]:
    """Every problem behind one error of a validator. `definitions` are those of its schema, for known names."""
    for leaf in _leaves(error):
        yield from _sentences(leaf, definitions)


def _leaves(error: Error) -> list[Error]:
    """The errors that matter beneath `error`: itself, or those of the branch that was meant."""
    branches = getattr(error.kind, "context", None)
    if error.kind.name not in _CHOICES or not branches or not any(branches):
        return [error]
    meant = _meant(error, [branch for branch in branches if branch])
    if meant is None:
        return [error]
    return _without_echoes([leaf for inner in meant for leaf in _leaves(inner)])


def _meant(error: Error, branches: list[list[Error]]) -> list[Error] | None:
    """The branch whose author this is; None when the choice itself is the clearest thing to say."""
    at = list(error.instance_path)
    plausible = [branch for branch in branches if not _is_other_kind(branch, at)]
    if len(plausible) == 1:
        return plausible[0]
    if not plausible or all(_only_lacks_a_field(branch, at) for branch in plausible):
        return None
    return min(plausible, key=lambda branch: sum(len(_leaves(inner)) for inner in branch))


def _is_other_kind(branch: list[Error], at: list[Step]) -> bool:
    """Whether a branch describes something else: a reference, another type, or another value of `in` or `type`."""
    for inner in branch:
        path, name = list(inner.instance_path), inner.kind.name
        if path == at and (name == "type" or (name == "required" and inner.kind.property == "$ref")):
            return True
        if (
            len(path) == len(at) + 1
            and path[-1] in ("in", "type")
            and name == "enum"
            and len(inner.kind.options) == 1
        ):
            return True
    return False


def _only_lacks_a_field(branch: list[Error], at: list[Step]) -> bool:
    return len(branch) == 1 and branch[0].kind.name == "required" and list(branch[0].instance_path) == at


def _without_echoes(errors: list[Error]) -> list[Error]:
    """Where a value has the wrong type, all else said about it is noise."""
    mistyped = {tuple(e.instance_path) for e in errors if e.kind.name == "type"}
    return [e for e in errors if e.kind.name == "type" or tuple(e.instance_path) not in mistyped]


def _sentences(error: Error, definitions: Mapping[str, Any]) -> Iterator[SchemaProblem]:
    steps, name = tuple(error.instance_path), error.kind.name
    if name in ("additionalProperties", "unevaluatedProperties"):
        for unexpected in error.kind.unexpected:
            yield _unknown_name(error, unexpected, definitions)
    elif name == "propertyNames":
        wrong = error.kind.error.instance
        message = (
            f"The name {shown(str(wrong))} may hold only letters, digits, dots, hyphens and underscores."
        )
        yield SchemaProblem((*steps, str(wrong)), "bad-name", message)
    elif sentence := _message(error):
        steps = _choice_place(error) or steps
        tolerated = name == "uniqueItems" or bool(steps and steps[-1] in _TOLERATED_KEYWORDS)
        code = {"type": "wrong-type", "required": "missing-field"}.get(name, "wrong-value")
        yield SchemaProblem(steps, code, sentence, tolerated=tolerated)


def _unknown_name(error: Error, name: str, definitions: Mapping[str, Any]) -> SchemaProblem:
    owner = _owner(error)
    steps = (*error.instance_path, name)
    if owner in ("paths", "Paths"):
        return SchemaProblem(steps, "bad-path", f"The path {shown(name)} must begin with a slash.")
    if owner in ("responses", "Responses"):
        message = f"{shown(name)} is no response. Use a status code such as “200”, a range such as “2XX”, or “default”."
        return SchemaProblem(steps, "bad-status", message)
    if owner in ("Components", "components") or not owner:
        message = f"The name {shown(name)} may hold only letters, digits, dots, hyphens and underscores."
        if name.isidentifier():
            message = f"{shown(name)} is not known here.{_nearest(name, owner, definitions)}"
        return SchemaProblem(steps, "bad-name", message)
    message = f"{shown(name)} is not known here.{_nearest(name, owner, definitions)}"
    return SchemaProblem(steps, "unknown-field", message, tolerated=owner in _LOOSE_OWNERS)


def _nearest(name: str, owner: str, definitions: Mapping[str, Any]) -> str:
    known = [*definitions.get(owner, {}).get("properties", ()), *(METHODS if owner == "PathItem" else ())]
    near = difflib.get_close_matches(name[:80], known, n=1)
    return f" Did you mean {shown(near[0])}?" if near else " Remove it, or begin its name with x-."


def _owner(error: Error) -> str:
    """The definition that the failing keyword stands in, such as `path-item` or `PathItem`."""
    path = list(error.schema_path)
    for index in range(len(path) - 2, -1, -1):
        if path[index] in ("$defs", "definitions"):
            return str(path[index + 1])
    return ""


def _message(error: Error) -> str | None:
    """One sentence for an error that has no branches left to follow; None when another error says it better."""
    match error.kind.name:
        case "type":
            return _type_message(list(error.kind.types), error.instance)
        case "required":
            if error.kind.property == "default" and not error.instance:  # no responses: said by minProperties
                return None
            return f"{shown(error.kind.property)} is missing here. Add it."
        case "enum" | "const":
            return _options_message(error)
        case "anyOf" | "oneOf":
            return _choice_message(error)
        case "not":
            return _not_message(error)
        case "uniqueItems":
            return "An entry of this list is given twice. Remove one of them."
        case "minItems" | "minProperties" | "minLength":
            return "This is empty. Fill it in, or leave it out."
        case "pattern":
            return f"{shown(str(error.instance))} does not have the right form here."
    return f"This is not allowed here: {error.message[:200]}"


def _type_message(types: list[str], instance: Any) -> str:
    wanted = " or ".join(_TYPE_WORDS.get(t, t) for t in types)
    hint = " Put it in quotes." if types == ["string"] and isinstance(instance, (int, float)) else ""
    return f"This must be {wanted}, not {_actual(instance)}.{hint}"


def _actual(instance: Any) -> str:
    match instance:
        case dict():
            return "a mapping"
        case list():
            return "a list"
        case str():
            return f"the text {shown(instance, 40)}"
        case None:
            return "nothing"
        case bool():
            return "true" if instance else "false"
    return "a number"


def _options_message(error: Error) -> str:
    options = getattr(error.kind, "options", None) or [getattr(error.kind, "expected_value", "")]
    return f"{_value(error.instance)} is not allowed here. Use {_listed(options)}."


def _value(instance: Any) -> str:
    return shown(instance) if isinstance(instance, str) else _actual(instance)


def _listed(options: list[Any]) -> str:
    words = [str(option) for option in dict.fromkeys(map(str, options))]
    more = "" if len(words) <= MAX_OPTIONS else " ..."
    return ("one of: " if len(words) > 1 else "") + ", ".join(words[:MAX_OPTIONS]) + more


def _choice_message(error: Error) -> str | None:
    """What to say when no single branch was meant."""
    leaves = [leaf for branch in getattr(error.kind, "context", None) or [] for leaf in branch]
    if not leaves:  # valid under several: only mappings can mean two things at once
        return "“schema” and “content” exclude each other. Keep one." if _is_map(error) else None
    if chosen := [leaf for leaf in leaves if leaf.kind.name == "enum"]:
        options = [option for leaf in chosen for option in leaf.kind.options]
        return f"{_value(chosen[0].instance)} is not allowed here. Use {_listed(options)}."
    lacking = [leaf.kind.property for leaf in leaves if leaf.kind.name == "required"]
    if _is_map(error) and (fields := [name for name in dict.fromkeys(lacking) if name != "$ref"]):
        return f"One of these is missing here: {', '.join(fields)}. Add it."
    types = [t for leaf in leaves if leaf.kind.name == "type" for t in leaf.kind.types]
    return (
        _type_message(list(dict.fromkeys(types)), error.instance)
        if types
        else "No form of this is allowed here."
    )


def _choice_place(error: Error) -> tuple[Step, ...]:
    """Where the value stands that no branch allows, when it is one field that decides; empty otherwise."""
    chosen = [leaf for branch in getattr(error.kind, "context", None) or [] for leaf in branch]
    return next((tuple(leaf.instance_path) for leaf in chosen if leaf.kind.name == "enum"), ())


def _is_map(error: Error) -> bool:
    return isinstance(error.instance, dict)


def _not_message(error: Error) -> str | None:
    forbidden = error.kind.schema if isinstance(error.kind.schema, dict) else {}
    names = [str(name) for name in forbidden.get("required", ())]
    if names and _is_map(error) and all(name in error.instance for name in names):
        both = " and ".join(shown(name) for name in names)
        return (
            f"{both} exclude each other. Keep one."
            if len(names) > 1
            else f"{both} is not allowed here. Remove it."
        )
    return None if names else "This combination is not allowed here."


def readable(errors: Iterator[Error], definitions: Mapping[str, Any]) -> Iterator[SchemaProblem]:
    """All problems behind `errors`, each once, without those that only follow from another."""
    kept = _without_echoes(list(errors))
    reported = {tuple(e.instance_path) for e in kept if e.kind.name != "unevaluatedProperties"}
    seen: set[SchemaProblem] = set()
    for error in kept:
        for problem in explain(error, definitions):
            if problem not in seen and not _follows(error, problem, reported):
                seen.add(problem)
                yield problem


def _follows(error: Error, problem: SchemaProblem, reported: set[tuple[Step, ...]]) -> bool:
    """Whether a field looks unknown only because the condition that allows it failed at the same place or below."""
    conditional = _CONDITIONAL.get(_owner(error), frozenset())
    if error.kind.name != "unevaluatedProperties" or problem.steps[-1] not in conditional:
        return False
    at = tuple(error.instance_path)
    return any(path[: len(at)] == at for path in reported)
