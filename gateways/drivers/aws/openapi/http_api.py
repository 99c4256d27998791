"""The document of ImportApi and ReimportApi. An HTTP API checks nothing of a call but who makes it, rewrites
nothing, and knows no keys or plans: those need the portal's own authorizer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gateways.drivers.aws.openapi.calls import ANY, Call
from gateways.drivers.aws.openapi.found import Found, Rendered
from gateways.drivers.aws.openapi.integrations import http_integration
from gateways.drivers.aws.openapi.paths import published
from gateways.drivers.aws.openapi.rest import VERSION, check_keys, path_parameters
from gateways.drivers.aws.openapi.security import http_schemes, operation_security
from gateways.drivers.aws.openapi.settings import AuthorizerKind, Cors, HttpSettings, Validate
from gateways.drivers.aws.openapi.traps import ApiKind, Looked, look, rendered_traps

DEFAULT_ROUTE = "/$default"
_ALL_METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
_NOT_HERE = {
    AuthorizerKind.COGNITO: "Use a JWT authorizer with the issuer of the user pool.",
    AuthorizerKind.TOKEN: "Use a request authorizer.",
}


def http_document(document: dict[str, Any], settings: HttpSettings) -> Rendered:
    """The document to import, of one that `apis.spec` accepted. Raises CannotImport with all that blocks."""
    looked = look(document, ApiKind.HTTP, Validate.NONE)
    found = looked.found
    if settings.catch_all:
        found.traps.pop(("/paths", "no-operations"), None)
    calls = [*looked.calls, *_others(looked, settings)]
    check_keys(settings, calls, looked)
    _look_at_settings(calls, settings, found)
    found.raise_if_blocked()
    made = _document(calls, settings, looked)
    found.add(rendered_traps(made))
    found.raise_if_blocked()
    return Rendered(made, found.all)


def _others(looked: Looked, settings: HttpSettings) -> Iterator[Call]:
    if settings.catch_all:
        yield Call(looked.source.document, DEFAULT_ROUTE, ANY, {}, {}, ("paths", DEFAULT_ROUTE))


def _look_at_settings(calls: list[Call], settings: HttpSettings, found: Found) -> None:
    for call in calls:
        kind = settings.integration_of(call.key).kind
        if not kind.is_proxy:
            what = f"An HTTP API has no integration of the kind {kind.value}: it passes calls on as they are."
            found.block("http-integration", call.steps, what, "Use a proxy integration, or a REST API.")
        authorizer = settings.authorizer_of(call.key)
        if authorizer is not None and authorizer.kind in _NOT_HERE:
            what = f"An HTTP API has no authorizer of the kind {authorizer.kind.value}."
            found.block("http-authorizer", call.steps, what, _NOT_HERE[authorizer.kind])
    if not any(authorizer.checks_keys for authorizer in settings.authorizers):
        what = "An HTTP API knows no keys and no plans."
        found.note("no-keys", ("paths",), what, "Use the portal's authorizer, which does, or a REST API.")


def _document(calls: list[Call], settings: HttpSettings, looked: Looked) -> dict[str, Any]:
    info = {"title": settings.name, "version": looked.source.document["info"]["version"]}
    if settings.description:
        info["description"] = settings.description
    made: dict[str, Any] = {"openapi": VERSION, "info": info, "paths": {}}
    for call in calls:
        made["paths"].setdefault(published(call.path), {})[call.member] = _route(call, settings)
    if schemes := http_schemes(settings):
        made["components"] = {"securitySchemes": schemes}
    if settings.cors:
        made["x-amazon-apigateway-cors"] = _cors(settings.cors)
    return made


def _route(call: Call, settings: HttpSettings) -> dict[str, Any]:
    is_default = call.path == DEFAULT_ROUTE
    made: dict[str, Any] = {
        "parameters": path_parameters(call),
        "responses": {"default": {"description": "Any answer"}},
        "security": operation_security(call.key, settings),
        "x-amazon-apigateway-integration": http_integration(
            call, settings.integration_of(call.key), settings
        ),
    }
    if operation_id := call.operation.get("operationId"):
        made["operationId"] = operation_id
    return made | ({"isDefaultRoute": True} if is_default else {})


def _cors(cors: Cors) -> dict[str, Any]:
    """HTTP APIs answer preflights themselves, and add what browsers ask for to every answer."""
    return {
        "allowOrigins": sorted(cors.origins),
        "allowMethods": sorted(cors.methods or _ALL_METHODS),
        "allowHeaders": sorted(cors.headers),
        "exposeHeaders": sorted(cors.exposed),
        "maxAge": cors.max_age_s,
    }
