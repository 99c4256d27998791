"""The cache: Redis, and the memory of this process while Redis does not answer.

Rate limits, counters and what is remembered for half a minute go through Django's one cache, so that a lost Redis
is met once, here: sign-in and reference page go on, limits hold per process instead of for all of them, and no
request waits twice for a server that did not answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import structlog
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

log = structlog.get_logger(__name__)

ANSWER_S = 1.0
CONNECT_S = 0.5
REST_S = 5.0
"""So long after a failure nobody of this process asks Redis again."""
MOST_ENTRIES = 100_000
"""In the memory of one process: enough that nobody pushes a count out by making others."""


class Rest:
    """The circuit breaker of this process: Django makes a cache for each thread, and all of them know of it."""

    def __init__(self) -> None:
        self._until = 0.0

    @property
    def lasts(self) -> bool:
        return time.monotonic() < self._until

    def begin(self, error: Exception) -> None:
        """Leave Redis alone for a while."""
        if not self.lasts:
            log.warning("cache_in_memory", error=type(error).__name__)
        self._until = time.monotonic() + REST_S

    def end(self) -> None:
        """Ask Redis again at once."""
        self._until = 0.0


rest = Rest()


def _operation(name: str) -> Callable[..., Any]:
    """The method `name` of Django's client, done in memory while Redis rests or when it does not answer."""
    asked: Callable[..., Any] = getattr(RedisCacheClient, name)

    def operation(self: SteadyClient, *args: Any) -> Any:
        if not rest.lasts:
            try:
                return asked(self, *args)
            except (RedisError, OSError) as error:
                rest.begin(error)
        return getattr(self.memory, name)(*args)

    return operation


class SteadyClient(RedisCacheClient):
    """Keys arrive here whole and timeouts in seconds, so that memory takes them as they are."""

    def __init__(self, servers: list[str], **options: Any) -> None:
        once_more = Retry(NoBackoff(), 1)  # a pooled connection may have died with the server before this one
        limits = {"socket_connect_timeout": CONNECT_S, "socket_timeout": ANSWER_S, "retry": once_more}
        super().__init__(servers, **{**limits, **options})
        self.memory = LocMemCache(
            "gatehouse", {"KEY_FUNCTION": _as_it_is, "OPTIONS": {"MAX_ENTRIES": MOST_ENTRIES}}
        )

    add = _operation("add")
    get = _operation("get")
    set = _operation("set")
    touch = _operation("touch")
    delete = _operation("delete")
    get_many = _operation("get_many")
    has_key = _operation("has_key")
    incr = _operation("incr")
    set_many = _operation("set_many")
    delete_many = _operation("delete_many")
    _clear = _operation("clear")

    def clear(self) -> bool:
        self.memory.clear()
        return bool(self._clear())


class SteadyCache(RedisCache):
    """Named in the settings (CACHES)."""

    def __init__(self, server: str, params: dict[str, Any]) -> None:
        super().__init__(server, params)
        self._class = SteadyClient


def _as_it_is(key: str, _prefix: str, _version: int) -> str:
    return key
