"""Schemas of OpenAPI 3.1 (JSON Schema 2020-12) as schemas of OpenAPI 3.0, which has fewer words.

What 3.0 can say otherwise is said otherwise; what it cannot say is left out with a note, so the schema takes more
than before and never less. Under `not`, and in the branches of `oneOf`, the reverse would hold: no model of API
Gateway keeps these two (`models`), so it does not matter there."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from apis.spec.guard import resolve
from apis.spec.places import Step, steps_of
from gateways.drivers.aws.openapi.found import Found

type Steps = tuple[Step, ...]

_AS_IT_IS = frozenset((
    "title", "description", "multipleOf", "maximum", "minimum", "maxLength", "minLength", "pattern", "maxItems",
    "minItems", "uniqueItems", "maxProperties", "minProperties", "enum", "format", "default", "deprecated",
    "readOnly", "writeOnly", "externalDocs", "xml", "nullable", "discriminator", "example",
))  # fmt: skip
_LOST: Mapping[str, str] = {
    "if": "a condition",
    "then": "",  # without `if` these mean nothing
    "else": "",
    "dependentSchemas": "what depends on other properties",
    "dependentRequired": "what depends on other properties",
    "unevaluatedProperties": "what no other part describes",
    "unevaluatedItems": "what no other part describes",
    "contains": "an item that must be there",
    "propertyNames": "the names of properties",
    "patternProperties": "properties by the pattern of their names",
    "prefixItems": "items by their position",
    "$dynamicRef": "a reference that depends on where it is used",
}
_SCHEMA_REF = re.compile(r"#/components/schemas/[^/]+")
_NOT_IN_NAME = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(slots=True)
class Schemas:
    """Converts the schemas of one document. `places` tells for each dictionary that was made, by its `id`, where its
    original stands; it holds as long as the result is kept. `moved` are schemas that get a name of their own."""

    root: dict[str, Any]
    is_31: bool
    found: Found
    places: dict[int, Steps] = field(default_factory=dict)
    moved: dict[str, Any] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)
    _waiting: deque[str] = field(default_factory=deque)

    def convert(self, schema: Any, steps: Steps) -> dict[str, Any]:
        """The schema at `steps` in 3.0."""
        if not isinstance(schema, dict):
            made: dict[str, Any] = {"not": {}} if schema is False else {}
        elif isinstance(schema.get("$ref"), str):
            made = self._reference(schema, steps)
        else:
            made = self._words(schema, steps)
        self.places[id(made)] = steps
        return made

    def follow(self) -> dict[str, Any]:
        """The schemas that were given names, once all else is converted."""
        while self._waiting:
            reference = self._waiting.popleft()
            target = resolve(self.root, reference)
            self.moved[self._names[reference]] = self.convert(target, tuple(steps_of(unquote(reference))))
        return self.moved

    def _reference(self, schema: dict[str, Any], steps: Steps) -> dict[str, Any]:
        """3.0 lets nothing stand beside a reference, and ignores what does."""
        target = {"$ref": self._target(schema["$ref"])}
        beside = {name: value for name, value in schema.items() if name != "$ref"} if self.is_31 else {}
        made = self._words(beside, steps)
        if not made:
            return target
        self.places[id(target)] = steps
        return {**made, "allOf": [target, *made.get("allOf", ())]}

    def _target(self, reference: str) -> str:
        """`reference` itself, or that to a schema of its own: in 3.0 schemas have names under components alone."""
        if _SCHEMA_REF.fullmatch(reference):
            return reference
        if reference not in self._names:
            self._names[reference] = self._name(reference)
            self._waiting.append(reference)
        return f"#/components/schemas/{self._names[reference]}"

    def _name(self, reference: str) -> str:
        taken = {*self.root.get("components", {}).get("schemas", {}), *self._names.values()}
        base = _NOT_IN_NAME.sub("", steps_of(unquote(reference))[-1]) or "Schema"
        return next(
            name for name in (base, *(f"{base}{n}" for n in range(2, len(taken) + 3))) if name not in taken
        )

    def _words(self, schema: dict[str, Any], steps: Steps) -> dict[str, Any]:
        made = {name: value for name, value in schema.items() if name in _AS_IT_IS or name.startswith("x-")}
        if required := schema.get("required"):
            made["required"] = list(dict.fromkeys(required))
        self._lost(schema, steps)
        self._parts(schema, made, steps)
        _bounds(schema, made)
        _literals(schema, made)
        self._choices(schema, made, steps)
        _types(schema, made)
        return made

    def _lost(self, schema: dict[str, Any], steps: Steps) -> None:
        for name in (name for name in schema if _LOST.get(name)):
            what = f"OpenAPI 3.0, which API Gateway reads, cannot say {_LOST[name]} (“{name}”)."
            self.found.note(
                "schema-3.1", (*steps, name), what, "It is left out: bodies that break it get through."
            )

    def _parts(self, schema: dict[str, Any], made: dict[str, Any], steps: Steps) -> None:
        for name, part in schema.items():
            match name, part:
                case "properties", dict():
                    made[name] = {
                        key: self.convert(value, (*steps, name, key)) for key, value in part.items()
                    }
                case "allOf", list():
                    made[name] = [self.convert(value, (*steps, name, n)) for n, value in enumerate(part)]
                case "items", dict() | bool() if "prefixItems" not in schema:
                    made[name] = self.convert(part, (*steps, name))
                case "not", dict() | bool():
                    made[name] = self.convert(part, (*steps, name))
                case "additionalProperties", bool() if "patternProperties" not in schema:
                    made[name] = part
                case "additionalProperties", dict() if "patternProperties" not in schema:
                    made[name] = self.convert(part, (*steps, name))

    def _choices(self, schema: dict[str, Any], made: dict[str, Any], steps: Steps) -> None:
        for name in ("oneOf", "anyOf"):
            branches = schema.get(name)
            if not isinstance(branches, list):
                continue
            converted = [self.convert(value, (*steps, name, n)) for n, value in enumerate(branches)]
            others = [branch for branch in converted if not _is_null(branch)]
            if (
                len(others) == 1 < len(converted)
                and "type" in others[0]
                and not made.keys() & others[0].keys()
            ):
                made.update(others[0], nullable=True)
            else:
                made[name] = converted


def _is_null(made: dict[str, Any]) -> bool:
    return made.get("enum") == [None]


def _bounds(schema: dict[str, Any], made: dict[str, Any]) -> None:
    """In 3.1 an exclusive bound is a number beside the other, in 3.0 a word about it."""
    for side, tighter in (("Minimum", max), ("Maximum", min)):
        word, bound = f"exclusive{side}", side.lower()
        value = schema.get(word)
        if isinstance(value, bool):
            made[word] = value
        elif isinstance(value, (int, float)) and tighter(value, schema.get(bound, value)) == value:
            made |= {bound: value, word: True}


def _literals(schema: dict[str, Any], made: dict[str, Any]) -> None:
    if "const" in schema:
        made["enum"] = [schema["const"]]
    examples = schema.get("examples")
    if isinstance(examples, list) and examples:
        made.setdefault("example", examples[0])
    if schema.get("contentEncoding") == "base64":
        made.setdefault("format", "byte")
    elif schema.get("contentMediaType") == "application/octet-stream":
        made.setdefault("format", "binary")


def _types(schema: dict[str, Any], made: dict[str, Any]) -> None:
    """3.0 has one type, and null is a word beside it."""
    given = schema.get("type")
    types = given if isinstance(given, list) else [given] if isinstance(given, str) else []
    others = [name for name in types if name != "null"]
    nullable: dict[str, Any] = {"nullable": True} if len(others) < len(types) else {}
    if not others:
        made |= {**nullable, "enum": [None]} if nullable else {}
    elif len(others) == 1:
        made |= {"type": others[0], **nullable}
    else:
        branches = [{"type": name, **_items_of(name), **nullable} for name in others]
        made |= (
            {"allOf": [*made.get("allOf", ()), {"anyOf": branches}]}
            if "anyOf" in made
            else {"anyOf": branches}
        )
    if made.get("type") == "array":
        made.setdefault("items", {})


def _items_of(name: str) -> dict[str, Any]:
    return {"items": {}} if name == "array" else {}
