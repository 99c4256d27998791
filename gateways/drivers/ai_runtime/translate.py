"""A document as the snapshot of an AI runtime. Pure functions; the runtime takes all files over together."""

from __future__ import annotations

from collections.abc import Sequence

from gateways.engine.document import Document, Item, Kind, ProviderKey, canonical_json, item_text, to_plain
from gateways.engine.driver import Listener
from gateways.engine.wire import AI_FILES, AI_LISTENERS_FILE

type Files = dict[str, str]


def files(document: Document, listeners: Sequence[Listener], *, address: str) -> Files:
    """Every file of `document`: a list of its objects in their neutral form, vendors' keys with their values."""
    texts: dict[Kind, list[str]] = {kind: [] for kind in AI_FILES}
    for item in document.items.values():
        if item.kind in texts:
            texts[item.kind].append(_text(item))
    found = {AI_FILES[kind]: _file(of_kind) for kind, of_kind in texts.items()}
    found[AI_LISTENERS_FILE] = listeners_file(listeners, address)
    return found


def listeners_file(listeners: Sequence[Listener], address: str) -> str:
    """Where the runtime is called, by environment."""
    places = sorted(listeners, key=lambda listener: (listener.port, listener.host, listener.environment))
    return _file(
        canonical_json(
            {"environment": one.environment, "port": one.port, "host": one.host, "address": address}
        )
        for one in places
    )


def _file(texts: object) -> str:
    """One object a line, so that a small change is a small change of the text."""
    return '{"items":[\n' + ",\n".join(texts) + "\n]}\n"  # type: ignore[arg-type]  # texts


def _text(item: Item) -> str:
    if isinstance(item, ProviderKey) and item.value:
        return canonical_json({**to_plain(item), "value": item.value})
    return item_text(item)
