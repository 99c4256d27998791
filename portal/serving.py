"""gunicorn's settings: `gunicorn portal.wsgi --config python:portal.serving`, as scripts/role starts it."""

from __future__ import annotations

import os
from typing import Any

from prometheus_client import multiprocess

bind = os.environ.get("WEB_BIND") or "0.0.0.0:8000"
workers = int(os.environ.get("WEB_WORKERS") or 2)
threads = int(os.environ.get("WEB_THREADS") or 8)
worker_class = "gthread"
preload_app = True
control_socket_disable = True
# Reading a large document takes its time; a graceful end must stay below what supervisors allow.
timeout = 60
graceful_timeout = 8
loglevel = "warning"


def child_exit(server: Any, worker: Any) -> None:
    """Gauges of a worker that is gone must not be added up any more; its counters stay."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
