"""Every trap is found with its pointer, and the pointer leads somewhere in the author's document."""

from __future__ import annotations

from typing import Any

import pytest

from gateways.drivers.aws.openapi.found import CannotImport, Trap
from gateways.drivers.aws.openapi.rest import rest_document
from gateways.drivers.aws.openapi.settings import (
    Authorizer,
    AuthorizerKind,
    Integration,
    IntegrationKind,
    Validate,
)
from gateways.drivers.aws.openapi.traps import ApiKind, stage_traps, traps_of
from tests.gateways.drivers.aws.openapi.making import (
    BODY,
    FUNCTION,
    KEYS,
    by_code,
    document,
    operation,
    pointed_at,
    posting,
    rest,
)

BOTH = (ApiKind.REST, ApiKind.HTTP)
REST = (ApiKind.REST,)


def at(*paths: str) -> dict[str, Any]:
    """A document with these paths; what stands in braces is declared."""
    return document({path: {"get": operation()} for path in paths})


def with_parameters(*parameters: dict[str, Any]) -> dict[str, Any]:
    return document({"/a": {"get": operation(parameters=[{"schema": {}, **given} for given in parameters])}})


METHODS = ("get", "put", "post", "delete", "patch", "head")
ROUTES = document({f"/a{n}": {method: operation() for method in METHODS} for n in range(51)})
BLOCKING = [
    ("partial-segment", at("/a/{id}.json"), "/paths/~1a~1{id}.json", BOTH),
    ("partial-segment", at("/a/x{id}"), "/paths/~1a~1x{id}", BOTH),
    ("path-characters", at("/a/b%20c"), "/paths/~1a~1b%20c", BOTH),
    ("path-characters", at("/a/~me"), "/paths/~1a~1~0me", BOTH),
    ("query-in-path", at("/a?beta=true"), "/paths/~1a?beta=true", BOTH),
    ("empty-segment", at("/a//b"), "/paths/~1a~1~1b", BOTH),
    ("variable-name", at("/a/{ü}"), "/paths/~1a~1{ü}", BOTH),
    ("greedy-not-last", at("/a/{rest+}/b"), "/paths/~1a~1{rest+}~1b", BOTH),
    ("two-variables", at("/a/{id}", "/a/{name}/b"), "/paths/~1a~1{name}~1b", REST),
    ("two-variables", at("/a/{id}", "/a/{proxy+}"), "/paths/~1a~1{proxy+}", REST),
    ("same-path", at("/a", "/a/"), "/paths/~1a~1", BOTH),
    ("trace", document({"/a": {"trace": operation()}}), "/paths/~1a/trace", BOTH),
    ("no-operations", document({}), "/paths", BOTH),
    ("too-many-resources", at(*(f"/a{n}" for n in range(300))), "/paths", REST),
    ("too-many-routes", ROUTES, "/paths", (ApiKind.HTTP,)),
    ("openapi-version", {**document(), "openapi": "3.2.0"}, "/openapi", BOTH),
]
REPAIRED = [
    ("openapi-3.1", document(), "/openapi", BOTH),
    ("root-security", document(security=[{"a": []}]), "/security", BOTH),
    (
        "security-schemes",
        document(components={"securitySchemes": {"a": {"type": "http", "scheme": "basic"}}}),
        "/components/securitySchemes",
        BOTH,
    ),
    ("webhooks", document(webhooks={}), "/webhooks", BOTH),
    ("trailing-slash", at("/a/"), "/paths/~1a~1", BOTH),
    ("reserved-path", at("/ping"), "/paths/~1ping", BOTH),
    (
        "aws-extension",
        document({"/a": {"get": operation(**{"x-amazon-apigateway-integration": {}})}}),
        "/paths/~1a/get/x-amazon-apigateway-integration",
        BOTH,
    ),
    ("aws-extension", document(**{"x-amazon-apigateway-policy": {}}), "/x-amazon-apigateway-policy", BOTH),
    ("no-validation", document(), "/paths", (ApiKind.HTTP,)),
    ("answers-unchecked", document(), "/paths", REST),
    ("parameters-presence", document(), "/paths", REST),
    ("cookie-parameter", with_parameters({"name": "a", "in": "cookie"}), "/paths/~1a/get/parameters/0", REST),
    ("parameter-name", with_parameters({"name": "f[a]", "in": "query"}), "/paths/~1a/get/parameters/0", REST),
    (
        "header-case",
        with_parameters({"name": "a", "in": "query"}, {"name": "X-A", "in": "header", "required": True}),
        "/paths/~1a/get/parameters/1",
        REST,
    ),
    (
        "accept-first",
        document(
            {"/a": {"get": {"responses": {"200": {"description": "", "content": {"a/b": {}, "c/d": {}}}}}}}
        ),
        "/paths/~1a/get/responses",
        REST,
    ),
    ("schema-3.1", posting({"type": "object", "minProperties": 1, "if": {}}), f"{BODY}/if", REST),
    ("model-oneOf", posting({"type": "object", "oneOf": [{}]}), f"{BODY}/oneOf", REST),
]


@pytest.mark.parametrize(("code", "source", "pointer", "kinds"), BLOCKING)
def test_what_blocks_is_found_before_any_call(
    code: str, source: dict[str, Any], pointer: str, kinds: tuple[ApiKind, ...]
) -> None:
    for kind in ApiKind:
        found = [trap for trap in traps_of(source, kind) if trap.blocks]
        assert by_code(tuple(found)) == ({code: [pointer]} if kind in kinds else {})
        assert all(trap.what and trap.cure for trap in found)


@pytest.mark.parametrize(("code", "source", "pointer", "kinds"), REPAIRED)
def test_what_is_repaired_is_said(
    code: str, source: dict[str, Any], pointer: str, kinds: tuple[ApiKind, ...]
) -> None:
    for kind in ApiKind:
        found = by_code(tuple(trap for trap in traps_of(source, kind) if not trap.blocks))
        assert found.get(code) == ([pointer] if kind in kinds else None)


@pytest.mark.parametrize(("code", "source", "pointer", "kinds"), BLOCKING + REPAIRED)
def test_every_pointer_leads_somewhere(
    code: str, source: dict[str, Any], pointer: str, kinds: tuple[ApiKind, ...]
) -> None:
    for kind in ApiKind:
        for trap in traps_of(source, kind):
            pointed_at(source, trap.pointer)


def test_pointers_go_where_a_reference_leads() -> None:
    source = document(
        {"/a": {"$ref": "#/components/pathItems/A"}},
        components={
            "pathItems": {"A": {"post": operation(requestBody={"$ref": "#/components/requestBodies/B"})}},
            "requestBodies": {
                "B": {"content": {"application/json": {"schema": {"type": "object", "not": {}}}}}
            },
        },
    )
    found = by_code(traps_of(source, ApiKind.REST))
    pointer = "/components/requestBodies/B/content/application~1json/schema/not"
    assert found["model-not"] == [pointer]
    assert pointed_at(source, pointer) == {}
    source["components"]["pathItems"]["A"]["trace"] = operation()
    assert by_code(traps_of(source, ApiKind.REST))["trace"] == ["/components/pathItems/A/trace"]


def test_all_that_blocks_is_said_at_once_and_first() -> None:
    source = at("/a?x=1", "/b/{c}d", "/ping")
    with pytest.raises(CannotImport) as refused:
        rest_document(source, rest())
    assert by_code(refused.value.traps) == {
        "query-in-path": ["/paths/~1a?x=1"],
        "partial-segment": ["/paths/~1b~1{c}d"],
    }
    assert [trap.blocks for trap in traps_of(source, ApiKind.REST)][:2] == [True, True]
    assert "/paths/~1a?x=1" in str(refused.value)


def test_only_what_counts_for_the_chosen_checks_is_said() -> None:
    source = with_parameters({"name": "X-A", "in": "header", "required": True})
    assert "header-case" not in by_code(traps_of(source, ApiKind.REST, Validate.BODY))
    assert "parameters-presence" not in by_code(traps_of(source, ApiKind.REST, Validate.NONE))


def blocked(source: dict[str, Any], **settings: Any) -> dict[str, list[str]]:
    with pytest.raises(CannotImport) as refused:
        rest_document(source, rest(**settings))
    return by_code(refused.value.traps)


def test_quotas_of_what_is_sent() -> None:
    long = Integration(IntegrationKind.MOCK, templates={"application/json": "x" * 300_001})
    at_get = "/paths/~1orders/get/x-amazon-apigateway-integration/requestTemplates/application~1json"
    assert blocked(document(), integration=long) == {"template-too-large": [at_get]}
    many = tuple(Authorizer(f"a{n}", AuthorizerKind.TOKEN, function="f") for n in range(11))
    by = {f"o{n}": f"a{n}" for n in range(11)}
    source = document({f"/a{n}": {"get": operation(operationId=f"o{n}")} for n in range(11)})
    schemes = "/components/securitySchemes"
    assert blocked(source, authorizers=many, authorized_by=by) == {"too-many-authorizers": [schemes]}
    policy = {"Version": "2012-10-17", "Statement": [{"Resource": "x" * 8_192}]}
    assert blocked(document(), policy=policy) == {"policy-too-large": ["/x-amazon-apigateway-policy"]}


def test_a_definition_that_is_too_large() -> None:
    body = {"application/json": "x" * 299_000}
    operations = {f"/a{n}": {"get": operation(operationId=f"o{n}")} for n in range(21)}
    made = Integration(IntegrationKind.MOCK, templates=body)
    assert blocked(document(operations), integration=made) == {"definition-too-large": [""]}


def test_a_setting_for_an_operation_that_is_not_there_is_no_secret() -> None:
    assert blocked(document(), overrides={"nothing": FUNCTION}) == {"unknown-operation": ["/paths"]}
    assert blocked(document(), authorizers=(KEYS,), authorized_by={"GET /x": "keys"}) == {
        "unknown-operation": ["/paths"]
    }


@pytest.mark.parametrize(
    ("kind", "name", "variables", "expected"),
    [
        (ApiKind.REST, "live", {"alias": "live"}, {}),
        (ApiKind.HTTP, "$default", {}, {}),
        (ApiKind.REST, "$default", {}, {"stage-name": ["/name"]}),
        (ApiKind.REST, "bad name/x", {}, {"stage-name": ["/name"]}),
        (ApiKind.REST, "x" * 129, {}, {"stage-name": ["/name"]}),
        (ApiKind.REST, "a", {"a-b": "c"}, {"stage-variable-name": ["/variables/a-b"]}),
        (ApiKind.REST, "a", {"a": "two words"}, {"stage-variable-value": ["/variables/a"]}),
        (ApiKind.REST, "a", {"a": "x" * 513}, {"stage-variable-value": ["/variables/a"]}),
        (ApiKind.REST, "a", {f"v{n}": "x" for n in range(101)}, {"stage-variables": ["/variables"]}),
    ],
)
def test_stages(kind: ApiKind, name: str, variables: dict[str, str], expected: dict[str, list[str]]) -> None:
    assert by_code(stage_traps(kind, name, variables)) == expected


def test_a_trap_reads_as_a_sentence() -> None:
    trap = Trap("", "It is wrong.", "Change it.", True, "wrong")
    assert str(trap) == "the document: It is wrong. Change it."
