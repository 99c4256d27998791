"""Clients of other people, unmodified, each in an environment of its own that `scripts/ai-clients` makes."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]

type Run = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def environments() -> Path:
    """Where the clients are. In CI they must be there; elsewhere a missing registry skips, and says so."""
    made = subprocess.run(
        [ROOT / "scripts" / "ai-clients"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if made.returncode == 0:
        return Path(made.stdout.strip())
    text = f"NO CLIENT OF ANYBODY ELSE WAS TRIED: scripts/ai-clients could not make them.\n{made.stderr}"
    if os.environ.get("CI") == "true":
        pytest.fail(text)
    pytest.skip(text)


@pytest.fixture
def run_client(environments: Path) -> Run:
    """Runs a script of `scripts/` with a client and gives what it found, by the name of each thing that it tried."""

    def run(client: str, script: str, *arguments: str) -> dict[str, Any]:
        command = [
            environments / client / "bin" / "python",
            Path(__file__).parent / "scripts" / script,
            *arguments,
        ]
        clean = {"PATH": os.environ["PATH"], "NO_PROXY": "*"}
        done = subprocess.run(command, env=clean, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr[-4000:]
        return dict(json.loads(done.stdout.splitlines()[-1]))

    return run
