"""What is told of the words of a call: no personal data, nothing sensitive, and never more than a line can carry."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai.prompts.guards import Guard
from ai.prompts.variables import variables_of
from ai.runtime.bodies import BEYOND, MOST_CHARACTERS, loggable, redacted, secrets_of

VARIABLES = variables_of(
    [
        {"name": "letter", "type": "string", "sensitive": True},
        {"name": "language", "type": "string"},
    ]
)


def told(plain: Any, *, guard: Guard | None = None, secrets: tuple[str, ...] = ()) -> Any:
    return loggable({"input": plain}, guard or Guard(), secrets)["input"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Write to ann@example.test.", "Write to [EMAIL]."),
        ("Card 4111 1111 1111 1111, please", "Card [CARD], please"),
        ("IBAN\nCH93 0076 2011 6238 5295 7", "IBAN\n[IBAN]"),
        ("from 192.0.2.7", "from [IP_ADDRESS]"),
        ("nothing of that", "nothing of that"),
        ("data:image/png;base64,AAAA", "(data)"),
        ("A" * 5000, "(data)"),
        ("字" * 2000, "字" * 2000),
    ],
)
def test_personal_data_and_files_are_taken_out(text: str, shown: str) -> None:
    assert told(text) == shown


def test_it_is_looked_for_in_names_numbers_and_at_any_depth() -> None:
    found = told({"ann@example.test": [{"a": {"b": ["ann@example.test", 41446681800, 7, None, True]}}]})
    assert found == {"[EMAIL]": [{"a": {"b": ["[EMAIL]", "[PHONE]", 7, None, True]}}]}


def test_what_a_rule_looks_for_is_taken_out_whatever_it_does_with_the_call() -> None:
    rules = [{"kind": "words", "words": ["Falcon"], "name": "projects", "action": "block"}]
    assert told("About falcon", guard=Guard.from_plain({"rules": rules})) == "About [PROJECTS]"


def test_values_of_sensitive_variables_are_hidden_where_they_come_again() -> None:
    values = {"letter": "Dear Sir, I quit", "language": "fr"}
    assert redacted(values, VARIABLES) == {"letter": "(hidden)", "language": "fr"}
    secrets = secrets_of(values, VARIABLES)
    assert secrets == ("Dear Sir, I quit",)
    bodies = loggable({"input": {}, "output": "You wrote: Dear Sir, I quit."}, Guard(), secrets)
    assert bodies["output"] == "You wrote: (hidden)."


def test_what_is_too_long_is_cut_and_says_so() -> None:
    bodies = loggable({"input": "word " * MOST_CHARACTERS, "output": "short"}, Guard(), ())
    assert len(bodies["input"]) == MOST_CHARACTERS
    assert (bodies["output"], bodies["is_cut"]) == ("short", True)
    assert loggable({"input": "short"}, Guard(), ())["is_cut"] is False


def test_nothing_is_cut_in_two_and_then_not_known_for_what_it_is() -> None:
    text = " " * (MOST_CHARACTERS - 5) + "ann@example.test and more " * BEYOND
    assert "ann" not in told(text)
    secret = "s3cret " * 2000
    assert "s3cret" not in told("x " * (MOST_CHARACTERS // 2 - 3) + secret, secrets=(secret,))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_any_body_becomes_a_line_of_bounded_size(plain: Any) -> None:
    many = [plain] * 200
    line = orjson.dumps(loggable({"input": many, "output": many}, Guard(), ("abc",)), default=str)
    assert len(line) < 12 * 2 * MOST_CHARACTERS
