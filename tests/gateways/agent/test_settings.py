"""An agent starts with good settings or not at all (T23, T24)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateways.agent.settings import SettingsError, read_settings

TOKEN = "0123456789abcdefghijklmnopqrstuvwxyz"


def test_the_defaults_keep_to_this_machine() -> None:
    settings = read_settings({"GATEHOUSE_AGENT_TOKEN": TOKEN})
    assert (settings.listen_host, settings.listen_port) == ("127.0.0.1", 9100)
    assert settings.admin == f"unix:{Path('var/agent/admin.sock').absolute()}"
    assert settings.agent_url == "http://127.0.0.1:9100"


def test_the_token_can_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    assert read_settings({"GATEHOUSE_AGENT_TOKEN_FILE": str(tmp_path / "token")}).token == TOKEN


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({}, "GATEHOUSE_AGENT_TOKEN"),
        ({"GATEHOUSE_AGENT_TOKEN": "changeme"}, "GATEHOUSE_AGENT_TOKEN"),
        ({"GATEHOUSE_AGENT_TOKEN": "a" * 40}, "GATEHOUSE_AGENT_TOKEN"),
        ({"GATEHOUSE_AGENT_TOKEN_FILE": "/nowhere"}, "GATEHOUSE_AGENT_TOKEN_FILE"),
        ({"GATEHOUSE_AGENT_TOKEN": TOKEN, "GATEHOUSE_ENVOY_ADMIN": "0.0.0.0:9901"}, "GATEHOUSE_ENVOY_ADMIN"),
        ({"GATEHOUSE_AGENT_TOKEN": TOKEN, "GATEHOUSE_ENVOY_ADMIN": "unix:admin"}, "GATEHOUSE_ENVOY_ADMIN"),
        ({"GATEHOUSE_AGENT_TOKEN": TOKEN, "GATEHOUSE_AGENT_STATE": "/" + "x" * 99}, "GATEHOUSE_ENVOY_ADMIN"),
        ({"GATEHOUSE_AGENT_TOKEN": TOKEN, "GATEHOUSE_AGENT_LISTEN": "9100"}, "GATEHOUSE_AGENT_LISTEN"),
        ({"GATEHOUSE_AGENT_TOKEN": TOKEN, "GATEHOUSE_AGENT_LISTEN": "0.0.0.0:9100"}, "TLS_CERTIFICATE"),
        ({"GATEHOUSE_AGENT_TOKEN": TOKEN, "GATEHOUSE_NODE_NAME": "a b"}, "GATEHOUSE_NODE_NAME"),
        ({"GATEHOUSE_AGENT_TOKEN": TOKEN, "GATEHOUSE_PORTAL_URL": "portal"}, "GATEHOUSE_PORTAL_URL"),
        ({"GATEHOUSE_AGENT_TOKEN": TOKEN, "GATEHOUSE_AGENT_SPOOL_MB": "x"}, "GATEHOUSE_AGENT_SPOOL_MB"),
    ],
)
def test_a_bad_setting_is_named_t23(environment: dict[str, str], named: str) -> None:
    """T23, T24."""
    with pytest.raises(SettingsError, match=named):
        read_settings(environment)


def test_the_program_does_not_start_without_a_token_t23() -> None:
    """T23: exit code and sentence, no traceback."""
    root = Path(__file__).resolve().parents[3]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(root), "GATEHOUSE_AGENT_TOKEN": "short"}
    ended = subprocess.run(
        [sys.executable, "-m", "gateways.agent"], env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith("The agent does not start. GATEHOUSE_AGENT_TOKEN")
    assert "short\n" not in ended.stderr
    assert "Traceback" not in ended.stderr
