"""A real agent with its real gateway, Envoy or nginx, and a small upstream that says what it saw."""

from __future__ import annotations

import http.server
import itertools
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import httpx

from gateways.drivers import driver_class
from gateways.drivers.agents.driver import AgentDriver
from gateways.engine.document import Item
from gateways.engine.driver import Connection, Listener, Node
from gateways.engine.wire import FILES_DIRECTORY
from tests.gateways import documents as make
from tests.gateways.driver_contract import Answer

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "test-token-0123456789-abcdefghij"
WAIT_S = 30.0


def free_port() -> int:
    """A port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for[T](question: Callable[[], T], seconds: float = WAIT_S) -> T:
    """Ask until the answer is true. Raises AssertionError with the last answer."""
    deadline = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"still {answer!r} after {seconds} s"
        time.sleep(0.02)


class Echo(http.server.BaseHTTPRequestHandler):
    """Answers with what it was asked, as JSON; `/sleep` takes longer than any timeout of the tests."""

    protocol_version = "HTTP/1.1"
    # Head and body in one packet: apart, each answer would wait 40 ms for the other side's delayed ACK.
    wbufsize = -1
    released: threading.Event  # of the server at hand: the end of another one must not wake its calls
    asleep: ClassVar[list[int]] = []

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.path.endswith("/sleep"):
            self.asleep.append(1)
            self.released.wait(WAIT_S)
        seen = {
            "path": self.path,
            "headers": [(name.lower(), value) for name, value in self.headers.items()],
            "bytes": len(body),
            "method": self.command,
            "port": self.connection.getsockname()[1],
        }
        answer = json.dumps(seen).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_GET  # noqa: N815 - the name is http.server's

    def log_message(self, *args: object) -> None:
        """Be quiet."""


@contextmanager
def echo_upstream(tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """A running upstream; gives its address."""
    handler = type("Echo", (Echo,), {"released": threading.Event()})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
    finally:
        handler.released.set()
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class RunningNode:
    """One agent and its gateway of `kind`, in a directory of their own."""

    state: Path
    kind: str = "envoy"
    portal_url: str = ""
    name: str = "node-1"
    ca_file: str = ""
    token: str = TOKEN
    redis_url: str = ""
    agent_port: int = field(default_factory=free_port)
    production_port: int = field(default_factory=free_port)
    sandbox_port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    _versions: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def admin_socket(self) -> Path:
        return self.state / "admin.sock"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.agent_port}"

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", "gateways.agent"]

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "GATEHOUSE_AGENT_LISTEN": f"127.0.0.1:{self.agent_port}",
            "GATEHOUSE_AGENT_TOKEN": self.token,
            "GATEHOUSE_PORTAL_URL": self.portal_url,
            "GATEHOUSE_NODE_NAME": self.name,
            "GATEHOUSE_AGENT_STATE": str(self.state),
            "GATEHOUSE_AGENT_KIND": self.kind,
            **({"GATEHOUSE_AI_REDIS_URL": self.redis_url} if self.redis_url else {}),
            "GATEHOUSE_ENVOY_ADMIN": f"unix:{self.admin_socket}",
            "GATEHOUSE_ENVOY_CONCURRENCY": "2",
            "GATEHOUSE_ENVOY_CA_FILE": self.ca_file,
            "GATEHOUSE_NGINX_STATUS": f"unix:{self.admin_socket}",
            "GATEHOUSE_NGINX_CONCURRENCY": "2",
            "GATEHOUSE_NGINX_CA_FILE": self.ca_file,
            "GATEHOUSE_AI_CONTROL": f"unix:{self.admin_socket}",
            "GATEHOUSE_AI_NETWORKS": "127.0.0.0/8",
        }

    def start(self) -> None:
        """Start the agent, and wait until its gateway lives."""
        self.state.parent.mkdir(parents=True, exist_ok=True)
        with (self.state.parent / f"{self.name}.agent.log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                env=self.environment,
                stdout=log,
                stderr=log,
                cwd=ROOT,
            )
        wait_for(self.is_healthy)

    def stop(self, how: int = signal.SIGTERM) -> None:
        """End the agent, and wait until its gateway is gone too."""
        assert self.process is not None
        self.process.send_signal(how)
        self.process.wait(WAIT_S)
        wait_for(lambda: not self.admin_answers())

    def is_healthy(self) -> bool:
        try:
            return httpx.get(f"{self.url}/healthz", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    @staticmethod
    def listens(port: int) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def log(self) -> str:
        """What the agent and its gateway have said."""
        said = (self.state.parent / f"{self.name}.agent.log").read_text()
        gateway = self.state / f"{self.kind}.log"
        return said + (gateway.read_text() if gateway.exists() else "")

    @property
    def files(self) -> Path:
        """Where the files of the gateway lie."""
        return self.state / FILES_DIRECTORY[self.kind]

    def connection(self, **changes: Any) -> Connection:
        values: dict[str, Any] = {
            "gateway": "edge",
            "nodes": (Node(self.name, self.url),),
            "listeners": (
                Listener("production", self.production_port),
                Listener("sandbox", self.sandbox_port),
            ),
            "token": TOKEN,
            "version": next(self._versions),
            "options": {"listen": "127.0.0.1"},
        }
        return Connection(**{**values, **changes})

    def admin(self, path: str) -> str:
        """What Envoy's admin port says, or nginx's status port."""
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(self.admin_socket))) as client:
            return client.get(f"http://gateway{path}").text

    def admin_answers(self) -> bool:
        """Whether a gateway is there."""
        paths = {"envoy": "/ready", "nginx": "/served", "ai_runtime": "/state"}
        try:
            return bool(self.admin(paths[self.kind]))
        except httpx.TransportError:
            return False


class NodeUnderTest:
    """A running node as the contract sees it."""

    def __init__(self, node: RunningNode, upstream_url: str) -> None:
        self.node = node
        self.upstream_url = upstream_url
        self.client = httpx.Client(trust_env=False, timeout=10.0)

    def driver(self, **changes: Any) -> AgentDriver:
        driver = driver_class(self.node.kind)(self.node.connection(**changes))
        assert isinstance(driver, AgentDriver)
        return driver

    def unreachable(self) -> AgentDriver:
        return self.driver(nodes=(Node("gone", f"http://127.0.0.1:{free_port()}"),))

    def refused(self) -> tuple[AgentDriver, Item]:
        """An upstream that points at the agent itself: `adapt` cannot know that, the agent does."""
        return self.driver(), make.upstream("towards-agent", f"http://127.0.0.1:{self.node.agent_port}")

    def asleep(self) -> int:
        """How many calls have come to `/sleep` so far."""
        return len(Echo.asleep)

    def url(self, path: str, environment: str = "production") -> str:
        port = self.node.production_port if environment == "production" else self.node.sandbox_port
        return f"http://127.0.0.1:{port}{path}"

    def call(self, path: str, key: str = "", environment: str = "production") -> Answer:
        headers = {"x-api-key": key} if key else {}
        try:
            return answer(self.client.get(self.url(path, environment), headers=headers))
        except httpx.ConnectError:
            # A port without a listener: a gateway that was told of none.
            return Answer(404)


def answer(response: httpx.Response) -> Answer:
    """The answer in the words of the contract."""
    kind = response.headers.get("content-type", "")
    body = response.json() if "json" in kind else {}
    if kind == "application/problem+json":
        return Answer(response.status_code, response.headers, body)
    return Answer(response.status_code, response.headers, {}, body)
