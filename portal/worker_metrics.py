"""The worker's own small page of numbers: WORKER_METRICS_LISTEN, in the worker's main process."""

from __future__ import annotations

import http.server
import threading

from celery.signals import worker_ready
from django.conf import settings

from portal.metrics import CONTENT_TYPE, may_read, render


class _Handler(http.server.BaseHTTPRequestHandler):
    """GET /metrics; with METRICS_TOKEN set for its bearer alone."""

    def do_GET(self) -> None:
        if self.path != "/metrics":
            return self._answer(404, b"")
        if settings.METRICS_TOKEN and not may_read(self.headers.get("Authorization", "")):
            return self._answer(401, b"")
        return self._answer(200, render())

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", CONTENT_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Scrapes are no news."""


@worker_ready.connect
def serve_numbers(**_: object) -> None:
    """Listen, where the settings say so, until the worker ends."""
    if not settings.WORKER_METRICS_LISTEN:
        return
    host, _colon, port = settings.WORKER_METRICS_LISTEN.rpartition(":")
    server = http.server.ThreadingHTTPServer((host.strip("[]"), int(port)), _Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="numbers", daemon=True).start()
