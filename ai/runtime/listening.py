"""The ports of a runtime: one server for each port that the snapshot names, opened and closed as it changes."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import defaultdict
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass

import uvicorn

from ai.runtime.app import Runtime
from ai.runtime.asgi import Receive, Scope, Send
from ai.runtime.snapshot import Place, SnapshotError

STOP_S = 15
_BACKLOG = 4096


@dataclass(frozen=True, slots=True)
class Tls:
    """Files with the certificate of the runtime and its key; empty: without TLS."""

    certificate: str = ""
    key: str = ""


class Server(uvicorn.Server):
    """One of several servers in one loop: each would take the signals for itself alone."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave signals to who runs all of them."""
        yield


class _Entrance:
    """The application of one port: which environments are served there, by host (empty: any)."""

    def __init__(self, runtime: Runtime, environments: Mapping[str, str]) -> None:
        self._runtime = runtime
        self.environments = environments

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._runtime.serve(scope, receive, send, self.environments)


@dataclass(slots=True)
class _Open:
    server: Server
    entrance: _Entrance
    task: asyncio.Task[None]
    address: str


class Listening:
    """Keeps the ports of the snapshot in force open."""

    def __init__(self, runtime: Runtime, tls: Tls) -> None:
        self._runtime = runtime
        self._tls = tls
        self._open: dict[int, _Open] = {}

    @property
    def ports(self) -> list[int]:
        """The ports that are open."""
        return sorted(self._open)

    def bind(self, places: Iterable[Place]) -> dict[int, socket.socket]:
        """Take the ports that are not open yet. Raises SnapshotError where one is not to be had; then none is taken."""
        taken: dict[int, socket.socket] = {}
        for place in places:
            known = self._open.get(place.port)
            if place.port in taken or (known is not None and known.address == place.address):
                continue
            try:
                taken[place.port] = _bound(place)
            except OSError as error:
                for other in taken.values():
                    other.close()
                raise SnapshotError(
                    f"port {place.port} of {place.environment} cannot be opened: {error}"
                ) from None
        return taken

    async def use(self, places: Iterable[Place], bound: Mapping[int, socket.socket]) -> None:
        """Serve `places`, on the sockets that `bind` took where a port is new, and close the others."""
        hosts: dict[int, dict[str, str]] = defaultdict(dict)
        addresses = {place.port: place.address for place in places}
        for place in places:
            hosts[place.port][place.host] = place.environment
        for port in [port for port in self._open if port not in hosts or port in bound]:
            await self._close(self._open.pop(port))
        for port, environments in hosts.items():
            if port in self._open:
                self._open[port].entrance.environments = environments
            else:
                self._open[port] = await self._started(bound[port], environments, addresses[port])

    async def close(self) -> None:
        """Let calls that are under way finish, and close every port."""
        await asyncio.gather(*(self._close(one) for one in self._open.values()))
        self._open = {}

    async def _started(self, bound: socket.socket, environments: Mapping[str, str], address: str) -> _Open:
        entrance = _Entrance(self._runtime, environments)
        server = Server(
            uvicorn.Config(
                entrance,
                lifespan="off",
                proxy_headers=False,
                http="httptools",
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=False,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=STOP_S,
                ssl_certfile=self._tls.certificate or None,
                ssl_keyfile=self._tls.key or None,
            )
        )
        task = asyncio.create_task(server.serve(sockets=[bound]))
        while not server.started and not task.done():
            await asyncio.sleep(0.005)
        return _Open(server, entrance, task, address)

    async def _close(self, one: _Open) -> None:
        one.server.should_exit = True
        await one.task


def _bound(place: Place) -> socket.socket:
    family = socket.AF_INET6 if ":" in place.address else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((place.address, place.port))
        found.listen(_BACKLOG)
        found.setblocking(False)
    except OSError:
        found.close()
        raise
    return found
