"""The parameters of a chat completion that a prompt may set, and their ranges."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

EFFORTS = ("minimal", "low", "medium", "high")
MOST_OUTPUT_TOKENS = 1_000_000
MOST_STOPS, MOST_STOP_CHARACTERS = 4, 200


def parameter_faults(parameters: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong, by the name of the parameter."""
    found = {}
    for name, value in parameters.items():
        check = PARAMETERS.get(name)
        if check is None:
            found[name] = f"A prompt sets no {name}. It may set: {', '.join(PARAMETERS)}."
        elif wrong := check(value):
            found[name] = f"{name} is {wrong}."
    return found


def _number(low: float, high: float) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return "" if is_number and low <= value <= high else f"a number from {low:g} to {high:g}"

    return check


def _whole(low: int, high: int) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        return "" if is_whole and low <= value <= high else f"a whole number from {low:,} to {high:,}"

    return check


def _stop(value: Any) -> str:
    texts = [value] if isinstance(value, str) else value
    right = isinstance(texts, list) and 1 <= len(texts) <= MOST_STOPS
    if right and all(isinstance(text, str) and 0 < len(text) <= MOST_STOP_CHARACTERS for text in texts):
        return ""
    return f"a text, or up to {MOST_STOPS} texts of at most {MOST_STOP_CHARACTERS} characters"


def _effort(value: Any) -> str:
    return "" if value in EFFORTS else f"one of {', '.join(EFFORTS)}"


PARAMETERS: Mapping[str, Callable[[Any], str]] = {
    "temperature": _number(0, 2),
    "top_p": _number(0, 1),
    "max_tokens": _whole(1, MOST_OUTPUT_TOKENS),
    "seed": _whole(0, 2**31 - 1),
    "stop": _stop,
    "presence_penalty": _number(-2, 2),
    "frequency_penalty": _number(-2, 2),
    "reasoning_effort": _effort,
}
"""All of them, each with what tells what a wrong value should be."""
