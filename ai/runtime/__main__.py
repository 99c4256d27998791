"""`python -m ai.runtime`: run one runtime. The settings are those of `ai.runtime.settings`."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
from pathlib import Path

import redis.asyncio as redis
import structlog
import uvicorn
import uvloop

from ai.runtime.app import Trials
from ai.runtime.control import build
from ai.runtime.counters import Counters
from ai.runtime.counters import Server as CounterServer
from ai.runtime.egress import guarded_connector
from ai.runtime.listening import Server, Tls
from ai.runtime.settings import Settings, SettingsError, read_settings
from ai.runtime.snapshot import SnapshotError
from ai.runtime.vendors import Vendors

logger = structlog.get_logger(__name__)

REDIS_S = 1.0
REDIS_CONNECTIONS = 64
"""Calls wait for one of these: Redis does one thing at a time anyhow, and a pool that refuses would fail calls."""
_COLLECT_AFTER = 10_000
"""So many new objects. Calls leave no cycles behind worth looking for as often as Python does."""


def main() -> int:
    """Run until told to stop. Exit code 2 when a setting is missing or wrong."""
    try:
        settings = read_settings(os.environ)
    except SettingsError as error:
        sys.stderr.write(f"The AI runtime does not start. {error}\n")
        return 2
    _configure_logs()
    gc.set_threshold(_COLLECT_AFTER, 10, 10)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.Runner(loop_factory=uvloop.new_event_loop).run(_run(settings))
    return 0


async def _run(settings: Settings) -> None:
    """Serve calls and the control socket until a signal says to stop; then let calls that are under way finish."""
    counters = Counters(CounterServer(_redis(settings.redis_url)), settings.sequence)
    trials = Trials(Vendors(guarded_connector(settings.networks)), settings.ticket_key, settings.origins)
    tls = Tls(settings.tls_certificate, settings.tls_key)
    runtime, listening, ruler = build(settings.directory, settings.feed, counters, trials, tls)
    try:
        await ruler.load()
    except SnapshotError as error:
        logger.error("the snapshot on disk is not served", reason=str(error))
    path = Path(settings.control)
    path.unlink(missing_ok=True)
    control = Server(
        uvicorn.Config(ruler, uds=str(path), lifespan="off", ws="none", log_config=None, access_log=False)
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _stop, control)
    counting = asyncio.create_task(ruler.recount.keep())
    await control.serve()
    counting.cancel()
    await listening.close()
    runtime.service.feed.close()
    await trials.vendors.close()
    counters.remember()
    await counters.server.close()


def _redis(url: str) -> redis.Redis | None:
    if not url:
        return None
    pool = redis.BlockingConnectionPool.from_url(
        url,
        max_connections=REDIS_CONNECTIONS,
        timeout=REDIS_S,
        socket_timeout=REDIS_S,
        socket_connect_timeout=REDIS_S,
    )
    return redis.Redis.from_pool(pool)


def _stop(control: uvicorn.Server) -> None:
    control.should_exit = True


def _configure_logs() -> None:
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


if __name__ == "__main__":
    sys.exit(main())
