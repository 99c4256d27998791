"""What is done between the starts: migrate, collect static files, seed the demo once."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from pathlib import Path

from embedded import aws_server, toy_server
from embedded.installation import Installation, LocalGateway, manage
from embedded.keyring import write_private
from embedded.layout import ROOT
from embedded.process import Launch
from embedded.supervisor import Supervisor, together

STATIC_SOURCES = (ROOT / "static", ROOT / "requirements" / "run.txt")
"""When one of these changes, the static files are collected again."""


def sign_ins_file(installation: Installation) -> Path:
    """What `seed_demo` printed: the demo's sign-ins, shown at each start."""
    return installation.layout.state / "demo-sign-ins"


async def prepare_portal(supervisor: Supervisor, installation: Installation) -> None:
    """Bring the database to the newest form and the static files into place. Raises CannotRun."""
    migrate = _command(installation, "migrate", "--noinput", owner=True)
    await together(supervisor.run("migrate", migrate), collect_static(supervisor, installation))


async def collect_static(supervisor: Supervisor, installation: Installation) -> None:
    """Copy, compress and name the static files by their content, when any of them changed."""
    stamp, now = installation.layout.stamp("static"), fingerprint(*STATIC_SOURCES)
    collected = installation.layout.state / "static" / "staticfiles.json"
    if collected.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == now:
        return
    await supervisor.run("static files", _command(installation, "collectstatic", "--noinput", "--clear"))
    stamp.write_text(now, encoding="utf-8")


async def prepare_aws(installation: Installation) -> None:
    """Make Gatehouse known in the simulated AWS. Raises CannotRun."""
    if aws_server.is_there():
        from embedded.aws_account import prepare_principal  # only here: boto3 takes its time

        one, root = installation, installation.keyring["GATEHOUSE_SIMULATED_AWS_ROOT"]
        await asyncio.to_thread(prepare_principal, one.aws_url, root, one.aws_principal)


async def register_gateway(supervisor: Supervisor, installation: Installation, gateway: LocalGateway) -> None:
    """Make the portal know a gateway, at the ports and with the token of this start; also one elsewhere."""
    listeners = [
        f"--listener={environment}:{installation.port(setting)}:{installation.gateway_url(setting)}"
        for environment, setting in (("production", gateway.port), ("sandbox", gateway.sandbox_port))
    ]
    own = [f"--option=listen={installation.bind}"] if installation.runs_agent else []
    arguments = (gateway.slug, f"--name={gateway.name}", f"--kind={gateway.kind}", *own, *listeners)
    command = _command(installation, "register_gateway", *arguments)
    others = {name: v for name, v in command.environment.items() if name != "GATEHOUSE_AGENT_TOKEN_FILE"}
    environment = {**others, "GATEHOUSE_AGENT_TOKEN": installation.keyring[gateway.token]}
    await supervisor.run(f"gateway {gateway.slug}", replace(command, environment=environment))


async def seed_demo(supervisor: Supervisor, installation: Installation) -> bool:
    """Seed the demo unless it was seeded before in this state directory, or is not wanted; whether it did."""
    stamp = installation.layout.stamp("demo")
    if stamp.exists() or not installation.seeds_demo:
        return False
    said = sign_ins_file(installation)
    write_private(said, "")
    without = [] if toy_server.is_there() else ["--without-toy"]
    command = _command(installation, "seed_demo", *without, output=said)
    await supervisor.run("demo", replace(command, environment=installation.customer_environment()))
    stamp.touch()
    return True


async def start_demo_tests(supervisor: Supervisor, installation: Installation) -> None:
    """Have the test cases of the demo's prompt run, now that models can be asked."""
    await supervisor.run("demo tests", _command(installation, "seed_demo", "--start-tests"))


async def look_at_sign_ins(supervisor: Supervisor, installation: Installation) -> None:
    """Write down anew whom the password of this start lets in: it may be another one than the demo was made with."""
    if not installation.seeds_demo:
        return
    said = sign_ins_file(installation)
    write_private(said, "")
    await supervisor.run("sign-ins", _command(installation, "seed_demo", "--look", output=said))


def fingerprint(*paths: Path) -> str:
    """Changes when a file below one of `paths` is added, removed or written."""
    digest = hashlib.sha256()
    for path in paths:
        for file in sorted([path, *path.rglob("*")] if path.is_dir() else [path]):
            found = file.stat()
            if not file.is_dir():
                digest.update(f"{file}\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _command(
    installation: Installation, *arguments: str, owner: bool = False, output: Path | None = None
) -> Launch:
    return Launch(
        command=manage(*arguments),
        environment=installation.owner_environment() if owner else installation.portal_environment(),
        log=installation.layout.log(arguments[0].replace("_", "-")),
        directory=ROOT,
        output=output,
    )
