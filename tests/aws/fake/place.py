"""What there is in one account and Region, and how operations come to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from tests.aws.fake.clock import Clock

type Params = Mapping[str, Any]
type Handler = Callable[["Place", Params], dict[str, Any]]

OPERATIONS: dict[tuple[str, str], Handler] = {}
"""What the fake can do; anything else fails the test that asks it."""
GLOBAL = "aws-global"


def operation(service: str, name: str) -> Callable[[Handler], Handler]:
    """Makes a function the answer to an operation."""

    def made(handler: Handler) -> Handler:
        assert (service, name) not in OPERATIONS
        OPERATIONS[service, name] = handler
        return handler

    return made


@dataclass(slots=True)
class Delays:
    """Seconds until what was made is what AWS does. None of them is a promise of AWS; all can be set."""

    keys: float = 30
    """Keys, plans and what links them, in calls of an API: LocalStack's tests against AWS poll for two minutes [S]."""
    lists: float = 0
    """Until a list shows what was made."""
    roles: float = 10
    """Until Lambda can assume a new role; IAM is eventually consistent [D]."""
    function_active: float = 5
    function_updated: float = 3
    provisioned: float = 60


@dataclass(slots=True)
class Quotas:
    """Tests make them small.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html,
    https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html.
    """

    regional_apis: int = 600
    edge_apis: int = 120
    api_keys: int = 10_000
    usage_plans: int = 300
    plans_per_key: int = 10
    resources: int = 300
    stages: int = 10
    authorizers: int = 10
    tags: int = 50
    method_throttles: int = 20
    http_routes: int = 300
    http_integrations: int = 300
    concurrency: int = 1_000
    unreserved: int = 100
    code_bytes: int = 75 * 1024**3
    policy_bytes: int = 20 * 1024


class World(Protocol):
    """What a place needs of the fake as a whole."""

    clock: Clock
    delays: Delays
    quotas: Quotas

    identities: Any

    def new_number(self) -> int: ...

    def place(self, number: str, region: str) -> Place: ...


@dataclass(eq=False)
class Place:
    """One account in one Region. Each service keeps its own state here."""

    world: World
    number: str
    region: str
    caller: str = ""
    """The ARN of who calls, for the call that is under way."""
    _states: dict[type, Any] = field(default_factory=dict)

    def state[T](self, kind: Callable[[], T]) -> T:
        """The state of a service, empty at first."""
        return self._states.setdefault(kind, kind())

    @property
    def now(self) -> float:
        return self.world.clock()

    @property
    def date(self) -> datetime:
        return self.world.clock.date

    @property
    def quotas(self) -> Quotas:
        return self.world.quotas

    @property
    def delays(self) -> Delays:
        return self.world.delays

    def new_id(self, length: int = 10) -> str:
        """Letters and digits, other ones each time, the same in each run."""
        number, found = (self.world.new_number() * 2_654_435_761 + 97) % 36**6, ""
        while len(found) < length:
            number, rest = divmod(number, 36)
            found += "0123456789abcdefghijklmnopqrstuvwxyz"[rest]
            number = number or (self.world.new_number() * 40_503) % 36**6
        return found

    def arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self.region}:{self.number}:{resource}"


def page(
    entries: Iterable[Any],
    params: Params,
    *,
    marker: str = "position",
    size: str = "limit",
    usual: int = 25,
    most: int = 500,
) -> tuple[list[Any], str]:
    """A page of entries and where the next one begins, empty after the last: 25 unless asked for more [D]."""
    found = list(entries)
    begin = int(params.get(marker) or 0)
    count = min(int(params.get(size) or usual), most)
    end = begin + count
    return found[begin:end], str(end) if end < len(found) else ""
