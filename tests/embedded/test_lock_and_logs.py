"""One run per state directory; logs stay small."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from embedded.failure import CannotRun
from embedded.layout import Layout, check_socket_path, layout_of
from embedded.lock import held
from embedded.logs import cut, last_lines


def test_a_second_start_says_who_runs(tmp_path: Path) -> None:
    with (
        held(tmp_path / "lock"),
        pytest.raises(CannotRun, match=rf"running here already \(process {os.getpid()}"),
        held(tmp_path / "lock", wait=0),
    ):
        pass


def test_after_the_end_it_can_be_started_again(tmp_path: Path) -> None:
    for _ in range(2):
        with held(tmp_path / "lock", wait=0):
            pass


def test_parts_of_a_killed_run_are_waited_for(tmp_path: Path) -> None:
    with held(tmp_path / "lock") as descriptor:
        os.ftruncate(descriptor, 0)
        with (
            pytest.raises(CannotRun, match="A part of an earlier run still holds"),
            held(tmp_path / "lock", wait=0.3),
        ):
            pass


def test_a_log_that_grew_is_put_aside_and_written_on(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    with log.open("ab") as writer:
        writer.write(b"old\n" * 100)
        writer.flush()
        cut(log, largest=100)
        writer.write(b"new\n")
    assert log.read_bytes() == b"new\n"
    assert (tmp_path / "web.log.1").read_bytes() == b"old\n" * 100


def test_the_last_lines_are_those_of_this_start(tmp_path: Path) -> None:
    log = tmp_path / "web.log"
    log.write_text("before\n")
    since = log.stat().st_size
    log.write_text("before\none\ntwo\nthree\n")
    assert last_lines(log, since=since, count=2) == ["two", "three"]
    assert last_lines(tmp_path / "nowhere") == []


def test_sockets_fit_however_deep_the_checkout_lies(tmp_path: Path) -> None:
    deep = layout_of({"GATEHOUSE_STATE": str(tmp_path / ("deep " * 60))})
    check_socket_path(deep.sockets / "postgres" / ".s.PGSQL.5432")
    assert deep.sockets != Layout(tmp_path / "other").sockets


def test_a_socket_path_that_does_not_fit_is_refused() -> None:
    with pytest.raises(CannotRun, match="too long for a socket"):
        check_socket_path(Path("/run") / ("x" * 110))
