"""Every error of a document, each at its place and in words that say what to do."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from apis.spec.document import read_spec
from apis.spec.guard import read_source
from apis.spec.problems import MAX_PROBLEMS, SpecProblem, SpecRefused
from apis.spec.validate import check_document
from apis.spec.worker import answer, read_document
from tests.apis.spec.conftest import SPECS

type ProblemsOf = Callable[[bytes | str], list[SpecProblem]]

ROOT = "openapi: 3.1.0\ninfo: {title: a, version: '1'}\n"


def places(problems: list[SpecProblem]) -> list[tuple[int, str, str]]:
    return [(p.line, p.pointer, p.code) for p in problems]


def test_every_error_of_a_broken_document_is_named_with_line_and_pointer(
    problems_of: ProblemsOf, spec_bytes: Callable[[str], bytes]
) -> None:
    assert places(problems_of(spec_bytes("broken-3.1.yaml"))) == [
        (2, "/info", "missing-field"),
        (2, "/info/colour", "unknown-field"),
        (3, "/servers", "wrong-type"),
        (5, "/paths/pets", "bad-path"),
        (7, "/paths/~1a/gett", "unknown-field"),
        (9, "/paths/~1a/get/summary", "wrong-type"),
        (11, "/paths/~1a/get/parameters/0/in", "wrong-value"),
        (11, "/paths/~1a/get/parameters/0/schema/type", "wrong-value"),
        (12, "/paths/~1a/get/parameters/1", "wrong-value"),
        (13, "/paths/~1a/get/parameters/2", "wrong-value"),
        (14, "/paths/~1a/get/parameters/3", "wrong-type"),
        (16, "/paths/~1a/get/responses/201", "missing-field"),
        (16, "/paths/~1a/get/responses/201/descripton", "unknown-field"),
        (17, "/paths/~1a/get/responses/99", "bad-status"),
        (20, "/components/schemas/a b", "bad-name"),
        (21, "/components/schemas/C/required", "wrong-type"),
        (21, "/components/schemas/C/items", "wrong-type"),
        (23, "/components/securitySchemes/k", "missing-field"),
        (24, "/components/securitySchemes/m/type", "wrong-value"),
    ]


def test_both_versions_name_the_same_places(
    problems_of: ProblemsOf, spec_bytes: Callable[[str], bytes]
) -> None:
    newer = {p.pointer for p in problems_of(spec_bytes("broken-3.1.yaml"))}
    older = {p.pointer for p in problems_of(spec_bytes("broken-3.0.yaml"))}
    assert newer == older


def test_messages_say_what_is_allowed_and_what_was_probably_meant(
    problems_of: ProblemsOf, spec_bytes: Callable[[str], bytes]
) -> None:
    said = {p.pointer: p.message for p in problems_of(spec_bytes("broken-3.0.yaml"))}
    assert said["/paths/~1a/gett"] == "“gett” is not known here. Did you mean “get”?"
    assert said["/paths/~1a/get/parameters/0/in"].endswith("Use one of: path, query, header, cookie.")
    assert said["/paths/~1a/get/parameters/1"] == "One of these is missing here: schema, content. Add it."
    assert said["/paths/~1a/get/summary"] == "This must be text, not a number. Put it in quotes."
    assert not any("valid under" in message for message in said.values())


def test_what_the_schemas_cannot_say_is_checked(
    problems_of: ProblemsOf, spec_bytes: Callable[[str], bytes]
) -> None:
    assert places(problems_of(spec_bytes("rules-3.1.yaml"))) == [
        (2, "/info/title", "missing-field"),
        (5, "/paths/~1a~1{x}/get/parameters", "undeclared-parameter"),
        (7, "/paths/~1a~1{x}/put/operationId", "duplicate-operation-id"),
        (10, "/paths/~1a~1{x}/put/parameters/1", "duplicate-parameter"),
        (11, "/paths/~1a~1{x}/put/parameters/2", "unused-parameter"),
        (12, "/paths/~1a~1{z}", "path-clash"),
        (13, "/paths/~1b~1{}", "bad-path"),
        (14, "/paths/~1c~1{n}~1{n}", "bad-path"),
        (15, "/paths/~1d e", "bad-path"),
        (16, "/paths/~1e#f", "bad-path"),
        (17, "/paths/~1f~1{open", "bad-path"),
    ]


@pytest.mark.parametrize(
    ("text", "code", "hint"),
    [
        ("swagger: '2.0'\ninfo: {}\n", "swagger-2", "swagger2openapi"),
        ("swagger: 2.0\n", "swagger-2", "swagger2openapi"),
        ("asyncapi: 3.0.0\n", "asyncapi", "HTTP part"),
        ("openapi: 3.2.0\n", "unsupported-version", "as 3.1"),
        ("openapi: 4.0.0\n", "unsupported-version", "as 3.1"),
        ("openapi: 3.1\n", "unsupported-version", "“3.1.0”"),
        ("openapi: [3]\n", "unsupported-version", "in quotes"),
        ("arazzo: 1.0.0\n", "not-openapi", "Arazzo"),
        ('{"info": {"_postman_id": "1"}, "item": []}', "not-openapi", "Postman"),
        ("type: object\n", "not-openapi", "redocly"),
    ],
)
def test_other_kinds_of_documents_are_told_apart(
    problems_of: ProblemsOf, text: str, code: str, hint: str
) -> None:
    (problem,) = problems_of(text)
    assert problem.code == code
    assert hint in problem.message


@pytest.mark.parametrize("version", ["3.0.0", "3.0.4", "3.1.0", "3.1.1", "3.1.0-rc1"])
def test_all_versions_of_3_0_and_3_1_are_read(problems_of: ProblemsOf, version: str) -> None:
    assert problems_of(f"openapi: {version}\ninfo: {{title: a, version: b}}\npaths: {{}}\n") == []


def test_references_must_resolve_and_end(problems_of: ProblemsOf) -> None:
    text = ROOT + (
        "paths: {}\n"
        "components:\n"
        "  schemas:\n"
        "    Gone: {$ref: '#/components/schemas/Missing'}\n"
        "    Self: {$ref: '#/components/schemas/Self'}\n"
        "    Ping: {$ref: '#/components/schemas/Pong'}\n"
        "    Pong: {$ref: '#/components/schemas/Ping'}\n"
        "    Into: {$ref: '#/components/schemas/Ping'}\n"
        "    Tree: {type: object, properties: {left: {$ref: '#/components/schemas/Tree'}}}\n"
        "    Alias: {$ref: '#/components/schemas/Tree'}\n"
        "    Words: {type: object, properties: {$ref: {type: string}}, example: {$ref: '#/nothing'}}\n"
    )
    assert places(problems_of(text)) == [
        (6, "/components/schemas/Gone/$ref", "unresolved-ref"),
        (7, "/components/schemas/Self/$ref", "ref-loop"),
        (8, "/components/schemas/Ping/$ref", "ref-loop"),
        (9, "/components/schemas/Pong/$ref", "ref-loop"),
        (10, "/components/schemas/Into/$ref", "ref-loop"),
    ]


def test_a_property_named_like_a_keyword_is_still_checked(problems_of: ProblemsOf) -> None:
    text = ROOT + "components: {schemas: {A: {properties: {example: {$ref: '#/components/schemas/B'}}}}}\n"
    assert [p.code for p in problems_of(text)] == ["unresolved-ref"]


def test_references_out_of_the_document_are_all_refused(problems_of: ProblemsOf) -> None:
    text = ROOT + (
        "paths:\n"
        "  /a: {$ref: 'paths.yaml#/a'}\n"
        "  /b: {get: {parameters: [{$ref: 'https://example.com/p.json'}]}}\n"
        "components: {schemas: {A: {$ref: '#A'}, B: {$dynamicRef: 'x#m'}, C: {example: {$ref: ./c.yaml}}}}\n"
    )
    found = problems_of(text)
    assert {p.code for p in found} == {"external-ref"}
    assert [p.line for p in found] == [4, 5, 6, 6, 6]
    assert all("bundle" in p.message.lower() for p in found)


def test_what_harms_nobody_is_a_warning() -> None:
    text = (
        "openapi: 3.1.0\ninfo: {title: a, version: 1.10}\n"
        "paths: {'/a?x=1': {get: {security: [{nobody: []}]}}}\n"
        "components: {schemas: {A: {exclusiveMinimum: true, required: [b, b]}}}\n"
    )
    spec = read_document(text.encode())
    assert [(w["line"], w["code"]) for w in spec["warnings"]] == [
        (2, "unquoted-text"),
        (3, "query-in-path"),
        (3, "unknown-security-scheme"),
        (4, "wrong-type"),
        (4, "wrong-value"),
    ]


def test_a_document_without_paths_is_accepted_and_said() -> None:
    spec = read_document((ROOT + "webhooks: {made: {post: {}}}\n").encode())
    assert [w["code"] for w in spec["warnings"]] == ["no-operations"]


def test_a_document_without_anything_is_refused(problems_of: ProblemsOf) -> None:
    (problem,) = problems_of(ROOT)
    assert problem.message == "One of these is missing here: paths, components, webhooks. Add it."


def test_schemas_of_3_1_are_checked_deep_inside(problems_of: ProblemsOf) -> None:
    text = ROOT + "components: {schemas: {A: {properties: {b: {items: {properties: {c: {type: txt}}}}}}}}\n"
    (problem,) = problems_of(text)
    assert problem.pointer == "/components/schemas/A/properties/b/items/properties/c/type"


def test_unknown_keywords_in_a_3_0_schema_are_warnings() -> None:
    text = "openapi: 3.0.3\ninfo: {title: a, version: b}\npaths: {}\ncomponents: {schemas: {A: {examples: [1]}}}\n"
    codes = [(w["pointer"], w["code"]) for w in read_document(text.encode())["warnings"]]
    assert ("/components/schemas/A/examples", "unknown-field") in codes


def test_more_problems_than_are_shown_are_said_to_be_cut() -> None:
    text = ROOT + "paths:\n" + "".join(f"  p{n}: {{}}\n" for n in range(MAX_PROBLEMS + 50))
    answered = answer(text.encode())
    assert len(answered["problems"]) == MAX_PROBLEMS
    assert answered["cut"] is True


def test_path_items_by_reference_count_as_written() -> None:
    text = ROOT + (
        "paths: {'/a/{x}': {$ref: '#/components/pathItems/A', parameters: "
        "[{name: x, in: path, required: true, schema: {}}]}}\n"
        "components: {pathItems: {A: {get: {operationId: a}, post: {}}}}\n"
    )
    assert [o["key"] for o in read_document(text.encode())["operations"]] == ["a", "POST /a/{x}"]


GOOD: dict[str, Any] = yaml.load((SPECS / "orders-3.1.yaml").read_text(), Loader=yaml.BaseLoader)  # noqa: S506
JUNK = st.sampled_from([None, 7, "x", [], {}, [{}], [None], {"$ref": "#/x"}, {"$ref": 5}, {"get": 1}, True])


def _paths(value: Any, prefix: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [prefix] if prefix else []
    members = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    return found + [path for key, inner in members for path in _paths(inner, (*prefix, key))]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.sampled_from(_paths(GOOD)), JUNK, st.sampled_from(["3.1.0", "3.0.3"]))
def test_no_shape_upsets_the_checks(path: tuple[Any, ...], junk: Any, version: str) -> None:
    document = copy.deepcopy(GOOD)
    holder = document
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = junk
    source = read_source(json.dumps(document).encode())
    check_document(source, version[:3])
    assert all(problem.message and problem.line for problem in source.problems.found)


def test_outside_references_do_not_hide_other_errors() -> None:
    """Both are said at once, so that nobody corrects a document twice."""
    text = """openapi: 3.1.0
info: {titel: Orders, version: "1"}
paths:
  /orders:
    get:
      responses:
        "200": {$ref: "https://example.com/answers.yaml#/ok"}
"""
    with pytest.raises(SpecRefused) as refused:
        read_spec(text.encode())
    codes = {problem.code for problem in refused.value.problems}
    assert "external-ref" in codes
    assert len(codes) > 1, codes
