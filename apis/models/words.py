"""How texts and queries are cut into the words that full-text search compares: one rule for both."""

from __future__ import annotations

import re

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_WORD = re.compile(r"[^\W_]+")
LONGEST_WORD = 64
"""Longer runs are keys or encoded data, not words."""


def words_of(text: str) -> list[str]:
    """Lower-case words of `text`: "listOrders /orders/{id}" -> list, orders, orders, id."""
    found = _WORD.findall(_CAMEL.sub(" ", text).replace("\x00", " "))
    return [word.lower() for word in found if len(word) <= LONGEST_WORD]
