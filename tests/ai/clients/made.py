"""Where the clients and the fake vendor are that `scripts/ai-clients` makes."""

from __future__ import annotations

import os
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def made_clients(which: str = "clients") -> Path:
    """The directory with the environments of `requirements/clients` or of `requirements/compared`.

    In CI they must be there; elsewhere a missing registry skips, and says so.
    """
    place, why = _made(which)
    if place is not None:
        return place
    text = f"NOTHING OF ANYBODY ELSE WAS TRIED: scripts/ai-clients could not make it.\n{why}"
    if os.environ.get("CI") == "true":
        pytest.fail(text)
    pytest.skip(text)


@cache
def _made(which: str) -> tuple[Path | None, str]:
    command = [ROOT / "scripts" / "ai-clients", which]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return (Path(made.stdout.strip()), "") if made.returncode == 0 else (None, made.stderr)
