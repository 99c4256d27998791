"""The servers of `run` and `test`: as root and as an ordinary user, in a path with spaces, twice."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from embedded.accounts import unprivileged_account
from embedded.layout import ROOT, Layout
from embedded.postgres import abandoned_homes
from tests.embedded.conftest import Run, free_ports, processes_with, remove_outside

ROLES = """
import os, pathlib, psycopg
state = pathlib.Path(os.environ["GATEHOUSE_STATE"])
note = state / "postgres-home"
home = pathlib.Path(note.read_text().strip()) if note.exists() else state / "postgres"
print("runs as", (home / "data").stat().st_uid)
with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as owner:
    owner.execute("CREATE TABLE IF NOT EXISTS kept (id bigserial PRIMARY KEY)")
    owner.execute("SET ROLE gatehouse_app")
    owner.execute("INSERT INTO kept DEFAULT VALUES")
    print("rows", owner.execute("SELECT count(*) FROM kept").fetchone()[0])
    for statement in ("TRUNCATE kept", "DROP TABLE kept", "CREATE TABLE other (id int)"):
        try:
            owner.execute(statement)
            print("allowed", statement)
        except psycopg.errors.InsufficientPrivilege:
            pass
"""


def modes(folder: Path) -> dict[Path, tuple[int, int, int]]:
    """Mode and owner of `folder`, all above it, and the places where servers' data may lie."""
    shared = [Path(name) for name in ("/var/lib", "/var/tmp", "/tmp")]  # noqa: S108  looked at, not used
    places = [folder, *folder.parents, *shared, ROOT, ROOT / ".venv"]
    found = {path: path.stat() for path in places if path.exists()}
    return {path: (stat.S_IMODE(one.st_mode), one.st_uid, one.st_gid) for path, one in found.items()}


def finished(run: Run) -> str:
    assert run.process.wait(120) == 0, run.said()
    return run.said()


def test_the_servers_start_twice_on_one_state_and_change_no_mode(
    launch: Callable[..., Run], state: Path
) -> None:
    # A home directory that nobody else may enter, as /root is.
    state.parent.chmod(0o700)
    before = modes(state.parent)
    command = ("-m", "embedded", "test", "--bare", "--", sys.executable, "-c", ROLES)
    first, second = finished(launch(*command)), finished(launch(*command))
    assert "runs as 0" not in first, "PostgreSQL never runs as root"
    assert "rows 1" in first
    assert "rows 2" in second, "a second start finds the data of the first"
    assert "allowed" not in first + second, "the portal's own role changes no table"
    assert modes(state.parent) == before
    assert processes_with(str(state)) == []


def ordinary_user() -> tuple[int, list[str]]:
    """The id of a user who is not root, and what starts a command as that user: nothing when we are one.

    Where root's checkout is closed to others, the command may read it all the same; it is still not root.
    """
    if os.getuid() != 0:
        return os.getuid(), []
    account = unprivileged_account()
    assert account is not None
    plain = ["setpriv", f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups"]
    looks = [sys.executable, "-c", "import embedded.running"]
    if subprocess.run([*plain, *looks], cwd="/", env={"PYTHONPATH": str(ROOT)}, check=False).returncode == 0:
        return account.uid, plain
    return account.uid, [*plain, "--inh-caps=+dac_override", "--ambient-caps=+dac_override"]


@pytest.fixture
def users_folder() -> Iterator[Path]:
    """A folder with a space that belongs to the ordinary user, where everybody can get to it."""
    folder = Path(tempfile.mkdtemp(prefix="gate house "))
    folder.chmod(0o700)
    os.chown(folder, ordinary_user()[0], -1)
    yield folder
    remove_outside(folder / "var")
    shutil.rmtree(folder)


def test_the_servers_start_twice_as_an_ordinary_user(plain: dict[str, str], users_folder: Path) -> None:
    uid, become = ordinary_user()
    state = users_folder / "var"
    environment = {
        **plain, "GATEHOUSE_STATE": str(state), "PYTHONPATH": str(ROOT), "HOME": str(users_folder),
        "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    command = [*become, sys.executable, "-m", "embedded", "test", "--bare", "--", sys.executable, "-c", ROLES]
    done = [
        subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        for _time in range(2)
    ]
    assert [one.returncode for one in done] == [0, 0], done
    assert all(f"runs as {uid}" in one.stdout for one in done), "its own user, in its own directory"
    assert "rows 1" in done[0].stdout
    assert "rows 2" in done[1].stdout
    assert "allowed" not in done[0].stdout + done[1].stdout
    assert not (state / "postgres-home").exists(), "nothing lies outside of the state directory"
    assert processes_with(str(state)) == []


def test_a_checkout_removed_and_cloned_again_at_the_same_path_starts_afresh(
    launch: Callable[..., Run], state: Path
) -> None:
    command = ("-m", "embedded", "test", "--bare", "--", sys.executable, "-c", ROLES)
    assert "rows 1" in finished(launch(*command))
    shutil.rmtree(state)
    assert "rows 1" in finished(launch(*command)), "the new secrets do not open the old database"
    assert abandoned_homes(Layout(state)) == [], "what tests left has no value"


LIGHT = str(ROOT / "tests" / "embedded" / "light_run.py")
SAMPLES = ("SAMPLE_ORDERS_PORT", "SAMPLE_WEATHER_PORT")


def test_two_runs_side_by_side_and_a_second_start_that_finds_its_data(
    launch: Callable[..., Run], state: Path
) -> None:
    others = ("PORTAL_PORT", "GATEWAY_PORT", "GATEWAY_SANDBOX_PORT", "AGENT_PORT", "ENVOY_ADMIN_PORT")
    free = [str(port) for port in free_ports(2 * len((*others, *SAMPLES)))]
    one, two = (dict(zip((*others, *SAMPLES), part, strict=True)) for part in (free[::2], free[1::2]))
    beside = {**two, "GATEHOUSE_STATE": str(state.parent / "another var")}
    first, second = launch(LIGHT, environment=one), launch(LIGHT, environment=beside)
    for run in (first, second):
        run.wait_for("start number 1")
    for ports in (one, two):
        for name in SAMPLES:
            address = f"http://127.0.0.1:{ports[name]}/healthz"
            assert urllib.request.urlopen(address, timeout=10).status == 200
    third = launch(LIGHT, environment={**one, "GATEHOUSE_STATE": str(state.parent / "third var")})
    assert third.process.wait(60) == 1
    for name in SAMPLES:
        assert f"set {name} to a free port" in third.said()
    assert first.tell(signal.SIGINT) == 0
    again = launch(LIGHT, environment=one)
    again.wait_for("start number 2")
    assert second.process.poll() is None, "the other one was left alone"
    assert [run.tell(signal.SIGTERM) for run in (again, second)] == [0, 0]
    assert processes_with(str(state.parent)) == []


@pytest.mark.skipif(os.getuid() != 0, reason="only as root the database lies outside of the checkout")
def test_a_removed_checkouts_database_is_kept_and_named(launch: Callable[..., Run], state: Path) -> None:
    ports = dict(zip(SAMPLES, map(str, free_ports(len(SAMPLES))), strict=True))
    first = launch(LIGHT, environment=ports)
    first.wait_for("start number 1")
    home = Path((state / "postgres-home").read_text().strip())
    first.tell(signal.SIGINT)
    shutil.rmtree(state)
    second = launch(LIGHT, environment=ports)
    second.wait_for("start number 1")
    second.tell(signal.SIGINT)
    assert f"{home} is the database of an earlier checkout at this path" in second.said()
    assert home.is_dir()
    shutil.rmtree(home)


def test_a_second_run_beside_the_first_takes_other_directories(
    launch: Callable[..., Run], state: Path
) -> None:
    wait = "import os, sys; print('socket', os.environ['REDIS_URL'], flush=True); sys.stdin.read()"
    command = (
        "-m",
        "embedded",
        "test",
        "--bare",
        "--",
        sys.executable,
        "-c",
        wait + "; import time; time.sleep(300)",
    )
    first = launch(*command)
    first.wait_for("socket")
    second = launch(*command)
    second.wait_for("socket")
    sockets = {next(line for line in run.said().splitlines() if "socket" in line) for run in (first, second)}
    assert len(sockets) == 2
    for run in (first, second):
        run.tell(signal.SIGINT)
    assert processes_with(str(state)) == []


def test_the_exit_code_is_that_of_the_tests(launch: Callable[..., Run]) -> None:
    run = launch("-m", "embedded", "test", "--bare", "--", sys.executable, "-c", "raise SystemExit(7)")
    assert run.process.wait(120) == 7


def test_reset_refuses_while_in_use_and_then_drops_everything(
    launch: Callable[..., Run], state: Path, plain: dict[str, str]
) -> None:
    run = launch(
        "-m",
        "embedded",
        "test",
        "--bare",
        "--",
        sys.executable,
        "-c",
        "print('in use', flush=True); import time; time.sleep(300)",
    )
    run.wait_for("in use")
    refused = reset(plain, state)
    assert refused.returncode == 1
    assert "Gatehouse is running here already" in refused.stdout
    home = state / "postgres-home"
    elsewhere = Path(home.read_text().strip()) if home.exists() else state
    run.tell(signal.SIGTERM)
    assert reset(plain, state).returncode == 0
    assert not any(state.iterdir())
    assert elsewhere == state or not elsewhere.exists()


def test_reset_touches_nothing_that_is_not_ours(plain: dict[str, str], state: Path) -> None:
    (state / "secrets").mkdir(parents=True)
    (state / "test").mkdir()
    (state / "thesis.txt").write_text("three years of work")
    assert reset(plain, state).returncode == 0
    assert sorted(path.name for path in state.iterdir()) == ["test", "thesis.txt"]
    assert "nothing to drop" in reset(plain, state).stdout


def reset(plain: dict[str, str], state: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "embedded", "reset"],
        env={**plain, "GATEHOUSE_STATE": str(state)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
