"""What an HTTP or WebSocket API is made of, as the calls take it that make it: integrations, authorizers, routes.

`aws_document` is that of `openapi.http_api`. https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateways.drivers.aws.openapi.calls import ANY
from gateways.drivers.aws.openapi.down import ANY_METHOD
from gateways.drivers.aws.openapi.http_api import DEFAULT_ROUTE
from gateways.engine.document import canonical_json

INTEGRATION = "x-amazon-apigateway-integration"
AUTHORIZER = "x-amazon-apigateway-authorizer"
AUTHTYPE = "x-amazon-apigateway-authtype"
LONGEST_OPERATION = 64

type Params = Mapping[str, Any]
"""Members of a call."""


@dataclass(frozen=True, slots=True)
class RoutePart:
    """One route: `integration` is the mark of its integration, `authorizer` the name of its authorizer ("" for none);
    `params` are the other members. With `replies` a caller hears what the integration answers."""

    params: Params
    integration: str = ""
    authorizer: str = ""
    replies: bool = False


@dataclass(frozen=True, slots=True)
class Parts:
    """`api` are members of the API itself. Integrations have no names at AWS: they are found by a mark, which names
    their content; authorizers by their names, and routes by their keys."""

    integrations: Mapping[str, Params]
    authorizers: Mapping[str, Params]
    routes: Mapping[str, RoutePart]
    api: Params = field(default_factory=dict)


def mark_of(params: Params) -> str:
    """Names an integration by what it is."""
    return hashlib.sha256(canonical_json(params).encode()).hexdigest()[:24]


def parts_of(document: Mapping[str, Any]) -> Parts:
    """The parts of an HTTP API, from the document that could be imported."""
    schemes = (document.get("components") or {}).get("securitySchemes") or {}
    integrations, routes = dict[str, Params](), dict[str, RoutePart]()
    for path, item in document["paths"].items():
        for method, operation in item.items():
            integration = _integration(operation[INTEGRATION])
            integrations[mark_of(integration)] = integration
            routes[_key(path, method)] = _route(operation, mark_of(integration), schemes)
    authorizers = {
        name: _authorizer(name, scheme[AUTHORIZER])
        for name, scheme in schemes.items()
        if AUTHORIZER in scheme
    }
    cors = document.get("x-amazon-apigateway-cors")
    api = {"CorsConfiguration": {_capital(name): value for name, value in cors.items()} if cors else None}
    return Parts(integrations, authorizers, routes, api)


def _key(path: str, method: str) -> str:
    if path == DEFAULT_ROUTE:
        return "$default"
    return f"{ANY if method == ANY_METHOD else method.upper()} {path}"


def _integration(told: Params) -> Params:
    made = {
        "IntegrationType": told["type"].upper(),
        "IntegrationMethod": told["httpMethod"],
        "IntegrationUri": told["uri"],
        "PayloadFormatVersion": told["payloadFormatVersion"],
        "TimeoutInMillis": told["timeoutInMillis"],
        "ConnectionType": told["connectionType"],
    }
    return made | ({"CredentialsArn": told["credentials"]} if told.get("credentials") else {})


def _route(operation: Params, mark: str, schemes: Mapping[str, Any]) -> RoutePart:
    params: dict[str, Any] = {"AuthorizationType": "NONE"}
    if name := operation.get("operationId"):
        params["OperationName"] = name[:LONGEST_OPERATION]
    asked = next(((name, scopes) for one in operation["security"] for name, scopes in one.items()), None)
    if asked is None:
        return RoutePart(params, mark)
    name, scopes = asked
    if schemes[name].get(AUTHTYPE):
        return RoutePart({**params, "AuthorizationType": "AWS_IAM"}, mark)
    is_jwt = schemes[name][AUTHORIZER]["type"] == "jwt"
    params["AuthorizationType"] = "JWT" if is_jwt else "CUSTOM"
    return RoutePart(params | ({"AuthorizationScopes": list(scopes)} if scopes else {}), mark, name)


def _authorizer(name: str, told: Params) -> Params:
    sources = [source for source in str(told["identitySource"]).split(",") if source]
    if told["type"] == "jwt":
        jwt = {_capital(member): value for member, value in told["jwtConfiguration"].items()}
        made = {"AuthorizerType": "JWT", "IdentitySource": sources, "JwtConfiguration": jwt}
        return {"Name": name, **made}
    made = {
        "Name": name,
        "AuthorizerType": "REQUEST",
        "AuthorizerUri": told["authorizerUri"],
        "AuthorizerPayloadFormatVersion": told["authorizerPayloadFormatVersion"],
        "AuthorizerResultTtlInSeconds": told["authorizerResultTtlInSeconds"],
        "EnableSimpleResponses": told["enableSimpleResponses"],
        "IdentitySource": sources,
    }
    role = told.get("authorizerCredentials")
    return made | ({"AuthorizerCredentialsArn": role} if role else {})


def _capital(name: str) -> str:
    return name[0].upper() + name[1:]
