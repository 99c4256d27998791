"""The bodies of calls as models of API Gateway: JSON schemas of draft 4 in which much is not supported.

A model takes what the document takes, or more with a note: never less, for then a correct call would be refused. So
`null`, which a model cannot allow beside a type, takes the type away; a property that only answers hold
(`readOnly`) is not required; `not` goes altogether, since it would become stricter as its inside becomes weaker.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from apis.spec.places import Step
from apis.spec.rules import mapping, sequence
from gateways.drivers.aws.openapi.calls import Call, followed
from gateways.drivers.aws.openapi.down import Down
from gateways.drivers.aws.openapi.found import Found
from gateways.drivers.aws.openapi.schemas import Steps
from gateways.engine.document import canonical_json

MAX_MODEL_BYTES = 400_000
_REF = "#/components/schemas/"
_JSON = re.compile(r"application/([A-Za-z0-9!#$&^_.+-]+\+)?json", re.IGNORECASE)
_KEPT = frozenset((
    "type", "enum", "multipleOf", "maximum", "minimum", "maxLength", "minLength", "pattern", "maxItems", "minItems",
    "uniqueItems", "maxProperties", "minProperties", "format",
))  # fmt: skip
_UNSUPPORTED_FORMATS = frozenset(("int32", "int64", "decimal"))
_WEAKER = "It is left out of the model: bodies that break it get through."
_UNSUPPORTED: Mapping[str, str] = {
    "oneOf": "Models do not support oneOf.",
    "anyOf": "Models do not support anyOf.",
    "not": "A model without parts of its schema cannot say what must not match.",
    "exclusiveMinimum": "Models do not support exclusiveMinimum.",
    "exclusiveMaximum": "Models do not support exclusiveMaximum.",
}


@dataclass(slots=True)
class Models:
    """The models of one document, made as bodies ask for them. `places` tells where the schema of each stands."""

    source: Down
    found: Found
    made: dict[str, dict[str, Any]] = field(default_factory=dict)
    _bodies: dict[tuple[str, str], str] = field(default_factory=dict)
    _waiting: deque[str] = field(default_factory=deque)
    _names: dict[str, str] = field(default_factory=dict)
    _has_example: bool = False
    places: dict[str, Steps] = field(default_factory=dict)

    def take(self, call: Call, name: str) -> None:
        """Make models for the body of a call; `name` names the operation."""
        body, steps = followed(
            self.source.document, call.operation.get("requestBody"), (*call.steps, "requestBody")
        )
        if not isinstance(body, dict):
            return
        for media_type, media in mapping(body.get("content")).items():
            at = (*steps, "content", media_type)
            if not _JSON.fullmatch(media_type.partition(";")[0].strip()):
                what = f"API Gateway checks bodies of JSON, not of {media_type}."
                self.found.note("body-not-json", at, what, "Bodies of this type are not checked.")
            elif isinstance(schema := mapping(media).get("schema"), dict):
                self._body(call, media_type, schema, (*at, "schema"), f"{name}Request")
        if body.get("required") is not True:
            self._optional(body, steps)

    def bodies(self, call: Call) -> dict[str, Any]:
        """The `content` of the body of a call that was taken; empty when nothing is checked. Ask after `finish`."""
        document = self.source.document
        body, _ = followed(document, call.operation.get("requestBody"), ())
        found = {
            media_type: self._bodies.get((self._key(call), media_type), "")
            for media_type in mapping(mapping(body).get("content"))
        }
        return {
            media_type.partition(";")[0].strip().lower(): {"schema": {"$ref": f"{_REF}{name}"}}
            for media_type, name in found.items()
            if name in self.made
        }

    def finish(self) -> dict[str, dict[str, Any]]:
        """Follow all references, and leave models out that check nothing. Gives the models by name."""
        schemas = mapping(mapping(self.source.document.get("components")).get("schemas"))
        while self._waiting:
            source = self._waiting.popleft()
            self._make(self._names[source], schemas.get(source, {}), ("components", "schemas", source))
        self._prune()
        for name, model in self.made.items():
            if (size := len(canonical_json(model).encode())) > MAX_MODEL_BYTES:
                what = f"As a model this has {size:,} bytes; a model has at most {MAX_MODEL_BYTES:,}."
                cure = "Split the schema, or have only parameters checked."
                self.found.block("model-too-large", self.places[name], what, cure)
        return dict(sorted(self.made.items()))

    def asked_by(self, bodies: list[Any]) -> dict[str, Any]:
        """The models that `bodies` refer to, and those to which these do: one that nobody asks for is not sent."""
        found, waiting = dict[str, Any](), list(_referred(bodies))
        while waiting:
            name = waiting.pop()
            if name not in found:
                found[name] = self.made[name]
                waiting.extend(_referred(found[name]))
        return found

    def _body(self, call: Call, media_type: str, schema: dict[str, Any], steps: Steps, name: str) -> None:
        reference = schema.get("$ref")
        if isinstance(reference, str):
            model = self._model_of(reference)
        else:
            model = self._free(name, f"{call.method} {call.path} {media_type}")
            self._make(model, schema, self.source.places.get(id(schema), steps))
        self._bodies[self._key(call), media_type] = model

    def _optional(self, body: dict[str, Any], steps: Steps) -> None:
        schemas = (mapping(media).get("schema") for media in mapping(body.get("content")).values())
        targets = (followed(self.source.document, schema, ())[0] for schema in schemas)
        if any(mapping(target).get("required") for target in targets):
            what = "A call without a body is checked as if it had sent {}."
            self.found.note(
                "optional-body", steps, what, "It is refused, for the schema requires properties."
            )

    @staticmethod
    def _key(call: Call) -> str:
        return f"{call.method} {call.path}"

    def _model_of(self, reference: str) -> str:
        """The name of the model of a schema under components, which is made in its turn."""
        source = reference.removeprefix(_REF).replace("~1", "/").replace("~0", "~")
        if source not in self._names:
            clean = source if _alphanumeric(source) == source else self._free(_alphanumeric(source), source)
            if clean != source:
                what = f"Names of models are letters and digits; this one becomes {clean}."
                self.found.note(
                    "model-name", ("components", "schemas", source), what, "Callers do not see it."
                )
            self._names[source] = clean
            self._waiting.append(source)
        return self._names[source]

    def _free(self, name: str, of: str) -> str:
        """`name`, or one like it when another schema has it; the same in every run, and in one over the result."""
        schemas = mapping(mapping(self.source.document.get("components")).get("schemas"))
        if name and name not in schemas and name not in self.made and name not in self._names.values():
            return name
        return f"{name}{sha256(of.encode()).hexdigest()[:8]}"

    def _make(self, name: str, schema: Any, steps: Steps) -> None:
        self.places[name] = self.source.places.get(id(schema), steps)
        self.made[name] = {}  # taken, while its inside is made
        self.made[name] = self._reduced(schema, steps)

    def _reduced(self, schema: Any, steps: Steps, answered: frozenset[str] = frozenset()) -> dict[str, Any]:
        """`answered` are properties that only answers hold, as the schema says of which this is a part."""
        if not isinstance(schema, dict):
            return {}
        steps = self.source.places.get(id(schema), steps)
        if isinstance(reference := schema.get("$ref"), str):
            return {"$ref": f"{_REF}{self._model_of(reference)}"}
        self._say_what_goes(schema, steps)
        made = {name: value for name, value in schema.items() if name in _KEPT}
        answered |= self._answered(schema)
        made |= self._parts(schema, steps, answered)
        if required := [name for name in sequence(schema.get("required")) if name not in answered]:
            made["required"] = required
        if made.get("format") in _UNSUPPORTED_FORMATS:
            del made["format"]
        return _with_null(made) if _takes_null(schema) else made

    def _answered(self, schema: Any, seen: tuple[int, ...] = ()) -> frozenset[str]:
        """The properties that are `readOnly`, also by the parts of the schema."""
        target, _ = followed(self.source.document, schema, ())
        if not isinstance(target, dict) or id(target) in seen:
            return frozenset()
        properties = mapping(target.get("properties"))
        found = {name for name, value in properties.items() if self._read_only(value)}
        parts = (self._answered(part, (*seen, id(target))) for part in sequence(target.get("allOf")))
        return frozenset(found).union(*parts)

    def _read_only(self, schema: Any) -> bool:
        target, _ = followed(self.source.document, schema, ())
        return any(mapping(value).get("readOnly") is True for value in (schema, target))

    def _parts(self, schema: dict[str, Any], steps: Steps, answered: frozenset[str]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        if properties := mapping(schema.get("properties")):
            made["properties"] = {
                name: self._reduced(value, (*steps, "properties", name)) for name, value in properties.items()
            }
        if "items" in schema:
            made["items"] = self._reduced(schema["items"], (*steps, "items"))
        if parts := sequence(schema.get("allOf")):
            made["allOf"] = [
                self._reduced(part, (*steps, "allOf", n), answered) for n, part in enumerate(parts)
            ]
        return made

    def _say_what_goes(self, schema: dict[str, Any], steps: Steps) -> None:
        for word, what in _UNSUPPORTED.items():
            if schema.get(word) not in (None, False):
                self._weaker(word, (*steps, word), what)
        self._say_what_checks_nothing(schema, steps)
        if schema.get("additionalProperties", True) not in (True, {}):
            self._weaker(
                "additionalProperties", (*steps, "additionalProperties"), "Models do not support this."
            )
        if schema.get("format") in _UNSUPPORTED_FORMATS:
            what = f"Models do not support the format {schema['format']}."
            self._weaker("format", (*steps, "format"), what)
        for word in ("minItems", "maxItems"):
            if word in schema:
                what = f"API Gateway does not check {word} of an imported model."
                self._note("items-unchecked", (*steps, word), what, "Bodies that break it get through.")
        if _takes_null(schema):
            what = "A model cannot allow null beside a type."
            self.found.note(
                "nullable", steps, what, "The type is left out of the model: any other gets through too."
            )

    def _say_what_checks_nothing(self, schema: dict[str, Any], steps: Steps) -> None:
        if "discriminator" in schema:
            what = "Models do not support discriminator."
            self.found.note(
                "model-discriminator", (*steps, "discriminator"), what, "It checks nothing by itself."
            )
        if schema.get("readOnly") is True:
            what = "Models do not support readOnly."
            self.found.note(
                "model-readOnly", (*steps, "readOnly"), what, "A call may send the property, and need not."
            )
        if "example" in schema and not self._has_example:
            self._has_example = True
            what = "Models hold no examples; there may be more than this."
            self.found.note("model-example", steps, what, "They are in the portal.")

    def _weaker(self, word: str, steps: tuple[Step, ...], what: str) -> None:
        self._note(f"model-{word}", steps, what, _WEAKER)

    def _note(self, code: str, steps: Steps, what: str, cost: str) -> None:
        self.found.note(code, self.source.written(steps), what, cost)

    def _prune(self) -> None:
        """A model that checks nothing is no model: what refers to it refers to nothing."""
        while empty := {name for name, model in self.made.items() if not model}:
            for name in empty:
                del self.made[name]
            self.made = {name: _without(model, empty) for name, model in self.made.items()}
        for (_, media_type), name in self._bodies.items():
            if name not in self.made:
                what = f"Nothing that a model can check is left of this schema ({media_type})."
                self.found.note("no-model", self.places[name], what, "These bodies are not checked.")


def _alphanumeric(name: str) -> str:
    return "".join(character for character in name if character.isascii() and character.isalnum())


def _takes_null(schema: dict[str, Any]) -> bool:
    return schema.get("nullable") is True or None in sequence(schema.get("enum"))


def _with_null(made: dict[str, Any]) -> dict[str, Any]:
    """What draft 4 says of one type does not concern null; these words do, and API Gateway drops a null among
    values."""
    return {name: value for name, value in made.items() if name not in ("type", "enum", "allOf")}


def _without(model: Any, names: set[str]) -> Any:
    """`model` without references to `names`, and without parts that say nothing."""
    if isinstance(model, list):
        return [_without(part, names) for part in model]
    if not isinstance(model, dict):
        return model
    if str(model.get("$ref", "")).removeprefix(_REF) in names:
        return {}
    made = {word: _pruned(word, value, names) for word, value in model.items()}
    if "allOf" in made and not (parts := [part for part in made["allOf"] if part]):
        del made["allOf"]
    elif "allOf" in made:
        made["allOf"] = parts
    return made


def _pruned(word: str, value: Any, names: set[str]) -> Any:
    """Within `properties` stand names that the author chose, within `enum` values."""
    if word == "properties":
        return {name: _without(part, names) for name, part in value.items()}
    return _without(value, names) if word in ("items", "allOf") else value


def _referred(value: Any) -> Iterator[str]:
    """The models that a value refers to, whatever it is. A property may be named $ref: then it holds no text."""
    if isinstance(value, dict):
        if isinstance(reference := value.get("$ref"), str):
            yield reference.removeprefix(_REF)
        value = [part for word, part in value.items() if word != "enum" or not isinstance(part, list)]
    for part in value if isinstance(value, list) else ():
        yield from _referred(part)
