"""OpenAPI 3.1 in the words of 3.0."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateways.drivers.aws.openapi.down import Down, down
from tests.gateways.drivers.aws.openapi.making import (
    BODY,
    by_code,
    document,
    faults,
    operation,
    pointed_at,
    posting,
    spec,
)


def body(made: Down) -> Any:
    return pointed_at(made.document, BODY)


@pytest.mark.parametrize(
    ("given_schema", "expected"),
    [
        ({"type": "string"}, {"type": "string"}),
        ({"type": ["string", "null"]}, {"type": "string", "nullable": True}),
        ({"type": ["null"]}, {"nullable": True, "enum": [None]}),
        ({"type": ["string", "integer"]}, {"anyOf": [{"type": "string"}, {"type": "integer"}]}),
        (
            {"type": ["array", "null", "string"]},
            {
                "anyOf": [
                    {"type": "array", "items": {}, "nullable": True},
                    {"type": "string", "nullable": True},
                ]
            },
        ),
        ({"const": "a"}, {"enum": ["a"]}),
        ({"type": "string", "examples": ["a", "b"]}, {"type": "string", "example": "a"}),
        (
            {"type": "integer", "exclusiveMinimum": 3},
            {"type": "integer", "minimum": 3, "exclusiveMinimum": True},
        ),
        ({"exclusiveMinimum": 3, "minimum": 5}, {"minimum": 5}),
        ({"exclusiveMaximum": 3, "maximum": 5}, {"maximum": 3, "exclusiveMaximum": True}),
        ({"type": "array"}, {"type": "array", "items": {}}),
        ({"type": "array", "items": True}, {"type": "array", "items": {}}),
        ({"properties": {"a": False}}, {"properties": {"a": {"not": {}}}}),
        ({"type": "string", "contentEncoding": "base64"}, {"type": "string", "format": "byte"}),
        ({"contentMediaType": "application/octet-stream"}, {"format": "binary"}),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, {"type": "string", "nullable": True}),
        (
            {"oneOf": [{"$ref": "#/components/schemas/A"}, {"type": "null"}]},
            {"oneOf": [{"$ref": "#/components/schemas/A"}, {"nullable": True, "enum": [None]}]},
        ),
        ({"$ref": "#/components/schemas/A"}, {"$ref": "#/components/schemas/A"}),
        (
            {"$ref": "#/components/schemas/A", "minLength": 3},
            {"minLength": 3, "allOf": [{"$ref": "#/components/schemas/A"}]},
        ),
        ({"required": []}, {}),
        ({"$schema": "x", "$comment": "y", "$anchor": "z"}, {}),
    ],
)
def test_a_schema_of_31_is_said_in_30(given_schema: Any, expected: Any) -> None:
    source = posting(given_schema, components={"schemas": {"A": {"type": "string"}}})
    made = down(source)
    assert body(made) == expected
    assert [trap.code for trap in made.notes] == ["openapi-3.1"]


@pytest.mark.parametrize(
    "word",
    [
        "if", "dependentSchemas", "dependentRequired", "unevaluatedProperties", "unevaluatedItems", "contains",
        "propertyNames", "patternProperties", "prefixItems", "$dynamicRef",
    ],
)  # fmt: skip
def test_what_30_cannot_say_goes_with_a_note(word: str) -> None:
    made = down(posting({"type": "object", word: {}}))
    assert body(made) == {"type": "object"}
    assert by_code(made.notes)["schema-3.1"] == [f"{BODY}/{word}"]


def test_what_is_left_of_a_schema_is_never_stricter() -> None:
    pattern = down(posting({"patternProperties": {"^x": {}}, "additionalProperties": False}))
    assert "additionalProperties" not in body(pattern)
    prefix = down(posting({"type": "array", "prefixItems": [{"type": "string"}], "items": False}))
    assert body(prefix) == {"type": "array", "items": {}}


def test_inner_definitions_get_names() -> None:
    schema = {"$defs": {"Line": {"type": ["string", "null"]}}, "items": {"$ref": f"#{BODY}/$defs/Line"}}
    taken = {"Line": {"type": "integer"}}
    made = down(posting(schema, components={"schemas": taken}))
    assert body(made) == {"items": {"$ref": "#/components/schemas/Line2"}}
    assert made.document["components"]["schemas"] == {**taken, "Line2": {"type": "string", "nullable": True}}


def test_every_schema_knows_where_it_came_from() -> None:
    schema = {"properties": {"a": {"anyOf": [{"type": "object", "properties": {"b": {}}}, {"type": "null"}]}}}
    made = down(posting(schema))
    inner = body(made)["properties"]["a"]["properties"]["b"]
    assert made.places[id(inner)][-6:] == ("properties", "a", "anyOf", 0, "properties", "b")


def test_what_31_adds_to_a_document_goes() -> None:
    source = document(
        {"/a": {"$ref": "#/components/pathItems/A"}, "/b": {"get": {}}},
        webhooks={"paid": {"post": operation()}},
        jsonSchemaDialect="https://example.com/dialect",
        components={
            "pathItems": {"A": {"get": operation(operationId="a")}},
            "securitySchemes": {"tls": {"type": "mutualTLS"}},
        },
    )
    source["info"] |= {"summary": "s", "license": {"name": "n", "identifier": "MIT"}}
    made = down(source)
    assert faults(made.document) == []
    assert made.document["paths"]["/a"]["get"]["operationId"] == "a"
    assert by_code(made.notes) == {
        "openapi-3.1": ["/openapi"],
        "webhooks": ["/webhooks"],
        "mutual-tls": ["/components/securitySchemes/tls"],
    }


@pytest.mark.parametrize("name", ["orders-3.1.yaml", "weather-3.0.json"])
def test_the_result_is_a_document_of_30_and_stays_so(name: str) -> None:
    source = spec(name)
    before = str(source)
    made = down(source)
    # Only what is the author's: in YAML of today `default: no` is a text.
    assert faults(made.document) == (["'no' is not of type 'boolean'"] if name == "orders-3.1.yaml" else [])
    assert str(source) == before
    again = down(made.document)
    assert again.document == made.document
    assert again.notes == ()


VALUES = (
    None, True, 0, 1, 2, 5, 1.5, "", "a", "abc", [], [1], ["a", None], [None, "a", 2], {}, {"a": 1}, {"a": None},
    {"b": "a"}, {"a": "abc", "b": 2}, {"a": [], "b": {}},
)  # fmt: skip
"""Each schema is tried with all of these: one drawn at random fits too few of them to show anything."""

TYPES = st.sampled_from(["null", "boolean", "integer", "number", "string", "array", "object"])
NULLABLE = st.sampled_from(["boolean", "integer", "string", "array", "object"]).map(
    lambda name: [name, "null"]
)


def _worded(inner: st.SearchStrategy[Any], *, refers: bool) -> st.SearchStrategy[Any]:
    words: dict[str, st.SearchStrategy[Any]] = {
        "type": TYPES | NULLABLE | st.lists(TYPES, min_size=1, max_size=3, unique=True),
        "const": st.sampled_from(VALUES),
        "enum": st.lists(st.sampled_from(VALUES), min_size=1, max_size=3, unique_by=repr),
        "minimum": st.integers(0, 3),
        "exclusiveMinimum": st.integers(0, 3),
        "exclusiveMaximum": st.integers(0, 3),
        "minLength": st.integers(0, 2),
        "properties": st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
        "required": st.lists(st.sampled_from("ab"), max_size=2, unique=True),
        "additionalProperties": st.booleans() | inner,
        "patternProperties": st.dictionaries(st.sampled_from(["^a", "b$"]), inner, max_size=1),
        "items": inner,
        "prefixItems": st.lists(inner, min_size=1, max_size=2),
        "anyOf": st.lists(inner, min_size=1, max_size=2),
        "allOf": st.lists(inner, min_size=1, max_size=2),
        "dependentRequired": st.just({"a": ["b"]}),
        "contains": inner,
        **({"$ref": st.just("#/components/schemas/A")} if refers else {}),
    }
    # A few words at a time: a schema of many takes nothing.
    chosen = st.lists(st.sampled_from(sorted(words)), min_size=1, max_size=3, unique=True)
    return chosen.flatmap(lambda names: st.fixed_dictionaries({name: words[name] for name in names}))


def _schemas(*, refers: bool) -> st.SearchStrategy[Any]:
    leaves = st.booleans() | _worded(st.just(True), refers=refers)
    return st.recursive(leaves, lambda inner: _worded(inner, refers=refers), max_leaves=4)


SCHEMAS = _schemas(refers=True)
REFERRED = _schemas(refers=False)
"""What the others refer to as A: a schema that is nothing but itself is refused by the portal."""


def _as_draft_4(schema: Any) -> Any:
    """A schema of 3.0 in the words of draft 4, which has no `nullable`."""
    if isinstance(schema, list):
        return [_as_draft_4(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {
        name: value if name == "enum" else _as_draft_4(value)
        for name, value in schema.items()
        if name != "nullable"
    }
    if schema.get("nullable") is True and "type" in schema:
        made["type"] = [schema["type"], "null"]
    return made


@settings(max_examples=400)
@given(SCHEMAS, REFERRED)
def test_what_fits_the_schema_fits_it_in_30(schema: Any, other: Any) -> None:
    source = posting(schema, components={"schemas": {"A": other}})
    made = _as_draft_4(down(source).document)
    before = jsonschema_rs.Draft202012Validator({**source, "$ref": f"#{BODY}"})
    after = jsonschema_rs.Draft4Validator({**made, "allOf": [{"$ref": f"#{BODY}"}]})
    assert [value for value in VALUES if before.is_valid(value) and not after.is_valid(value)] == []
