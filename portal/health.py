"""Is this process alive, and should it get calls? Answers hold yes and no, and nothing about the inside."""

from __future__ import annotations

import time
from typing import NamedTuple

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpResponse, JsonResponse

from teams.access import OPEN, HtmxHttpRequest, page

MIGRATIONS_EVERY_S = 30.0
BROKER_TIMEOUT_S = 1.0


class _Seen(NamedTuple):
    """Whether the migrations were applied when last looked at."""

    at: float
    applied: bool


_seen = _Seen(float("-inf"), applied=False)


@page(OPEN)
def healthz(_request: HtmxHttpRequest) -> HttpResponse:
    """Liveness: this process answers. Touches neither database nor broker."""
    return JsonResponse({"status": "ok"})


@page(OPEN)
def readyz(_request: HtmxHttpRequest) -> HttpResponse:
    """Readiness: the database answers and has the form of this release. The broker is told, and not needed."""
    database = database_answers()
    migrations = database and migrations_are_applied()
    ready = database and migrations
    found = {
        "status": "ready" if ready else "not ready",
        "database": database,
        "migrations": migrations,
        "broker": broker_answers(),
    }
    return JsonResponse(found, status=200 if ready else 503)


def database_answers() -> bool:
    """Whether a query comes back."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def migrations_are_applied() -> bool:
    """Whether the database has every migration of this code; looked at again twice a minute."""
    global _seen  # noqa: PLW0603 - one memory per process
    now = time.monotonic()
    if now - _seen.at > MIGRATIONS_EVERY_S or not _seen.applied:
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        _seen = _Seen(now, applied=not plan)
    return _seen.applied


def broker_answers() -> bool:
    """Whether Redis says PONG within a second. Any other kind of broker is not asked here: False."""
    url = str(settings.CACHES["default"]["LOCATION"])
    try:
        with redis.Redis.from_url(
            url, socket_timeout=BROKER_TIMEOUT_S, socket_connect_timeout=BROKER_TIMEOUT_S
        ) as client:
            return bool(client.ping())
    except (redis.RedisError, OSError):
        return False
