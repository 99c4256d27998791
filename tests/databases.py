"""One migrated database for all processes of a run, of which each takes a copy."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import psycopg
from psycopg import sql

NAME = "gatehouse_tests"
ROOT = Path(__file__).resolve().parents[1]
"""Where `manage.py` lies."""


def migrated_template(url: str, lock: Path) -> str:
    """The name of a database on the server of `url` that is migrated and to which nobody is connected.

    The first process to come makes it, the others wait for that at `lock`; migrating takes longer than
    hundreds of tests.
    """
    with lock.open("w") as held, psycopg.connect(url, autocommit=True) as server:
        fcntl.flock(held, fcntl.LOCK_EX)
        if not server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME]).fetchone():
            _migrate(url, server)
    return NAME


def _migrate(url: str, server: psycopg.Connection) -> None:
    half_done = f"{NAME}_half_done"
    server.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(half_done)))
    server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(half_done)))
    environment = {**os.environ, "DATABASE_URL": at(url, half_done)}
    environment.pop("DATABASE_OWNER_URL", None)
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"], cwd=ROOT, env=environment, check=True
    )
    rename = sql.SQL("ALTER DATABASE {} RENAME TO {}")
    server.execute(rename.format(sql.Identifier(half_done), sql.Identifier(NAME)))


def at(url: str, name: str) -> str:
    """The address `url` with another database."""
    address, question, options = url.partition("?")
    return f"{address.rpartition('/')[0]}/{name}{question}{options}"
