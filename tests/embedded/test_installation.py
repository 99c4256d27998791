"""What the parts are given: one environment for the portal, less for all others."""

from __future__ import annotations

import asyncio
import io
import os
import socket
from pathlib import Path

import pytest

from embedded import report, running
from embedded.console import Console
from embedded.failure import CannotRun
from embedded.installation import GATEWAYS, LocalGateway, make_installation
from embedded.keyring import MAKERS
from embedded.layout import Layout, make_directories
from embedded.parts import Parts
from embedded.probes import connects
from embedded.supervisor import Supervisor


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / "var")
    make_directories(made)
    return made


@pytest.mark.parametrize("gateway", GATEWAYS, ids=lambda gateway: gateway.kind)
def test_an_agent_gets_its_token_and_no_secret_of_the_portal(layout: Layout, gateway: LocalGateway) -> None:
    one = make_installation(layout, {"PATH": os.defpath})
    agent = one.agent_environment(gateway)
    assert agent["GATEHOUSE_AGENT_TOKEN"] == one.keyring[gateway.token]
    others = set(MAKERS) - {gateway.token}
    secrets = {one.keyring[name] for name in others}
    assert not secrets & set(agent.values())
    assert not {"DATABASE_URL", "REDIS_URL"} & set(agent)
    assert not {one.keyring[name] for name in MAKERS} & set(one.plain_environment().values())


def test_an_external_server_replaces_the_embedded_one(layout: Layout) -> None:
    given = {
        "DATABASE_URL": "postgres://db.example/gatehouse",
        "REDIS_URL_FILE": "/run/secrets/redis",
        "GATEHOUSE_AGENT_URL": "https://edge.example:9100",
    }
    one = make_installation(layout, given)
    assert (one.postgres, one.redis, one.runs_agent) == (None, None, False)
    environment = one.portal_environment()
    assert environment["DATABASE_URL"] == "postgres://db.example/gatehouse"
    assert "DATABASE_OWNER_URL" not in environment
    assert "REDIS_URL" not in environment
    assert {port.setting for port in one.ports_in_use()} == {
        "PORTAL_PORT",
        "SAMPLE_ORDERS_PORT",
        "SAMPLE_WEATHER_PORT",
        "TOY_MODEL_PORT",
        "ECHO_MODEL_PORT",
        "AWS_PORT",
    }


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"DATABASE_URL": "postgres://app", "DATABASE_OWNER_URL": "postgres://owner"}, "postgres://owner"),
        ({"DATABASE_URL": "postgres://app"}, "postgres://app"),
        ({"DATABASE_URL_FILE": "/a", "DATABASE_OWNER_URL": "postgres://owner"}, "postgres://owner"),
    ],
)
def test_migrations_run_as_the_owner(layout: Layout, given: dict[str, str], expected: str) -> None:
    environment = make_installation(layout, given).owner_environment()
    assert environment["DATABASE_URL"] == expected
    assert "DATABASE_URL_FILE" not in environment


def test_the_embedded_portal_migrates_as_owner_and_runs_as_app(layout: Layout) -> None:
    one = make_installation(layout, {})
    assert "gatehouse_app:" in one.portal_environment()["DATABASE_URL"]
    assert "gatehouse_owner:" in one.owner_environment()["DATABASE_URL"]


def test_the_portals_address_follows_its_port_and_host(layout: Layout) -> None:
    moved = make_installation(layout, {"PORTAL_PORT": "8800", "GATEWAY_PORT": "8880"})
    assert moved.portal_url == "http://localhost:8800"
    assert moved.gateway_url("GATEWAY_PORT") == "http://localhost:8880"
    given = {"PORTAL_URL": "https://portal.example.com", "PORTAL_BIND": "0.0.0.0"}
    public = make_installation(layout, given)
    assert "portal.example.com" in public.portal_environment()["ALLOWED_HOSTS"].split(",")
    assert public.inner_portal_url == "http://127.0.0.1:8000"
    assert public.gateway_url("GATEWAY_PORT") == "http://portal.example.com:8080"


def test_another_s_agent_needs_a_token_that_both_sides_know(layout: Layout, tmp_path: Path) -> None:
    elsewhere = {"GATEHOUSE_AGENT_URL": "https://edge.example:9100"}
    with pytest.raises(CannotRun, match="GATEHOUSE_AGENT_TOKEN is not set"):
        make_installation(layout, elsewhere).refuse_agent_without_token()
    token = tmp_path / "token"
    token.write_text("t" * 40)
    for known in ({"GATEHOUSE_AGENT_TOKEN": "t" * 40}, {"GATEHOUSE_AGENT_TOKEN_FILE": str(token)}):
        one = make_installation(layout, {**elsewhere, **known})
        one.refuse_agent_without_token()
        assert one.gateway_url("GATEWAY_PORT") == "http://edge.example:8080", "callers go to the agent's host"
    make_installation(layout, {}).refuse_agent_without_token()


def test_a_part_is_asked_at_the_address_on_which_it_listens(layout: Layout) -> None:
    binds = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "192.0.2.7": "192.0.2.7", "::1": "::1"}
    assert {b: make_installation(layout, {"PORTAL_BIND": b}).inner_host for b in binds} == binds
    with socket.create_server(("127.0.0.2", 0)) as server:
        port = server.getsockname()[1]
        assert connects("127.0.0.2", port)
        assert not connects("127.0.0.1", port)


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL"])
def test_an_address_from_a_file_is_checked_like_any_other(layout: Layout, tmp_path: Path, name: str) -> None:
    address = tmp_path / "address"
    address.write_text(
        {"DATABASE_URL": "postgres://u:p@127.0.0.1:1/x", "REDIS_URL": "redis://127.0.0.1:1/0"}[name]
    )
    given = {"DATABASE_URL": os.environ["DATABASE_URL"], "REDIS_URL": os.environ["REDIS_URL"]}
    one = make_installation(layout, {**given, name: "", f"{name}_FILE": str(address)})

    async def start() -> None:
        async with Supervisor(Console(io.StringIO())) as supervisor:
            await running._start_servers(supervisor, one, Parts(one, 0))

    with pytest.raises(CannotRun, match=f"{name} does not answer"):
        asyncio.run(start())


def test_the_password_is_said_to_hold_only_for_whom_it_lets_in() -> None:
    lines = ["alice@example.test  owns", f"bob@example.test  develops  {report.OTHER_PASSWORD}"]
    assert "all with the password sesame" in report._sign_ins_title(lines[:1], "sesame")
    assert "where nothing else is said" in report._sign_ins_title(lines, "sesame")
    assert "another password" in report._sign_ins_title(lines[1:], "sesame")
    assert "sesame" not in report._sign_ins_title(lines[1:], "sesame")


def test_tests_are_told_nothing_about_parts_that_do_not_run(layout: Layout) -> None:
    environment = make_installation(layout, {"AGENT_PORT": "9999"}).test_environment()
    absent = {"GATEHOUSE_AGENT_URL", "GATEHOUSE_AGENT_TOKEN", "GATEHOUSE_DEMO_PASSWORD", "PORTAL_PORT"}
    assert not absent & set(environment)
    assert environment["AGENT_PORT"] == "9999", "what a person sets stays"
    assert "gatehouse_owner:" in environment["DATABASE_URL"]
