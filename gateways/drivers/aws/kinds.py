"""The types of API that AWS knows, and which of them a Revision asks for."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from gateways.engine.document import Definition, Document, Kind, Ref, Route

KEYS = "gatehouse"
"""The authorizer of an HTTP or WebSocket API that stands for keys and plans of the portal."""


class ApiType(StrEnum):
    """`policies["aws"]["type"]` of a Revision."""

    REST = "rest"
    HTTP = "http"
    WEBSOCKET = "websocket"


def type_in(settings: Mapping[str, Any]) -> ApiType:
    """The type that settings ask for. Raises ValueError for one that there is not."""
    said = settings.get("type") or ApiType.REST
    try:
        return ApiType(said)
    except ValueError:
        known = ", ".join(ApiType)
        raise ValueError(f"{said!r} is no type of API. AWS knows {known}.") from None


def authorizer_in(settings: Mapping[str, Any]) -> str:
    """The authorizer of an HTTP or WebSocket API that counts where nothing else is said: the portal's own, unless
    another one is named or no key is asked for."""
    if settings.get("authorizer"):
        return str(settings["authorizer"])
    return KEYS if settings.get("api_key_required", True) else ""


def asks_authorizer(settings: Mapping[str, Any]) -> bool:
    """Whether the portal's own authorizer decides on calls."""
    if type_in(settings) is ApiType.REST:
        return False
    return KEYS in {authorizer_in(settings), *(settings.get("authorized_by") or {}).values()}


def definition_of(document: Document, route: Route) -> Definition:
    """What `route` is. It is there: a document is adapted before anything is done by it."""
    definition = document.items[Ref(Kind.DEFINITION, route.definition)]
    assert isinstance(definition, Definition)  # noqa: S101 - named by its kind
    return definition


def type_of(document: Document, route: Route) -> ApiType:
    """Of a route of a document that was adapted."""
    return type_in(definition_of(document, route).settings)


def is_rest(document: Document, route: str) -> bool:
    """Whether the route of that id has usage plans and API keys of AWS."""
    found = document.items.get(Ref(Kind.ROUTE, route))
    return isinstance(found, Route) and type_of(document, found) is ApiType.REST


def is_guarded(document: Document, route: str) -> bool:
    """Whether the portal's own authorizer decides on the calls of the route of that id."""
    found = document.items.get(Ref(Kind.ROUTE, route))
    return isinstance(found, Route) and asks_authorizer(definition_of(document, found).settings)


def named(public_id: str, kind: ApiType) -> str:
    """How something of one version or publication is called among the holdings: there is one for each type, so that an
    API whose type changes is there in both until callers meet the new one."""
    return public_id if kind is ApiType.REST else f"{public_id}/{kind}"


def parted(name: str) -> tuple[str, ApiType]:
    """The inverse of `named`."""
    public_id, _, kind = name.partition("/")
    return public_id, ApiType(kind or ApiType.REST)
