"""The tokens keep WCAG AA in both themes, and no text is smaller than 12.5 px."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CSS = (Path(__file__).resolve().parents[2] / "static" / "css" / "gatehouse.css").read_text()
TOKENS = dict(re.findall(r"--([a-z0-9-]+): light-dark\((#[0-9a-f]{3,6}, #[0-9a-f]{3,6})\);", CSS))
TONES = ("live", "push", "hold", "fail", "off", "accent")
TEXT = [
    *((ink, ground) for ink in ("ink", "ink-2", "ink-3", "accent") for ground in ("paper", "wash", "raise")),
    *((tone, f"{tone}-wash") for tone in TONES),
    *((tone, "paper") for tone in TONES),
    *(("ink", f"{tone}-wash") for tone in TONES),
    ("ink-2", "off-wash"),
    ("ink-3", "off-wash"),
    ("ink-3", "accent-wash"),
    ("accent-ink", "accent"),
    ("accent-ink", "accent-strong"),
]


def colours(token: str) -> list[str]:
    """The light and the dark value."""
    return TOKENS[token].split(", ")


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), TEXT)
def test_text_reads_on_its_ground(ink: str, ground: str, theme: int) -> None:
    assert contrast(colours(ink)[theme], colours(ground)[theme]) >= 4.5


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("mark", ["edge", *TONES])
def test_an_outline_or_a_segment_is_seen(mark: str, theme: int) -> None:
    assert contrast(colours(mark)[theme], colours("paper")[theme]) >= 3


def test_no_text_is_smaller_than_12_and_a_half_pixels() -> None:
    sizes = re.findall(r"font(?:-size)?:[^;]*?(\d+(?:\.\d+)?)px", CSS)
    assert min(float(size) for size in sizes) >= 12.5


def test_motion_stops_for_those_who_ask() -> None:
    assert "prefers-reduced-motion: reduce" in CSS
