"""`run`, `test`, `exec` and `reset`: the commands, each from its checks to its end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Awaitable, Callable, Iterator, Sequence

from embedded import aws_server, report, toy_server
from embedded.console import Console
from embedded.failure import CannotRun
from embedded.installation import GATEWAYS, Installation, make_installation
from embedded.layout import CONTENTS, ROOT, Layout, layout_of, make_directories, socket_directory
from embedded.lock import held
from embedded.parts import Parts
from embedded.ports import refuse_taken
from embedded.postgres import abandoned_homes, home_of
from embedded.probes import check_external_database, check_external_redis
from embedded.steps import (
    collect_static,
    look_at_sign_ins,
    prepare_aws,
    prepare_portal,
    register_gateway,
    seed_demo,
    start_demo_tests,
)
from embedded.supervisor import Part, Supervisor, together

SLOTS = 8
"""How many `test` may run side by side in one checkout."""


def run(layout: Layout, given: dict[str, str], console: Console) -> int:
    """Start everything and keep it running until told to stop. Raises CannotRun."""
    make_directories(layout)
    with held(layout.lock) as lock, socket_directory(layout):
        installation = make_installation(layout, given)
        installation.refuse_agent_without_token()
        refuse_taken(installation.ports_in_use(), host=installation.bind)
        console.say(f"Gatehouse starts; its state is in {layout.state}", tone="strong")
        tell_of_abandoned(layout, console)
        return asyncio.run(until_told(lambda s: _run(installation, lock, console, s), console))


def tell_of_abandoned(layout: Layout, console: Console) -> None:
    """Name the databases that a checkout removed from this path left; that somebody wants one back is possible."""
    for home in abandoned_homes(layout):
        console.say(
            f"{home} is the database of an earlier checkout at this path, whose secrets went with it. "
            "Remove it when nobody wants it back.",
            tone="note",
        )


def run_tests(given: dict[str, str], command: Sequence[str], console: Console, *, bare: bool) -> int:
    """Run `command` with scratch servers and the environment of the portal; its exit code. `bare` leaves out
    the static files, which pages need.
    """
    with _free_slot(given) as (layout, lock), socket_directory(layout):
        for home in abandoned_homes(layout):
            shutil.rmtree(home, ignore_errors=True)
        installation = make_installation(layout, given, fast=True)
        return asyncio.run(until_told(lambda s: _test(installation, lock, command, s, bare=bare), console))


def execute(layout: Layout, given: dict[str, str], command: Sequence[str]) -> int:
    """Become `command`, with the environment of the running system. Raises CannotRun when none was started."""
    if not layout.secrets.is_dir():
        raise CannotRun(f"There is nothing in {layout.state} yet. Run: make run")
    environment = make_installation(layout, given).portal_environment()
    os.execvpe(command[0], list(command), environment)  # noqa: S606  that is what was asked for


def reset(layout: Layout, console: Console) -> int:
    """Remove what we keep in the state directory, and nothing else there. Raises CannotRun while it is in use."""
    if not any((layout.state / name).exists() for name in CONTENTS):
        console.say("There is nothing to drop.")
        return 0
    with held(layout.lock, wait=5.0):
        _remove(layout)
    console.say(f"Dropped all data in {layout.state}.")
    return 0


async def _run(installation: Installation, lock: int, console: Console, supervisor: Supervisor) -> int:
    parts = Parts(installation, lock)
    beside = [parts.sample("orders"), parts.sample("weather"), *parts.models(), *parts.aws()]
    _tell_of_absent(console)
    if installation.budgets and installation.runs_agent:
        installation.budgets.prepare()
        beside.append(parts.redis("Redis for budgets", installation.budgets))
    await _start_servers(supervisor, installation, parts, *beside)
    await prepare_aws(installation)
    await prepare_portal(supervisor, installation)
    # One elsewhere is known to the portal too, as the first.
    gateways = GATEWAYS if installation.runs_agent else GATEWAYS[:1]
    await together(*(register_gateway(supervisor, installation, gateway) for gateway in gateways))
    seeded = await seed_demo(supervisor, installation)
    (installation.layout.state / "beat").mkdir(exist_ok=True)
    agents = [parts.agent(gateway) for gateway in GATEWAYS if installation.runs_agent]
    # Two groups, so that the agents can still hand their last usage over to web when all of it ends.
    await together(
        supervisor.start(parts.web()),
        supervisor.start(parts.worker(), parts.beat(), *agents),
        *([] if seeded else [look_at_sign_ins(supervisor, installation)]),
    )
    await report.first_push(console, installation, parts)
    if seeded:
        await start_demo_tests(supervisor, installation)
    await report.show(console, installation, parts)
    await supervisor.watch()
    return 0


def _tell_of_absent(console: Console) -> None:
    if not toy_server.is_there():
        console.say(
            "The toy model is left out: xllamacpp has no wheel for this platform. The echo model answers.",
            tone="note",
        )
    if not aws_server.is_there():
        console.say("The simulated AWS is left out: it is not installed. Run: make run", tone="note")


async def _test(
    installation: Installation, lock: int, command: Sequence[str], supervisor: Supervisor, *, bare: bool
) -> int:
    await _start_servers(supervisor, installation, Parts(installation, lock))
    if not bare:
        await collect_static(supervisor, installation)
    environment = {
        **installation.test_environment(),
        "PYTHONPATH": str(ROOT),
        "PYTEST_PLUGINS": "embedded.redis_per_worker",
    }
    # In our own group and on our own terminal, so that colours and Ctrl-C are as usual.
    process = await asyncio.create_subprocess_exec(*command, env=environment)
    try:
        return await process.wait()
    except asyncio.CancelledError:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        await process.wait()
        raise


async def _start_servers(
    supervisor: Supervisor, installation: Installation, parts: Parts, *beside: Part
) -> None:
    """PostgreSQL first, since its first start makes the database; `beside` are started together with Redis."""
    if installation.postgres:
        installation.postgres.prepare()
        await supervisor.start(parts.postgres())
        await asyncio.to_thread(installation.postgres.settle)
    elif url := installation.keyring.given("DATABASE_URL"):
        await asyncio.to_thread(check_external_database, url)
    if installation.redis:
        installation.redis.prepare()
    elif url := installation.keyring.given("REDIS_URL"):
        await asyncio.to_thread(check_external_redis, url)
    broker = [parts.redis("Redis", installation.redis)] if installation.redis else []
    await supervisor.start(*broker, *beside)


async def until_told(work: Callable[[Supervisor], Awaitable[int]], console: Console) -> int:
    """Do `work` until it ends or a signal comes: then end all parts. A second signal ends them at once.

    0 when it was told to stop.
    """
    task = asyncio.current_task()
    assert task is not None  # noqa: S101  we are in one
    supervisor, told = Supervisor(console), asyncio.Event()

    def stop() -> None:
        if told.is_set():
            supervisor.hurry()
            return
        told.set()
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    try:
        async with supervisor:
            return await work(supervisor)
    except asyncio.CancelledError:
        if not told.is_set():
            raise
        return 0


@contextlib.contextmanager
def _free_slot(given: dict[str, str]) -> Iterator[tuple[Layout, int]]:
    """The first state directory for tests that nobody uses: var/test, var/test-2 and so on."""
    base = layout_of(given, default=ROOT / "var" / "test").state
    for number in range(1, SLOTS + 1):
        layout = Layout(base if number == 1 else base.with_name(f"{base.name}-{number}"))
        make_directories(layout)
        with contextlib.ExitStack() as stack:
            try:
                lock = stack.enter_context(held(layout.lock, wait=0 if number < SLOTS else 20.0))
            except CannotRun:
                continue
            yield layout, lock
            return
    raise CannotRun(f"{SLOTS} test runs are under way in {base.parent} already. Wait for one of them.")


def _remove(layout: Layout) -> None:
    home = home_of(layout, as_root=True) if (layout.state / "postgres-home").exists() else None
    if home is not None and home.name.startswith("gatehouse-"):
        shutil.rmtree(home, ignore_errors=True)
    for path in (layout.state / name for name in CONTENTS):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
