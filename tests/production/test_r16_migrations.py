"""R16: migrations run while the release before goes on writing, and what would not allow that is flagged."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django_migration_linter import MigrationLinter
from django_migration_linter.sql_analyser import PostgresqlAnalyser, analyse_sql_statements
from psycopg import sql

from tests.gateways.gateway_node import wait_for
from tests.production.test_r17_backup import database_url

ROOT = Path(__file__).resolve().parents[2]
BASELINE = {
    "audit": "0002_trail_is_insert_only",
    "teams": "0002_mail_outbox",
    "apis": "0004_search_index_reads_first",
    "subscriptions": "0002_initial",
    "gateways": "0003_reconcile_bookkeeping",
    "usage": "0003_index_use_by_key",
}
"""The last migration of each app before others had to run beside them. Move it on with each release."""

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(280)]


def newer() -> list[tuple[str, str]]:
    """Our migrations after the baseline."""
    found = MigrationLoader(connection).disk_migrations
    return sorted((app, name) for app, name in found if app in BASELINE and name > BASELINE[app])


def test_new_migrations_leave_the_release_before_working() -> None:
    """No column without a default in the database, nothing renamed or dropped while it is still read."""
    assert newer()
    for app, name in newer():
        linter = MigrationLinter(str(ROOT), no_cache=True, no_output=True)
        linter.lint_all_migrations(app_label=app, migration_name=name)
        assert linter.nb_total == 1
        assert linter.nb_erroneous == 0, f"{app}.{name}: .venv/bin/python manage.py sqlmigrate {app} {name}"


def test_the_linter_does_flag_what_is_unsafe() -> None:
    """The check would say something: a column that the release before does not fill."""
    add = 'ALTER TABLE "gateways_gateway" ADD COLUMN "x" varchar(9) DEFAULT \'\' NOT NULL;'
    drop = 'ALTER TABLE "gateways_gateway" ALTER COLUMN "x" DROP DEFAULT;'
    errors, _ignored, _warnings = analyse_sql_statements(PostgresqlAnalyser, [add, drop])
    assert [error.code for error in errors] == ["NOT_NULL"]


# ---- the real thing ----


@pytest.fixture(scope="module")
def before(django_db_setup: None, django_db_blocker: Any) -> Iterator[str]:
    """The name of a database at the release before, to be copied."""
    name = f"{connection.settings_dict['NAME']}_before"
    with psycopg.connect(database_url(), autocommit=True) as server:
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        with django_db_blocker.unblock():
            late = {app for app, _name in newer()}
        manage(at(name), "migrate", "--verbosity", "0")
        for app in sorted(late):
            manage(at(name), "migrate", app, BASELINE[app], "--verbosity", "0")
        yield name
        server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def database(before: str) -> Iterator[str]:
    """The address of a database of its own at the release before."""
    name = before.replace("_before", "_r16")
    with psycopg.connect(database_url(), autocommit=True) as server:
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        copy = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        server.execute(copy.format(sql.Identifier(name), sql.Identifier(before)))
        yield at(name)
        server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def at(name: str) -> str:
    """The address of the database `name` on the server of this test."""
    return database_url().replace(f"/{connection.settings_dict['NAME']}?", f"/{name}?")


def manage(url: str, *arguments: str) -> None:
    environment = {**os.environ, "DATABASE_URL": url}
    subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=ROOT, env=environment, check=True, timeout=100
    )


def migrating(url: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "DATABASE_URL": url, "PYTHONUNBUFFERED": "1"}
    environment.pop("DATABASE_OWNER_URL", None)
    return subprocess.Popen(
        [sys.executable, "scripts/role", "migrate", "--verbosity", "0"],
        cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


class Writers:
    """What the release before does meanwhile: it knows the columns of then, and nothing of later ones."""

    TABLE = "gateways_gateway"

    def __init__(self, url: str) -> None:
        self.url = url
        self.done = 0
        self.failed: list[str] = []
        self.stop = threading.Event()
        with psycopg.connect(url, autocommit=True) as one:
            rows = one.execute(
                "SELECT column_name, data_type, is_nullable FROM information_schema.columns"
                " WHERE table_schema = 'public' AND table_name = %s AND column_name <> 'id'",
                [self.TABLE],
            ).fetchall()
        self.columns = {name: kind for name, kind, nullable in rows if nullable == "NO"}

    def values(self, number: int) -> list[Any]:
        made: dict[str, Any] = {
            "character varying": "x", "jsonb": "{}", "bytea": b"", "bigint": 1, "integer": 0,
            "smallint": 0, "boolean": False, "timestamp with time zone": "2026-11-27T00:00:00Z",
        }  # fmt: skip
        own = {"slug": f"gw-{number}", "public_id": f"gw_{number}"}
        return [own.get(name, made[kind]) for name, kind in self.columns.items()]

    def write(self, start: int) -> None:
        columns = sql.SQL(", ").join(map(sql.Identifier, self.columns))
        places = sql.SQL(", ").join(sql.Placeholder() for _column in self.columns)
        insert = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
            sql.Identifier(self.TABLE), columns, places
        )
        with psycopg.connect(self.url, autocommit=True) as one:
            one.execute("SET statement_timeout = '10s'")
            number = start
            while not self.stop.is_set():
                number += 2
                try:
                    one.execute(insert, self.values(number))
                    one.execute(
                        "UPDATE gateways_gateway SET version = version + 1 WHERE slug = %s", [f"gw-{number}"]
                    )
                    one.execute(
                        "SELECT version, name FROM gateways_gateway WHERE slug = %s", [f"gw-{number}"]
                    )
                    self.done += 1
                except psycopg.Error as error:
                    self.failed.append(str(error))

    @contextmanager
    def at_work(self) -> Iterator[None]:
        threads = [threading.Thread(target=self.write, args=(start,)) for start in (0, 1)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.stop.set()
            for thread in threads:
                thread.join()


def test_the_release_before_writes_on_while_the_newest_migrations_run(database: str) -> None:
    writers = Writers(database)
    with writers.at_work():
        process = migrating(database)
        _out, said = process.communicate(timeout=100)
        assert process.returncode == 0, said
        migrated = writers.done
        wait_for(lambda: writers.failed or writers.done > migrated + 20)  # and after it, on the new tables
    assert writers.failed == []
    assert writers.done > 50
    with psycopg.connect(database) as one:
        row = one.execute("SELECT count(*), count(held_reason) FROM gateways_gateway").fetchone()
    assert row == (writers.done, writers.done)


def test_a_migration_that_has_to_wait_gives_up_and_comes_again(database: str) -> None:
    with psycopg.connect(database) as busy:
        busy.execute(
            "LOCK TABLE gateways_gateway IN ROW EXCLUSIVE MODE"
        )  # as any open transaction that wrote
        process = migrating(database)
        assert process.stderr is not None
        assert "A table is in use; once more" in process.stderr.readline()
        assert process.poll() is None
        busy.rollback()
    assert process.wait(100) == 0
