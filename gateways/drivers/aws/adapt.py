"""What of a document API Gateway can be given. What it cannot is dropped with a note, and never weakened unsaid."""

from __future__ import annotations

from collections.abc import Sequence

from gateways.drivers.agents.adapt import Dropped
from gateways.drivers.agents.names import IDENTIFIER, KEY_VALUE
from gateways.drivers.aws.definitions import refusal_of
from gateways.drivers.aws.plans import FASTEST
from gateways.engine.document import (
    AiPart,
    Definition,
    Document,
    Grant,
    Item,
    Key,
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


def adapt(desired: Document, listeners: Sequence[Listener]) -> Adapted:
    """The part of `desired` that can be served for the environments of `listeners`."""
    environments = frozenset(listener.environment for listener in listeners)
    kept: dict[Ref, Item] = {}
    notes: dict[Ref, str] = {}
    for name, item in desired.items.items():
        try:
            note = _note(item, desired, kept, environments)
        except Dropped as reason:
            notes[name] = str(reason)
            continue
        kept[name] = item
        if note:
            notes[name] = note
    return Adapted(Document(kept), notes)


def _note(item: Item, desired: Document, kept: dict[Ref, Item], environments: frozenset[str]) -> str:
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
            return _route(item, desired, environments)
        case Limit():
            return _limit(item)
        case Key():
            return _key(item)
        case Grant() if not item.routes:
            raise Dropped("Dropped: it is for nothing on this gateway.")
        case _:
            return ""


def _route(route: Route, desired: Document, environments: frozenset[str]) -> str:
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
    return ""


def _limit(limit: Limit) -> str:
    if limit.calls / limit.period_s > FASTEST:
        raise Dropped(f"Dropped: an account of AWS takes {FASTEST:,} calls a second.")
    return BEST_EFFORT


def _key(key: Key) -> str:
    if key.value and not (KEY_VALUE.fullmatch(key.value) and value_digest(key.value) == key.value_digest):
        raise Dropped("Dropped: its value is not that of a key.")
    return ""
