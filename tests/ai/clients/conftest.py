"""Clients of other people, unmodified, each in an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.ai.clients.made import made_clients

type Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run_client() -> Run:
    """Runs a script of `scripts/` with a client and gives what it found, by the name of each thing that it tried."""
    clients = made_clients()

    def run(client: str, script: str, *arguments: str) -> dict[str, Any]:
        command = [
            clients / client / "bin" / "python",
            Path(__file__).parent / "scripts" / script,
            *arguments,
        ]
        clean = {"PATH": os.environ["PATH"], "NO_PROXY": "*"}
        done = subprocess.run(command, env=clean, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr[-4000:]
        return dict(json.loads(done.stdout.splitlines()[-1]))

    return run
