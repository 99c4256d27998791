"""The one table of a running system, and who can sign in."""

from __future__ import annotations

import asyncio
import shlex
import time
from pathlib import Path

from embedded import aws_server, toy_server
from embedded.console import Console, Row
from embedded.installation import GATEWAYS, Installation, LocalGateway
from embedded.parts import Parts
from embedded.steps import sign_ins_file

OTHER_PASSWORD = "(another password)"  # noqa: S105 - what `seed_demo --look` says of whom it does not let in
PROMPT = "/shop/ticket-triage/v1/"
"""Where `portal/demo_ai.py` publishes its prompt."""
GATEWAY_WAIT_S = 15.0
"""How long the first push to the gateway is waited for, before the table says that it is still to come."""


async def first_push(console: Console, installation: Installation, parts: Parts) -> None:
    """Wait for a while until the gateways have their first configuration."""
    if installation.runs_agent:
        console.working("waiting for the first configuration of the gateways")
        await _first_push(parts)
        console.working("")


async def show(console: Console, installation: Installation, parts: Parts) -> None:
    """Print where everything is."""
    console.table([*_portal(installation), *_gateway(installation, parts), *_servers(installation)])
    _show_agent_elsewhere(console, installation)
    _show_sign_ins(console, installation)
    _show_prompt(console, installation)
    console.say()
    console.say("Running. Ctrl-C stops everything; the data stays.", tone="strong")


async def _first_push(parts: Parts) -> None:
    deadline = time.monotonic() + GATEWAY_WAIT_S
    fronts = [one for one in GATEWAYS if one.kind != "ai_runtime"]
    while not all(parts.gateway_listens(one.port) for one in fronts) and time.monotonic() < deadline:
        await asyncio.sleep(0.25)


def _portal(one: Installation) -> list[Row]:
    return [
        Row("portal", one.portal_url, "ready"),
        Row("REST API", f"{one.portal_url}/api/v1/docs/", "ready"),
        Row("worker, beat", "-", "ready"),
    ]


def _gateway(one: Installation, parts: Parts) -> list[Row]:
    if not one.runs_agent:
        return [Row("agent", one.agent_url, "external")]
    return [row for gateway in GATEWAYS for row in _rows_of(one, parts, gateway)]


def _rows_of(one: Installation, parts: Parts, gateway: LocalGateway) -> list[Row]:
    rows = []
    for environment, setting in (("production", gateway.port), ("sandbox", gateway.sandbox_port)):
        serves = parts.gateway_listens(setting)
        state, tone = ("ready", "good") if serves else ("opens with the first publication", "note")
        rows.append(Row(f"{gateway.slug}, {environment}", one.gateway_url(setting), state, tone))
    return [*rows, Row(f"{gateway.slug}, agent", f"http://127.0.0.1:{one.port(gateway.agent_port)}", "ready")]


def _servers(one: Installation) -> list[Row]:
    samples = [
        Row(f"sample {name}", f"http://127.0.0.1:{one.port(f'SAMPLE_{name.upper()}_PORT')}", "ready")
        for name in ("orders", "weather")
    ]
    samples += [
        Row(f"{name} model", f"http://127.0.0.1:{one.port(f'{name.upper()}_MODEL_PORT')}/v1", "ready")
        for name in (("toy", "echo") if toy_server.is_there() else ("echo",))
    ]
    if aws_server.is_there():
        samples.append(Row("simulated AWS", one.aws_url, "ready; nothing of it is Amazon's"))
    database = _shown(one.postgres.socket_directory if one.postgres else None, "DATABASE_URL")
    broker = _shown(one.redis.socket if one.redis else None, "REDIS_URL")
    mail = Row(
        "mail", "EMAIL_URL" if one.given.get("EMAIL_URL") else _near(one.layout.state / "mail"), "files"
    )
    if one.given.get("EMAIL_URL"):
        mail = Row("mail", "EMAIL_URL", "external")
    logs = Row("logs", _near(one.layout.logs), "files")
    return [*samples, Row("PostgreSQL", *database), Row("Redis", *broker), mail, logs]


def _shown(path: Path | None, setting: str) -> tuple[str, str]:
    return (str(path), "ready") if path else (setting, "external")


def _near(path: Path) -> str:
    """`path` as seen from the working directory where that is shorter."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _show_sign_ins(console: Console, one: Installation) -> None:
    said = sign_ins_file(one)
    lines = said.read_text(encoding="utf-8").splitlines() if said.exists() else []
    if lines:
        console.block(_sign_ins_title(lines, one.keyring["GATEHOUSE_DEMO_PASSWORD"]), lines)


def _show_prompt(console: Console, one: Installation) -> None:
    """A call of the demo's prompt, ready to be copied: its key is read from where `seed_demo` keeps it."""
    kept = one.layout.secrets / "demo_prompt_key"
    if not kept.exists():
        return
    console.block(
        "Ask a model of this machine, as Dana's application; it is a toy that sorts short support tickets",
        [
            f'curl {one.gateway_url("GATEWAY_PORT")}{PROMPT} -H "X-Api-Key: $(cat {shlex.quote(_near(kept))})" \\',
            """  --json '{"ticket": "My parcel has not arrived. This is urgent!", "channel": "chat"}'""",
        ],
    )


def _sign_ins_title(lines: list[str], password: str) -> str:
    """What is true of `password`: `seed_demo` marks whom it does not let in."""
    others = [line for line in lines if line.endswith(OTHER_PASSWORD)]
    if not others:
        return f"Demo sign-ins, all with the password {password}"
    if len(others) < len(lines):
        return f"Demo sign-ins, with the password {password} where nothing else is said"
    return "Demo sign-ins. They were made with another password than GATEHOUSE_DEMO_PASSWORD or var/secrets has now"


def _show_agent_elsewhere(console: Console, one: Installation) -> None:
    """What the one who runs the agent must set, so that both sides find each other."""
    if one.runs_agent:
        return
    console.block(
        f"The agent at {one.agent_url} must be started with",
        [
            f"GATEHOUSE_PORTAL_URL={one.portal_url}   (reachable from there: see PORTAL_BIND and PORTAL_URL)",
            f"GATEHOUSE_AGENT_URL={one.agent_url}",
            "GATEHOUSE_AGENT_TOKEN   the same as here",
            f"its Envoy serves production on {one.port('GATEWAY_PORT')}, sandbox on {one.port('GATEWAY_SANDBOX_PORT')}",
        ],
    )
