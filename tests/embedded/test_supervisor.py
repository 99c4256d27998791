"""Parts are kept running, end in order, and nothing outlives the supervisor, however it ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from embedded.layout import ROOT
from tests.embedded.conftest import Run, processes_with, until

TOY = str(ROOT / "tests" / "embedded" / "toy_run.py")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "toy parts"
    path.mkdir()
    return path


@pytest.fixture
def run(launch: Callable[..., Run], folder: Path) -> Run:
    started = launch(TOY, str(folder))
    started.wait_for("all run")
    return started


def pid(folder: Path, name: str) -> int:
    return int((folder / f"{name}.pid").read_text())


def test_a_part_that_dies_is_started_again_and_this_is_shown(run: Run, folder: Path) -> None:
    before = pid(folder, "first")
    os.kill(before, signal.SIGKILL)
    run.wait_for("died with SIGKILL; starting it again in 0.5 s")
    run.wait_for("runs again")
    assert pid(folder, "first") != before
    assert run.tell(signal.SIGTERM) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_parts_in_reverse_order_and_leaves_no_process(
    run: Run, folder: Path, number: signal.Signals, state: Path
) -> None:
    assert len(processes_with(str(state))) == 5, "the supervisor, two parts and a child of each"
    assert run.tell(number) == 0
    assert (folder / "order").read_text().split() == ["second", "first"]
    assert processes_with(str(state)) == []


def test_a_killed_supervisor_takes_its_parts_along(run: Run, folder: Path, state: Path) -> None:
    parts = [pid(folder, name) for name in ("first", "second")]
    run.tell(signal.SIGKILL)
    until(lambda: not set(parts) & set(processes_with(str(state))), "the parts end")
    for orphan in processes_with(str(state)):
        # Only what made itself a daemon and ignores SIGTERM stays; no part of ours does.
        os.kill(orphan, signal.SIGKILL)


def test_what_a_dead_part_left_behind_is_ended(run: Run, folder: Path, state: Path) -> None:
    os.kill(pid(folder, "second"), signal.SIGKILL)
    run.wait_for("runs again")
    assert len(processes_with(str(state))) == 5
    assert run.tell(signal.SIGTERM) == 0


def test_a_part_that_hangs_after_its_restart_is_shown_ended_and_started_again(
    launch: Callable[..., Run], folder: Path
) -> None:
    """It answers at its first and third start; at the second it lives and does not answer."""
    hanging = (
        "import asyncio, sys, pathlib; import embedded.supervisor as supervisor; supervisor.READY_S = 8.0\n"
        "import tests.embedded.toy_run as toy; from embedded.console import Console\n"
        "from embedded.running import until_told\n"
        'begins = \'(folder / f"{name}.starts").open("a").write("x")\\n\'\n'
        "often = '(folder / f\"{name}.starts\").stat().st_size == 2 or '\n"
        "toy.PART = toy.PART.replace('(folder / f\"{name}.ready\")', begins + often + '(folder / f\"{name}.ready\")')\n"
        "asyncio.run(until_told(lambda s: toy.work(s, pathlib.Path(sys.argv[1])), Console()))"
    )
    run = launch("-c", hanging, str(folder))
    run.wait_for("all run")
    os.kill(pid(folder, "first"), signal.SIGKILL)
    run.wait_for("does not answer after 8 s and is ended")
    run.wait_for("runs again")
    assert len((folder / "first.starts").read_text()) == 3
    assert run.tell(signal.SIGTERM) == 0


def test_a_part_that_never_gets_ready_is_told_with_its_last_words(
    launch: Callable[..., Run], folder: Path
) -> None:
    failing = (
        "import asyncio, sys, pathlib; sys.argv = ['', sys.argv[1]];"
        "import tests.embedded.toy_run as toy; from embedded.failure import CannotRun;"
        "toy.PART = 'import sys; print(\"no such thing\", file=sys.stderr); sys.exit(3)';"
        "from embedded.console import Console; from embedded.running import until_told\n"
        "try: asyncio.run(until_told(lambda s: toy.work(s, pathlib.Path(sys.argv[1])), Console()))\n"
        "except CannotRun as error: print(error); sys.exit(1)"
    )
    run = launch("-c", failing, str(folder))
    assert run.process.wait(60) == 1
    assert "first ended with code 3. Its last lines:\n    no such thing" in run.said()
    assert f"All of it is in {folder / 'first.log'}." in run.said()
