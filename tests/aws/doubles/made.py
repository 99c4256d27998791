"""Where the doubles of AWS are that `scripts/doubles` makes."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def made_double(name: str) -> Path:
    """The directory of programs in the environment of `name`: ministack, localstack or moto.

    In CI it must be there; elsewhere a missing registry skips, and says so.
    """
    why = _made(name)
    if not why:
        return ROOT / f".venv-{name}" / "bin"
    text = f"NOTHING WAS TRIED ON {name.upper()}: scripts/doubles could not make it.\n{why}"
    if os.environ.get("CI") == "true":
        pytest.fail(text)
    pytest.skip(text)


@cache
def _made(name: str) -> str:
    command = [ROOT / "scripts" / "doubles", name]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return "" if made.returncode == 0 else made.stderr or "It said nothing."
