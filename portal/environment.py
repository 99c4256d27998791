"""Reading settings from the environment. Every secret NAME may also come from a file named by NAME_FILE.

A missing or malformed value never raises here: it is noted in `PROBLEMS` and told by a system check with an
id and a cure (portal/checks.py), so that an operator reads a sentence and no traceback.
"""

from __future__ import annotations

import os
from pathlib import Path

PROBLEMS: list[tuple[str, str, str]] = []
"""(check id, what is wrong, what to do)."""


def text(name: str, default: str = "") -> str:
    """The variable `name`, stripped."""
    return os.environ.get(name, default).strip()


def flag(name: str, *, default: bool = False) -> bool:
    """1, true, yes, on (any case) are true; 0, false, no, off and nothing are false."""
    value = text(name).lower()
    if value in ("", "0", "1", "true", "false", "yes", "no", "on", "off"):
        return default if value == "" else value in ("1", "true", "yes", "on")
    PROBLEMS.append(
        ("gatehouse.E001", f"{name} is {value!r}, which is neither yes nor no.", "Set it to 1 or 0.")
    )
    return default


def number(name: str, default: int) -> int:
    """A whole number."""
    value = text(name)
    try:
        return int(value) if value else default
    except ValueError:
        PROBLEMS.append(
            ("gatehouse.E002", f"{name} is {value!r}, which is not a whole number.", "Correct it.")
        )
        return default


def words(name: str, default: str = "") -> list[str]:
    """A list separated by commas."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def secret(name: str) -> str:
    """The secret `name`, from the variable or from the file that NAME_FILE names; empty when there is none."""
    path = text(f"{name}_FILE")
    if not path:
        return text(name)
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        reason = error.strerror or "unreadable"
        PROBLEMS.append(
            ("gatehouse.E003", f"{name}_FILE cannot be read: {reason}.", "Correct path or permissions.")
        )
        return ""
