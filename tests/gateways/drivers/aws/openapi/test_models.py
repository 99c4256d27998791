"""Bodies as models of API Gateway: what is left, what is said of the rest, and that no correct call is refused."""

from __future__ import annotations

from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings

from gateways.drivers.aws.openapi.found import CannotImport, Rendered
from gateways.drivers.aws.openapi.models import MAX_MODEL_BYTES
from gateways.drivers.aws.openapi.rest import rest_document
from gateways.drivers.aws.openapi.settings import Validate
from tests.gateways.drivers.aws.openapi.making import BODY, by_code, document, operation, posting, rest
from tests.gateways.drivers.aws.openapi.test_down import REFERRED, SCHEMAS, VALUES

COMPONENTS = {
    "schemas": {
        "A": {"type": "object", "properties": {"b": {"$ref": "#/components/schemas/B.c"}}, "required": ["b"]},
        "B.c": {"type": "string", "maxLength": 3},
        "Bc": {"type": "integer"},
        "Self": {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Self"}}},
        "Any": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
        "AnyToo": {"allOf": [{"$ref": "#/components/schemas/Any"}]},
    }
}


def rendered(source: dict[str, Any]) -> Rendered:
    return rest_document(source, rest(validate=Validate.BODY))


def model_of(schema: Any, version: str = "3.0.3") -> tuple[Any, dict[str, list[str]]]:
    """The model of a body, None for none, and the notes on it by code."""
    made = rendered(posting(schema, version=version, components=COMPONENTS))
    body = made.document["paths"]["/orders"]["post"].get("requestBody")
    notes = {
        code: at
        for code, at in by_code(made.notes).items()
        if code not in ("answers-unchecked", "openapi-3.1")
    }
    if body is None:
        return None, notes
    name = body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    return made.document["components"]["schemas"][name], notes


@pytest.mark.parametrize(
    ("schema", "model", "notes"),
    [
        ({"type": "string", "minLength": 2}, {"type": "string", "minLength": 2}, {}),
        ({"type": "string", "title": "t", "description": "d", "default": "x"}, {"type": "string"}, {}),
        ({"type": "string", "oneOf": [{}]}, {"type": "string"}, {"model-oneOf": ["/oneOf"]}),
        ({"type": "string", "anyOf": [{}]}, {"type": "string"}, {"model-anyOf": ["/anyOf"]}),
        ({"type": "string", "not": {"enum": ["a"]}}, {"type": "string"}, {"model-not": ["/not"]}),
        (
            {"type": "object", "additionalProperties": False},
            {"type": "object"},
            {"model-additionalProperties": ["/additionalProperties"]},
        ),
        (
            {"type": "object", "additionalProperties": {"type": "string"}},
            {"type": "object"},
            {"model-additionalProperties": ["/additionalProperties"]},
        ),
        ({"type": "object", "additionalProperties": True}, {"type": "object"}, {}),
        (
            {"type": "integer", "minimum": 1, "exclusiveMinimum": True},
            {"type": "integer", "minimum": 1},
            {"model-exclusiveMinimum": ["/exclusiveMinimum"]},
        ),
        ({"type": "integer", "format": "int64"}, {"type": "integer"}, {"model-format": ["/format"]}),
        ({"type": "integer", "format": "int32"}, {"type": "integer"}, {"model-format": ["/format"]}),
        ({"type": "string", "format": "uuid"}, {"type": "string", "format": "uuid"}, {}),
        (
            {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 2},
            {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 2},
            {"items-unchecked": ["/minItems", "/maxItems"]},
        ),
        ({"type": "string", "maxLength": 3, "nullable": True}, {"maxLength": 3}, {"nullable": [""]}),
        ({"type": "string", "enum": ["a", None], "maxLength": 3}, {"maxLength": 3}, {"nullable": [""]}),
        (
            {"type": "object", "discriminator": {"propertyName": "a"}},
            {"type": "object"},
            {"model-discriminator": ["/discriminator"]},
        ),
        ({"type": "string", "example": "a"}, {"type": "string"}, {"model-example": [""]}),
    ],
)
def test_a_model_holds_what_is_supported_and_the_rest_is_said(
    schema: Any, model: Any, notes: dict[str, list[str]]
) -> None:
    found, said = model_of(schema)
    assert found == model
    assert said == {code: [f"{BODY}{pointer}" for pointer in pointers] for code, pointers in notes.items()}


@pytest.mark.parametrize(
    ("schema", "codes"),
    [
        ({"oneOf": [{"type": "string"}]}, {"model-oneOf", "no-model"}),
        ({"$ref": "#/components/schemas/Any"}, {"model-oneOf", "no-model"}),
        ({"$ref": "#/components/schemas/AnyToo"}, {"model-oneOf", "no-model"}),
        ({"type": "string", "nullable": True}, {"nullable", "no-model"}),
        (
            {"nullable": True, "allOf": [{"$ref": "#/components/schemas/A"}]},
            {"nullable", "model-name", "no-model"},
        ),
        ({}, {"no-model"}),
    ],
)
def test_a_model_that_checks_nothing_is_left_away(schema: Any, codes: set[str]) -> None:
    model, notes = model_of(schema)
    assert model is None
    assert notes.keys() == codes


def test_what_only_answers_hold_is_not_asked_of_calls() -> None:
    base = {
        "type": "object",
        "properties": {"id": {"type": "string", "readOnly": True}, "a": {"type": "string"}},
    }
    model, notes = model_of({**base, "required": ["id", "a"]})
    assert model["required"] == ["a"]
    assert notes == {"model-readOnly": [f"{BODY}/properties/id/readOnly"]}
    parts, _ = model_of({"allOf": [base, {"required": ["id"]}]})
    assert "required" not in str(parts)


def test_names_of_models_are_letters_and_digits_and_unique() -> None:
    made = rendered(posting({"$ref": "#/components/schemas/A"}, components=COMPONENTS))
    schemas = made.document["components"]["schemas"]
    other = next(name for name in schemas if name != "A")
    assert other.startswith("Bc")
    assert other.isalnum()
    assert other != "Bc"
    assert schemas["A"]["properties"]["b"] == {"$ref": f"#/components/schemas/{other}"}
    assert by_code(made.notes)["model-name"] == ["/components/schemas/B.c"]


def test_models_may_refer_to_themselves() -> None:
    model, _ = model_of({"$ref": "#/components/schemas/Self"})
    assert model["properties"]["next"] == {"$ref": "#/components/schemas/Self"}


def test_inline_schemas_are_named_by_their_operation() -> None:
    content = {
        "application/json; charset=utf-8": {"schema": {"type": "object", "minProperties": 1}},
        "application/problem+json": {"schema": {"type": "string"}},
        "text/plain": {"schema": {"type": "string"}},
    }
    made = rendered(
        document({"/a/{b}": {"put": operation(requestBody={"content": content}), "parameters": []}})
    )
    body = made.document["paths"]["/a/{b}"]["put"]["requestBody"]
    assert body["required"] is False
    assert body["content"].keys() == {"application/json", "application/problem+json"}
    assert body["content"]["application/json"] == {"schema": {"$ref": "#/components/schemas/PUTABRequest"}}
    assert len(made.document["components"]["schemas"]) == 2
    at = "/paths/~1a~1{b}/put/requestBody/content/text~1plain"
    assert by_code(made.notes)["body-not-json"] == [at]


def test_a_body_that_may_be_missing_is_said_to_be_asked_for() -> None:
    schema = {"type": "object", "required": ["a"]}
    source = posting(schema)
    del source["paths"]["/orders"]["post"]["requestBody"]["required"]
    assert by_code(rendered(source).notes)["optional-body"] == ["/paths/~1orders/post/requestBody"]


def test_a_model_that_is_too_large_blocks_and_says_where() -> None:
    schema = {"type": "string", "enum": ["x" * 1_000 + str(n) for n in range(400)]}
    with pytest.raises(CannotImport, match="Split the schema") as refused:
        rendered(posting(schema))
    assert by_code(refused.value.traps) == {"model-too-large": [BODY]}
    assert MAX_MODEL_BYTES == 400_000


def test_without_checks_of_bodies_there_are_no_models() -> None:
    source = posting({"oneOf": [{}]}, components=COMPONENTS)
    made = rest_document(source, rest(validate=Validate.PARAMETERS))
    assert "schemas" not in made.document["components"]
    assert "requestBody" not in made.document["paths"]["/orders"]["post"]
    assert not any(code.startswith("model-") for code in by_code(made.notes))


@settings(max_examples=400)
@given(SCHEMAS, REFERRED)
def test_no_correct_body_is_refused(schema: Any, other: Any) -> None:
    source = posting(schema, components={"schemas": {"A": other}})
    made = rendered(source).document
    before = jsonschema_rs.Draft202012Validator({**source, "$ref": f"#{BODY}"})
    if body := made["paths"]["/orders"]["post"].get("requestBody"):
        after = jsonschema_rs.Draft4Validator(
            {**made, "allOf": [body["content"]["application/json"]["schema"]]}
        )
        assert [value for value in VALUES if before.is_valid(value) and not after.is_valid(value)] == []


@settings(max_examples=400)
@given(SCHEMAS, REFERRED)
def test_nothing_unsupported_is_left_and_what_got_weaker_is_said(schema: Any, other: Any) -> None:
    """Where no note says that something got weaker, what the model takes fits the schema."""
    source = posting(schema, components={"schemas": {"A": other}})
    found = rendered(source)
    for model in found.document["components"].get("schemas", {}).values():
        assert unsupported(model) == set()
    before = jsonschema_rs.Draft202012Validator({**source, "$ref": f"#{BODY}"})
    body = found.document["paths"]["/orders"]["post"].get("requestBody")
    if body and by_code(found.notes).keys() <= {"openapi-3.1", "answers-unchecked"}:
        after = jsonschema_rs.Draft4Validator(
            {**found.document, "allOf": [body["content"]["application/json"]["schema"]]}
        )
        assert [value for value in VALUES if after.is_valid(value) and not before.is_valid(value)] == []


SUPPORTED = {
    "type", "enum", "minimum", "minLength", "maximum", "properties", "required", "items", "allOf", "$ref", "format",
}  # fmt: skip


def unsupported(schema: Any) -> set[str]:
    """Words of a model that are not among those that may be there."""
    assert isinstance(schema, dict)
    inner = [*schema.get("properties", {}).values(), *schema.get("allOf", ())]
    inner += [schema["items"]] if "items" in schema else []
    assert not isinstance(schema.get("type"), list)
    assert None not in schema.get("enum", ())
    return (schema.keys() - SUPPORTED).union(*map(unsupported, inner))
