"""`python -m ai.runtime`: run one runtime. The settings are those of `ai.runtime.settings`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Generator
from pathlib import Path

import redis.asyncio as redis
import structlog
import uvicorn
import uvloop

from ai.runtime.app import Trials
from ai.runtime.budgets import Counters
from ai.runtime.control import build
from ai.runtime.egress import guarded_connector
from ai.runtime.settings import Settings, SettingsError, read_settings
from ai.runtime.snapshot import SnapshotError
from ai.runtime.vendors import Vendors

logger = structlog.get_logger(__name__)

STOP_S = 15
REDIS_S = 1.0
_BACKLOG = 4096


def main() -> int:
    """Run until told to stop. Exit code 2 when a setting is missing or wrong."""
    try:
        settings = read_settings(os.environ)
    except SettingsError as error:
        sys.stderr.write(f"The AI runtime does not start. {error}\n")
        return 2
    _configure_logs()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.Runner(loop_factory=uvloop.new_event_loop).run(_run(settings))
    return 0


async def _run(settings: Settings) -> None:
    """Serve calls and the control socket until a signal says to stop; then let calls that are under way finish."""
    counters = Counters(_redis(settings.redis_url))
    vendors = Vendors(guarded_connector(settings.networks))
    runtime, ruler = build(
        settings.directory, settings.feed, counters, Trials(vendors, settings.ticket_key, settings.origins)
    )
    try:
        await ruler.load()
    except SnapshotError as error:
        logger.error("the snapshot on disk is not served", reason=str(error))
    path = Path(settings.control)
    path.unlink(missing_ok=True)
    callers = _Server(_config(runtime, settings))
    control = _Server(uvicorn.Config(ruler, uds=str(path), lifespan="off", log_config=None, access_log=False))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, _stop, callers, control)
    await asyncio.gather(callers.serve(), control.serve())
    runtime.service.feed.close()
    await vendors.close()
    await counters.close()


def _config(runtime: object, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        runtime,  # type: ignore[arg-type]  # an ASGI application
        host=settings.host,
        port=settings.port,
        lifespan="off",
        http="httptools",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=STOP_S,
        ssl_certfile=settings.tls_certificate or None,
        ssl_keyfile=settings.tls_key or None,
    )


def _redis(url: str) -> redis.Redis | None:
    if not url:
        return None
    return redis.Redis.from_url(url, socket_timeout=REDIS_S, socket_connect_timeout=REDIS_S)


class _Server(uvicorn.Server):
    """One of two servers in one loop: each would take the signals for itself alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave signals to who runs both."""
        yield


def _stop(*servers: uvicorn.Server) -> None:
    for server in servers:
        server.should_exit = True


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
