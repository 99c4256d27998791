"""The document of a REST API: golden copies, what must hold for every document, and what was asked for."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import replace
from typing import Any

import pytest

from gateways.drivers.agents import problems
from gateways.drivers.aws.openapi.calls import calls_of
from gateways.drivers.aws.openapi.found import CannotImport, Rendered
from gateways.drivers.aws.openapi.integrations import selections
from gateways.drivers.aws.openapi.rest import rest_document
from gateways.drivers.aws.openapi.settings import (
    Authorizer,
    AuthorizerKind,
    ContentHandling,
    Cors,
    Integration,
    IntegrationKind,
    Passthrough,
    RestSettings,
    Selection,
    Validate,
)
from gateways.drivers.aws.openapi.shapes import send_message, start_execution
from tests.gateways.drivers.aws.openapi.making import (
    BACKEND,
    FUNCTION,
    GOLDEN,
    KEYS,
    ROLE,
    by_code,
    document,
    faults,
    operation,
    rest,
    spec,
)

POOL = "arn:aws:cognito-idp:eu-central-1:123456789012:userpool/eu-central-1_abc"
AUTHORIZERS = (
    Authorizer("signed", AuthorizerKind.IAM),
    Authorizer("people", AuthorizerKind.COGNITO, user_pools=(POOL,), scopes=("orders/read",)),
    Authorizer(
        "token", AuthorizerKind.TOKEN, function="auth", alias="live", token_pattern="^Bearer ", role=ROLE
    ),
    Authorizer("asked", AuthorizerKind.REQUEST, function="auth", sources=("X-Who", "query:who"), ttl_s=0),
    Authorizer("jwt", AuthorizerKind.JWT, issuer="https://id.example.com", audience=("orders",)),
)
VTL = Integration(
    IntegrationKind.LAMBDA,
    function="arn:aws:lambda:eu-central-1:123456789012:function:prices",
    alias="live",
    role=ROLE,
    timeout_ms=5_000,
    passthrough=Passthrough.NEVER,
    content_handling=ContentHandling.TO_TEXT,
    templates={"application/json": "{\"article\":$input.json('$.article')}"},
    selections=(
        Selection("200", templates={"application/json": "$input.json('$')"}, headers={"X-Cost": "'1'"}),
        Selection("404", ".*not found.*", content_handling=ContentHandling.TO_TEXT),
    ),
)
MACHINE = "arn:aws:states:eu-central-1:123456789012:stateMachine:orders"


def every_kind() -> tuple[dict[str, Any], RestSettings]:
    """One operation of each kind of integration and of each authorizer."""
    kinds = {
        "vtl": VTL,
        "http": Integration(IntegrationKind.HTTP, url="https://orders.example.com", role=ROLE),
        "proxy": BACKEND,
        "queue": send_message("orders.fifo", "123456789012", ROLE),
        "start": start_execution(MACHINE, ROLE),
        "service": Integration(
            IntegrationKind.AWS, service="s3", path="bucket/{key}", method="GET", role=ROLE
        ),
        "mock": Integration(IntegrationKind.MOCK),
    }
    answers = {code: {"description": ""} for code in ("201", "404", "500", "default")}
    parameters = [
        {"name": "key", "in": "path", "required": True, "schema": {}},
        {"name": "q", "in": "query", "schema": {}},
        {"name": "x-h", "in": "header", "required": True, "schema": {}},
        {"name": "Accept", "in": "header", "schema": {}},
    ]
    paths = {
        f"/{name}/{{key}}": {"parameters": parameters, "post": {"operationId": name, "responses": answers}}
        for name in kinds
    }
    paths["/files/{rest+}"] = {"x-amazon-apigateway-any-method": operation()}
    authorized = dict(zip(kinds, (found.name for found in AUTHORIZERS), strict=False))
    settings = rest(
        overrides=kinds,
        authorizers=AUTHORIZERS,
        authorized_by={**authorized, "mock": ""},
        cors=Cors(("https://portal.example.com",)),
        validate=Validate.PARAMETERS,
        binary_media_types=("image/png",),
        minimum_compression=1_024,
        policy={"Version": "2012-10-17", "Statement": []},
        execute_api_disabled=True,
        key_from_authorizer=True,
        description="portal:api_1 rev 3",
    )
    return document(paths, version="3.0.3"), settings


def golden() -> dict[str, Rendered]:
    origins = Cors(("https://a.example.com", "https://b.example.com"))
    return {
        "rest-orders.json": rest_document(
            spec("orders-3.1.yaml"), rest(validate=Validate.ALL, cors=origins, catch_all=True)
        ),
        "rest-every-kind.json": rest_document(*every_kind()),
    }


@pytest.mark.parametrize("name", ["rest-orders.json", "rest-every-kind.json"])
def test_the_documents_are_those_of_the_golden_copies(name: str) -> None:
    """Set UPDATE_GOLDEN=1 to write them anew, and read the difference."""
    found = golden()[name]
    written = {"document": found.document, "notes": [f"{note.code} {note}" for note in found.notes]}
    text = json.dumps(written, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        (GOLDEN / name).write_text(text, encoding="utf-8")
    assert (GOLDEN / name).read_text(encoding="utf-8") == text
    assert faults(found.document) == []


def test_the_digest_is_that_of_the_text_that_is_sent() -> None:
    found, again = golden()["rest-orders.json"], golden()["rest-orders.json"]
    assert found.digest == again.digest == hashlib.sha256(found.text.encode()).hexdigest()
    assert json.loads(found.text) == found.document


def test_new_wording_is_no_new_document() -> None:
    source = spec("orders-3.1.yaml")
    before = rest_document(source, rest(validate=Validate.ALL)).digest
    source["info"]["title"] = source["info"]["description"] = "Another text"
    source["paths"]["/orders"]["get"] |= {"summary": "Another", "description": "Text", "tags": ["new"]}
    source["components"]["schemas"]["Order"]["description"] = "Another text"
    source["servers"] = [{"url": "https://elsewhere.example.com/base"}]
    assert rest_document(source, rest(validate=Validate.ALL)).digest == before


# Who may call


def test_security_stands_on_every_operation_and_never_at_the_root() -> None:
    source = document(
        security=[], components={"securitySchemes": {"own": {"type": "http", "scheme": "basic"}}}
    )
    source["paths"]["/orders"]["get"]["security"] = []
    made = rest_document(source, rest()).document
    assert "security" not in made
    assert made["paths"]["/orders"]["get"]["security"] == [{"api_key": []}]
    scheme = {"type": "apiKey", "name": "x-api-key", "in": "header"}
    assert made["components"]["securitySchemes"] == {"api_key": scheme}


def test_a_key_and_an_authorizer_are_asked_together() -> None:
    source = document({"/a": {"get": operation(operationId="a"), "put": operation(operationId="b")}})
    made = rest_document(
        source, rest(authorizers=AUTHORIZERS, authorizer="signed", authorized_by={"b": "people"})
    )
    assert made.document["paths"]["/a"]["get"]["security"] == [{"signed": [], "api_key": []}]
    assert made.document["paths"]["/a"]["put"]["security"] == [{"people": ["orders/read"], "api_key": []}]
    assert made.document["components"]["securitySchemes"].keys() == {"signed", "people", "api_key"}


def test_an_api_for_all_says_so_on_each_operation() -> None:
    made = rest_document(document(), rest(api_key_required=False, open_to_all=True)).document
    assert made["paths"]["/orders"]["get"]["security"] == []
    assert "x-amazon-apigateway-api-key-source" not in made


def test_nothing_that_the_author_set_of_api_gateway_gets_through() -> None:
    ours = {
        "x-amazon-apigateway-integration": {"type": "http_proxy", "uri": "http://169.254.169.254/"},
        "x-amazon-apigateway-auth": {"type": "NONE"},
    }
    source = document(
        {"/a": {"get": operation(**ours)}},
        **{"x-amazon-apigateway-policy": {"Statement": "mine"}, "x-mine": 1},
    )
    made = rest_document(source, rest())
    assert "169.254" not in made.text
    assert "mine" not in made.text
    assert 'apigateway-auth"' not in made.text
    assert len(by_code(made.notes)["aws-extension"]) == 3


# Paths and methods


def test_what_is_not_described_can_be_passed_on_too() -> None:
    made = rest_document(document(), rest(catch_all=True)).document
    assert made["paths"].keys() == {"/orders", "/", "/{proxy+}"}
    caught = made["paths"]["/{proxy+}"]["x-amazon-apigateway-any-method"]
    assert [parameter["name"] for parameter in caught["parameters"]] == ["proxy"]
    assert caught["security"] == [{"api_key": []}]
    assert rest_document(document({}), rest(catch_all=True)).document["paths"].keys() == {"/", "/{proxy+}"}


def test_a_variable_at_the_root_leaves_no_room_for_the_rest() -> None:
    source = document({"/{id}": {"get": operation()}})
    with pytest.raises(CannotImport) as refused:
        rest_document(source, rest(catch_all=True))
    assert by_code(refused.value.traps) == {"catch-all": ["/paths/~1{id}"]}
    greedy = document({"/{all+}": {"get": operation()}})
    item = rest_document(greedy, rest(catch_all=True)).document["paths"]["/{all+}"]
    assert item.keys() == {"get", "x-amazon-apigateway-any-method"}


def test_a_slash_at_the_end_stays_on_the_way_to_the_service() -> None:
    source = document({"/orders/": {"get": operation()}})
    made = rest_document(source, rest(integration=BACKEND)).document
    integration = made["paths"]["/orders"]["get"]["x-amazon-apigateway-integration"]
    assert integration["uri"] == "https://orders.example.com:8443/v2/orders/"


def test_parameters_of_the_path_are_merged_and_only_names_matter() -> None:
    shared = [{"name": "a", "in": "query", "required": True, "schema": {"type": "integer"}}]
    own = [{"name": "a", "in": "query", "schema": {}}, {"name": "b[c]", "in": "query", "schema": {}}]
    source = document(
        {"/x/{id}": {"parameters": shared, "get": operation(parameters=own), "put": operation()}}
    )
    item = rest_document(source, rest()).document["paths"]["/x/{id}"]
    asked = {method: {p["name"]: p["required"] for p in item[method]["parameters"]} for method in item}
    assert asked == {"get": {"id": True, "a": False}, "put": {"id": True, "a": True}}


# Integrations


def test_the_answers_of_an_http_integration_keep_the_statuses_of_the_document() -> None:
    source = document(
        {"/a": {"get": {"responses": {code: {"description": ""} for code in ("204", "404", "409", "503")}}}}
    )
    call = next(calls_of(source))
    found = selections(call, Integration(IntegrationKind.HTTP, url="https://a.example.com"))
    by_status = {selection.status: selection.pattern for selection in found}
    assert by_status.keys() == {"204", "404", "409", "503", "300", "400", "500"}
    for status, expected in {
        "404": "404",
        "400": "400",
        "418": "400",
        "503": "503",
        "502": "500",
        "302": "300",
    }.items():
        assert [s for s, pattern in by_status.items() if pattern and re.fullmatch(pattern, status)] == [
            expected
        ]


def test_an_override_goes_to_one_operation() -> None:
    source = document({"/a": {"get": operation(operationId="a"), "put": operation()}})
    item = rest_document(source, rest(overrides={"a": BACKEND})).document["paths"]["/a"]
    assert item["get"]["x-amazon-apigateway-integration"]["type"] == "http_proxy"
    assert item["put"]["x-amazon-apigateway-integration"]["type"] == "aws_proxy"


# CORS and answers of its own


def test_preflights_ask_nobody_and_name_only_known_origins() -> None:
    made = golden()["rest-orders.json"]
    preflight = made.document["paths"]["/orders/{order_id}"]["options"]
    answer = preflight["x-amazon-apigateway-integration"]["responses"]["default"]
    assert preflight["security"] == []
    assert (
        answer["responseParameters"]["method.response.header.Access-Control-Allow-Methods"]
        == "'GET,DELETE,OPTIONS'"
    )
    assert "method.response.header.Access-Control-Allow-Origin" not in answer["responseParameters"]
    assert '$origin == "https://a.example.com" || $origin == "https://b.example.com"' in str(answer)
    assert {"cors-proxy"} <= by_code(made.notes).keys()


def test_an_options_of_the_document_gives_way_to_the_preflight() -> None:
    source = document({"/a": {"options": operation(), "get": operation()}})
    with_cors = rest_document(source, rest(cors=Cors(("*",))))
    assert with_cors.document["paths"]["/a"]["options"]["x-amazon-apigateway-integration"]["type"] == "mock"
    assert by_code(with_cors.notes)["options-replaced"] == ["/paths/~1a/options"]
    without = rest_document(source, rest()).document["paths"]["/a"]["options"]
    assert without["security"] == [{"api_key": []}]


def test_several_origins_cannot_be_told_by_answers_that_are_made() -> None:
    cors = Cors(("https://a.example.com", "https://b.example.com"))
    made = rest_document(document(), rest(integration=Integration(IntegrationKind.MOCK), cors=cors))
    assert {"cors-several"} <= by_code(made.notes).keys()
    assert "cors-proxy" not in by_code(made.notes)


def test_answers_of_its_own_are_problems_in_the_words_of_every_gateway() -> None:
    answers = rest_document(document(), rest()).document["x-amazon-apigateway-gateway-responses"]
    for answer in answers.values():
        template = answer["responseTemplates"]["application/json"]
        body = json.loads(template)
        assert body["type"].startswith("urn:gatehouse:problem:")
        assert body["instance"] == "$context.requestId"
        assert str(body.get("status", "")) == answer.get("statusCode", "")
        assert template.count("$") == 1
        assert "#" not in template
        assert (
            answer["responseParameters"]["gatewayresponse.header.Content-Type"]
            == "'application/problem+json'"
        )
    assert "REQUEST_TOO_LARGE" not in answers
    down = json.loads(answers["INTEGRATION_FAILURE"]["responseTemplates"]["application/json"])
    assert down["detail"] == problems.UPSTREAM_DOWN.detail


def test_an_authorizer_that_knows_keys_speaks_of_keys() -> None:
    settings = rest(authorizers=(KEYS,), authorizer="keys", api_key_required=False)
    answers = rest_document(document(), settings).document["x-amazon-apigateway-gateway-responses"]
    assert "urn:gatehouse:problem:no-key" in str(answers["UNAUTHORIZED"])
    assert "urn:gatehouse:problem:no-subscription" in str(answers["ACCESS_DENIED"])
    signed = rest(authorizers=AUTHORIZERS, authorizer="signed")
    answers = rest_document(document(), signed).document["x-amazon-apigateway-gateway-responses"]
    assert answers["MISSING_AUTHENTICATION_TOKEN"]["statusCode"] == "403"


def test_what_is_rendered_does_not_hang_on_the_order_of_settings() -> None:
    one = rest(binary_media_types=("image/png", "image/gif"))
    other = replace(one, binary_media_types=("image/gif", "image/png"))
    assert rest_document(document(), one).digest == rest_document(document(), other).digest
    assert FUNCTION in (one.integration, other.integration)
