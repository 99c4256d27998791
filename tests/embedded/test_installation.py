"""What the parts are given: one environment for the portal, less for all others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from embedded.installation import GATEWAYS, LocalGateway, make_installation
from embedded.keyring import MAKERS
from embedded.layout import Layout, make_directories


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


def test_tests_are_told_nothing_about_parts_that_do_not_run(layout: Layout) -> None:
    environment = make_installation(layout, {"AGENT_PORT": "9999"}).test_environment()
    absent = {"GATEHOUSE_AGENT_URL", "GATEHOUSE_AGENT_TOKEN", "GATEHOUSE_DEMO_PASSWORD", "PORTAL_PORT"}
    assert not absent & set(environment)
    assert environment["AGENT_PORT"] == "9999", "what a person sets stays"
    assert "gatehouse_owner:" in environment["DATABASE_URL"]
