"""`python -m gateways.agent`: run the agent of one Envoy or nginx.

The settings are those of `gateways.agent.settings`.
"""

from __future__ import annotations

import logging
import os
import sys

import structlog
import uvicorn

from gateways.agent.app import build_agent, build_app
from gateways.agent.settings import SettingsError, read_settings
from gateways.engine.memory import collect_seldom

STOP_S = 15


def main() -> int:
    """Run until told to stop. Exit code 2 when a setting is missing or wrong."""
    try:
        settings = read_settings(os.environ)
        agent = build_agent(settings)
    except SettingsError as error:
        sys.stderr.write(f"The agent does not start. {error}\n")
        return 2
    _configure_logs()
    collect_seldom()
    app = build_app(agent)
    uvicorn.run(
        app,
        loop="asyncio",  # uvloop starts no process with a umask of its own
        host=settings.listen_host,
        port=settings.listen_port,
        ssl_certfile=settings.tls_certificate or None,
        ssl_keyfile=settings.tls_key or None,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=STOP_S,
    )
    return 0


def _configure_logs() -> None:
    """One JSON object a line. The HTTP client's own lines would name every poll of the gateway."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


if __name__ == "__main__":
    sys.exit(main())
