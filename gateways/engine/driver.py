"""What a driver owes the engine: the text of the contract. `tests/gateways/driver_contract.py` holds it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from aws.client.calls import Calls
    from gateways.engine.changes import ChangeSet
    from gateways.engine.document import Document, Ref
    from gateways.engine.drift import Reading
    from gateways.engine.holdings import Holdings


class Feature(StrEnum):
    """What a gateway can be asked to enforce; the portal says before publishing what is lacking."""

    KEY_AUTH = "key_auth"
    RATE_LIMIT = "rate_limit"
    QUOTA_BLOCK = "quota_block"
    PROBLEM_ANSWERS = "problem_answers"
    USAGE_FEED = "usage_feed"
    CORS = "cors"
    HEALTH_CHECK = "health_check"
    WEIGHTED_TARGETS = "weighted_targets"
    HOST_ROUTING = "host_routing"
    ROUTE_CANARY = "route_canary"
    SLOW_RATES = "slow_rates"
    """Rates of less than one call a minute."""
    RATE_HEADERS = "rate_headers"
    """Every answer says how much of the rate is left."""
    ENDLESS_STREAMS = "endless_streams"
    """A change of the configuration cuts no call, however long it lasts."""


class DriverError(Exception):
    """A gateway did not do as asked. `permanent` means that the same push would be refused again.

    `message` is in the gateway's own words, without secrets; `offenders` names the objects it blames,
    where it names any.
    """

    def __init__(self, message: str, *, permanent: bool, offenders: tuple[Ref, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.permanent = permanent
        self.offenders = offenders


@dataclass(frozen=True, slots=True)
class Listener:
    """Where one Environment is served on a gateway: `port` on every node (0: it has no ports), `host` empty for any."""

    environment: str
    port: int
    host: str = ""


@dataclass(frozen=True, slots=True)
class Node:
    """One process of a gateway, reached through the agent at `url`."""

    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Connection:
    """All that a driver needs to reach one gateway. Drivers are made anew for every reconcile.

    With `remembers` a driver may keep in this process what it worked out, for the next reconcile of the gateway.
    `holdings` and `calls` are there for a gateway that is a vendor's.
    """

    gateway: str
    nodes: tuple[Node, ...] = ()
    listeners: tuple[Listener, ...] = ()
    token: str = field(default="", repr=False)
    version: int = 0
    options: Mapping[str, str] = field(default_factory=dict)
    remembers: bool = False
    holdings: Holdings | None = None
    calls: Calls | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Adapted:
    """`document` as this gateway will show it; `notes` says what was dropped or weakened, by object."""

    document: Document
    notes: Mapping[Ref, str] = field(default_factory=dict)


type Scope = frozenset[Ref] | None
"""The objects to look at; None is all of them."""

type Progress = Callable[[str, str], None]
"""Called with the name of a step and a sentence about it, as the step begins."""


@dataclass(frozen=True, slots=True)
class Mark:
    """The last push that a node took: its number and the digest of its document; 0 and "" for none.

    By it a portal that was restored from a backup sees that its gateways know more than its database.
    """

    version: int
    digest: str


@dataclass(frozen=True, slots=True)
class Wait:
    """A push goes on after so many seconds. `why` is for those who oversee the gateway; `on` names a limit of the
    vendor, where it is one, and nothing of anybody's.
    """

    seconds: float
    why: str
    on: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a read-back found. Confirmed: every node serves it or, deleted, no longer does.

    With a `wait` what is unconfirmed is not wrong: it takes its time, by a limit of the vendor.
    """

    confirmed: frozenset[Ref]
    unconfirmed: Mapping[Ref, str] = field(default_factory=dict)
    nodes: Mapping[str, str] = field(default_factory=dict)
    wait: Wait | None = None


class Driver(Protocol):
    """One kind of gateway. All methods may raise DriverError.

    `renders_whole` is true for a driver that writes the whole document at every push (files, agents): it
    is always observed, compared and guarded with scope None, because that is what its push touches.
    """

    kind: ClassVar[str]
    label: ClassVar[str]
    supports: ClassVar[frozenset[Feature]]
    renders_whole: ClassVar[bool]

    def __init__(self, connection: Connection) -> None: ...

    def adapt(self, desired: Document) -> Adapted:
        """Make `desired` look as `observe` will return it; drop what the gateway cannot do and say so."""

    def observe(self, scope: Scope) -> Document:
        """What the gateway holds now, of what carries our mark and stands in `scope`."""

    def inspect(self, expected: Document) -> tuple[Reading, ...]:
        """What each node would really do, read from its own configuration and not from what anybody remembers.

        `expected` is what it should do, adapted and without values: it names what a configuration does not
        spell out (labels, the plan behind a rate). A node that can't be read is in the answer, with the reason.
        """

    def apply(self, changes: ChangeSet, progress: Progress) -> None:
        """Carry out `changes`, make before break. Idempotent. Nothing without our mark is touched."""

    def verify(self, changes: ChangeSet) -> Verdict:
        """Read back what `changes` touched, or probe it."""

    def marks(self) -> Mapping[str, Mark]:
        """What was pushed last, as each node tells it; kept by the gateway, never by the portal."""

    def snapshot(self, desired: Document) -> bytes:
        """The body that an agent fetches for itself at its start; empty for a gateway without agents."""
