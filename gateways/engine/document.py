"""The neutral state of one gateway: what is wanted of it, and what was seen on it, in one type.

Every object is a frozen dataclass with an `id` that is unique within its kind. `digest()` names its
content: two objects with the same digest are the same object for every purpose of the engine. A secret
takes part in the digest and is never printed.
"""

from __future__ import annotations

import hashlib
import json
from bisect import insort
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple

MOST_INSERTED = 1_000
"""More new names than these are put in order by sorting all."""


class Kind(StrEnum):
    """Kinds in dependency order: each may refer only to kinds above it."""

    UPSTREAM = "upstream"
    DEFINITION = "definition"
    LIMIT = "limit"
    CONSUMER = "consumer"
    ROUTE = "route"
    GRANT = "grant"
    KEY = "key"
    BLOCK = "block"
    # What only an AI runtime is given.
    PROVIDER = "provider"
    PROVIDER_KEY = "provider_key"
    MODEL = "model"
    MODEL_ROUTE = "model_route"
    PROMPT = "prompt"
    ENDPOINT = "endpoint"
    CALLER = "caller"
    BUDGET = "budget"
    HOP = "hop"

    __hash__ = str.__hash__  # that of an enumeration is written in Python, and every look-up asks for it


class _Digested:
    """Room for what is worked out of an object once, since it never changes: its name, its digest, and its line in the
    digest of a document."""

    __slots__ = ("_digest", "_line", "_ref")
    _digest: str
    _line: str
    _ref: Ref


@dataclass(frozen=True, slots=True)
class Target:
    """One address of an upstream: `url` is scheme, host, optional port and optional path prefix."""

    url: str
    weight: int = 100


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """An active HTTP check: a target is out after `unhealthy` failures, back after `healthy` successes."""

    path: str
    interval_s: int = 10
    timeout_s: int = 2
    healthy: int = 1
    unhealthy: int = 3


@dataclass(frozen=True, slots=True)
class Upstream(_Digested):
    """Where traffic goes: `id` is the public id of an UpstreamBinding, or of a Publication behind an AI runtime.

    With `hop` the gateway shows that it is one (`gateways.engine.wire.hop_secret`), so that what it says of the caller
    is believed.
    """

    kind: ClassVar[Kind] = Kind.UPSTREAM
    id: str
    label: str
    targets: tuple[Target, ...]
    timeout_ms: int = 15_000
    connect_timeout_ms: int = 2_000
    health: HealthCheck | None = None
    hop: bool = False


@dataclass(frozen=True, slots=True)
class Limit(_Digested):
    """A token bucket: `burst` tokens at most, `calls` of them refilled evenly over `period_s` seconds.

    It is counted per subscription, never per key. `id` is the public id of a PlanRevision.
    """

    kind: ClassVar[Kind] = Kind.LIMIT
    id: str
    label: str
    calls: int
    period_s: int
    burst: int


@dataclass(frozen=True, slots=True)
class Consumer(_Digested):
    """The caller's program: `id` is the public id of an Application."""

    kind: ClassVar[Kind] = Kind.CONSUMER
    id: str
    label: str


@dataclass(frozen=True, slots=True)
class Route(_Digested):
    """A path prefix on one listener: `id` is the public id of a Publication.

    `environment` is the slug of the Environment whose listener carries it; `base_path` starts with a
    slash and has none at its end; the rest of the path reaches the upstream with the prefix taken off.
    `definition` is named on gateways that have to know the operations.
    """

    kind: ClassVar[Kind] = Kind.ROUTE
    id: str
    label: str
    environment: str
    base_path: str
    upstream: str
    api_version: str
    revision: str
    host: str = ""
    cors_origins: tuple[str, ...] = ()
    definition: str = ""


@dataclass(frozen=True, slots=True)
class Definition(_Digested):
    """What an API is, for gateways that have to know its operations: `id` is the public id of a Revision.

    `document` is its OpenAPI document and takes part by its digest alone; `settings` (JSON) are those for this kind of
    gateway.
    """

    kind: ClassVar[Kind] = Kind.DEFINITION
    id: str
    label: str
    document_digest: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    document: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Grant(_Digested):
    """A subscription: who may call which routes, within which limit. `id` is its public id."""

    kind: ClassVar[Kind] = Kind.GRANT
    id: str
    label: str
    consumer: str
    routes: tuple[str, ...]
    limit: str


@dataclass(frozen=True, slots=True)
class Key(_Digested):
    """One credential of a grant. `key_id` may be logged, `value` is the whole key and may not.

    `value` is empty in an observed document: a gateway hands out no keys, so there `value_digest`
    carries what is known of it.
    """

    kind: ClassVar[Kind] = Kind.KEY
    id: str
    key_id: str
    grant: str
    value_digest: str
    value: str = field(default="", repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Block(_Digested):
    """A subscription that used up its quota: answered 429 until `until` (POSIX seconds, UTC).

    `id` is the public id of the Block row, `grant` the subscription it stops.
    """

    kind: ClassVar[Kind] = Kind.BLOCK
    id: str
    grant: str
    reason: str
    until: int


@dataclass(frozen=True, slots=True)
class AiPart(_Digested):
    """Something that an AI runtime is told and this engine only carries: `content` is a JSON object.

    Its members are those that `ai.runtime.reading` reads, beside `id` and `label`; `needs` are the objects that
    they name, as `kind/id`. One class for each kind, so that a kind is known by its type.
    """

    kind: ClassVar[Kind]
    id: str
    label: str
    content: Mapping[str, Any]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Provider(AiPart):
    """A vendor: `id` is the public id of a Provider."""

    kind: ClassVar[Kind] = Kind.PROVIDER


@dataclass(frozen=True, slots=True)
class AiModel(AiPart):
    """A model with its prices: `id` is the public id of an AiModel."""

    kind: ClassVar[Kind] = Kind.MODEL


@dataclass(frozen=True, slots=True)
class ModelRoute(AiPart):
    """An alias and the models behind it: `id` is the public id of a ModelRoute."""

    kind: ClassVar[Kind] = Kind.MODEL_ROUTE


@dataclass(frozen=True, slots=True)
class Prompt(AiPart):
    """A frozen prompt: `id` is the public id of a PromptVersion."""

    kind: ClassVar[Kind] = Kind.PROMPT


@dataclass(frozen=True, slots=True)
class Endpoint(AiPart):
    """What stands behind a route on a runtime: `id` is the public id of the Publication."""

    kind: ClassVar[Kind] = Kind.ENDPOINT


@dataclass(frozen=True, slots=True)
class Caller(AiPart):
    """Who pays for the calls of a subscription, and its token rate: `id` is its public id."""

    kind: ClassVar[Kind] = Kind.CALLER


@dataclass(frozen=True, slots=True)
class Budget(AiPart):
    """A ceiling of tokens or money: `id` is the public id of a Budget."""

    kind: ClassVar[Kind] = Kind.BUDGET


@dataclass(frozen=True, slots=True)
class Hop(AiPart):
    """A gateway in front, by the digest of its secret: `id` is the public id of the Gateway with a number."""

    kind: ClassVar[Kind] = Kind.HOP


@dataclass(frozen=True, slots=True)
class ProviderKey(_Digested):
    """A key of a vendor, by value or by reference. `value` is a secret, and empty in an observed document."""

    kind: ClassVar[Kind] = Kind.PROVIDER_KEY
    id: str
    label: str
    provider: str
    weight: int
    reference: str
    value_digest: str
    value: str = field(default="", repr=False, compare=False)


type Item = (
    Upstream
    | Definition
    | Limit
    | Consumer
    | Route
    | Grant
    | Key
    | Block
    | Provider
    | ProviderKey
    | AiModel
    | ModelRoute
    | Prompt
    | Endpoint
    | Caller
    | Budget
    | Hop
)

ITEM_TYPES: Mapping[Kind, type[Item]] = {
    Kind.UPSTREAM: Upstream,
    Kind.DEFINITION: Definition,
    Kind.LIMIT: Limit,
    Kind.CONSUMER: Consumer,
    Kind.ROUTE: Route,
    Kind.GRANT: Grant,
    Kind.KEY: Key,
    Kind.BLOCK: Block,
    Kind.PROVIDER_KEY: ProviderKey,
    Kind.PROVIDER: Provider,
    Kind.MODEL: AiModel,
    Kind.MODEL_ROUTE: ModelRoute,
    Kind.PROMPT: Prompt,
    Kind.ENDPOINT: Endpoint,
    Kind.CALLER: Caller,
    Kind.BUDGET: Budget,
    Kind.HOP: Hop,
}


class Ref(NamedTuple):
    """The name of an object on a gateway. A tuple, because a run looks up hundreds of thousands of them."""

    kind: Kind
    id: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.id}"


def ref(item: Item) -> Ref:
    """Name `item`."""
    try:
        return item._ref
    except AttributeError:
        found = Ref(item.kind, item.id)
        object.__setattr__(item, "_ref", found)
        return found


def references(item: Item) -> tuple[Ref, ...]:
    """What `item` refers to."""
    match item:
        case Route(upstream=upstream, definition=definition):
            definitions = (Ref(Kind.DEFINITION, definition),) if definition else ()
            return ((Ref(Kind.UPSTREAM, upstream),) if upstream else ()) + definitions
        case Grant(consumer=consumer, limit=limit, routes=routes):
            limits = (Ref(Kind.LIMIT, limit),) if limit else ()
            return (Ref(Kind.CONSUMER, consumer), *limits, *(Ref(Kind.ROUTE, route) for route in routes))
        case Key(grant=grant) | Block(grant=grant):
            return (Ref(Kind.GRANT, grant),)
        case ProviderKey(provider=provider):
            return (Ref(Kind.PROVIDER, provider),)
        case AiPart(needs=needs):
            return tuple(named(text) for text in needs)
        case _:
            return ()


def named(text: str) -> Ref:
    """The inverse of the text of a Ref."""
    kind, _, name = text.partition("/")
    return Ref(Kind(kind), name)


def in_order[N](
    names: Mapping[N, Any], like: Mapping[N, Any], key: Callable[[N], tuple[int, str]]
) -> list[N]:
    """`names` sorted by `key`. `like` is in that order and has nearly the same names, which makes it quick."""
    new = names.keys() - like.keys()
    if len(new) > MOST_INSERTED:
        return sorted(names, key=key)
    found = [name for name in like if name in names]
    for name in new:
        insort(found, name, key=key)
    return found


def value_digest(value: str) -> str:
    """Digest of a key's value. The value holds 256 random bits, so a plain hash gives nothing away."""
    return hashlib.sha256(value.encode()).hexdigest()


_FIELDS = {
    kind: tuple(field.name for field in fields(item_type) if field.compare)
    for kind, item_type in ITEM_TYPES.items()
}


def to_plain(item: Item) -> dict[str, Any]:
    """`item` as JSON values, without a secret."""
    if isinstance(item, Upstream):
        plain = _upstream_to_plain(item)
    elif isinstance(item, AiPart):
        plain = {**item.content, "id": item.id, "label": item.label, "needs": item.needs}
    else:
        plain = {n: getattr(item, n) for n in _FIELDS[item.kind]}
        if plain.get("definition") == "":  # gateways that need none know nothing of it
            del plain["definition"]
    plain["kind"] = item.kind.value
    return plain


def _upstream_to_plain(upstream: Upstream) -> dict[str, Any]:
    """`asdict` copies deeply, which is ten times slower and only an upstream needs."""
    plain = asdict(upstream)
    if not upstream.hop:
        del plain["hop"]
    return plain


def from_plain(plain: Mapping[str, Any]) -> Item:
    """The inverse of `to_plain`. Raises KeyError or TypeError on anything else."""
    values = dict(plain)
    kind = Kind(values.pop("kind"))
    if issubclass(ITEM_TYPES[kind], AiPart):
        own = {name: values.pop(name) for name in ("id", "label", "needs")}
        return ITEM_TYPES[kind](own["id"], own["label"], values, tuple(own["needs"]))  # type: ignore[call-arg, arg-type]  # each is built alike
    if kind is Kind.UPSTREAM:
        values["targets"] = tuple(Target(**target) for target in values["targets"])
        values["health"] = HealthCheck(**values["health"]) if values.get("health") else None
    for name in ("cors_origins", "routes"):
        if name in values:
            values[name] = tuple(values[name])
    return ITEM_TYPES[kind](**values)


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def canonical_json(value: Any) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text."""
    return _encode(value)


def digest(item: Item) -> str:
    """SHA-256 (hex) over the canonical JSON of `item`; a key enters by the digest of its value."""
    try:
        return item._digest
    except AttributeError:
        found = hashlib.sha256(item_text(item).encode()).hexdigest()
        object.__setattr__(item, "_digest", found)
        return found


def item_text(item: Item) -> str:
    """The canonical JSON of `item`, without a key's secret."""
    return canonical_json(to_plain(item))


def digest_of_all(digests: Mapping[str, str]) -> str:
    """`Document.digest` of objects by their names and digests, in the order of the document."""
    return _digest_of_lines(f"{name} {found}" for name, found in digests.items())


def _digest_of_lines(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _line(item: Item) -> str:
    try:
        return item._line
    except AttributeError:
        found = f"{ref(item)} {digest(item)}"
        object.__setattr__(item, "_line", found)
        return found


@dataclass(frozen=True, slots=True)
class Document:
    """All objects of one gateway, by name. Build it with `Document.of`."""

    items: Mapping[Ref, Item] = field(default_factory=dict)
    _digest: str = field(default="", init=False, repr=False, compare=False)
    _digests: Mapping[Ref, str] | None = field(default=None, init=False, repr=False, compare=False)
    _by_type: Mapping[type[Item], list[Item]] | None = field(
        default=None, init=False, repr=False, compare=False
    )

    @classmethod
    def of(cls, items: Iterable[Item], like: Document | None = None) -> Document:
        """A document of `items`. Raises ValueError when two of them have the same name.

        `like` is one with nearly the same names, beside whose order that of the new one costs next to nothing.
        """
        named: dict[Ref, Item] = {}
        for item in items:
            if named.setdefault(ref(item), item) is not item:
                raise ValueError(f"two objects are named {ref(item)}")
        return cls({name: named[name] for name in in_order(named, like.items if like else {}, _order)})

    def of_kind[T](self, item_type: type[T]) -> Iterator[T]:
        """The objects of one type, in the order of their ids."""
        return iter(self._kinds().get(item_type, ()))  # type: ignore[arg-type]  # of that type, as they are kept by it

    def _kinds(self) -> Mapping[type[Item], list[Item]]:
        """The objects by type. Worked out once: renderers ask for one kind after the other."""
        if self._by_type is None:
            found: dict[type[Item], list[Item]] = {item_type: [] for item_type in ITEM_TYPES.values()}
            for item in self.items.values():
                found[type(item)].append(item)
            object.__setattr__(self, "_by_type", found)
            return found
        return self._by_type

    def digests(self) -> Mapping[Ref, str]:
        """The digest of every object. Worked out once, like `digest`."""
        if self._digests is None:
            found = {name: digest(item) for name, item in self.items.items()}
            object.__setattr__(self, "_digests", found)
            return found
        return self._digests

    def digest(self) -> str:
        """One SHA-256 (hex) for the whole document. Worked out once, because it reads every object."""
        if not self._digest:
            object.__setattr__(self, "_digest", _digest_of_lines(map(_line, self.items.values())))
        return self._digest

    def learn(self, known: Document) -> None:
        """Take over the digests that `known` has of equal objects: comparing costs a fraction of working them out.

        Only of those that are made of texts: `1` and `1.0` are equal, and have not one digest.
        """
        for name, item in self.items.items():
            if hasattr(item, "_digest") or name.kind not in _OF_TEXTS:
                continue
            other = known.items.get(name)
            if other is not None and other == item and hasattr(other, "_digest"):
                object.__setattr__(item, "_digest", other._digest)

    def new_to(self, other: Document) -> list[Ref]:
        """The objects here that `other` has not, or not as the very same value in memory: these may differ."""
        known = other.items.get
        return [name for name, item in self.items.items() if known(name) is not item]

    def __len__(self) -> int:
        return len(self.items)


_OF_TEXTS = frozenset({Kind.CONSUMER, Kind.ROUTE, Kind.GRANT, Kind.KEY})
_RANK = {kind: rank for rank, kind in enumerate(Kind)}


def _order(name: Ref) -> tuple[int, str]:
    return (_RANK[name.kind], name.id)
