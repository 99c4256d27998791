"""Health: what each process answers, and that the answers tell nothing about the inside."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from pytest_django.live_server_helper import LiveServer

from portal import health
from portal.heart import beat_heart

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _not_looked_yet() -> Iterator[None]:
    health._seen = health._Seen(float("-inf"), applied=False)
    yield
    health._seen = health._Seen(float("-inf"), applied=False)


@pytest.fixture
def role() -> ModuleType:
    """scripts/role as a module."""
    loader = SourceFileLoader("role", str(ROOT / "scripts" / "role"))
    spec = importlib.util.spec_from_loader("role", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_alive_needs_no_database() -> None:
    """Without the mark that opens the database to a test, any query fails."""
    answer = Client().get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.django_db
def test_ready_when_database_and_migrations_are() -> None:
    answer = Client().get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ready", "database": True, "migrations": True, "broker": True}
    assert Client().post("/readyz").status_code == 405


@pytest.mark.django_db
def test_a_missing_migration_is_not_ready_and_not_named() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM django_migrations WHERE name ="
            " (SELECT max(name) FROM django_migrations WHERE app = 'usage') AND app = 'usage'"
        )
    answer = Client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["migrations"] is False
    assert b"usage" not in answer.content


@pytest.mark.django_db
def test_a_lost_broker_is_told_and_does_not_stop_calls(settings: Any) -> None:
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}}
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()["broker"]) == (200, False)


def test_a_lost_database_is_not_ready(monkeypatch: pytest.MonkeyPatch, django_db_blocker: Any) -> None:
    with django_db_blocker.unblock():
        monkeypatch.setitem(connection.settings_dict, "HOST", "127.0.0.1")
        monkeypatch.setitem(connection.settings_dict, "PORT", "1")
        connection.close()
        answer = Client().get("/readyz")
        connection.close()
    assert answer.status_code == 503
    assert answer.json()["database"] is False
    assert b"127.0.0.1" not in answer.content


@pytest.mark.parametrize("name", ["worker", "beat"])
def test_a_heart_that_stands_still_is_noticed(
    name: str, role: ModuleType, settings: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.STATE_DIR = tmp_path
    environment = {"GATEHOUSE_STATE": str(tmp_path)}
    assert role.health(name, environment) == 1
    beat_heart(name)
    assert role.health(name, environment) == 0
    long_ago = time.time() - 2 * role.HEART_LIMIT_S
    os.utime(tmp_path / "health" / name / "heart", (long_ago, long_ago))
    assert role.health(name, environment) == 1
    assert "stands still since 120 seconds" in capsys.readouterr().out


@pytest.mark.django_db(transaction=True)
def test_the_command_asks_web_as_a_proxy_would(role: ModuleType, live_server: LiveServer) -> None:
    bind = live_server.url.removeprefix("http://")
    port = bind.rpartition(":")[2]
    environment = {"WEB_BIND": f"0.0.0.0:{port}", "PORTAL_URL": live_server.url}
    assert role.health("web", environment) == 0
    assert role.health("web", {**environment, "WEB_BIND": "127.0.0.1:1"}) == 1
    assert role.health("agent", {"GATEHOUSE_AGENT_LISTEN": "127.0.0.1:1"}) == 1
    assert role.health("nobody", {}) == 2


def test_an_address_is_reached_from_inside(role: ModuleType) -> None:
    found = [role.address(bind) for bind in ("0.0.0.0:80", "[::]:81", "127.0.0.1:82", "[::1]:83", ":84")]
    assert found == [
        ("127.0.0.1", 80), ("[::1]", 81), ("127.0.0.1", 82), ("[::1]", 83), ("127.0.0.1", 84),
    ]  # fmt: skip
