"""Calls find their operation: concrete before templated, as a plain reading of the rules finds it."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apis.spec.matcher import OperationMatcher, fits


@dataclass(frozen=True)
class Op:
    method: str
    path: str

    @property
    def key(self) -> str:
        return f"{self.method} {self.path}"


def matcher(*paths: str) -> OperationMatcher:
    return OperationMatcher(Op("GET", path) for path in paths)


@pytest.mark.parametrize(
    ("call", "path"),
    [
        ("/orders", "/orders"),
        ("/orders?state=open", "/orders"),
        ("/orders/17", "/orders/{id}"),
        ("/orders/latest", "/orders/latest"),
        ("/orders/17/lines/4", "/orders/{id}/lines/{line}"),
        ("/orders/latest/lines/4", "/orders/{id}/lines/{line}"),
        ("/orders/a%2Fb", "/orders/{id}"),
        ("/orders/l%61test", "/orders/latest"),
        ("/files/report.pdf", "/files/{name}.pdf"),
        ("/files/report.txt", "/files/{name}"),
        ("/files/.pdf", "/files/{name}"),
        ("/a b", "/a%20b"),
        ("/a%20b", "/a%20b"),
        ("/", "/"),
        ("/orders/", None),
        ("/orders//lines/4", None),
        ("/unknown", None),
        ("", None),
    ],
)
def test_a_call_finds_its_operation(call: str, path: str | None) -> None:
    found = matcher(
        "/orders/{id}", "/orders", "/orders/latest", "/orders/{id}/lines/{line}", "/files/{name}",
        "/files/{name}.pdf", "/a%20b", "/",
    ).match("GET", call)  # fmt: skip
    assert found == (f"GET {path}" if path else None)


def test_methods_are_apart() -> None:
    found = OperationMatcher([Op("GET", "/a"), Op("POST", "/{x}")])
    assert found.match("GET", "/a") == "GET /a"
    assert found.match("POST", "/a") == "POST /{x}"
    assert found.match("DELETE", "/a") is None


def test_a_path_with_a_query_counts_only_when_no_plain_one_takes_the_call() -> None:
    assert matcher("/a?beta=true", "/a").match("GET", "/a?beta=true") == "GET /a"
    assert matcher("/b?beta=true").match("GET", "/b") == "GET /b?beta=true"


def test_hostile_templates_cost_no_more_than_plain_ones() -> None:
    segment = "{a}{b}{c}{d}{e}{f}{g}{h}x"
    deep = ["/" + "/".join("{p}" if bits >> n & 1 else "a" for n in range(10)) + "/z" for bits in range(1024)]
    many = matcher("/" + segment, *deep)
    assert many.match("GET", "/" + "y" * 50_000) is None
    assert many.match("GET", "/a" * 10 + "/no") is None


def naive(paths: list[str], call: str) -> str | None:
    """All templates tried by regular expression, best by (literal, partly literal, whole) from left to right."""

    def rank(path: str) -> list[int]:
        return [0 if "{" not in s else 2 if re.fullmatch(r"\{\w\}", s) else 1 for s in path.split("/")]

    def pattern(path: str) -> str:
        return "".join("[^/]+" if n % 2 else re.escape(s) for n, s in enumerate(re.split(r"\{(\w)\}", path)))

    found = [path for path in paths if re.fullmatch(pattern(path), call)]
    return f"GET {min(found, key=rank)}" if found else None


# One partly literal form only: which of two wins is left to tools by the specification.
templates = st.lists(st.sampled_from(["a", "b", "{x}", "v{x}"]), max_size=4).map(lambda s: "/" + "/".join(s))
calls = st.lists(st.sampled_from(["a", "b", "c", "v1", "v", ""]), max_size=4).map(lambda s: "/" + "/".join(s))


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.lists(templates, unique=True, max_size=12), calls)
def test_it_agrees_with_a_plain_reading_of_the_rules(paths: list[str], call: str) -> None:
    assert matcher(*paths).match("GET", call) == naive(paths, call)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.lists(st.text("ab", max_size=2), min_size=2, max_size=5), st.text("ab", max_size=8))
def test_partly_literal_segments_fit_as_a_regular_expression_would(pieces: list[str], segment: str) -> None:
    assert fits(tuple(pieces), segment) == bool(re.fullmatch(".+".join(map(re.escape, pieces)), segment))
