"""What holds of a REST API for every document, whatever stands in it."""

from __future__ import annotations

from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st

from gateways.drivers.aws.openapi.found import CannotImport
from gateways.drivers.aws.openapi.rest import rest_document
from gateways.drivers.aws.openapi.settings import Cors, Validate
from tests.gateways.drivers.aws.openapi.making import (
    document,
    faults,
    operation,
    operations,
    pointed_at,
    rest,
)
from tests.gateways.drivers.aws.openapi.test_down import REFERRED, SCHEMAS
from tests.gateways.drivers.aws.openapi.test_models import unsupported

SEGMENTS = st.sampled_from(["a", "b-c", "{id}", "v1.0"])
PATHS = st.lists(SEGMENTS, min_size=0, max_size=3, unique=True).map(lambda found: "/" + "/".join(found))
HOSTILE = st.sampled_from(
    ["x", '"}', "$input.body", "#set($x=1)", "\x00", "</script>", "${stageVariables.x}", "ü" * 40]
)
PARAMETERS = st.fixed_dictionaries({
    "name": st.sampled_from(["a", "X-B", "c[d]", "$input"]) | HOSTILE,
    "in": st.sampled_from(["query", "header", "cookie"]),
    "required": st.booleans(),
    "schema": SCHEMAS,
})  # fmt: skip


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    def made(path: str) -> dict[str, Any]:
        body = {
            "content": {draw(st.sampled_from(["application/json", "text/plain"])): {"schema": draw(SCHEMAS)}}
        }
        return operation(
            summary=draw(HOSTILE),
            security=draw(st.sampled_from([[], [{}], [{"own": []}]])),
            parameters=draw(st.lists(PARAMETERS, max_size=2, unique_by=lambda p: (p["in"], p["name"]))),
            **({"requestBody": body} if draw(st.booleans()) else {}),
        )

    paths = draw(st.lists(PATHS, min_size=1, max_size=3, unique=True))
    methods = st.lists(
        st.sampled_from(["get", "post", "options", "x-amazon-apigateway-any-method"]),
        min_size=1,
        max_size=3,
        unique=True,
    )
    return document(
        {path: {method: made(path) for method in draw(methods)} for path in paths},
        security=draw(st.sampled_from([[], [{"own": []}]])),
        components={
            "schemas": {"A": draw(REFERRED)},
            "securitySchemes": {"own": {"type": "http", "scheme": "basic"}},
        },
    )


@given(documents(), st.booleans(), st.booleans(), st.sampled_from(Validate))
def test_what_holds_for_every_document(
    source: dict[str, Any], cors: bool, catch: bool, validate: Validate
) -> None:
    settings = rest(
        cors=Cors(("https://a.example.com",)) if cors else None, catch_all=catch, validate=validate
    )
    try:
        found = rest_document(source, settings)
    except CannotImport as refused:
        event(refused.traps[0].code)
        return
    made = found.document
    assert "security" not in made
    for _, member, asked in operations(made):
        is_preflight = member == "options" and asked["x-amazon-apigateway-integration"]["type"] == "mock"
        assert asked["security"] == ([] if is_preflight else [{"api_key": []}])
        assert is_preflight == (cors and member == "options")
    for model in made["components"].get("schemas", {}).values():
        assert unsupported(model) == set()
    assert faults(made) == []
    for note in found.notes:
        pointed_at(source, note.pointer)
    assert rest_document(made, settings).document == made


@given(HOSTILE, HOSTILE)
def test_no_text_of_a_person_changes_the_tree(title: str, name: str) -> None:
    source = document({"/a/{id}": {"get": operation(operationId=name, description=title)}})
    source["info"] |= {"version": title}
    plain = document({"/a/{id}": {"get": operation(operationId="x")}})
    found, expected = rest_document(source, rest()).document, rest_document(plain, rest()).document
    assert found["info"].pop("version") == title
    assert found["paths"]["/a/{id}"]["get"].pop("operationId") == name
    expected["info"].pop("version")
    expected["paths"]["/a/{id}"]["get"].pop("operationId")
    assert found == expected
