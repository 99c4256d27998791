"""A gateway inside this process: a real driver over a dictionary, for tests, demonstrations and the contract.

`MemoryDriver.decide` answers a call as a gateway would, so that a test can ask what would happen to a
caller. Options of the Connection make it misbehave on purpose: `refuse` (a name like `route/pub_1` that
is refused for good), `unreachable` (any text: every call fails for now) and `forget` (a name that is
taken without complaint and is not there afterwards).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from types import MappingProxyType
from typing import ClassVar

from gateways.engine.changes import Change, ChangeSet, Delete
from gateways.engine.document import (
    Block,
    Document,
    Grant,
    Item,
    Key,
    Limit,
    Ref,
    Route,
    digest,
    value_digest,
)
from gateways.engine.drift import Reading
from gateways.engine.driver import (
    Adapted,
    Connection,
    DriverError,
    Feature,
    Mark,
    Progress,
    Scope,
    Verdict,
)


@dataclass(slots=True)
class Bucket:
    """The tokens left to one subscription, as of a time in POSIX seconds."""

    tokens: float
    at: float


@dataclass(slots=True)
class MemoryGateway:
    """What one gateway holds. `foreign` was made by somebody else and is never touched."""

    items: dict[Ref, Item] = field(default_factory=dict)
    foreign: dict[str, object] = field(default_factory=dict)
    buckets: dict[tuple[str, str], Bucket] = field(default_factory=dict)
    mark: Mark = field(default_factory=lambda: Mark(0, ""))
    lock: threading.RLock = field(default_factory=threading.RLock)


@dataclass(frozen=True, slots=True)
class Decision:
    """How a call would be answered. `reason` is one word; `route` and `grant` are ids, empty if unknown."""

    status: int
    reason: str
    route: str = ""
    grant: str = ""
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


_gateways: dict[str, MemoryGateway] = {}
_gateways_lock = threading.Lock()


def memory_gateway(slug: str) -> MemoryGateway:
    """The gateway of that slug in this process, made when first asked for."""
    with _gateways_lock:
        return _gateways.setdefault(slug, MemoryGateway())


def forget_gateways() -> None:
    """Drop every gateway of this process: tests begin with none."""
    with _gateways_lock:
        _gateways.clear()


class MemoryDriver:
    """The driver of `MemoryGateway`."""

    kind: ClassVar[str] = "memory"
    label: ClassVar[str] = "Memory"
    supports: ClassVar[frozenset[Feature]] = frozenset(Feature) - {Feature.USAGE_FEED, Feature.ROUTE_CANARY}
    renders_whole: ClassVar[bool] = False

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.gateway = memory_gateway(connection.gateway)

    def adapt(self, desired: Document) -> Adapted:
        """Everything is held as it is."""
        return Adapted(desired)

    def observe(self, scope: Scope) -> Document:
        """What is held, keys without their values. Raises DriverError when told to be unreachable."""
        self._reach()
        with self.gateway.lock:
            held = [item for name, item in self.gateway.items.items() if scope is None or name in scope]
        return Document.of(_without_value(item) for item in held)

    def inspect(self, expected: Document) -> tuple[Reading, ...]:
        """What is held: here nothing lies between what is observed and what is done. It has no nodes."""
        try:
            return (Reading("", self.observe(None)),)
        except DriverError as error:
            return (Reading("", unread=error.message),)

    def apply(self, changes: ChangeSet, progress: Progress) -> None:
        """Carry out the changes one by one. Raises DriverError at the first that is refused."""
        self._reach()
        for change in changes:
            progress("apply", f"{change.ref}")
            self._apply_one(change)
        self.gateway.mark = Mark(self.connection.version, changes.desired.digest())

    def verify(self, changes: ChangeSet) -> Verdict:
        """Compare what is held with what was to change."""
        self._reach()
        with self.gateway.lock:
            missing = {change.ref for change in changes if not self._holds(change)}
        confirmed = changes.refs() - missing
        unconfirmed = dict.fromkeys(sorted(missing), "The gateway does not show this change.")
        return Verdict(confirmed, unconfirmed, {"memory": "serving" if not missing else "behind"})

    def marks(self) -> Mapping[str, Mark]:
        """Memory is its own only node."""
        self._reach()
        return {"memory": self.gateway.mark}

    def snapshot(self, desired: Document) -> bytes:
        """Memory has no agent that would fetch a configuration."""
        return b""

    def decide(
        self, path: str, key: str = "", *, environment: str = "", host: str = "", now: float | None = None
    ) -> Decision:
        """Answer a call to `path` with `key` at `now` (POSIX seconds); `environment` empty means any."""
        with self.gateway.lock:
            return _decide(self.gateway, path, key, environment, host, time.time() if now is None else now)

    def _reach(self) -> None:
        if self.connection.options.get("unreachable"):
            raise DriverError("The gateway does not answer.", permanent=False)

    def _apply_one(self, change: Change) -> None:
        options = self.connection.options
        if str(change.ref) == options.get("refuse"):
            raise DriverError(f"{change.ref} is refused.", permanent=True, offenders=(change.ref,))
        if str(change.ref) == options.get("forget"):
            return
        with self.gateway.lock:
            if isinstance(change, Delete):
                self.gateway.items.pop(change.ref, None)
            else:
                self.gateway.items[change.ref] = change.item

    def _holds(self, change: Change) -> bool:
        held = self.gateway.items.get(change.ref)
        if isinstance(change, Delete):
            return held is None
        return held is not None and digest(held) == digest(change.item)


def _without_value(item: Item) -> Item:
    return replace(item, value="") if isinstance(item, Key) else item


def _decide(gateway: MemoryGateway, path: str, key: str, environment: str, host: str, now: float) -> Decision:
    held = list(gateway.items.values())
    route = _match(held, path, environment, host)
    if route is None:
        return Decision(404, "unknown_path")
    wanted = value_digest(key)
    found = next((item for item in held if isinstance(item, Key) and item.value_digest == wanted), None)
    if not key or found is None:
        return Decision(401, "unknown_key" if key else "no_key", route.id)
    grant = next((item for item in held if isinstance(item, Grant) and item.id == found.grant), None)
    if grant is None or route.id not in grant.routes:
        return Decision(403, "no_subscription", route.id)
    block = _block_of(held, grant, now)
    if block is not None:
        until = formatdate(block.until, usegmt=True)
        return Decision(429, "quota", route.id, grant.id, {"retry-after": until})
    return _spend(gateway, held, route, grant, now)


def _match(held: Iterable[Item], path: str, environment: str, host: str) -> Route | None:
    routes = [
        item
        for item in held
        if isinstance(item, Route)
        and environment in ("", item.environment)
        and item.host in ("", host)
        and (path == item.base_path or path.startswith(f"{item.base_path}/"))
    ]
    return max(routes, key=lambda route: (route.host != "", len(route.base_path)), default=None)


def _block_of(held: Iterable[Item], grant: Grant, now: float) -> Block | None:
    blocks = [
        item for item in held if isinstance(item, Block) and item.grant == grant.id and item.until > now
    ]
    return max(blocks, key=lambda block: block.until, default=None)


def _spend(gateway: MemoryGateway, held: Iterable[Item], route: Route, grant: Grant, now: float) -> Decision:
    limit = next((item for item in held if isinstance(item, Limit) and item.id == grant.limit), None)
    if limit is None:
        return Decision(200, "ok", route.id, grant.id)
    bucket = gateway.buckets.setdefault((limit.id, grant.id), Bucket(float(limit.burst), now))
    refill = max(0.0, now - bucket.at) * limit.calls / limit.period_s
    bucket.tokens, bucket.at = min(float(limit.burst), bucket.tokens + refill), now
    if bucket.tokens < 1:
        return Decision(429, "rate", route.id, grant.id, {"x-ratelimit-limit": str(limit.burst)})
    bucket.tokens -= 1
    return Decision(200, "ok", route.id, grant.id)
