"""What passes a test of a prompt."""

from __future__ import annotations

import json

import pytest

from ai.prompts.checks import expectation_fault, outcome

SCHEMA = json.dumps({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]})


@pytest.mark.parametrize(
    ("kind", "expected", "output", "passes"),
    [
        ("exact", "Bonjour", " Bonjour\n", True),
        ("exact", "Bonjour", "Bonjour.", False),
        ("contains", "jour", "Bonjour", True),
        ("contains", "Jour", "Bonjour", False),
        ("regex", r"^Bon\w+$", "Bonjour", True),
        ("regex", r"^jour", "Bonjour", False),
        ("json_schema", SCHEMA, '{"a": 1}', True),
        ("json_schema", SCHEMA, '```json\n{"a": 1}\n```', True),
        ("json_schema", SCHEMA, '{"a": "1"}', False),
        ("json_schema", SCHEMA, "no JSON", False),
    ],
)
def test_each_kind(kind: str, expected: str, output: str, passes: bool) -> None:
    found = outcome(kind, expected, output)
    assert found.passed is passes
    assert bool(found.problem) is not passes


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("mood", "x"), ("exact", "  "), ("regex", "("), ("regex", "(?=x)"), ("json_schema", "{"),
     ("json_schema", "[]"), ("json_schema", '{"type": "strin"}'), ("json_schema", '{"$ref": "file:///etc/passwd"}')],
)  # fmt: skip
def test_what_cannot_be_compared_with_is_refused(kind: str, expected: str) -> None:
    assert expectation_fault(kind, expected)
    with pytest.raises(ValueError, match=r".+"):
        outcome(kind, expected, "x")


def test_an_expression_runs_in_linear_time() -> None:
    assert not outcome("regex", "^(a+)+$", "a" * 50_000 + "!").passed


def test_depth_breaks_nothing() -> None:
    deep = "[" * 100_000 + "]" * 100_000
    assert not outcome("json_schema", "{}", deep).passed
    assert not outcome("json_schema", '{"type": "array"}', "[" * 400 + "]" * 400).passed
    assert expectation_fault("json_schema", '{"items": ' * 500 + "{}" + "}" * 500)
