"""`make run` without the portal: ports, lock, PostgreSQL, Redis and the two samples of one state directory.

Counts its own starts in the database and prints the number.
"""

from __future__ import annotations

import asyncio
import os
import sys

import psycopg

from embedded import running
from embedded.console import Console
from embedded.failure import CannotRun
from embedded.installation import make_installation
from embedded.layout import layout_of, make_directories, socket_directory
from embedded.lock import held
from embedded.parts import Parts
from embedded.ports import refuse_taken
from embedded.postgres import OWNER
from embedded.supervisor import Supervisor


async def work(supervisor: Supervisor, parts: Parts) -> int:
    one = parts.installation
    samples = [parts.sample(name) for name in ("orders", "weather")]
    await running._start_servers(supervisor, one, parts, *samples)
    assert one.postgres is not None
    with psycopg.connect(one.postgres.url(OWNER), autocommit=True) as owner:
        owner.execute("CREATE TABLE IF NOT EXISTS starts (id bigserial PRIMARY KEY)")
        owner.execute("INSERT INTO starts DEFAULT VALUES")
        count = owner.execute("SELECT count(*) FROM starts").fetchone()
    sys.stdout.write(f"start number {count[0] if count else 0}\n")
    sys.stdout.flush()
    await supervisor.watch()
    return 0


def main() -> int:
    layout, console = layout_of(os.environ), Console()
    make_directories(layout)
    with held(layout.lock) as lock, socket_directory(layout):
        running.tell_of_abandoned(layout, console)
        one = make_installation(layout, dict(os.environ), fast=True)
        refuse_taken(one.ports_in_use(), host=one.bind)
        return asyncio.run(running.until_told(lambda s: work(s, Parts(one, lock)), console))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CannotRun as error:
        sys.stdout.write(f"{error}\n")
        sys.exit(1)
