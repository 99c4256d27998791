"""T12: documents made to exhaust us are refused at once, by a reader that is still there for the next one."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from apis.spec.document import SpecRefused, read_spec
from apis.spec.guard import MAX_BYTES

ROOT = Path(__file__).parents[2]
HEAD = "openapi: 3.1.0\ninfo: {title: a, version: '1'}\n"
GOOD = (HEAD + "paths: {/a: {get: {}}}\n").encode()


@pytest.fixture(autouse=True)
def _fresh_cache() -> None:
    """Reading uses no cache."""


def _laughs() -> str:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    return HEAD + "\n".join(lines)


def _alias_schemas() -> str:
    lines = [f"    S{n}: &s{n} {{allOf: [*s{n - 1}, *s{n - 1}]}}" for n in range(1, 30)]
    return HEAD + "components:\n  schemas:\n    S0: &s0 {type: string}\n" + "\n".join(lines)


def _wide_json() -> str:
    return '{"openapi":"3.1.0","x":[' + "[]," * 3_000_000 + "[]]}"


def _ref_chain(length: int) -> str:
    schemas = {f"A{n}": {"$ref": f"#/components/schemas/A{n + 1}"} for n in range(length)}
    schemas[f"A{length}"] = {"$ref": "#/components/schemas/A0"}
    return json.dumps(
        {"openapi": "3.1.0", "info": {"title": "a", "version": "1"}, "components": {"schemas": schemas}}
    )


BOMBS: dict[str, tuple[Callable[[], str | bytes], str]] = {
    "YAML aliases, ten to the ninth": (_laughs, "yaml-alias"),
    "YAML aliases as schemas": (_alias_schemas, "yaml-alias"),
    "YAML alias to itself": (lambda: HEAD + "x: &x [*x]\n", "yaml-alias"),
    "YAML merge keys": (lambda: HEAD + "x: &x {a: 1}\ny: {<<: *x}\n", "yaml-merge"),
    "YAML brackets, 200,000 deep": (lambda: HEAD + "x: " + "[" * 200_000, "too-deep"),
    "YAML braces, 200,000 deep": (lambda: HEAD + "x: " + "{a: " * 200_000, "too-deep"),
    "YAML dashes, 200,000 deep": (lambda: HEAD + "x:\n" + "- " * 200_000 + "a", "too-deep"),
    "YAML question marks, 100,000 deep": (lambda: "? " * 100_000, "bad-key"),
    "JSON brackets, two million deep": (lambda: "[" * 2_000_000, "too-deep"),
    "JSON objects, 500,000 deep": (lambda: '{"a":' * 500_000, "too-deep"),
    "three million empty lists": (_wide_json, "too-many-values"),
    "a million YAML values": (lambda: HEAD + "x: [" + "1," * 1_000_000 + "1]", "too-many-values"),
    "one key ten thousand times": (lambda: "{" + '"a":1,' * 10_000 + '"a":1}', "not-openapi"),
    "a number of a million digits": (lambda: '{"a":' + "9" * 1_000_000 + "}", "bad-number"),
    "a number beyond all floats": (lambda: HEAD + "x: 1e99999\n", "bad-number"),
    "nine megabytes of quotes": (lambda: HEAD + "x: '" + "''" * 4_500_000, "bad-yaml"),
    "nine megabytes of comments": (lambda: "#" * 9_000_000, "empty"),
    "nine megabytes of white space": (lambda: " " * 9_000_000, "empty"),
    "nine megabytes of tags": (lambda: "x: !" + "a" * 9_000_000, "yaml-tag"),
    "nine megabytes of one anchor": (lambda: "x: &" + "a" * 9_000_000 + " *b", "bad-yaml"),
    "more bytes than are read": (lambda: b" " * (MAX_BYTES + 1), "too-large"),
    "a circle of 5,000 references": (lambda: _ref_chain(5_000), "ref-loop"),
    "a schema that is its own reference": (lambda: _ref_chain(0), "ref-loop"),
    "a zip archive": (lambda: b"PK\x03\x04" + b"\0" * 1_000_000, "archive"),
    "a gzip archive": (lambda: b"\x1f\x8b\x08" + b"\0" * 1_000_000, "archive"),
}


def resident_kib() -> int:
    """Resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() // 1024


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_and_the_next_document_is_read(name: str) -> None:
    make, code = BOMBS[name]
    made = make()
    data = made.encode() if isinstance(made, str) else made
    del made
    before, started = resident_kib(), time.process_time()
    with pytest.raises(SpecRefused) as caught:
        read_spec(data)
    assert caught.value.problems[0].code == code
    assert len(caught.value.problems) <= 200
    assert time.process_time() - started < 1  # of this process; the reader's own is bounded by its limits
    assert resident_kib() - before < 50_000
    assert read_spec(GOOD).operations[0].key == "GET /a"


HARMLESS = {
    "a pattern that backtracks, with a value that makes it": (
        HEAD + "components: {schemas: {A: {type: string, pattern: '(a+)+$', default: '" + "a" * 60 + "!'}}}\n"
    ),
    "a circle of objects": (
        HEAD + "components: {schemas: {A: {properties: {b: {$ref: '#/components/schemas/B'}}},"
        " B: {items: {$ref: '#/components/schemas/A'}}}}\n"
    ),
    "a schema of every operator nested sixteen times": (
        HEAD + "components: {schemas: {A: " + "{anyOf: [{type: string}, {not: " * 14 + "{}" + "}]}" * 14 + "}}\n"
    ),
    "ten thousand references to one schema": (
        HEAD + "components: {schemas: {A: {type: string}, B: {allOf: ["
        + "{$ref: '#/components/schemas/A'}," * 10_000 + "]}}}\n"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HARMLESS)
def test_what_upsets_other_readers_is_simply_read(name: str) -> None:
    assert read_spec(HARMLESS[name].encode()).title == "a"


SPIN = """
from apis.spec import worker
worker.CPU_SECONDS = 1
worker.limit_resources()
while True:
    pass
"""
FILL = """
from apis.spec import worker
worker.limit_resources()
try:
    b"x" * (1 << 31)
except MemoryError:
    print("stopped")
"""


def _run(script: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, check=False, capture_output=True, timeout=60
    )


def test_the_reader_is_stopped_by_its_own_limits() -> None:
    assert _run(SPIN).returncode < 0
    assert _run(FILL).stdout.strip() == b"stopped"
