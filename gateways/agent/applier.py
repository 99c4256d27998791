"""Putting a configuration in force: try it, swap it phase by phase, prove it, or put the old one back."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

import structlog

from gateways.agent.admin import Admin, AdminUnreachable
from gateways.agent.bootstrap import Json, composed
from gateways.agent.envoy import EnvoyProcess
from gateways.agent.store import Store
from gateways.engine.failpoints import failpoint
from gateways.engine.wire import REALISED_IN, Push, WireError, content_digest, subscription_of, version_of

logger = structlog.get_logger(__name__)

PHASE_S = 20.0
WARMING_S = 5.0
START_S = 15.0
_POLL_S = 0.02
_SETTLE_S = 0.02
"""Worker threads take a configuration over in their next loop, within this time.

One that is later than that is no danger to a call that begins afterwards: the main thread puts the new
configuration at the end of what the worker has to do (source/common/event/dispatcher_impl.cc, `post`), so ahead
of any call that arrives later. Only calls that the worker had begun to read may still meet the old one.
"""


class Refused(Exception):
    """Envoy will not take this configuration; the text is its own words."""


class NotInForce(Exception):
    """The configuration could not be proved for now: Envoy is gone, or too slow."""


class Stale(Exception):
    """A newer configuration is in force."""


@dataclass(frozen=True, slots=True)
class State:
    """What the node serves: `items` are really in force; `problems` says what keeps others from it."""

    version: int
    digest: str
    items: tuple[Mapping[str, object], ...]
    problems: tuple[str, ...]

    @property
    def is_serving(self) -> bool:
        """Whether everything of the configuration is in force."""
        return not self.problems


_NOTHING = State(0, "", (), ("Nothing has been published to this node.",))


class Applier:
    """Applies one push at a time. `reserved` are the ports of this node that no upstream may point to."""

    def __init__(
        self,
        store: Store,
        admin: Admin,
        envoy: EnvoyProcess,
        *,
        node: str,
        ca_file: str,
        reserved: frozenset[int],
        can_validate: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._admin = admin
        self._envoy = envoy
        self._node = node
        self._ca_file = ca_file
        self._reserved = reserved
        self._can_validate = can_validate
        self._clock = clock
        self._lock = asyncio.Lock()
        self._seen = _NOTHING
        self.held: Push | None = None

    def load(self) -> None:
        """Take up the configuration in force when the agent last ran, and put its files right."""
        try:
            self.held = self._store.load_push()
        except WireError as error:
            logger.error("the kept configuration is damaged", reason=str(error))
            self._store.set_aside_push()
        if self.held is not None:
            self._write(self.held.files)
            self._store.keep_only(set(self.held.files))

    async def apply(self, push: Push) -> None:
        """Put `push` in force. Raises Stale, Refused (the old one is back), or NotInForce (likewise)."""
        async with self._lock:
            if self.held is not None and push.version < self.held.version:
                raise Stale(f"version {self.held.version} is in force")
            started = self._clock()
            await self._try(push)
            failpoint("agent.after-trial")
            before = await asyncio.to_thread(self._store.files)
            try:
                await self._swap(push)
            except (Refused, NotInForce):
                await self._restore(before)
                raise
            failpoint("agent.before-save")
            await asyncio.to_thread(self._store.save_push, push)
            failpoint("agent.after-save")
            await asyncio.to_thread(self._store.keep_only, set(push.files))
            self.held = push
            logger.info("applied", version=push.version, seconds=round(self._clock() - started, 3))

    async def state(self) -> State:
        """What is served now, found out from the files on disk and from Envoy's admin port.

        It waits for a push that is under way, in the midst of which neither the old nor the new is in force.
        """
        async with self._lock:
            self._seen = await self._look()
            return self._seen

    async def state_without_waiting(self) -> State:
        """Likewise, but during a push what was seen last: a heartbeat must not wait."""
        return self._seen if self._lock.locked() else await self.state()

    async def _look(self) -> State:
        push = self.held
        if push is None:
            return _NOTHING
        missing = await self._missing(push.files)
        problems = tuple(f"{name} is not in force as it was pushed." for name in sorted(missing))
        if missing and not await self._admin.is_live():
            problems = ("Envoy is not running.",)
        items = tuple(item for item in push.items if not _touched(str(item["kind"]), missing))
        return State(push.version, push.digest, items, problems)

    async def _missing(self, files: Mapping[str, str]) -> set[str]:
        """The files that are not on disk as pushed, or that Envoy does not serve."""
        on_disk = await asyncio.to_thread(self._store.digests)
        missing = {name for name, text in files.items() if on_disk.get(name) != content_digest(text)}
        try:
            versions = await self._admin.versions()
        except AdminUnreachable:
            return set(files)
        expected = _expected(files)
        return missing | {name for name, (at, version) in expected.items() if versions.get(at) != version}

    async def _try(self, push: Push) -> None:
        """Look at `push` and have Envoy validate it. Raises Refused."""
        try:
            files = push.files
            configuration = await asyncio.to_thread(composed, files, node=self._node, ca_file=self._ca_file)
            self._check_addresses(configuration["static_resources"]["clusters"])
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise Refused(f"the push does not hold together: {type(error).__name__}: {error}") from None
        if self._can_validate:
            words = await self._envoy.validate(configuration)
            if words:
                raise Refused(words)

    def _check_addresses(self, clusters: Iterable[Json]) -> None:
        """Refuse an upstream that points at the admin port or at the agent: callers would rule the gateway."""
        for cluster in clusters:
            for group in cluster["load_assignment"]["endpoints"]:
                for entry in group["lb_endpoints"]:
                    at = entry["endpoint"]["address"]["socket_address"]
                    if at["port_value"] in self._reserved and _is_here(at["address"]):
                        raise Refused(f"{cluster['name']} points at a port that rules this gateway.")

    async def _swap(self, push: Push) -> None:
        if not await self._admin.is_live():
            await self._start_with(push)
            return
        rejected = await self._ask(self._admin.rejected)
        for number, phase in enumerate(push.phases, start=1):
            failpoint(f"agent.phase-{number}")
            files = {name: push.blobs[content] for name, content in phase}
            await self._phase(files, rejected, is_last=number == len(push.phases))

    async def _start_with(self, push: Push) -> None:
        """Envoy is down: give it the finished files and start it now."""
        self._write(push.files)
        self._envoy.start_soon()
        deadline = self._clock() + START_S
        while await self._missing(push.files):
            if self._clock() > deadline:
                words = self._envoy.last_words()
                raise NotInForce(f"Envoy does not start: {words}" if words else "Envoy does not start.")
            await asyncio.sleep(_POLL_S * 5)

    async def _phase(self, files: Mapping[str, str], rejected: Mapping[str, int], *, is_last: bool) -> None:
        """Swap what differs and wait until Envoy serves it."""
        serving = await self._ask(self._admin.versions)
        on_disk = await asyncio.to_thread(self._store.digests)
        changed = {
            name: text
            for name, text in files.items()
            if on_disk.get(name) != content_digest(text) or _serves_other(name, text, serving)
        }
        expected = _expected(files if is_last else changed)
        if not is_last:
            expected = {name: want for name, want in expected.items() if want[0] in serving}
        log_size = self._envoy.log_size()
        await asyncio.to_thread(self._store.write_files, changed)
        failpoint("agent.swapped")
        await self._wait(dict(expected.values()), rejected, log_size)
        if "cds.json" in changed or "lds.json" in changed:
            await self._wait_warm(must=is_last and "lds.json" in changed)
        if changed:
            await asyncio.sleep(_SETTLE_S)

    async def _wait(self, expected: Mapping[str, str], rejected: Mapping[str, int], log_size: int) -> None:
        deadline = self._clock() + PHASE_S
        polls = 0
        while True:
            versions = await self._ask(self._admin.versions)
            late = [name for name, version in expected.items() if versions.get(name) != version]
            if not late:
                return
            polls += 1
            if polls % 5 == 0:
                await self._raise_rejected(rejected, log_size)
            if self._clock() > deadline:
                raise NotInForce(f"Envoy has not taken up {', '.join(late)} within {PHASE_S:.0f} seconds.")
            await asyncio.sleep(_POLL_S)

    async def _raise_rejected(self, rejected: Mapping[str, int], log_size: int) -> None:
        now = await self._ask(self._admin.rejected)
        refused = sorted(name for name, count in now.items() if count > rejected.get(name, 0))
        if refused:
            raise Refused(self._envoy.refusal(log_size) or f"Envoy refused {', '.join(refused)}.")

    async def _wait_warm(self, *, must: bool) -> None:
        """A cluster whose name does not resolve stays cold: that is its own trouble, and holds up nobody."""
        deadline = self._clock() + WARMING_S
        while await self._ask(self._admin.is_warming):
            if self._clock() > deadline:
                if must:
                    raise NotInForce(f"A listener is not in use after {WARMING_S:.0f} seconds.")
                return
            await asyncio.sleep(_POLL_S)

    async def _ask[T](self, question: Callable[[], Awaitable[T]]) -> T:
        try:
            return await question()
        except AdminUnreachable as error:
            raise NotInForce(f"Envoy does not answer on its admin port ({error}).") from None

    def _write(self, files: Mapping[str, str]) -> None:
        on_disk = self._store.digests()
        self._store.write_files(
            {name: text for name, text in files.items() if on_disk.get(name) != content_digest(text)}
        )

    async def _restore(self, before: Mapping[str, str]) -> None:
        """Put the old files back, and wait for Envoy to take up those that it had left."""
        await asyncio.to_thread(self._write, before)
        await asyncio.to_thread(self._store.keep_only, set(before))
        deadline = self._clock() + WARMING_S
        while self._clock() < deadline and await self._has_left(before):
            await asyncio.sleep(_POLL_S)

    async def _has_left(self, files: Mapping[str, str]) -> bool:
        """Whether Envoy follows one of `files` and shows another version of it."""
        try:
            serving = await self._admin.versions()
        except AdminUnreachable:
            return False
        return any(_serves_other(name, text, serving) for name, text in files.items())


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


def _touched(kind: str, missing: Iterable[str]) -> bool:
    heads = next(heads for known, heads in REALISED_IN.items() if known == kind)
    return any(name.startswith(heads) for name in missing)


def _is_here(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return address.is_loopback or address.is_unspecified
