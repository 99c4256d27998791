"""Asking a part whether it really answers. A probe is made before each start and asked until it says yes."""

from __future__ import annotations

import asyncio
import http.client
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import redis

from embedded.failure import CannotRun
from embedded.logs import last_lines
from embedded.redis_server import answers

TIMEOUT_S = 3.0

type Probe = Callable[[], Awaitable[bool]]


def http_answers(url: str) -> Probe:
    """GET `url` answers 200."""

    async def probe() -> bool:
        return await asyncio.to_thread(_status, url) == http.HTTPStatus.OK

    return probe


def database_answers(url: str) -> Probe:
    """A connection can be opened and answers."""

    async def probe() -> bool:
        return not await asyncio.to_thread(_database_problem, url)

    return probe


def redis_answers(path: Path) -> Probe:
    """The Redis on this socket says PONG."""

    async def probe() -> bool:
        return await asyncio.to_thread(answers, path)

    return probe


def file_is_new(folder: Path, pattern: str) -> Probe:
    """A file `pattern` in `folder` was written after this probe was made."""
    made = time.time() - 1

    async def probe() -> bool:
        return any(path.stat().st_mtime >= made for path in folder.glob(pattern))

    return probe


def log_says(path: Path, words: str, *, at_latest: float) -> Probe:
    """`words` were written to `path` after this probe was made, or `at_latest` seconds have gone by."""
    since, deadline = (path.stat().st_size if path.exists() else 0), time.monotonic() + at_latest

    async def probe() -> bool:
        found = any(words in line for line in last_lines(path, since=since, count=200))
        return found or time.monotonic() > deadline

    return probe


def check_external_database(url: str) -> None:
    """Raises CannotRun when the PostgreSQL at `url` does not answer."""
    if problem := _database_problem(url):
        raise CannotRun(
            f"The PostgreSQL of DATABASE_URL does not answer: {problem}. Correct the address, or unset it."
        )


def check_external_redis(url: str) -> None:
    """Raises CannotRun when the Redis at `url` does not answer."""
    try:
        with redis.Redis.from_url(
            url.replace("redis+socket://", "unix://"),
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
        ) as client:
            client.ping()
    except (redis.RedisError, ValueError) as error:
        raise CannotRun(
            f"The Redis of REDIS_URL does not answer: {error}. Correct the address, or unset it."
        ) from error


def connects(host: str, port: int) -> bool:
    """Whether somebody listens on `port` at the address `host` of this machine."""
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    try:
        connection.connect()
    except OSError:
        return False
    finally:
        connection.close()
    return True


def _status(url: str) -> int:
    target = urlsplit(url)
    kind = http.client.HTTPSConnection if target.scheme == "https" else http.client.HTTPConnection
    connection = kind(target.hostname or "", target.port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", target.path or "/")
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def _database_problem(url: str) -> str:
    try:
        with psycopg.connect(url, connect_timeout=int(TIMEOUT_S)) as connection:
            connection.execute("SELECT 1")
    except psycopg.Error as error:
        return str(error).strip().splitlines()[0]
    return ""
