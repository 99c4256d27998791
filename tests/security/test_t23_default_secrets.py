"""T23: with a missing, short or default secret nothing starts; a sentence with an id and a cure says why."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("environment.py", "settings.py", "checks.py")
GOOD_KEYS = "1:" + "Wk4zdjlRbTJYcDdMdDRSdzFZYjZOYzhIZDVKZjBHc0E="
OIDC = {
    "OIDC_SERVER_URL": "https://sign-in.example",
    "OIDC_CLIENT_ID": "gatehouse",
    "OIDC_CLIENT_SECRET": "kept",
}
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
    ("gatehouse.E003", {"SECRET_KEY_FILE": "NOT-UTF-8"}),
    ("gatehouse.E001", {"SIGN_UP_OPEN": "maybe"}),
    ("gatehouse.E002", {"TRUSTED_PROXY_COUNT": "-3"}),
    ("gatehouse.E002", {"TRUSTED_PROXY_COUNT": "one"}),
    ("gatehouse.E002", {"USAGE_RECORD_DAYS": "0"}),
    ("gatehouse.E004", {"DATABASE_URL": "postgres://u:p@host:port/name"}),
    ("gatehouse.E004", {"DATABASE_URL": "nonsense"}),
    ("gatehouse.E004", {"DATABASE_URL": "mysql://u:p@host/name"}),
    ("gatehouse.E004", {"DATABASE_URL": "postgres://u:p@host"}),
    ("gatehouse.E004", {"REDIS_URL": "foo"}),
    ("gatehouse.E004", {"REDIS_URL": "redis://host:port/0"}),
    ("gatehouse.E004", {"EMAIL_URL": "foo://x"}),
    ("gatehouse.E004", {"EMAIL_URL": "smtp://host:port"}),
    ("gatehouse.E004", {"PORTAL_URL": "portal.example"}),
    ("gatehouse.E004", {"PORTAL_URL": "https://portal.example/below"}),
    ("gatehouse.E004", {"PORTAL_URL": "https://portal.example:port"}),
    ("gatehouse.E004", {**OIDC, "OIDC_SERVER_URL": "sign-in.example"}),
    ("gatehouse.E004", {**OIDC, "OIDC_SERVER_URL": "http://sign-in.example"}),
    ("gatehouse.E005", {"UPSTREAM_NETWORKS": "10.0.0.0/99"}),
    ("gatehouse.E005", {"UPSTREAM_NETWORKS": "10.0.0.1/8"}),
    ("gatehouse.E005", {"OIDC_NETWORKS": "intranet"}),
    ("gatehouse.E006", {"REST_RATE": "fast"}),
    ("gatehouse.E006", {"REST_RATE": "0/min"}),
    ("gatehouse.E007", {"LOG_LEVEL": "loud"}),
    ("gatehouse.E009", {"GATEHOUSE_AWS_PREFIX": "Gate-House"}),
    ("gatehouse.E009", {"GATEHOUSE_AWS_PRINCIPAL": "arn:aws:s3:::bucket"}),
    ("gatehouse.E008", {"OIDC_SERVER_URL": "https://sign-in.example"}),
    ("gatehouse.E008", {**OIDC, "OIDC_CLIENT_SECRET": ""}),
    ("gatehouse.E015", {"DATABASE_URL": ""}),
    ("gatehouse.E016", {"REDIS_URL": ""}),
    ("gatehouse.E020", {"DEBUG": "1"}),
    ("gatehouse.E021", {"ALLOWED_HOSTS": "*"}),
]
COMMANDS = {
    "web": ["-m", "gunicorn", "portal.wsgi", "--bind", "127.0.0.1:0", "--workers", "1"],
    "worker": ["-m", "celery", "-A", "portal", "worker", "--pool", "solo", "--without-gossip"],
    "beat": ["-m", "celery", "-A", "portal", "beat", "-s", f"{tempfile.gettempdir()}/gatehouse-never"],
}


def start(command: list[str], changes: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a part with sound settings except for `changes`, outside of the embedded default."""
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT, env=environment_with(changes), capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip


def environment_with(changes: dict[str, str]) -> dict[str, str]:
    """Sound settings except for `changes`, outside of the embedded default."""
    sound = {
        "SECRET_KEY": "kR7v2m9Qx7Lp4Zt1Rw6Yb3Nc5Hd0Jf8Gs2Ak9Ue4Xo7Ti1Mq6Vr3",
        "GATEHOUSE_MASTER_KEYS": GOOD_KEYS,
        "DATABASE_URL": "postgres://gatehouse:secret@db.example/gatehouse",
        "REDIS_URL": "redis://cache.example:6379/0",
        "PORTAL_URL": "https://portal.example",
    }
    given = {name: value for name, value in os.environ.items() if not name.endswith(("_URL", "_FILE"))}
    embedded = {"GATEHOUSE_EMBEDDED": "0", "DEBUG": "0", "DJANGO_SETTINGS_MODULE": "portal.settings"}
    return {**given, **sound, **embedded, **changes}


SEVERAL = """
import contextlib, io, json, os, subprocess, sys
import botocore.session, celery, httpx, jsonschema  # heavy, and none of them reads our settings
from django.core.management import call_command

def check(changes):
    os.environ.update(changes)
    import django
    django.setup()
    call_command("check")

for number, changes in enumerate(json.loads(sys.stdin.read())):
    sys.stdout.flush()
    child = os.fork()  # the interpreter with Django loaded is forked, so that each case costs little
    if child == 0:
        code, said = 0, io.StringIO()
        with contextlib.redirect_stderr(said):
            try:
                check(changes)
            except BaseException as error:
                code, _ = 1, said.write(f"{type(error).__name__}: {error}")
        os.write(1, (json.dumps([number, code, said.getvalue()]) + "\\n").encode())
        os._exit(0)
    os.waitpid(child, 0)
"""


@pytest.fixture(scope="module")
def findings(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[int, str]]:
    """For each case of WRONG: whether the check failed, and what it said."""
    odd = tmp_path_factory.mktemp("secrets") / "odd"
    odd.write_bytes(b"\xff\xfe" * 40)
    cases = [{name: str(odd) if value == "NOT-UTF-8" else value for name, value in changes.items()}
             for _code, changes in WRONG]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", SEVERAL], input=json.dumps(cases), cwd=ROOT, env=environment_with({}),
        capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row[0] for row in rows] == list(range(len(WRONG))), done.stderr
    return [(row[1], row[2]) for row in rows]


@pytest.mark.parametrize("number", range(len(WRONG)), ids=[f"{code} {min(c)}" for code, c in WRONG])
def test_the_check_names_what_is_wrong_and_the_cure(findings: list[tuple[int, str]], number: int) -> None:
    (identifier, changes), (failed, said) = WRONG[number], findings[number]
    assert failed
    assert said.startswith("SystemCheckError"), said
    assert identifier in said
    assert "HINT" in said
    assert not any(
        len(value) > 8 and value in said for name, value in changes.items() if name == "DATABASE_URL"
    )


def test_every_id_is_in_the_documents() -> None:
    listed = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    code = "".join((ROOT / "portal" / name).read_text(encoding="utf-8") for name in SOURCES)
    ids = set(re.findall(r"gatehouse\.([EW]\d{3})", code))
    assert ids
    assert {one for one in ids if f"`{one}`" not in listed} == set()


@pytest.mark.parametrize(
    "changes", [{"DATABASE_URL": "postgres://u:p@host:port/name"}, {"LOG_LEVEL": "loud"}]
)
def test_the_web_says_a_sentence_and_no_traceback(changes: dict[str, str]) -> None:
    done = start(["-c", "import portal.wsgi"], changes)
    assert done.returncode != 0
    assert "gatehouse.E00" in done.stderr
    assert "Traceback" not in done.stderr


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
