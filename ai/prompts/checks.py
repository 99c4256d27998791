"""Whether an output is what a test case expects."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import re2

from ai.prompts.schemas import MOST_DEPTH, depth_of, faults_of, schema_faults, validator

KINDS = ("exact", "contains", "regex", "json_schema")
MOST_SHOWN = 120


@dataclass(frozen=True, slots=True)
class Outcome:
    """`problem` says in words why it did not pass."""

    passed: bool
    problem: str = ""


PASSED = Outcome(True)


def expectation_fault(kind: str, expected: str) -> str:
    """Why nothing could be compared with `expected`; empty where it can be used."""
    if kind not in KINDS:
        return f"{kind!r} is no kind of check. Use one of: {', '.join(KINDS)}."
    if not expected.strip():
        return "Say what is expected."
    if kind == "regex":
        return _expression_fault(expected)
    return _schema_fault(expected) if kind == "json_schema" else ""


def outcome(kind: str, expected: str, output: str) -> Outcome:
    """Compare `output` with what is expected. White space around both does not count for `exact`.

    `regex` looks for a match anywhere, in RE2. Raises ValueError for an expectation that cannot be used.
    """
    if wrong := expectation_fault(kind, expected):
        raise ValueError(wrong)
    match kind:
        case "exact":
            same = output.strip() == expected.strip()
            return PASSED if same else Outcome(False, f"It is {_shown(output)}, not {_shown(expected)}.")
        case "contains":
            return PASSED if expected in output else Outcome(False, f"{_shown(expected)} is not in it.")
        case "regex":
            found = re2.search(expected, output)
            return PASSED if found else Outcome(False, f"Nothing in it matches {_shown(expected)}.")
    return _by_schema(json.loads(expected), output)


def _by_schema(schema: dict[str, Any], output: str) -> Outcome:
    try:
        value = json.loads(unfenced(output))
    except (ValueError, RecursionError) as error:
        return Outcome(False, f"It is no JSON: {error}.")
    if depth_of(value) > MOST_DEPTH:
        return Outcome(False, f"It is nested deeper than {MOST_DEPTH} levels.")
    faults = faults_of(validator(schema), value, most=1)
    return Outcome(False, f"{faults[0].pointer or 'The whole'}: {faults[0].detail}") if faults else PASSED


def unfenced(text: str) -> str:
    """Without the fence of Markdown that models like to put around JSON."""
    stripped = text.strip()
    if stripped.startswith("```") and stripped.endswith("```"):
        return stripped.strip("`").removeprefix("json").strip()
    return stripped


def _expression_fault(expected: str) -> str:
    try:
        re2.compile(expected)
    except re2.error as error:
        return f"{_shown(expected)} is no regular expression of RE2: {error}"
    return ""


def _schema_fault(expected: str) -> str:
    try:
        schema = json.loads(expected)
    except (ValueError, RecursionError) as error:
        return f"The schema is no JSON: {error}."
    faults = schema_faults(schema)
    return f"{faults[0].pointer or 'The schema'}: {faults[0].detail}" if faults else ""


def _shown(text: str) -> str:
    short = text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 3]}..."
    return json.dumps(short, ensure_ascii=False)
