"""Sentences of our own, kept in phrases.json: `(a|b)` is either of them, `{name}` stands for one of `names`."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path

CHOICE = re.compile(r"\(([^()]*)\)")
_KEPT = json.loads(Path(__file__).with_name("phrases.json").read_text(encoding="utf-8"))
NAMES: dict[str, str] = _KEPT["names"]
TICKETS: dict[str, list[str]] = _KEPT["tickets"]
GREETINGS: list[str] = _KEPT["greetings"]
CLOSINGS: list[str] = _KEPT["closings"]
TONES: dict[str, str] = _KEPT["tones"]
URGENCY: dict[str, str] = _KEPT["urgency"]
REPLIES: dict[str, str] = _KEPT["replies"]
REVIEWS: dict[str, list[str]] = _KEPT["reviews"]
CHANNELS: list[str] = _KEPT["channels"]
QUESTIONS: list[str] = _KEPT["questions"]
ORDERS: dict[str, list[str]] = _KEPT["orders"]
MODEST: str = _KEPT["modest"]


def said(pattern: str, dice: random.Random) -> str:
    """One of the sentences of `pattern`."""
    for name, choice in NAMES.items():
        pattern = pattern.replace(f"{{{name}}}", choice)
    while match := CHOICE.search(pattern):
        pattern = pattern[: match.start()] + dice.choice(match[1].split("|")) + pattern[match.end() :]
    return " ".join(pattern.split())
