"""T23: with a missing, short or default secret nothing starts; a sentence with an id and a cure says why."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GOOD_KEYS = "1:" + "Wk4zdjlRbTJYcDdMdDRSdzFZYjZOYzhIZDVKZjBHc0E="
WRONG = [
    ("gatehouse.E010", {"SECRET_KEY": ""}),
    ("gatehouse.E011", {"SECRET_KEY": "changeme"}),
    ("gatehouse.E011", {"SECRET_KEY": "x" * 60}),
    ("gatehouse.E011", {"SECRET_KEY": "django-insecure-0123456789abcdefghijklmn"}),
    ("gatehouse.E012", {"GATEHOUSE_MASTER_KEYS": "1:not base64"}),
    ("gatehouse.E012", {"GATEHOUSE_MASTER_KEYS": "1:c2hvcnQ="}),
    ("gatehouse.E013", {"GATEHOUSE_MASTER_KEYS": ""}),
    ("gatehouse.E014", {"GATEHOUSE_MASTER_KEYS": "1:" + "QUFB" * 11}),
    ("gatehouse.E023", {"GATEHOUSE_FAILPOINTS": "/nowhere"}),
    ("gatehouse.E003", {"SECRET_KEY_FILE": "/nowhere/secret"}),
]
COMMANDS = {
    "web": ["-m", "gunicorn", "portal.wsgi", "--bind", "127.0.0.1:0", "--workers", "1"],
    "worker": ["-m", "celery", "-A", "portal", "worker", "--pool", "solo", "--without-gossip"],
    "beat": ["-m", "celery", "-A", "portal", "beat", "-s", f"{tempfile.gettempdir()}/gatehouse-never"],
}


def start(command: list[str], changes: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a part with sound settings except for `changes`, outside of the embedded default."""
    sound = {
        "SECRET_KEY": "kR7v2m9Qx7Lp4Zt1Rw6Yb3Nc5Hd0Jf8Gs2Ak9Ue4Xo7Ti1Mq6Vr3",
        "GATEHOUSE_MASTER_KEYS": GOOD_KEYS,
    }
    environment = {**os.environ, **sound, "GATEHOUSE_EMBEDDED": "0", "DEBUG": "0", **changes}
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(("identifier", "changes"), WRONG, ids=lambda value: str(value)[:40])
def test_the_check_names_what_is_wrong_and_the_cure(identifier: str, changes: dict[str, str]) -> None:
    done = start(["manage.py", "check"], changes)
    assert done.returncode != 0
    assert identifier in done.stderr
    assert "HINT" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


@pytest.mark.parametrize("part", COMMANDS)
def test_no_part_starts_on_a_placeholder(part: str) -> None:
    done = start(COMMANDS[part], {"SECRET_KEY": "changeme"})
    said = done.stderr + done.stdout
    assert done.returncode != 0
    assert "gatehouse.E011: SECRET_KEY is short or a placeholder. Set it to 50 random characters." in said
    assert "Traceback" not in said


def test_sound_settings_pass_the_check() -> None:
    done = start(["manage.py", "check"], {"PORTAL_URL": "https://portal.example.test"})
    assert done.returncode == 0, done.stderr
