"""WebSocket APIs: which message goes where. No document of OpenAPI says that, so the settings do.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-develop-routes.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateways.drivers.agents.names import address
from gateways.drivers.aws.openapi.integrations import invocation_uri
from gateways.drivers.aws.openapi.settings import (
    Authorizer,
    AuthorizerKind,
    HttpSettings,
    Integration,
    IntegrationKind,
    demand,
)
from gateways.drivers.aws.parts import Params, Parts, RoutePart, mark_of

CONNECT, DISCONNECT, DEFAULT = "$connect", "$disconnect", "$default"
DEFAULT_SELECTION = "$request.body.action"
_SELECTION = re.compile(r"\$request\.body(\.[A-Za-z0-9_-]{1,64}){1,8}")
_ROUTE_KEY = re.compile(r"\$(connect|disconnect|default)|[A-Za-z0-9_.:/-]{1,128}")
_SILENT = frozenset({CONNECT, DISCONNECT})
_ACCEPTED = '{"statusCode":200}'
_CONNECTION = {"integration.request.header.connectionId": "context.connectionId"}
"""An HTTP service hears from whom a message is, and can answer later by it."""
MOCK = Integration(IntegrationKind.MOCK)


@dataclass(frozen=True, slots=True)
class Message:
    """Where the messages of one route go, None for where all go; with `replies` the caller hears the answer."""

    integration: Integration | None = None
    replies: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class WebsocketSettings(HttpSettings):
    """A WebSocket API. `selection` says where a message names its route, `messages` are by the key of the route; none
    means that connections, their ends and all messages go to the one integration."""

    selection: str = DEFAULT_SELECTION
    messages: Mapping[str, Message] = field(default_factory=dict)

    def __post_init__(self) -> None:
        HttpSettings.__post_init__(self)
        example = "write a member of the body, such as $request.body.action"
        demand(_SELECTION.fullmatch(self.selection), f"{self.selection!r} selects no route: {example}.")
        for key, message in self.messages.items():
            demand(_ROUTE_KEY.fullmatch(key), f"{key!r} is no route: letters, digits and _ . : / - are.")
            demand(_can_stand(message.integration), "Messages go to a Lambda or HTTP proxy, or to a mock.")
        demand(_can_stand(self.integration), "Messages go to a Lambda or HTTP proxy, or to a mock.")
        for one in self.authorizers:
            fits = one.kind in (AuthorizerKind.REQUEST, AuthorizerKind.IAM)
            demand(fits, "A WebSocket API has request authorizers and IAM, no others.")

    @property
    def all_messages(self) -> dict[str, Message]:
        """With that of connections, which is there where it has to be refused to somebody: without it everybody could
        connect."""
        found = dict(self.messages) or {key: Message() for key in (CONNECT, DISCONNECT, DEFAULT)}
        if self.authorizer:
            found.setdefault(CONNECT, Message(MOCK))
        return found


def _can_stand(integration: Integration | None) -> bool:
    return integration is None or integration.kind.is_proxy or integration.kind is IntegrationKind.MOCK


def websocket_parts(settings: WebsocketSettings) -> Parts:
    """The parts of the API."""
    integrations, routes = dict[str, Params](), dict[str, RoutePart]()
    for key, message in settings.all_messages.items():
        made = _integration(message.integration or settings.integration, settings)
        integrations[mark_of(made)] = made
        routes[key] = _route(key, message, mark_of(made), settings)
    asked = _connects_by(settings)
    authorizers = {asked.name: _authorizer(asked, settings)} if _is_asked(asked) and asked else {}
    return Parts(integrations, authorizers, routes, {"RouteSelectionExpression": settings.selection})


def _connects_by(settings: WebsocketSettings) -> Authorizer | None:
    return next((one for one in settings.authorizers if one.name == settings.authorizer), None)


def _is_asked(authorizer: Authorizer | None) -> bool:
    return authorizer is not None and authorizer.kind is AuthorizerKind.REQUEST


def _route(key: str, message: Message, mark: str, settings: WebsocketSettings) -> RoutePart:
    authorizer = _connects_by(settings)
    if key == CONNECT and authorizer is not None:
        if _is_asked(authorizer):
            return RoutePart({"AuthorizationType": "CUSTOM"}, mark, authorizer.name)
        return RoutePart({"AuthorizationType": "AWS_IAM"}, mark)
    return RoutePart({"AuthorizationType": "NONE"}, mark, replies=message.replies and key not in _SILENT)


def _integration(integration: Integration, settings: WebsocketSettings) -> Params:
    made: dict[str, Any] = {"TimeoutInMillis": integration.timeout_ms}
    if integration.kind is IntegrationKind.MOCK:
        templates = {"200": _ACCEPTED}
        return {
            **made,
            "IntegrationType": "MOCK",
            "RequestTemplates": templates,
            "TemplateSelectionExpression": "200",
        }
    role = {"CredentialsArn": integration.role} if integration.role else {}
    if integration.kind is IntegrationKind.LAMBDA_PROXY:
        uri = invocation_uri(integration, settings)
        return {
            **made,
            "IntegrationType": "AWS_PROXY",
            "IntegrationMethod": "POST",
            "IntegrationUri": uri,
            **role,
        }
    return {
        **made,
        "IntegrationType": "HTTP_PROXY",
        "IntegrationMethod": integration.method or "POST",
        "IntegrationUri": _url(integration),
        "ConnectionType": "INTERNET",
        "RequestParameters": dict(_CONNECTION),
    }


def _url(integration: Integration) -> str:
    found = address(integration.url)
    return f"{'https' if found.tls else 'http'}://{found.authority}{found.prefix}"


def _authorizer(authorizer: Authorizer, settings: WebsocketSettings) -> Params:
    """Of the members of an authorizer those that WebSocket APIs know: they keep no results."""
    made: dict[str, Any] = {
        "Name": authorizer.name,
        "AuthorizerType": "REQUEST",
        "AuthorizerUri": invocation_uri(authorizer.invoked(), settings),
        "IdentitySource": [_source(source) for source in authorizer.sources],
    }
    return made | ({"AuthorizerCredentialsArn": authorizer.role} if authorizer.role else {})


def _source(source: str) -> str:
    name = source.removeprefix("query:")
    return f"route.request.{'header' if name == source else 'querystring'}.{name}"


__all__ = ["DEFAULT_SELECTION", "Message", "WebsocketSettings", "websocket_parts"]
