"""Where the embedded default keeps what."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from embedded.failure import CannotRun

ROOT = Path(__file__).resolve().parent.parent
"""The checkout."""

LONGEST_SOCKET_PATH = 107
"""Bytes of a unix socket's path on Linux."""

CONTENTS = (
    "agent",
    "agent-ai",
    "agent-nginx",
    "aws",
    "beat",
    "demo-sign-ins",
    "health",
    "log",
    "mail",
    "metrics",
    "postgres",
    "postgres-home",
    "redis",
    "redis-budgets",
    "run.lock",
    "secrets",
    "stamps",
    "static",
)
"""All that one installation keeps in its state directory. Others' things may lie there too: var/test, pictures."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of one installation. `state` holds everything but the sockets."""

    state: Path

    @property
    def secrets(self) -> Path:
        return self.state / "secrets"

    @property
    def logs(self) -> Path:
        return self.state / "log"

    @property
    def lock(self) -> Path:
        return self.state / "run.lock"

    @property
    def mark(self) -> str:
        """12 hexadecimal digits that name this state directory among others of the machine."""
        return hashlib.sha256(os.fsencode(self.state)).hexdigest()[:12]

    @property
    def sockets(self) -> Path:
        """The directory of unix sockets; there while servers run."""
        parent = Path("/tmp") if os.access("/tmp", os.W_OK) else Path(tempfile.gettempdir())  # noqa: S108
        return parent / f"gatehouse-{os.getuid()}-{self.mark}"

    @property
    def stamps(self) -> Path:
        return self.state / "stamps"

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def stamp(self, name: str) -> Path:
        """A file that remembers what was done already, so that a second start does not do it again."""
        return self.stamps / name


def layout_of(environment: Mapping[str, str], *, default: Path = ROOT / "var") -> Layout:
    """The layout that `environment` (GATEHOUSE_STATE) asks for; relative to the working directory."""
    return Layout(Path(environment.get("GATEHOUSE_STATE") or default).expanduser().resolve())


def make_directories(layout: Layout) -> None:
    """Make what is missing. Raises CannotRun where a directory cannot be ours alone."""
    try:
        layout.state.mkdir(parents=True, exist_ok=True)
        for path in (layout.secrets, layout.logs, layout.stamps):
            path.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise CannotRun(
            f"{error.filename} cannot be made: {error.strerror}. Set GATEHOUSE_STATE to a directory of yours."
        ) from error


@contextmanager
def socket_directory(layout: Layout) -> Iterator[None]:
    """`layout.sockets` while servers run. Others may pass through it: each server's own folder is closed to
    them, and as root PostgreSQL is somebody else.
    """
    make_private(layout.sockets, mode=0o711)
    try:
        yield
    finally:
        shutil.rmtree(layout.sockets, ignore_errors=True)


def make_private(path: Path, *, mode: int = 0o700) -> None:
    """Make `path` with `mode`, ours alone. Its parent may be open to all, so what is there is not trusted."""
    path.mkdir(mode=mode, parents=False, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise CannotRun(f"{path} belongs to somebody else. Remove it, then start again.")
    path.chmod(mode)


def check_socket_path(path: Path) -> Path:
    """`path` when a socket can lie there. Raises CannotRun."""
    if len(os.fsencode(path)) > LONGEST_SOCKET_PATH:
        raise CannotRun(f"{path} is too long for a socket. Set TMPDIR to a shorter directory, like /tmp.")
    return path
