"""A call of an operation that could really be made: values from examples, defaults, or the schema."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from apis.spec.rules import dereferenced, path_item

MAX_DEPTH = 8
MAX_VALUES = 300
MAX_MEMBERS = 30
MAX_BODY_CHARS = 20_000

_TEMPLATE = re.compile(r"\{([^{}/]*)\}")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}\Z")
# Set by the caller's HTTP library or by the gateway, whatever a document says (OpenAPI 3.1, 4.8.12.1).
_OWN_HEADERS = frozenset(
    ("accept", "content-type", "authorization", "x-api-key", "host", "content-length", "cookie")
)
_FORMATS = {
    "date": "2026-01-31",
    "date-time": "2026-01-31T12:00:00Z",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "uuid": "123e4567-e89b-12d3-a456-426614174000",
    "email": "someone@example.com",
    "idn-email": "someone@example.com",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "uri-reference": "/example",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "byte": "dGV4dA==",
}


@dataclass(frozen=True, slots=True)
class ExampleBody:
    """What is sent. `kind` is json, form, multipart, text or binary; `value` is a JSON value, for form and multipart
    a mapping of names to text, for binary None. `files` names the fields of a multipart body that are files."""

    kind: str
    content_type: str
    value: Any
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ExampleCall:
    """A call with every required value filled in. `path` is percent-encoded, query and headers are not."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: tuple[tuple[str, str], ...]
    body: ExampleBody | None


def example_call(document: Mapping[str, Any], method: str, path: str) -> ExampleCall:
    """A call of the operation `method path` of a document that was read. Raises KeyError when it has none.

    Bounded in depth and size whatever the schemas say; cycles end where they come round.
    """
    root = dict(document)
    item, _steps = path_item(root, path, root["paths"][path])
    operation = item[method.lower()]
    parameters = _parameters(root, item, operation)
    sampler = Sampler(root)
    values = {(p["in"], p["name"]): sampler.of_holder(p) for p in parameters}
    return ExampleCall(
        method=method.upper(),
        path=_filled(path, {name: value for (place, name), value in values.items() if place == "path"}),
        query=tuple(
            pair for p in parameters if p["in"] == "query" for pair in _pairs(p, values["query", p["name"]])
        ),
        headers=tuple(_headers(parameters, values)),
        body=_body(root, operation, sampler),
    )


def _parameters(
    root: dict[str, Any], item: dict[str, Any], operation: dict[str, Any]
) -> list[dict[str, Any]]:
    """Path parameters and required ones; those of the operation replace those of the path item."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for written in (*(item.get("parameters") or ()), *(operation.get("parameters") or ())):
        parameter = dereferenced(root, written)
        if isinstance(parameter, dict) and isinstance(parameter.get("name"), str):
            found[str(parameter.get("in")), parameter["name"]] = parameter
    return [p for (place, _name), p in found.items() if place == "path" or p.get("required") is True]


def _filled(path: str, values: Mapping[str, Any]) -> str:
    plain, question, query = path.partition("?")
    parts = _TEMPLATE.split(plain)
    for index, part in enumerate(parts):
        if index % 2:
            text = _text(values.get(part, part))
            parts[index] = quote(
                text if text.strip(".") else f"{part}-1", safe=""
            )  # "." and ".." are no segments
        else:
            parts[index] = quote(part, safe="/%:@!$&'()*+,;=~-._")
    return "".join(parts) + (question + quote(query, safe="=&%+-._~") if question else "")


def _pairs(parameter: dict[str, Any], value: Any) -> Iterator[tuple[str, str]]:
    """Query pairs of a value, by the styles `form` (the default) and `deepObject`."""
    name = parameter["name"]
    explode = parameter.get("explode") is not False
    if isinstance(value, list) and explode:
        yield from ((name, _text(entry)) for entry in value[:MAX_MEMBERS])
    elif isinstance(value, dict) and parameter.get("style") == "deepObject":
        yield from ((f"{name}[{key}]", _text(entry)) for key, entry in list(value.items())[:MAX_MEMBERS])
    elif isinstance(value, dict) and explode and "content" not in parameter:
        yield from ((key, _text(entry)) for key, entry in list(value.items())[:MAX_MEMBERS])
    else:
        yield name, _text(value)


def _headers(
    parameters: list[dict[str, Any]], values: Mapping[tuple[str, str], Any]
) -> Iterator[tuple[str, str]]:
    for parameter in parameters:
        name = parameter["name"]
        if parameter["in"] != "header" or not _HEADER_NAME.match(name) or name.lower() in _OWN_HEADERS:
            continue
        text = _text(values["header", name])
        yield name, "".join(c if c.isprintable() else " " for c in text)[:500].strip()


def _text(value: Any) -> str:
    """A value as it stands in a path, query or header."""
    if isinstance(value, str):
        return value[:500]
    if isinstance(value, list):
        return ",".join(map(_text, value[:MAX_MEMBERS]))
    return json.dumps(value, ensure_ascii=False)[:500] if value is not None else ""


def _body(root: dict[str, Any], operation: dict[str, Any], sampler: Sampler) -> ExampleBody | None:
    request = dereferenced(root, operation.get("requestBody"))
    content = request.get("content") if isinstance(request, dict) else None
    if not isinstance(content, dict) or not content:
        return None
    media_type = min(content, key=_preference)
    media = dereferenced(root, content[media_type])
    media = media if isinstance(media, dict) else {}
    return _body_of(media_type, sampler.of_holder(media), _file_fields(root, media))


def _preference(media_type: str) -> int:
    return ("json", "form", "multipart", "text", "binary").index(_kind(media_type))


def _kind(media_type: str) -> str:
    plain = media_type.partition(";")[0].strip().lower()
    if plain in ("application/json", "*/*", "application/*") or plain.endswith("+json"):
        return "json"
    known = {"application/x-www-form-urlencoded": "form", "multipart/form-data": "multipart"}
    return known.get(plain) or ("text" if plain.startswith("text/") else "binary")


def _body_of(media_type: str, value: Any, files: tuple[str, ...]) -> ExampleBody:
    kind = _kind(media_type)
    content_type = (
        "application/json" if "*" in media_type else "".join(filter(str.isprintable, media_type))[:200]
    )
    if kind in ("form", "multipart"):
        fields = value if isinstance(value, dict) else {}
        return ExampleBody(kind, content_type, {name: _text(entry) for name, entry in fields.items()}, files)
    if kind == "text":
        return ExampleBody(kind, content_type, _text(value))
    return ExampleBody(kind, content_type, value if kind == "json" else None)


def _file_fields(root: dict[str, Any], media: dict[str, Any]) -> tuple[str, ...]:
    """Names of the properties that are files."""
    schema = dereferenced(root, media.get("schema"))
    properties = schema.get("properties") if isinstance(schema, dict) else None
    return tuple(name for name, s in (properties or {}).items() if _is_file(dereferenced(root, s)))


def _is_file(schema: Any) -> bool:
    return isinstance(schema, dict) and (schema.get("format") == "binary" or "contentMediaType" in schema)


class Sampler:
    """Makes example values from schemas, MAX_VALUES of them at most."""

    def __init__(self, root: dict[str, Any]) -> None:
        self._root = root
        self._left = MAX_VALUES

    def of_holder(self, holder: dict[str, Any]) -> Any:
        """A value for a parameter or a media type: its own example, or one made from its schema."""
        if "example" in holder:
            return _bounded(holder["example"])
        for written in (
            (holder.get("examples") or {}).values() if isinstance(holder.get("examples"), dict) else ()
        ):
            named = dereferenced(self._root, written)
            if isinstance(named, dict) and "value" in named:
                return _bounded(named["value"])
        if isinstance(content := holder.get("content"), dict) and content:
            media = dereferenced(self._root, next(iter(content.values())))
            return self.of_holder(media) if isinstance(media, dict) else None
        return self.of_schema(holder.get("schema", {}), 0)

    def of_schema(self, schema: Any, depth: int) -> Any:
        """A value that fits `schema` as far as examples need; None where the limits end it."""
        schema = dereferenced(self._root, schema)
        self._left -= 1
        if not isinstance(schema, dict) or depth > MAX_DEPTH or self._left < 0:
            return None
        found, value = _given(schema)
        if found:
            return _bounded(value)
        for keyword in ("oneOf", "anyOf"):
            if isinstance(choices := schema.get(keyword), list) and choices and "properties" not in schema:
                return self.of_schema(self._first_real(choices), depth + 1)
        return self._of_type(schema, depth)

    def _first_real(self, choices: list[Any]) -> Any:
        """The first choice that is not null."""
        real = [c for c in choices if not (isinstance(c, dict) and c.get("type") == "null")]
        return real[0] if real else choices[0]

    def _of_type(self, schema: dict[str, Any], depth: int) -> Any:
        kind = _type_of(schema)
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            item = self.of_schema(schema.get("items", {}), depth + 1)
            return [] if item is None else [item]
        if kind in ("integer", "number"):
            return _number(schema)
        if kind == "boolean":
            return True
        return _string(schema) if kind == "string" else None

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for part in schema.get("allOf") or ():
            value = self.of_schema(part, depth + 1)
            made.update(value if isinstance(value, dict) else {})
        properties = schema.get("properties")
        for name, written in (properties if isinstance(properties, dict) else {}).items():
            described = dereferenced(self._root, written)
            read_only = isinstance(described, dict) and described.get("readOnly") is True
            if read_only or len(made) >= MAX_MEMBERS or self._left <= 0:
                continue
            value = self.of_schema(written, depth + 1)
            if value is not None or name in (schema.get("required") or ()):
                made[name] = value
        return made


def _given(schema: dict[str, Any]) -> tuple[bool, Any]:
    """(True, value) when the author gave one."""
    for keyword in ("example", "const", "default"):
        if keyword in schema and schema[keyword] is not None:
            return True, schema[keyword]
    for keyword in ("examples", "enum"):
        if isinstance(values := schema.get(keyword), list) and values:
            return True, values[0]
    return False, None


def _type_of(schema: dict[str, Any]) -> str:
    declared = schema.get("type")
    if isinstance(declared, list):
        declared = next((kind for kind in declared if kind != "null"), "null")
    if isinstance(declared, str):
        return declared
    if "properties" in schema or "allOf" in schema:
        return "object"
    return "array" if "items" in schema else "string"


def _number(schema: dict[str, Any]) -> int | float:
    for keyword, step in (("minimum", 0), ("exclusiveMinimum", 1), ("maximum", 0), ("exclusiveMaximum", -1)):
        value = schema.get(keyword)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return value + step
    return 1 if schema.get("type") == "integer" else 1.0


def _string(schema: dict[str, Any]) -> str:
    text = _FORMATS.get(str(schema.get("format")), "text")
    shortest, longest = schema.get("minLength"), schema.get("maxLength")
    if isinstance(shortest, int) and len(text) < shortest <= 200:
        text += "x" * (shortest - len(text))
    return text[:longest] if isinstance(longest, int) and longest >= 0 else text


def _bounded(value: Any) -> Any:
    """The author's example, or None when it is too large to show in a sample."""
    return value if len(json.dumps(value, ensure_ascii=False)) <= MAX_BODY_CHARS else None
