"""What the tests of the embedded default share: commands in a process of their own, and what they leave."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from embedded.layout import ROOT, Layout

PATIENCE_S = 60.0


def until(holds: Callable[[], object], what: str) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, f"{what}: not within {PATIENCE_S:.0f} s"
        time.sleep(0.02)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now; all held while they are chosen, so that no two are the same."""
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def processes_with(words: str) -> list[int]:
    """Ids of living processes whose environment or command holds `words`; zombies have neither."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            text = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if words.encode() in text and int(entry.name) != os.getpid():
            found.append(int(entry.name))
    return found


class Run:
    """A command in the background, in a group of its own, with its output in a file."""

    def __init__(self, command: list[str], environment: dict[str, str], output: Path) -> None:
        self.output = output
        with output.open("ab") as file:
            self.process = subprocess.Popen(
                command, env=environment, cwd=ROOT, stdout=file, stderr=file, process_group=0
            )

    def said(self) -> str:
        return self.output.read_text()

    def wait_for(self, words: str) -> None:
        until(lambda: words in self.said() or self.process.poll() is not None, words)
        assert words in self.said(), self.said()

    def tell(self, number: signal.Signals) -> int:
        """Send a signal and wait for the end; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)


@pytest.fixture
def plain() -> dict[str, str]:
    """Our environment without the servers that these tests were given."""
    without = ("DATABASE_", "REDIS_", "GATEHOUSE_", "SECRET_KEY", "PYTEST_")
    return {name: value for name, value in os.environ.items() if not name.startswith(without)}


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """A state directory below a folder with spaces; everything outside of it is removed as well."""
    path = tmp_path / "a path with spaces" / "var"
    path.parent.mkdir()
    yield path
    for each in path.parent.iterdir():
        remove_outside(each)


def remove_outside(state: Path) -> None:
    """Remove what an installation keeps outside of its state directory: its database as root, its sockets."""
    home = state / "postgres-home"
    if home.exists():
        shutil.rmtree(home.read_text().strip(), ignore_errors=True)
    shutil.rmtree(Layout(state).sockets, ignore_errors=True)


@pytest.fixture
def launch(plain: dict[str, str], state: Path, tmp_path: Path) -> Iterator[Callable[..., Run]]:
    """Starts `python ARGUMENTS` on `state` in the background."""
    runs: list[Run] = []

    def start(*arguments: str, environment: dict[str, str] | None = None) -> Run:
        given = {**plain, "GATEHOUSE_STATE": str(state), "PYTHONPATH": str(ROOT), **(environment or {})}
        runs.append(Run([sys.executable, *arguments], given, tmp_path / f"output-{len(runs)}"))
        return runs[-1]

    yield start
    for run in runs:
        if run.process.poll() is None:
            run.process.kill()
            run.process.wait()
