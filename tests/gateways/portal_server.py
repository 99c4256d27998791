"""The portal as an agent meets it: the agreed protocol over real HTTP, with a ledger that counts once.

It can be told to fail: to answer 503, to lose its answer after it has done the work, or to be away.
"""

from __future__ import annotations

import http.server
import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Ledger:
    """What the portal holds, and how it will fail next."""

    token: str
    config: bytes = b""
    heartbeats: list[dict[str, Any]] = field(default_factory=list)
    feed: dict[tuple[str, str], bytes] = field(default_factory=lambda: defaultdict(bytes))
    failures: list[str] = field(default_factory=list)
    largest: int = 10_000_000
    unreadable: bytes = b""
    losses: list[dict[str, Any]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def rows(self) -> list[list[Any]]:
        """Every usage line that was taken, of all nodes."""
        with self.lock:
            lines = [line for body in self.feed.values() for line in body.splitlines() if line.strip()]
        return [json.loads(line) for line in lines]

    def take(self, node: str, segment: str, offset: int, body: bytes) -> tuple[int, dict[str, Any]]:
        """Add a batch: what is held already is not added again, a gap is refused."""
        with self.lock:
            held = self.feed[node, segment]
            if offset > len(held):
                return 409, {"offset": len(held)}
            if len(body) > self.largest:
                return 413, {"title": "Too large"}
            fresh = body[len(held) - offset :]
            for line in fresh.splitlines(keepends=True) if self.unreadable else ():
                if self.unreadable in line:
                    return 400, {"offset": len(held) + fresh.index(line), "length": len(line)}
            self.feed[node, segment] = held + fresh
            return 200, {"segment": segment, "offset": len(self.feed[node, segment])}

    def lose(self, loss: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Note a loss; over a malformed line the feed moves on, as if it held spaces."""
        with self.lock:
            self.losses.append(loss)
            where = loss["node"], loss["segment"]
            if loss["reason"] == "malformed" and loss["position"] == len(self.feed[where]):
                self.feed[where] += b" " * (loss["size"] - 1) + b"\n"
            return 200, {"offset": len(self.feed[where])}

    def offset(self, node: str, segment: str) -> int:
        with self.lock:
            return len(self.feed[node, segment])


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body in one packet: apart, each answer would wait 40 ms for the other side's delayed ACK.
    wbufsize = -1
    ledger: Ledger

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        failure = self.ledger.failures.pop(0) if self.ledger.failures else ""
        if failure == "down":
            return self._answer(503, {})
        status, found = self._work(body)
        if failure == "lost":
            self.close_connection = True
            return self.connection.close()
        return self._answer(status, found)

    do_GET = do_POST  # noqa: N815 - the name is http.server's

    def _work(self, body: bytes) -> tuple[int, Any]:
        if self.headers.get("authorization") != f"Bearer {self.ledger.token}":
            return 401, {}
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        match (self.command, parts.path):
            case "POST", "/agent/v1/heartbeat":
                return self._heartbeat(json.loads(body))
            case "GET", "/agent/v1/config":
                return (200, self.ledger.config) if self.ledger.config else (204, b"")
            case "POST", "/agent/v1/usage":
                where = (self.headers["x-node"], self.headers["x-segment"], int(self.headers["x-offset"]))
                return self.ledger.take(*where, body)
            case "POST", "/agent/v1/usage/losses":
                return self.ledger.lose(json.loads(body))
            case "GET", "/agent/v1/usage":
                return 200, {"offset": self.ledger.offset(query["node"], query["segment"])}
        return 404, {}

    def _heartbeat(self, report: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.ledger.heartbeats.append(report)
        wanted = json.loads(self.ledger.config)["digest"] if self.ledger.config else report["digest"]
        return 200, {"gateway": "edge", "config": "same" if wanted == report["digest"] else "fetch"}

    def _answer(self, status: int, found: Any) -> None:
        body = found if isinstance(found, bytes) else json.dumps(found).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Be quiet."""


@contextmanager
def portal_server(ledger: Ledger, port: int = 0) -> Iterator[str]:
    """A running portal; gives its address."""
    handler = type("Handler", (_Handler,), {"ledger": ledger})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
