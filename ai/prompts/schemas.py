"""JSON Schemas (2020-12) that teams write: are they right, and does a value follow one.

A schema is the text of a stranger: it is never let fetch anything, and its patterns run without backtracking (T12).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jsonschema_rs

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MOST_SCHEMA_CHARACTERS = 100_000
MOST_FAULTS = 20
MOST_DEPTH = 60


@dataclass(frozen=True, slots=True)
class SchemaFault:
    """One place that is wrong: a JSON pointer (RFC 6901) into the schema or the value, and why."""

    pointer: str
    detail: str


def validator(schema: Mapping[str, Any]) -> Any:
    """A validator whose time grows with its input alone. Raises ValueError for a schema that is none.

    Without `offline` a `$ref` would be fetched, from the network and from the disk alike.
    """
    return jsonschema_rs.Draft202012Validator(
        dict(schema), pattern_options=jsonschema_rs.RegexOptions(), validate_formats=True, offline=True
    )


def schema_faults(schema: Any) -> list[SchemaFault]:
    """What is wrong with a schema by itself; empty where it can be used."""
    if not isinstance(schema, Mapping):
        return [SchemaFault("", 'A JSON Schema is an object, such as {"type": "object", "properties": {}}.')]
    if depth_of(schema) > MOST_DEPTH:
        return [SchemaFault("", f"It is nested deeper than {MOST_DEPTH} levels. Use $defs.")]
    if len(json.dumps(schema)) > MOST_SCHEMA_CHARACTERS:
        return [SchemaFault("", f"A schema has at most {MOST_SCHEMA_CHARACTERS:,} characters.")]
    dialect = schema.get("$schema", DIALECT)
    if not isinstance(dialect, str) or dialect.rstrip("#") != DIALECT:
        return [SchemaFault("/$schema", f"Only JSON Schema 2020-12 is read. Remove it, or write {DIALECT}.")]
    foreign = list(_foreign(schema, ()))
    if foreign:
        return foreign[:MOST_FAULTS]
    try:
        validator(schema)
    except jsonschema_rs.ValidationError as error:
        return [SchemaFault(pointer_to(error.instance_path), sentence(error.message))]
    except ValueError as error:
        return [SchemaFault("", sentence(str(error)))]
    return []


def _foreign(value: Any, path: tuple[str | int, ...]) -> Iterator[SchemaFault]:
    """References out of the schema."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            here = (*path, name)
            if name in {"$ref", "$dynamicRef"} and isinstance(inner, str) and not inner.startswith("#"):
                yield SchemaFault(
                    pointer_to(here), "A reference stays within the schema, such as #/$defs/address."
                )
            yield from _foreign(inner, here)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _foreign(inner, (*path, number))


def faults_of(checked_by: Any, value: Any, *, most: int = MOST_FAULTS) -> list[SchemaFault]:
    """What is wrong with `value` by a validator, at most `most` places."""
    found: list[SchemaFault] = []
    try:
        if checked_by.is_valid(value):
            return []
        for error in checked_by.iter_errors(value):
            found.append(SchemaFault(pointer_to(error.instance_path), sentence(error.message)))
            if len(found) == most:
                break
    except ValueError:  # the validator goes 255 levels deep
        return [SchemaFault("", "It is nested too deep. Flatten it.")]
    return found


def depth_of(value: Any) -> int:
    """How deep a JSON value is nested, without recursion; what is deeper than MOST_DEPTH is not followed further."""
    deepest, waiting = 0, [(value, 1)]
    while waiting and deepest <= MOST_DEPTH:
        found, depth = waiting.pop()
        deepest = max(deepest, depth)
        inner = found.values() if isinstance(found, Mapping) else found if isinstance(found, list) else ()
        waiting += [(each, depth + 1) for each in inner]
    return deepest


def pointer_to(path: Iterable[str | int]) -> str:
    """The JSON pointer of a path."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def sentence(message: str) -> str:
    """A message of the validator as a sentence that fits into a line."""
    short = message if len(message) < 300 else f"{message[:297]}..."
    return short if short.endswith(".") else f"{short}."
