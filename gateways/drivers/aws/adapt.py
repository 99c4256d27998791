"""What of a document API Gateway can be given. What it cannot is dropped with a note, and never weakened unsaid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateways.drivers.agents.adapt import Dropped
from gateways.drivers.agents.names import IDENTIFIER, KEY_VALUE
from gateways.drivers.aws.authorizer.deploy import ROLE_OPTION
from gateways.drivers.aws.definitions import refusal_of
from gateways.drivers.aws.kinds import ApiType, asks_authorizer, is_guarded, type_in, type_of
from gateways.drivers.aws.plans import FASTEST
from gateways.engine.document import (
    AiPart,
    Block,
    Definition,
    Document,
    Grant,
    Item,
    Key,
    Kind,
    Limit,
    ProviderKey,
    Ref,
    Route,
    Upstream,
    references,
    value_digest,
)
from gateways.engine.driver import Adapted, Listener

BEST_EFFORT = "Best effort: AWS does not keep throttles of usage plans to the call."
AUTHORIZER_COUNTS = (
    "Best effort on HTTP APIs: each running copy of the portal's authorizer counts for itself, so that many calls at"
    " once pass a multiple of the rate; who is too fast is answered 403, since an authorizer cannot answer 429."
)
CONNECTIONS_COUNT = (
    "On WebSocket APIs connections count, by best effort: each running copy of the portal's authorizer counts for"
    " itself. Messages are not counted."
)
OUTLIVES = "A revoked key cannot connect any more. Connections that are open last on, for two hours at most."
NO_KEYS = "Keys and plans do not count on this API: its own authorizer, or nobody, decides on calls."
REFUSED_403 = "Whose quota is used up is answered 403 by HTTP and WebSocket APIs, not 429."


@dataclass(frozen=True, slots=True)
class Able:
    """What the portal may make in the account. `features` None: nobody said."""

    features: frozenset[str] | None = None
    has_role: bool = False

    @classmethod
    def of(cls, options: Mapping[str, str]) -> Able:
        """By the options of a gateway."""
        said = options.get("features")
        features = None if said is None else frozenset(said.split(","))
        return cls(features, bool(options.get(ROLE_OPTION)))

    def lacks_for_authorizer(self) -> str:
        """What has to be switched on before the portal can make its authorizer; empty for nothing."""
        if self.features is None:
            return ""
        if "functions" not in self.features:
            return "Lambda functions"
        return "" if self.has_role or "roles" in self.features else "Roles for functions and integrations"


def adapt(desired: Document, listeners: Sequence[Listener], able: Able = Able()) -> Adapted:
    """The part of `desired` that can be served for the environments of `listeners`, in an account that is `able`."""
    environments = frozenset(listener.environment for listener in listeners)
    kept: dict[Ref, Item] = {}
    notes: dict[Ref, str] = {}
    for name, item in desired.items.items():
        try:
            note = _note(item, desired, kept, environments, able)
        except Dropped as reason:
            notes[name] = str(reason)
            continue
        kept[name] = item
        if note:
            notes[name] = note
    return Adapted(Document(kept), notes)


def _note(
    item: Item, desired: Document, kept: dict[Ref, Item], environments: frozenset[str], able: Able
) -> str:
    """What is to be said of an object that is kept. Raises Dropped."""
    if not IDENTIFIER.fullmatch(item.id):
        raise Dropped("Dropped: its id holds characters that a gateway cannot carry.")
    for needed in references(item):
        if needed not in kept:
            raise Dropped(f"Dropped: {needed} is not on this gateway.")
    match item:
        case AiPart() | ProviderKey():
            raise Dropped("Dropped: only an AI runtime takes it.")
        case Route():
            return _route(item, desired, environments, able)
        case Limit():
            return _limit(item, desired)
        case Block():
            return _block(item, desired)
        case Key():
            return _key(item)
        case Grant() if not item.routes:
            raise Dropped("Dropped: it is for nothing on this gateway.")
        case _:
            return ""


def _route(route: Route, desired: Document, environments: frozenset[str], able: Able) -> str:
    if route.environment not in environments:
        raise Dropped(f"Dropped: {route.environment!r} is not served here.")
    found = {name.kind: desired.items[name] for name in references(route)}
    definition = next((item for item in found.values() if isinstance(item, Definition)), None)
    upstream = next((item for item in found.values() if isinstance(item, Upstream)), None)
    if definition is None or upstream is None:
        raise Dropped(
            "Dropped: API Gateway has to know the operations of an API. Add a document to its revision."
        )
    refusal = refusal_of(definition, upstream, route)
    if refusal:
        raise Dropped(f"Dropped: {refusal}")
    kind = type_in(definition.settings)
    if definition.settings.get("auto_deploy"):
        _alone(route, desired)
    if kind is ApiType.REST:
        return ""
    if not asks_authorizer(definition.settings):
        return NO_KEYS
    if lacking := able.lacks_for_authorizer():
        needs = f"keys of an API of this type need the portal's authorizer. Switch on “{lacking}” for the AWS account"
        raise Dropped(f"Dropped: {needs}, or choose the type REST.")
    return OUTLIVES if kind is ApiType.WEBSOCKET else ""


def _alone(route: Route, desired: Document) -> None:
    """What deploys itself would bring the working copy of one publication to the callers of another."""
    others = (one for one in desired.of_kind(Route) if one.api_version == route.api_version)
    if any(one.id != route.id for one in others):
        what = "an API that deploys itself can be published in one environment of a gateway alone"
        raise Dropped(f"Dropped: {what}. Switch auto deploy off.")


def _types(desired: Document, names: Sequence[str]) -> set[ApiType]:
    """The types of those routes that ask for keys."""
    found = set()
    for name in names:
        route = desired.items.get(Ref(Kind.ROUTE, name))
        try:
            if isinstance(route, Route) and route.definition:
                kind = type_of(desired, route)
                found |= {kind} if kind is ApiType.REST or is_guarded(desired, name) else set()
        except (KeyError, ValueError):
            continue  # it is dropped, and its note says why
    return found


def _limit(limit: Limit, desired: Document) -> str:
    if limit.calls / limit.period_s > FASTEST:
        raise Dropped(f"Dropped: an account of AWS takes {FASTEST:,} calls a second.")
    types: set[ApiType] = set()
    for grant in desired.of_kind(Grant):
        if grant.limit == limit.id:
            types |= _types(desired, grant.routes)
    said = [AUTHORIZER_COUNTS] if ApiType.HTTP in types else []
    said += [CONNECTIONS_COUNT] if ApiType.WEBSOCKET in types else []
    return " ".join(said if said and ApiType.REST not in types else [BEST_EFFORT, *said])


def _block(block: Block, desired: Document) -> str:
    grant = desired.items.get(Ref(Kind.GRANT, block.grant))
    types = _types(desired, grant.routes) if isinstance(grant, Grant) else set()
    return REFUSED_403 if types - {ApiType.REST} else ""


def _key(key: Key) -> str:
    if key.value and not (KEY_VALUE.fullmatch(key.value) and value_digest(key.value) == key.value_digest):
        raise Dropped("Dropped: its value is not that of a key.")
    return ""
