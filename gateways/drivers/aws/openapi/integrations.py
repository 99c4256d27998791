"""Integrations as `x-amazon-apigateway-integration`, for REST APIs and for HTTP APIs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gateways.drivers.agents.names import address
from gateways.drivers.aws.openapi.calls import Call
from gateways.drivers.aws.openapi.settings import (
    FUNCTION_ARN,
    HttpSettings,
    Integration,
    IntegrationKind,
    Selection,
)

_TYPES: Mapping[IntegrationKind, str] = {
    IntegrationKind.LAMBDA_PROXY: "aws_proxy",
    IntegrationKind.LAMBDA: "aws",
    IntegrationKind.HTTP: "http",
    IntegrationKind.HTTP_PROXY: "http_proxy",
    IntegrationKind.AWS: "aws",
    IntegrationKind.MOCK: "mock",
}
_MOCKED = {"application/json": '{"statusCode":200}'}
_ANSWERED = (Selection("200"),)
_DECLARED_PLACES = {"query": "querystring", "header": "header"}


def function_arn(integration: Integration, settings: HttpSettings) -> str:
    """The ARN of the function at its alias, as HTTP APIs want it. With a stage variable, its value is put in
    there."""
    name = integration.function
    if not FUNCTION_ARN.fullmatch(name):
        name = f"arn:{settings.partition}:lambda:{settings.region}:{settings.account}:function:{name}"
    variable = integration.alias_variable
    qualifier = f"${{stageVariables.{variable}}}" if variable else integration.alias
    return f"{name}:{qualifier}" if qualifier else name


def invocation_uri(integration: Integration, settings: HttpSettings) -> str:
    """The same as REST APIs want it, and the authorizers of both."""
    return (
        f"arn:{settings.partition}:apigateway:{settings.region}:lambda:path/2015-03-31/functions/"
        f"{function_arn(integration, settings)}/invocations"
    )


def url_of(integration: Integration, path: str) -> str:
    """Where a path of the document stands behind an HTTP integration. A greedy variable is named without its plus."""
    found = address(integration.url)
    scheme = "https" if found.tls else "http"
    return f"{scheme}://{found.authority}{found.prefix}{path.replace('+}', '}')}"


def rest_integration(
    call: Call, integration: Integration, settings: HttpSettings, headers: Mapping[str, str]
) -> dict[str, Any]:
    """The extension of one operation of a REST API. `headers` are added to every answer that it makes."""
    made: dict[str, Any] = {
        "type": _TYPES[integration.kind],
        "passthroughBehavior": integration.passthrough.value,
        "timeoutInMillis": integration.timeout_ms,
        **_target(call, integration, settings),
    }
    optional = {
        "credentials": integration.role,
        "contentHandling": integration.content_handling.value if integration.content_handling else "",
        "requestTemplates": _templates(integration),
        "requestParameters": {**_path_parameters(call, integration), **integration.parameters},
        "responses": {
            found.pattern or "default": _answer(found, headers) for found in selections(call, integration)
        },
    }
    return made | {name: value for name, value in optional.items() if value}


def statuses(call: Call, integration: Integration) -> tuple[str, ...]:
    """What the operation can answer: the document's statuses, and those that the integration makes."""
    made = {selection.status for selection in selections(call, integration)}
    return tuple(sorted({*call.statuses, *made} or {"200"}))


def selections(call: Call, integration: Integration) -> tuple[Selection, ...]:
    """The answers of a non-proxy integration, as set or else by the statuses of the document."""
    if integration.kind.is_proxy:
        return ()
    if integration.selections or integration.kind is not IntegrationKind.HTTP:
        return integration.selections or _ANSWERED
    return _by_status(call.statuses)


def _by_status(known: tuple[str, ...]) -> tuple[Selection, ...]:
    """An answer keeps a status of the document; others become the plain one of their class (404 without being
    known: 400).

    One pattern for each status, because API Gateway keeps one answer for each.
    """
    good = next((status for status in known if status[0] == "2"), "200")
    exact = [
        status for status in known if status != good and not (status[0] in "345" and status.endswith("00"))
    ]
    rest = [Selection(f"{kind}00", _rest_of(kind, exact)) for kind in "345"]
    return (Selection(good), *(Selection(status, status) for status in exact), *rest)


def _rest_of(kind: str, exact: list[str]) -> str:
    taken = "|".join(status[1:] for status in exact if status[0] == kind)
    return f"{kind}(?!{taken})\\d{{2}}" if taken else f"{kind}\\d{{2}}"


def _target(call: Call, integration: Integration, settings: HttpSettings) -> dict[str, Any]:
    match integration.kind:
        case IntegrationKind.LAMBDA | IntegrationKind.LAMBDA_PROXY:
            # A function is always invoked by POST, whatever the method of the call.
            return {"uri": invocation_uri(integration, settings), "httpMethod": "POST"}
        case IntegrationKind.HTTP | IntegrationKind.HTTP_PROXY:
            return {"uri": url_of(integration, call.path), "httpMethod": integration.method or call.method}
        case IntegrationKind.AWS:
            at = f"action/{integration.action}" if integration.action else f"path/{integration.path}"
            uri = f"arn:{settings.partition}:apigateway:{settings.region}:{integration.service}:{at}"
            return {"uri": uri, "httpMethod": integration.method or "POST"}
    return {}


def _templates(integration: Integration) -> dict[str, str]:
    return dict(integration.templates or (_MOCKED if integration.kind is IntegrationKind.MOCK else {}))


def _path_parameters(call: Call, integration: Integration) -> dict[str, str]:
    """HTTP needs to be told what stands in the path, and without a proxy also all else that is passed on."""
    if integration.kind not in (IntegrationKind.HTTP, IntegrationKind.HTTP_PROXY):
        return {}
    passed = [("path", name) for name in call.variables]
    if not integration.kind.is_proxy:
        passed += [
            (_DECLARED_PLACES[parameter.place], parameter.name)
            for parameter in call.parameters
            if parameter.place in _DECLARED_PLACES
        ]
    return {f"integration.request.{place}.{name}": f"method.request.{place}.{name}" for place, name in passed}


def _answer(selection: Selection, headers: Mapping[str, str]) -> dict[str, Any]:
    optional = {
        "responseTemplates": dict(selection.templates),
        "responseParameters": {
            f"method.response.header.{name}": value
            for name, value in {**headers, **selection.headers}.items()
        },
        "contentHandling": selection.content_handling.value if selection.content_handling else "",
    }
    return {"statusCode": selection.status, **{name: value for name, value in optional.items() if value}}


def http_integration(call: Call, integration: Integration, settings: HttpSettings) -> dict[str, Any]:
    """The extension of one route of an HTTP API, which knows two types."""
    is_function = integration.kind is IntegrationKind.LAMBDA_PROXY
    made: dict[str, Any] = {
        "type": _TYPES[integration.kind],
        "connectionType": "INTERNET",
        "timeoutInMillis": integration.timeout_ms,
        "payloadFormatVersion": "2.0" if is_function else "1.0",
        "httpMethod": "POST" if is_function else integration.method or call.method,
        "uri": function_arn(integration, settings) if is_function else url_of(integration, call.path),
    }
    return made | ({"credentials": integration.role} if integration.role else {})


def header_names(found: Iterable[Selection]) -> tuple[str, ...]:
    """The headers that answers set: a method must declare them."""
    return tuple(sorted({name for selection in found for name in selection.headers}))


__all__ = [
    "function_arn",
    "header_names",
    "http_integration",
    "invocation_uri",
    "rest_integration",
    "selections",
    "statuses",
    "url_of",
]
