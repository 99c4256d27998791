"""The document of an HTTP API: a golden copy, what it cannot do, and what must hold for every document."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from hypothesis import given

from gateways.drivers.aws.openapi.found import CannotImport
from gateways.drivers.aws.openapi.http_api import http_document
from gateways.drivers.aws.openapi.settings import (
    Authorizer,
    AuthorizerKind,
    Cors,
    HttpSettings,
    Integration,
    IntegrationKind,
)
from tests.gateways.drivers.aws.openapi.making import (
    BACKEND,
    GOLDEN,
    KEYS,
    by_code,
    document,
    faults,
    http,
    operation,
    operations,
    pointed_at,
    spec,
)
from tests.gateways.drivers.aws.openapi.test_every_document import documents
from tests.gateways.drivers.aws.openapi.test_rest import AUTHORIZERS, VTL

JWT = Authorizer(
    "people",
    AuthorizerKind.JWT,
    issuer="https://id.example.com",
    audience=("orders",),
    scopes=("orders/read",),
)


def settings() -> HttpSettings:
    return http(
        authorizers=(KEYS, JWT, Authorizer("signed", AuthorizerKind.IAM)),
        authorized_by={"createOrder": "people", "latestOrder": "signed"},
        overrides={"readOrder": BACKEND},
        cors=Cors(("https://b.example.com", "https://a.example.com"), exposed=()),
        catch_all=True,
    )


def test_the_document_is_that_of_the_golden_copy() -> None:
    """Set UPDATE_GOLDEN=1 to write it anew, and read the difference."""
    found = http_document(spec("orders-3.1.yaml"), settings())
    written = {"document": found.document, "notes": [f"{note.code} {note}" for note in found.notes]}
    text = json.dumps(written, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    path = GOLDEN / "http-orders.json"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text
    assert faults(found.document) == []


def test_a_function_is_named_plainly_and_called_in_format_two() -> None:
    made = http_document(document(), http()).document["paths"]["/orders"]["get"][
        "x-amazon-apigateway-integration"
    ]
    assert made["uri"] == "arn:aws:lambda:eu-central-1:123456789012:function:orders:${stageVariables.alias}"
    assert made["payloadFormatVersion"] == "2.0"


def test_a_greedy_variable_goes_on_to_the_service() -> None:
    source = document({"/files/{rest+}": {"get": operation()}})
    made = http_document(source, http(integration=BACKEND)).document["paths"]["/files/{rest+}"]["get"]
    assert made["x-amazon-apigateway-integration"]["uri"] == "https://orders.example.com:8443/v2/files/{rest}"
    assert made["x-amazon-apigateway-integration"]["payloadFormatVersion"] == "1.0"
    assert [parameter["name"] for parameter in made["parameters"]] == ["rest"]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"integration": VTL}, "http-integration"),
        ({"integration": Integration(IntegrationKind.MOCK)}, "http-integration"),
        ({"authorizers": AUTHORIZERS, "authorizer": "people"}, "http-authorizer"),
        ({"authorizers": AUTHORIZERS, "authorizer": "token"}, "http-authorizer"),
    ],
)
def test_what_an_http_api_cannot_do_blocks(more: dict[str, Any], code: str) -> None:
    with pytest.raises(CannotImport) as refused:
        http_document(document(), http(**more))
    assert by_code(refused.value.traps) == {code: ["/paths/~1orders/get"]}


def test_that_there_are_no_keys_is_said_unless_the_authorizer_knows_them() -> None:
    assert "no-keys" not in by_code(http_document(document(), http()).notes)
    without = http(authorizers=(JWT,), authorizer="people")
    assert by_code(http_document(document(), without).notes)["no-keys"] == ["/paths"]


def test_calls_that_are_not_described_have_a_route_of_their_own() -> None:
    made = http_document(document({}), http(catch_all=True)).document
    route = made["paths"]["/$default"]["x-amazon-apigateway-any-method"]
    assert route["isDefaultRoute"] is True
    assert route["security"] == [{"keys": []}]


@given(documents())
def test_what_holds_for_every_document(source: dict[str, Any]) -> None:
    found = http_document(source, http())
    made = found.document
    assert "security" not in made
    assert "schemas" not in made["components"]
    assert all(asked["security"] == [{"keys": []}] for _, _, asked in operations(made))
    assert faults(made) == []
    for note in found.notes:
        pointed_at(source, note.pointer)
    assert http_document(made, http()).document == made
