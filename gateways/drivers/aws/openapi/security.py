"""Who may call: security schemes with their authorizers, and what each operation asks.

API Gateway ignores `security` at the root of a document, which would leave every operation open: it stands on each
of them."""

from __future__ import annotations

from typing import Any

from gateways.drivers.aws.openapi.integrations import invocation_uri
from gateways.drivers.aws.openapi.settings import Authorizer, AuthorizerKind, HttpSettings, RestSettings

KEY_SCHEME = "api_key"
KEY_HEADER = "x-api-key"
_SEVERAL = "Unused"
"""What a scheme is called whose authorizer reads more than one place, as the developer guide demands."""


def operation_security(key: str, settings: HttpSettings) -> list[dict[str, list[str]]]:
    """What the operation `key` asks: a key, an authorizer, or both; empty only in an API that is open to all."""
    asked: dict[str, list[str]] = {}
    if (authorizer := settings.authorizer_of(key)) is not None:
        asked[authorizer.name] = list(authorizer.scopes)
    if isinstance(settings, RestSettings) and settings.api_key_required:
        asked[KEY_SCHEME] = []
    return [asked] if asked else []


def rest_schemes(settings: RestSettings) -> dict[str, Any]:
    """The security schemes of a REST API. They are all of the type apiKey, whatever the authorizer."""
    schemes = {found.name: _rest_scheme(found, settings) for found in _used(settings)}
    if settings.api_key_required:
        schemes[KEY_SCHEME] = _key_scheme(KEY_HEADER)
    return schemes


def http_schemes(settings: HttpSettings) -> dict[str, Any]:
    """The security schemes of an HTTP API."""
    return {found.name: _http_scheme(found, settings) for found in _used(settings)}


def _used(settings: HttpSettings) -> list[Authorizer]:
    """Only these: API Gateway makes every authorizer that it reads, and has room for ten."""
    names = {settings.authorizer, *settings.authorized_by.values()}
    return [found for found in settings.authorizers if found.name in names]


def _key_scheme(name: str, place: str = "header") -> dict[str, Any]:
    return {"type": "apiKey", "name": name, "in": place}


def _place(authorizer: Authorizer) -> dict[str, Any]:
    if len(authorizer.sources) != 1:
        return _key_scheme(_SEVERAL)
    source = authorizer.sources[0]
    name = source.removeprefix("query:")
    return _key_scheme(name, "header" if name == source else "query")


def _rest_scheme(authorizer: Authorizer, settings: RestSettings) -> dict[str, Any]:
    if authorizer.kind is AuthorizerKind.IAM:
        return _signed()
    kind = "cognito_user_pools" if authorizer.kind is AuthorizerKind.COGNITO else authorizer.kind.value
    extension = {"type": kind, **_rest_authorizer(authorizer, settings)}
    return {
        **_place(authorizer),
        "x-amazon-apigateway-authtype": kind,
        "x-amazon-apigateway-authorizer": extension,
    }


def _signed() -> dict[str, Any]:
    return {**_key_scheme("Authorization"), "x-amazon-apigateway-authtype": "awsSigv4"}


def _rest_authorizer(authorizer: Authorizer, settings: RestSettings) -> dict[str, Any]:
    match authorizer.kind:
        case AuthorizerKind.COGNITO:
            return {"providerARNs": list(authorizer.user_pools), **_kept(authorizer)}
        case AuthorizerKind.JWT:
            # The members of the REST API's own model; their names in OpenAPI are not documented and were not tried.
            issuers = [{"issuer": authorizer.issuer, "audiences": list(authorizer.audience)}]
            configuration = {"issuers": issuers, "defaultAlgorithms": list(authorizer.algorithms)}
            return {
                "jwtConfiguration": configuration,
                "identitySource": _sources(authorizer, "method.request.header."),
            }
        case AuthorizerKind.TOKEN:
            pattern = (
                {"identityValidationExpression": authorizer.token_pattern} if authorizer.token_pattern else {}
            )
            return {**_invoked(authorizer, settings), **pattern}
    sources = _sources(authorizer, "method.request.header.", "method.request.querystring.")
    return {**_invoked(authorizer, settings), "identitySource": sources}


def _http_scheme(authorizer: Authorizer, settings: HttpSettings) -> dict[str, Any]:
    if authorizer.kind is AuthorizerKind.IAM:
        return _signed()
    sources = _sources(authorizer, "$request.header.", "$request.querystring.")
    if authorizer.kind is AuthorizerKind.JWT:
        configuration = {"issuer": authorizer.issuer, "audience": list(authorizer.audience)}
        extension = {"type": "jwt", "jwtConfiguration": configuration, "identitySource": sources}
        return {"type": "oauth2", "flows": {}, "x-amazon-apigateway-authorizer": extension}
    asked: dict[str, Any] = {
        "type": "request",
        **_invoked(authorizer, settings),
        "identitySource": sources,
        "authorizerPayloadFormatVersion": "2.0",
        "enableSimpleResponses": True,
    }
    return {**_place(authorizer), "x-amazon-apigateway-authorizer": asked}


def _invoked(authorizer: Authorizer, settings: HttpSettings) -> dict[str, Any]:
    role = {"authorizerCredentials": authorizer.role} if authorizer.role else {}
    return {"authorizerUri": invocation_uri(authorizer.invoked(), settings), **role, **_kept(authorizer)}


def _kept(authorizer: Authorizer) -> dict[str, Any]:
    return {"authorizerResultTtlInSeconds": authorizer.ttl_s}


def _sources(authorizer: Authorizer, header: str, query: str = "") -> str:
    """Mapping expressions, one for each place."""
    names = (
        f"{query}{source.removeprefix('query:')}" if source.startswith("query:") else f"{header}{source}"
        for source in authorizer.sources
    )
    return ",".join(names)
