"""The OpenAPI document of a prompt, read by the portal's own reader of such documents."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ai.prompts.openapi import document, example_values
from ai.prompts.variables import variables_of
from apis.spec.document import read_spec

VARIABLES = variables_of(
    [
        {"name": "text", "max_length": 500, "example": "Hello", "description": "What to translate."},
        {"name": "lang", "enum": ["fr", "de"]},
        {
            "name": "extra",
            "type": "object",
            "required": False,
            "schema": {"properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"type": "string"}}},
        },
        {"name": "history", "type": "messages", "required": False},
        {"name": "image", "type": "image", "required": False},
    ]
)
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {"tree": {"$ref": "#/$defs/node"}},
    "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}},
}


def made(**changed: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "name": "Translate",
        "description": "Translates.",
        "variables": VARIABLES,
        "output_schema": SCHEMA,
        "server_url": "https://api.example.test/acme/translate/v1",
    }
    return document(**{**values, **changed})


@pytest.mark.parametrize("envelope", [True, False])
@pytest.mark.parametrize("schema", [None, SCHEMA])
@pytest.mark.parametrize("variables", [(), VARIABLES])
def test_our_own_reader_takes_it(envelope: bool, schema: Any, variables: Any) -> None:
    found = made(envelope=envelope, output_schema=schema, variables=variables)
    read = read_spec(json.dumps(found).encode(), "prompt.json")
    assert [(one.method, one.path) for one in read.operations] == [
        ("POST", "/"),
        ("POST", "/chat/completions"),
    ]


def test_it_says_what_a_caller_needs() -> None:
    found = made()
    call = found["paths"]["/"]["post"]
    schemas = found["components"]["schemas"]
    body = schemas["Input"]
    assert body["required"] == ["text", "lang"]
    assert body["additionalProperties"] is False
    assert body["properties"]["text"] == {
        "type": "string",
        "maxLength": 500,
        "description": "What to translate.",
        "examples": ["Hello"],
    }
    assert body["properties"]["lang"]["enum"] == ["fr", "de"]
    assert call["requestBody"]["content"]["application/json"]["example"] == {"text": "Hello", "lang": "fr"}
    answer = call["responses"]["200"]["content"]
    assert set(answer) == {"application/json", "text/event-stream"}
    assert answer["application/json"]["schema"] == {"$ref": "#/components/schemas/Answer"}
    assert schemas["Answer"]["properties"]["output"] == {"$ref": "#/components/schemas/Output"}
    assert set(schemas["Problem"]["properties"]) >= {"type", "title", "status", "detail", "errors", "error"}
    schemes = found["components"]["securitySchemes"]
    assert {schemes["key"]["name"], schemes["bearer"]["scheme"]} == {"X-API-Key", "bearer"}
    assert found["servers"] == [{"url": "https://api.example.test/acme/translate/v1"}]


def test_references_of_schemas_hold_where_they_stand() -> None:
    schemas = made()["components"]["schemas"]
    assert schemas["Output"]["properties"]["tree"]["$ref"] == "#/components/schemas/Output/$defs/node"
    extra = schemas["Input"]["properties"]["extra"]
    assert extra["properties"]["a"]["$ref"] == "#/components/schemas/Input/properties/extra/$defs/x"
    assert "$schema" not in schemas["Output"]


def test_without_envelope_the_output_is_the_answer() -> None:
    content = made(envelope=False)["paths"]["/"]["post"]["responses"]["200"]["content"]
    assert content["application/json"]["schema"] == {"$ref": "#/components/schemas/Output"}


def test_an_example_is_whole_or_none() -> None:
    assert example_values(variables_of([{"name": "a"}, {"name": "b", "example": "x"}])) == {}
