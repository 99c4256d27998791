"""An OpenAPI 3.1 document as one of 3.0, for API Gateway reads nothing newer. A document of 3.0 goes through
unchanged, except that path items are written where they are referred to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from apis.spec.places import steps_of
from apis.spec.rules import METHODS, path_item
from gateways.drivers.aws.openapi.found import Found, Trap
from gateways.drivers.aws.openapi.schemas import Schemas, Steps

ANY_METHOD = "x-amazon-apigateway-any-method"
VERSION = "3.0.3"

# For each kind of object, the members that hold schemas further down: (one, list or map, kind of what is in there).
_PARAMETER = {"schema": ("one", "schema"), "content": ("map", "media")}
_MEMBERS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "document": {"paths": ("map", "path_item"), "components": ("one", "components")},
    "path_item": {
        **dict.fromkeys((*METHODS, ANY_METHOD), ("one", "operation")),
        "parameters": ("list", "parameter"),
    },
    "operation": {
        "parameters": ("list", "parameter"),
        "requestBody": ("one", "request_body"),
        "responses": ("map", "response"),
        "callbacks": ("map", "callback"),
    },
    "parameter": _PARAMETER,
    "header": _PARAMETER,
    "request_body": {"content": ("map", "media")},
    "response": {"headers": ("map", "header"), "content": ("map", "media")},
    "media": {"schema": ("one", "schema"), "encoding": ("map", "encoding")},
    "encoding": {"headers": ("map", "header")},
    "callback": {},
    "components": {
        "schemas": ("map", "schema"),
        "responses": ("map", "response"),
        "parameters": ("map", "parameter"),
        "requestBodies": ("map", "request_body"),
        "headers": ("map", "header"),
        "callbacks": ("map", "callback"),
        "securitySchemes": ("map", "security_scheme"),
    },
    "security_scheme": {},
}
_GONE = {"document": ("webhooks", "jsonSchemaDialect"), "components": ("pathItems",)}


@dataclass(frozen=True, slots=True)
class Down:
    """The document in 3.0, what became of it, and where the original of a dictionary stands (by its `id`)."""

    original: dict[str, Any] = field(repr=False)
    document: dict[str, Any]
    notes: tuple[Trap, ...]
    places: Mapping[int, Steps] = field(repr=False)

    def written(self, steps: Steps) -> Steps:
        """`steps` as far as they lead in the original: what 3.0 says in more words has no place of its own there."""
        here: Any = self.original
        for depth, step in enumerate(steps):
            try:
                here = here[step]
            except (KeyError, IndexError, TypeError):
                return steps[:depth]
        return steps


def down(document: dict[str, Any]) -> Down:
    """`document` of 3.0 or 3.1, as `apis.spec` accepted it, in 3.0. Nothing of it is changed."""
    is_31 = str(document.get("openapi", "")).startswith("3.1")
    return _Converting(Schemas(document, is_31, Found())).result()


@dataclass(slots=True)
class _Converting:
    schemas: Schemas

    def result(self) -> Down:
        source, found = self.schemas.root, self.schemas.found
        if self.schemas.is_31:
            found.note(
                "openapi-3.1",
                ("openapi",),
                "API Gateway reads OpenAPI 3.0.",
                "The document is converted for it.",
            )
        made = self._object("document", source, ())
        made |= {"openapi": VERSION, "paths": made.get("paths", {}), "info": _info(source["info"])}
        if moved := self.schemas.follow():
            made.setdefault("components", {}).setdefault("schemas", {}).update(moved)
        if "webhooks" in source:
            what = "Webhooks are calls to the consumer; OpenAPI 3.0 has none."
            found.note("webhooks", ("webhooks",), what, "They are not published.")
        return Down(source, made, found.all, self.schemas.places)

    def _object(self, kind: str, value: Any, steps: Steps) -> Any:
        if kind == "schema":
            return self.schemas.convert(value, steps)
        if not isinstance(value, dict):
            return value
        if kind == "path_item":
            value, steps = _written_out(self.schemas.root, value, steps)
        elif isinstance(value.get("$ref"), str):
            return {"$ref": value["$ref"]}
        made = {
            name: self._member(kind, name, child, (*steps, name))
            for name, child in value.items()
            if name not in _GONE.get(kind, ())
        }
        self._mend(kind, made, steps)
        self.schemas.places[id(made)] = steps
        return made

    def _member(self, kind: str, name: str, value: Any, steps: Steps) -> Any:
        if kind == "callback":
            return self._object("path_item", value, steps)
        how, inner = _MEMBERS[kind].get(name, ("", ""))
        match how, value:
            case "one", _:
                return self._object(inner, value, steps)
            case "list", list():
                return [self._object(inner, item, (*steps, n)) for n, item in enumerate(value)]
            case "map", dict():
                return {key: self._object(inner, item, (*steps, key)) for key, item in value.items()}
        return value

    def _mend(self, kind: str, made: dict[str, Any], steps: Steps) -> None:
        if kind == "operation" and not made.get("responses"):
            made["responses"] = {"default": {"description": "Any answer"}}
        if kind == "security_scheme" and made.get("type") == "mutualTLS":
            what = "OpenAPI 3.0 knows no mutual TLS among its security schemes."
            self.schemas.found.note(
                "mutual-tls", steps, what, "It is set up on the domain, not by the document."
            )
            made |= {"type": "http", "scheme": "mutual-tls"}


def _written_out(root: dict[str, Any], value: dict[str, Any], steps: Steps) -> tuple[dict[str, Any], Steps]:
    """A path item without its reference, and where it is described."""
    reference = value.get("$ref")
    item, _ = path_item(root, str(steps[-1]), value)
    if isinstance(reference, str) and len(value) == 1:
        steps = tuple(steps_of(unquote(reference)))
    return {name: part for name, part in item.items() if name != "$ref"}, steps


def _info(info: dict[str, Any]) -> dict[str, Any]:
    made = {name: value for name, value in info.items() if name != "summary"}
    if isinstance(info.get("license"), dict):
        made["license"] = {name: value for name, value in info["license"].items() if name != "identifier"}
    return made


__all__ = ["ANY_METHOD", "Down", "down"]
