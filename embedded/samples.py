"""Two small services that stand behind the gateway of the demo: orders and weather.

`python -m embedded.samples orders --port 9201`. They hold their data in memory and answer as their documents in
`embedded/specs` say. On every path, `demo_delay_ms` (0 to 30000) makes an answer late and `demo_status` (400 to
599) makes it fail, so that limits, errors and percentiles can be seen at will. /healthz answers {"status": "ok"}.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from embedded import sample_orders, sample_weather
from embedded.sample_answers import Answer, Asked, Refused, problem

LARGEST_BODY = 1024 * 1024
LONGEST_DELAY_MS = 30_000
SERVICES: dict[str, Callable[[], Callable[[Asked], Answer]]] = {
    "orders": sample_orders.build,
    "weather": sample_weather.build,
}


class Handler(BaseHTTPRequestHandler):
    """Turns one HTTP request into a call of the server's service."""

    protocol_version = "HTTP/1.1"
    server_version = "gatehouse-sample"
    sys_version = ""
    timeout = 75
    server: Server

    def do(self) -> None:
        """Answer any method."""
        try:
            asked = self._asked()
            time.sleep(_delay_s(asked))
            answer = _wanted_failure(asked) or self._route(asked)
        except Refused as refusal:
            answer = refusal.answer
        self._send(answer)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do  # noqa: N815  names that the base class calls

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  as in the base class
        """The gateway's log has every call already."""

    def _route(self, asked: Asked) -> Answer:
        return Answer(200, {"status": "ok"}) if asked.path == "/healthz" else self.server.service(asked)

    def _asked(self) -> Asked:
        target = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(target.query).items()}
        method = "GET" if self.command == "HEAD" else self.command
        return Asked(method, target.path.rstrip("/") or "/", query, self._body())

    def _body(self) -> Any:
        size = self.headers.get("Content-Length", "0")
        if not size.isdecimal() or int(size) > LARGEST_BODY or "Transfer-Encoding" in self.headers:
            # What follows cannot be read, so it must not be taken for the next request.
            self.close_connection = True
            raise problem(413, "Send a body with a length of at most 1 MB.")
        text = self.rfile.read(int(size))
        try:
            return json.loads(text) if text else None
        except ValueError:
            raise problem(400, "The body is not JSON.") from None

    def _send(self, answer: Answer) -> None:
        body = b"" if answer.body is None else json.dumps(answer.body, ensure_ascii=False).encode()
        self.send_response(answer.status)
        kind = "application/problem+json" if answer.status >= HTTPStatus.BAD_REQUEST else "application/json"
        headers = {"Content-Type": kind, **answer.headers} if body else answer.headers
        for name, value in headers.items():
            self.send_header(name, value)
        if answer.status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """A thread per connection; a slow answer keeps nobody else waiting."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        address: tuple[str, int],
        service: Callable[[Asked], Answer],
        handler: type[Handler] = Handler,
    ) -> None:
        super().__init__(address, handler)
        self.service = service

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that hangs up is no error of ours."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


def main(arguments: list[str] | None = None) -> int:
    """Serve one of the services on loopback until told to stop."""
    parser = argparse.ArgumentParser(description="One of the demo's upstreams.")
    parser.add_argument("service", choices=sorted(SERVICES))
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args(arguments)
    serve(Server(("127.0.0.1", options.port), SERVICES[options.service]()))
    return 0


def serve(server: Server) -> None:
    """Until told to stop."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    server.serve_forever(poll_interval=0.1)
    server.server_close()


def _delay_s(asked: Asked) -> float:
    return asked.number("demo_delay_ms", default=0, least=0, most=LONGEST_DELAY_MS) / 1000


def _wanted_failure(asked: Asked) -> Answer | None:
    status = asked.number("demo_status", default=0, least=400, most=599)
    return problem(status, "This is the failure that demo_status asked for.").answer if status else None


if __name__ == "__main__":
    sys.exit(main())
