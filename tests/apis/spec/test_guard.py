"""Bytes to plain values: what is taken as which value, where it stands, and what is refused at the gate."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apis.spec.guard import MAX_BYTES, read_source, resolve
from apis.spec.problems import SpecProblem, SpecRefused
from apis.spec.summary import canonical_text
from apis.spec.yaml_text import read_yaml

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


def refusal(data: bytes | str) -> SpecProblem:
    try:
        source = read_source(data if isinstance(data, bytes) else data.encode())
    except SpecRefused as refused:
        return refused.problems[0]
    return source.problems.found[0]


def yaml_value(text: str) -> Any:
    return read_yaml(f"key: {text}\n").root["key"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2020-01-01", "2020-01-01"),
        ("2020-01-01T10:00:00Z", "2020-01-01T10:00:00Z"),
        ("no", "no"),
        ("on", "on"),
        ("Yes", "Yes"),
        ("true", True),
        ("False", False),
        ("12:30:45", "12:30:45"),
        ("1_000", "1_000"),
        ("0108", "0108"),
        ("-7", -7),
        ("0x1F", 31),
        ("0o17", 15),
        ("1.5e3", 1500.0),
        ("1.", 1.0),
        ("1.2.3", "1.2.3"),
        ("null", None),
        ("~", None),
        ("", None),
        ("'5'", "5"),
        ('"no"', "no"),
        ("!!str 5", "5"),
        ("! 5", "5"),
        (".5", 0.5),
        ("-", [None]),
        ("=", "="),
        ("NaN", "NaN"),
    ],
)
def test_yaml_scalars_mean_what_json_can_say(text: str, value: Any) -> None:
    if text == "-":
        assert read_yaml("key:\n-\n").root["key"] == value
    else:
        found = yaml_value(text)
        assert (found, type(found)) == (value, type(value))


def test_response_codes_and_other_plain_keys_are_text() -> None:
    assert list(read_yaml("200: a\n1.0: b\ntrue: c\n2020-01-01: d\nnull: e\n").root) == [
        "200", "1.0", "true", "2020-01-01", "null",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("data", "code", "line"),
    [
        ("a: &x 1\nb: *x\n", "yaml-alias", 2),
        ("a: {<<: {b: 1}}\n", "yaml-merge", 1),
        ("a: !!python/object:os.system x\n", "yaml-tag", 1),
        ("a: !include other.yaml\n", "yaml-tag", 1),
        ("? [a]\n: 1\n", "bad-key", 1),
        ("? {a: 1}\n: 1\n", "bad-key", 1),
        ("a: 1\n---\nb: 2\n", "many-documents", 2),
        ("a: [1\nb: 2\n", "bad-yaml", 2),
        ("a: .inf\n", "bad-number", 1),
        ("a: .NaN\n", "bad-number", 1),
        ("a: " + "9" * 80, "bad-number", 1),
        ("a: 1e999\n", "bad-number", 1),
        ("a:\n  b: 1\n  b: 2\n", "duplicate-key", 3),
        ("a: 1\n'a': 2\n", "duplicate-key", 2),
        ('{"a": 1,\n "a": 2}', "duplicate-key", 2),
        ('{"a": NaN}', "bad-json", 1),
        ('{"a": -Infinity}', "bad-json", 1),
        ('{"a": 1e999}', "bad-number", 1),
        ('{"a": ' + "9" * 5000 + "}", "bad-number", 1),
        ('{"a": 01}', "bad-json", 1),
        ('{"a": 1,}', "bad-json", 1),
        ('{"a": [1,]}', "bad-json", 1),
        ('{"a": [,1]}', "bad-json", 1),
        ('{"a" 1}', "bad-json", 1),
        ('{"a": "x\ny"}', "bad-json", 1),
        ('{"a":\n 1', "bad-json", 2),
        ('{"a": 1} x', "bad-json", 1),
        ("{'a': 1}", "bad-json", 1),
        ('{"a": "\\ud800"}', "bad-character", 1),
        ('{"a\\u0000b": 1}', "bad-character", 1),
        ('a: "\\0"\n', "bad-character", 1),
        ("[1]", "no-mapping", 0),
        ("just text", "no-mapping", 0),
        ("", "empty", 0),
        (" \n\t\n", "empty", 0),
        ("# nothing\n", "empty", 0),
        ("---\n", "empty", 0),
        ("<!doctype html><p>", "not-openapi", 0),
        (b"PK\x03\x04....", "archive", 0),
        (b"\x1f\x8b....", "archive", 0),
        ("a: 1".encode("utf-16"), "not-utf8", 0),
        (b"a: 1\nb: \xff\n", "not-utf8", 2),
        (b"a: 1\nb: \x01\n", "bad-yaml", 2),
        (b"x" * (MAX_BYTES + 1), "too-large", 0),
        ("[" * 100_000, "too-deep", 1),
        ("a: " + "[" * 100, "too-deep", 1),
        ("a: [" + "1," * 250_001, "too-many-values", 1),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(data: bytes | str, code: str, line: int) -> None:
    found = refusal(data)
    assert (found.code, found.line) == (code, line)
    assert found.message


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert read_source(b"\xef\xbb\xbf" + b'{"a": 1}').root == {"a": 1}
    assert read_source(b"\xef\xbb\xbf" + b"a: 1").root == {"a": 1}


def test_every_value_knows_its_line_and_column() -> None:
    yaml = read_source(b"a:\n  - b: 1\n    c:\n      d: x\n")
    text = read_source(b'{"a":\n [{"b": 1,\n   "c": {"d": "x"}}]}')
    assert [yaml.place(p) for p in (["a"], ["a", 0], ["a", 0, "c"], ["a", 0, "c", "d"])] == [
        (1, 1), (2, 5), (3, 5), (4, 7),
    ]  # fmt: skip
    assert text.place(["a", 0, "c", "d"]) == (3, 10)
    assert text.place(["a", 0, "missing", "x"]) == (2, 3)


def test_all_keys_given_twice_are_named() -> None:
    source = read_source(b"a: 1\na: 2\nb: {c: 1, c: 2}\n")
    assert [(p.pointer, p.line) for p in source.problems.found] == [("/a", 2), ("/b/c", 3)]


def test_versions_without_quotes_are_text_as_written(
    problems_of: Callable[[bytes | str], list[SpecProblem]],
) -> None:
    source = read_source(b"openapi: 3.10\ninfo: {title: 7, version: 1.10, x: 1.10}\n")
    assert source.root == {"openapi": "3.10", "info": {"title": "7", "version": "1.10", "x": 1.1}}
    assert [w.pointer for w in source.warnings.found] == ["/openapi", "/info/title", "/info/version"]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    st.dictionaries(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), json_values)
)
def test_json_is_read_as_the_standard_parser_reads_it(value: dict[str, Any]) -> None:
    assert read_source(json.dumps(value).encode()).root == value
    assert read_source(json.dumps(value, ensure_ascii=False, indent=1).encode()).root == value


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.dictionaries(st.text("abc", min_size=1), json_values, min_size=1))
def test_canonical_text_read_again_is_the_same_text(value: dict[str, Any]) -> None:
    text = canonical_text(value)
    assert canonical_text(read_source(text.encode()).root) == text


def _is_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(SpecRefused):
        read_source(data)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    _is_read_or_refused(data)
    _is_read_or_refused(b"{" + data)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.text("{}[]\"':,-?&*!|>%@`#\\ \n\tabu0123.\u2028\ufeff<~", max_size=60))
def test_any_punctuation_is_read_or_refused(text: str) -> None:
    _is_read_or_refused(text.encode())


def test_pointers_resolve_through_escapes_and_lists() -> None:
    root = {"paths": {"/a/{b}": [{"c~d": 7}]}}
    assert resolve(root, "#/paths/~1a~1%7Bb%7D/0/c~0d") == 7
    for missing in ("#/paths/x", "#/paths/~1a~1{b}/1", "#/paths/~1a~1{b}/٠", "#/paths/~1a~1{b}/0/c~0d/e"):
        with pytest.raises(LookupError):
            resolve(root, missing)
