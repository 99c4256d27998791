"""Secrets are made once, private, and give way to the environment."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest

from embedded.failure import CannotRun
from embedded.keyring import MAKERS, Keyring


@pytest.mark.parametrize("name", MAKERS)
def test_a_secret_is_made_once_and_only_its_owner_reads_it(tmp_path: Path, name: str) -> None:
    first = Keyring(tmp_path, {})[name]
    assert Keyring(tmp_path, {})[name] == first
    assert [stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()] == [0o600]


def test_two_installations_share_no_secret(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    for name in MAKERS:
        assert Keyring(one, {})[name] != Keyring(two, {})[name]


def test_a_master_key_is_32_random_bytes(tmp_path: Path) -> None:
    number, _, key = Keyring(tmp_path, {})["GATEHOUSE_MASTER_KEYS"].partition(":")
    assert number == "1"
    assert len(base64.b64decode(key, validate=True)) == 32


def test_the_environment_wins_and_leaves_no_file(tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.write_text("from a file\n")
    kept = tmp_path / "kept"
    kept.mkdir()
    keyring = Keyring(kept, {"SECRET_KEY": "from the environment", "GATEHOUSE_AGENT_TOKEN_FILE": str(given)})
    assert keyring["SECRET_KEY"] == "from the environment"
    assert keyring["GATEHOUSE_AGENT_TOKEN"] == "from a file"
    assert list(kept.iterdir()) == []


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotRun, match="SECRET_KEY_FILE cannot be read: No such file"):
        Keyring(tmp_path, {"SECRET_KEY_FILE": str(tmp_path / "nowhere")})["SECRET_KEY"]
