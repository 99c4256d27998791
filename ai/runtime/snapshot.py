"""The configuration of a runtime as values that a call looks up. `ai.runtime.reading` makes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ai.pricing import PriceList
from ai.prompts.guards import Guard
from ai.prompts.templates import Template
from ai.prompts.variables import Variable


class SnapshotError(ValueError):
    """A snapshot that cannot be served; the text names the object and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class ProviderKey:
    """A vendor's key, by value or by reference: `env:NAME` or `file:/path`, read where the runtime runs."""

    id: str
    label: str
    weight: int
    value: str = field(repr=False, default="")
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Provider:
    """A vendor: where it is, how it is spoken to, and the keys that are taken in turn."""

    id: str
    label: str
    dialect: str
    base_url: str
    auth: str
    headers: tuple[tuple[str, str], ...]
    options: Mapping[str, str]
    keys: tuple[ProviderKey, ...]


@dataclass(frozen=True, slots=True)
class Model:
    """One model of a vendor. `name` is ours (`openai/gpt-4o-mini`), `remote` the vendor's. No prices: not known.

    `context` and `max_output` are tokens, 0 where they are not known.
    """

    id: str
    name: str
    provider: Provider
    remote: str
    mode: str
    context: int
    max_output: int
    capabilities: frozenset[str]
    prices: tuple[tuple[int, PriceList], ...]

    def price(self, at: float) -> PriceList | None:
        """The list that holds at `at` (POSIX seconds)."""
        found = [prices for since, prices in self.prices if since <= at]
        return found[-1] if found else None


@dataclass(frozen=True, slots=True)
class Target:
    """A model in a route: those of a lower `rank` come first, among equals `weight` decides."""

    model: Model
    weight: int
    rank: int


@dataclass(frozen=True, slots=True)
class ModelRoute:
    """An alias and the models behind it."""

    id: str
    alias: str
    targets: tuple[Target, ...]
    retry_codes: frozenset[int]
    attempts: int
    try_timeout_s: float
    stream_idle_s: float
    breaker_failures: int
    breaker_s: float

    def offers(self, capability: str) -> bool:
        """Whether every model behind it can do something."""
        return all(capability in target.model.capabilities for target in self.targets)


@dataclass(frozen=True, slots=True)
class Prompt:
    """One frozen version of a prompt, ready to be rendered."""

    id: str
    name: str
    number: int
    variables: tuple[Variable, ...]
    templates: tuple[Template, ...]
    parameters: Mapping[str, Any]
    route: ModelRoute
    guard: Guard
    cache_s: int
    output_schema: Mapping[str, Any] | None
    inputs: Any
    outputs: Any

    @property
    def sensitive(self) -> frozenset[str]:
        """The variables whose values are never logged."""
        return frozenset(variable.name for variable in self.variables if variable.sensitive)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What callers reach under one base path: a prompt, models by alias, or both.

    `versions` are the prompt's released versions by number, of which `prompt` is what its label names now.
    """

    id: str
    label: str
    base_path: str
    host: str
    environment: str
    team: str
    api: str
    api_version: str
    prompt: Prompt | None
    prompt_label: str
    versions: Mapping[int, Prompt]
    models: Mapping[str, ModelRoute]
    envelope: bool
    stream: bool
    max_body: int
    log_bodies: bool
    guard: Guard


@dataclass(frozen=True, slots=True)
class TokenRate:
    """At most so many tokens in a window of `period_s` seconds, per subscription."""

    tokens: int
    period_s: int


@dataclass(frozen=True, slots=True)
class CallRate:
    """A token bucket of calls: `burst` at most, `calls` of them refilled evenly over `period_s` seconds."""

    calls: int
    period_s: int
    burst: int


@dataclass(frozen=True, slots=True)
class Subscription:
    """Who calls. `blocked_until` is when a quota lets them in again, in POSIX seconds; 0 for now."""

    id: str
    application: str
    team: str
    endpoints: frozenset[str]
    call_rate: CallRate
    token_rate: TokenRate | None
    blocked_until: int


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a subscription, where the runtime stands alone."""

    key_id: str
    subscription: str


@dataclass(frozen=True, slots=True)
class Budget:
    """A ceiling for one scope and period: `unit` is tokens or billionths of `currency`.

    `hard` refuses calls beyond it, else they are only told. `fail_open` lets calls in where the counters are away.
    `generation`, `base` (of the period that began at `base_period`, YYYYMMDD) and `is_new`: see `ai.runtime.recount`.
    """

    id: str
    label: str
    scope: str
    scope_id: str
    period: str
    unit: str
    currency: str
    limit: int
    hard: bool
    fail_open: bool
    generation: str
    base: int | None
    base_period: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Where an environment is called: a port on an address of this machine, for one host or (empty) any."""

    environment: str
    port: int
    host: str
    address: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All of it. `hops` are the digests of the secrets by which gateways in front prove who they are.

    `by_base_path` has the endpoints once more: those of each base path, whatever their environment and host.
    """

    models: Mapping[str, Model] = field(default_factory=dict)
    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)
    by_base_path: Mapping[str, Sequence[Endpoint]] = field(default_factory=dict)
    subscriptions: Mapping[str, Subscription] = field(default_factory=dict)
    keys: Mapping[str, Key] = field(default_factory=dict)
    budgets: Mapping[tuple[str, str], tuple[Budget, ...]] = field(default_factory=dict)
    hops: frozenset[str] = frozenset()
    places: tuple[Place, ...] = ()
