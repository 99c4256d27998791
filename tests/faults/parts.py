"""A portal of real processes that a test may kill: PostgreSQL, Redis, web, workers, beat, as production runs them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import httpx
import psycopg
from celery import current_app
from django.conf import settings
from django.db import connections
from django.test import override_settings
from kombu import pools

from embedded.keyring import Keyring
from embedded.layout import ROOT, Layout, make_directories, make_private
from embedded.postgres import ADMIN, APP, DATABASE, OWNER, PORT, Postgres, make_postgres
from embedded.process import Launch
from embedded.redis_server import Redis, answers
from gateways.actions import ringing
from tests.embedded.conftest import remove_outside
from tests.gateways.gateway_node import free_port

PATIENCE_S = 60.0
START_S = 180.0
KEPT_COMMITS = ("-c", "synchronous_commit=on")
"""The scratch server gives up safety against a crash of the machine, never against a crash of its own."""


def until[T](question: Callable[[], T], what: str | Callable[[], str], seconds: float = PATIENCE_S) -> T:
    """Ask until the answer is true, and give it. Fails with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"{what if isinstance(what, str) else what()}: not within {seconds:.0f} s")
        time.sleep(0.02)


@dataclass
class Part:
    """One process in a group of its own. `ready` is asked after each start."""

    name: str
    launch: Callable[[], Launch]
    ready: Callable[[], bool]
    stop_signal: signal.Signals = signal.SIGTERM
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it is ready."""
        self.begin()
        until(self.is_ready, f"{self.name} is ready", START_S)

    def begin(self) -> None:
        """Start it and wait for nothing."""
        launch, account = self.launch(), self.launch().account
        with launch.log.open("ab") as log:
            self.process = subprocess.Popen(
                launch.command,
                env=dict(launch.environment),
                cwd=launch.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                process_group=0,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
            )

    def is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"{self.name} has ended:\n{self.said()}"
        return self.ready()

    def said(self) -> str:
        """The end of its log."""
        return self.launch().log.read_text(errors="replace")[-3_000:]

    @contextlib.contextmanager
    def held_up(self, at_rest: Callable[[], bool]) -> Iterator[None]:
        """All of it stands still within, as on a machine that is far too busy; `at_rest` is asked once it does.

        Where it is not, it goes on for a moment and is held up anew: a transaction left open holds up everybody.
        """
        assert self.process is not None
        until(lambda: self._stands_still(at_rest), f"{self.name} is held up at rest")
        try:
            yield
        finally:
            os.killpg(self.process.pid, signal.SIGCONT)

    def _stands_still(self, at_rest: Callable[[], bool]) -> bool:
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGSTOP)
        if at_rest():
            return True
        os.killpg(self.process.pid, signal.SIGCONT)
        return False

    def kill(self) -> None:
        """End it and all that it started, at once: kill -9."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it as a supervisor would."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(self.stop_signal)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(20)
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self.process is None:
            return
        children = _children(self.process.pid)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, how)
        for pid in children:  # those of PostgreSQL lead groups of their own, and keep the next from starting
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, how)
        self.process.wait(PATIENCE_S)
        until(lambda: not any(map(_lives, children)), f"what {self.name} started is gone")
        until(lambda: not _group_lives(self.process.pid), f"{self.name} is gone")
        self.process = None


def _children(parent: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
    return []


def _lives(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return any(_is_of(entry, group) for entry in Path("/proc").glob("[0-9]*/stat"))


def _is_of(stat: Path, group: int) -> bool:
    """Whether it is a process of the group that has not ended; nobody may wait for an orphan at once."""
    with contextlib.suppress(OSError):
        state, _parent, its_group, *_rest = stat.read_text().rpartition(")")[2].split()
        return int(its_group) == group and state not in "ZX"
    return False


@dataclass
class Portal:
    """The parts, and the place of the orders that failpoints obey."""

    layout: Layout
    postgres_server: Postgres
    redis_server: Redis
    port: int = field(default_factory=free_port)
    workers: list[Part] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.orders.mkdir(exist_ok=True)
        (self.layout.state / "beat").mkdir(exist_ok=True)
        (self.layout.state / "static").symlink_to(settings.STATIC_ROOT)
        self.postgres = Part("PostgreSQL", self._launch_postgres, self._database_answers, signal.SIGINT)
        self.redis = Part(
            "Redis", self.redis_server.launch, lambda: answers(self.redis_server.socket), signal.SIGTERM
        )
        self.web = Part("web", self._launch_web, self._web_answers)
        self.beat = Part("beat", lambda: self._celery("beat", "beat", "--pidfile", ""), lambda: True)
        self.workers.append(self.make_worker("worker"))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def orders(self) -> Path:
        return self.layout.state / "failpoints"

    @property
    def worker(self) -> Part:
        return self.workers[0]

    @property
    def parts(self) -> list[Part]:
        """In the order in which they are started."""
        return [self.postgres, self.redis, self.web, *self.workers, self.beat]

    @property
    def environment(self) -> dict[str, str]:
        """What web, workers and beat are given: production's role in the database, the keys of this test run."""
        without = ("DATABASE_", "PYTEST_", "GATEHOUSE_STATE")
        ours = {name: value for name, value in os.environ.items() if not name.startswith(without)}
        return {
            **ours,
            "DATABASE_URL": self.postgres_server.url(APP),
            "REDIS_URL": self.redis_server.url,
            "GATEHOUSE_STATE": str(self.layout.state),
            "GATEHOUSE_EMBEDDED": "1",
            "GATEHOUSE_FAILPOINTS": str(self.orders),
            "PORTAL_URL": self.url,
            "ALLOWED_HOSTS": "127.0.0.1",
            "EMAIL_URL": f"filemail://{quote(str(self.layout.state / 'mail'))}",
            "REST_RATE": "1000000/min",
            "DJANGO_SETTINGS_MODULE": "portal.settings",
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "LOG_LEVEL": "INFO",
        }

    def start(self) -> None:
        """Start everything but beat, on a fresh database."""
        self.postgres_server.prepare()
        self.postgres.start()
        self.postgres_server.settle()
        self.redis_server.prepare()
        self.redis.start()
        self._migrate()
        for part in (self.web, self.worker):
            part.begin()
        for part in (self.web, self.worker):
            until(part.is_ready, f"{part.name} is ready", START_S)

    def stop(self) -> None:
        """Nothing of it is needed any more."""
        for part in reversed(self.parts):
            part.kill()
        remove_outside(self.layout.state)

    def mend(self) -> None:
        """Start whatever a test has left dead, and forget the orders that nobody met."""
        for path in self.orders.iterdir():
            path.unlink()
        self.beat.kill()
        for part in (self.postgres, self.redis, self.web, self.worker):
            if part.process is None or part.process.poll() is not None:
                part.kill()
                part.start()
        for extra in self.workers[1:]:
            extra.kill()
        del self.workers[1:]
        ringing.hear_again()

    def add_worker(self) -> Part:
        """One more worker, running."""
        self.workers.append(self.make_worker(f"worker-{len(self.workers) + 1}"))
        self.workers[-1].start()
        return self.workers[-1]

    def make_worker(self, name: str) -> Part:
        arguments = ("worker", "--hostname", f"{name}@{self.layout.mark}", "--concurrency", "2")
        more = ("--queues", "push,ingest,mail,default", "--without-gossip", "--without-mingle")
        log = self.layout.log(name)
        said = [0]

        def launch() -> Launch:
            return self._celery(name, *arguments, *more)

        def ready() -> bool:
            return " ready." in log.read_text(errors="replace")[said[0] :]

        part = Part(name, launch, ready)
        begin = part.begin

        def begin_anew() -> None:
            said[0] = len(log.read_text(errors="replace")) if log.exists() else 0
            begin()

        part.begin = begin_anew  # type: ignore[method-assign]
        return part

    # ---- failpoints ----

    def order(self, place: str, what: str) -> Path:
        """Have the next process that comes by `place` do `what`; the file that is there once one has come by."""
        path = self.orders / place
        for suffix in ("", ".met", ".go"):
            path.with_name(f"{place}{suffix}").unlink(missing_ok=True)
        draft = self.orders / f".{place}"
        draft.write_text(what)
        draft.rename(path)
        return path.with_name(f"{place}.met")

    def let_go(self, place: str) -> None:
        """End the wait at `place`."""
        (self.orders / f"{place}.go").touch()

    # ---- how each is started ----

    def _launch_postgres(self) -> Launch:
        launch = self.postgres_server.launch()
        return Launch(
            command=[*launch.command, *KEPT_COMMITS],
            environment=launch.environment,
            log=launch.log,
            directory=launch.directory,
            account=launch.account,
        )

    def _database_answers(self) -> bool:
        try:
            psycopg.connect(self.postgres_server.url(ADMIN, "postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _launch_web(self) -> Launch:
        command = ("gunicorn", "portal.wsgi", "--bind", f"127.0.0.1:{self.port}", "--worker-class", "gthread")
        more = ("--workers", "1", "--threads", "8", "--no-control-socket", "--log-level", "warning")
        return self._launch("web", *command, *more, "--graceful-timeout", "2")

    def _web_answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def _celery(self, name: str, *arguments: str) -> Launch:
        return self._launch(name, "celery", "-A", "portal", *arguments)

    def _launch(self, name: str, *arguments: str) -> Launch:
        command = [sys.executable, "-m", *arguments]
        return Launch(
            command=command, environment=self.environment, log=self.layout.log(name), directory=ROOT
        )

    def _migrate(self) -> None:
        as_owner = {**self.environment, "DATABASE_URL": self.postgres_server.url(OWNER)}
        command = [sys.executable, str(ROOT / "manage.py"), "migrate", "--noinput"]
        done = subprocess.run(command, env=as_owner, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def make_portal(state: Path, given: Mapping[str, str]) -> Portal:
    """A portal in `state`; nothing runs yet."""
    layout = Layout(state)
    make_directories(layout)
    make_private(layout.sockets, mode=0o711)
    server = make_postgres(layout, Keyring(layout.secrets, given), fast=True)
    return Portal(layout, server, Redis(layout))


@contextlib.contextmanager
def spoken_to(portal: Portal) -> Iterator[None]:
    """Within it the models and the bells of this process are those of `portal`."""
    where = connections["default"].settings_dict
    before, broker = dict(where), current_app.conf.broker_url
    server = portal.postgres_server
    connections.close_all()
    where.update(
        NAME=DATABASE,
        USER=APP,
        PASSWORD=server.keyring["POSTGRES_APP_PASSWORD"],
        HOST=str(server.socket_directory),
        PORT=str(PORT),
    )
    ring_at(portal.redis_server.url)
    try:
        # Routes admit the portal's own origin: a part of what is desired.
        with override_settings(PORTAL_URL=portal.url):
            yield
    finally:
        connections.close_all()
        where.update(before)
        ring_at(broker)


def ring_at(url: str) -> None:
    """Let Celery of this process speak to the broker at `url`."""
    current_app.pool.force_close_all()
    current_app.amqp._producer_pool = None
    pools.reset()
    current_app._after_fork()
    current_app.conf.broker_url = current_app.conf.broker_write_url = url
    ringing.hear_again()
