"""The document of PutRestApi: all that stands under a REST API, in one call that takes it or leaves it whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from gateways.drivers.aws.openapi.answers import allowing, declared_headers, gateway_responses, preflight
from gateways.drivers.aws.openapi.calls import ANY, Call, followed
from gateways.drivers.aws.openapi.found import Rendered
from gateways.drivers.aws.openapi.integrations import header_names, rest_integration, selections, statuses
from gateways.drivers.aws.openapi.paths import PARAMETER_NAME, published
from gateways.drivers.aws.openapi.security import operation_security, rest_schemes
from gateways.drivers.aws.openapi.settings import Cors, HttpSettings, RestSettings
from gateways.drivers.aws.openapi.traps import ApiKind, Looked, look, rendered_traps

VERSION = "3.0.1"
VALIDATOR = "gatehouse"
_METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")


def rest_document(document: dict[str, Any], settings: RestSettings) -> Rendered:
    """The document to import, of one that `apis.spec` accepted. Raises CannotImport with all that blocks.

    Texts for people are not in it: the portal shows them, and a new wording is no reason to deploy. Neither are
    servers, tags, links and callbacks, nor anything that the author set of API Gateway."""
    looked = look(document, ApiKind.REST, settings.validate)
    if settings.catch_all:
        looked.found.traps.pop(("/paths", "no-operations"), None)
    return _Rest(looked, settings).rendered()


@dataclass(slots=True)
class _Rest:
    looked: Looked
    settings: RestSettings
    items: dict[str, dict[str, Any]] = field(default_factory=dict)

    def rendered(self) -> Rendered:
        calls = [*self._written(), *self._others()]
        check_keys(self.settings, calls, self.looked)
        if self.looked.calls and not calls:
            cure = "Describe another operation, or publish without CORS."
            self.looked.found.block("no-operations", ("paths",), "Only preflights are left to publish.", cure)
        self.looked.found.raise_if_blocked()
        for call in calls:
            self.items.setdefault(published(call.path), {})[call.member] = self._operation(call)
        if self.settings.cors:
            self._preflights(calls, self.settings.cors)
        made = {**self._head(), "paths": self.items, "components": self._components(), **self._extensions()}
        self.looked.found.add(rendered_traps(made))
        self.looked.found.raise_if_blocked()
        return Rendered(made, self.looked.found.all)

    def _written(self) -> Iterator[Call]:
        """The operations of the document, without those in whose place a preflight stands."""
        for call in self.looked.calls:
            if call.method != "OPTIONS" or not self.settings.cors:
                yield call
            elif call.operation.get("security") != []:
                what = "With CORS, API Gateway answers OPTIONS by itself."
                self.looked.found.note("options-replaced", call.steps, what, "The service is not asked.")

    def _others(self) -> Iterator[Call]:
        """What catches the calls that no operation describes: the root, and one variable for every other path."""
        if not self.settings.catch_all:
            return
        segment, path = self.looked.tree.variables.get((), ("{proxy+}", ""))
        if not segment.endswith("+}"):
            what = f"{segment} stands at the root, so no variable can take all other paths there."
            self.looked.found.block("catch-all", ("paths", path), what, "Publish the described paths only.")
        there = {(published(call.path), call.method) for call in self.looked.calls}
        for catching in ("/", f"/{segment}"):
            if (catching, ANY) not in there:
                yield Call(self.looked.source.document, catching, ANY, {}, {}, ("paths", catching))

    def _operation(self, call: Call) -> dict[str, Any]:
        integration = self.settings.integration_of(call.key)
        headers = {} if integration.kind.is_proxy else allowing(self.settings.cors)
        declared = header_names(selections(call, integration)) + tuple(headers)
        made: dict[str, Any] = {
            "parameters": [*path_parameters(call), *_parameters(call)],
            "responses": {status: _answer(status, declared) for status in statuses(call, integration)},
            "security": operation_security(call.key, self.settings),
            "x-amazon-apigateway-integration": rest_integration(call, integration, self.settings, headers),
        }
        if operation_id := call.operation.get("operationId"):
            made["operationId"] = operation_id
        if bodies := self.looked.models.bodies(call):
            body, _ = followed(call.root, call.operation["requestBody"], ())
            made["requestBody"] = {"content": bodies, "required": body.get("required") is True}
        return made

    def _preflights(self, calls: list[Call], cors: Cors) -> None:
        methods: dict[str, list[str]] = {}
        for call in calls:
            methods.setdefault(published(call.path), []).extend(
                _METHODS if call.method == ANY else [call.method]
            )
        for path, item in self.items.items():
            item["options"] = preflight(cors, dict.fromkeys(methods[path]), _of_path(path, calls))
        self._say_what_cors_needs(calls, several=len(cors.origins) > 1)

    def _say_what_cors_needs(self, calls: list[Call], *, several: bool) -> None:
        proxies = {self.settings.integration_of(call.key).kind.is_proxy for call in calls}
        if True in proxies:
            what = "Answers of the service pass as they are."
            cost = "The service itself must say Access-Control-Allow-Origin, or browsers keep its answers from pages."
            self.looked.found.note("cors-proxy", ("paths",), what, cost)
        if False in proxies and several:
            what = "With several origins an answer that API Gateway makes cannot name the one that asks."
            cost = "Name one origin or all, or browsers keep these answers from pages."
            self.looked.found.note("cors-several", ("paths",), what, cost)

    def _head(self) -> dict[str, Any]:
        info = {"title": self.settings.name, "version": self.looked.source.document["info"]["version"]}
        if self.settings.description:
            info["description"] = self.settings.description
        return {"openapi": VERSION, "info": info}

    def _components(self) -> dict[str, Any]:
        bodies = [item[member].get("requestBody") for item in self.items.values() for member in item]
        parts = {
            "securitySchemes": rest_schemes(self.settings),
            "schemas": self.looked.models.asked_by(bodies),
        }
        return {name: part for name, part in parts.items() if part}

    def _extensions(self) -> dict[str, Any]:
        settings, validate = self.settings, self.settings.validate
        found: dict[str, Any] = {"gateway-responses": gateway_responses(settings)}
        if settings.api_key_required:
            found["api-key-source"] = "AUTHORIZER" if settings.key_from_authorizer else "HEADER"
        if validate.of_body or validate.of_parameters:
            checks = {
                "validateRequestBody": validate.of_body,
                "validateRequestParameters": validate.of_parameters,
            }
            found |= {"request-validators": {VALIDATOR: checks}, "request-validator": VALIDATOR}
        if settings.binary_media_types:
            found["binary-media-types"] = sorted(settings.binary_media_types)
        if settings.minimum_compression is not None:
            found["minimum-compression-size"] = settings.minimum_compression
        if settings.policy:
            found["policy"] = dict(settings.policy)
        if settings.execute_api_disabled:
            found["endpoint-configuration"] = {"disableExecuteApiEndpoint": True}
        return {f"x-amazon-apigateway-{name}": value for name, value in found.items()}


def path_parameters(call: Call) -> list[dict[str, Any]]:
    """The variables of a path, each of which must be declared."""
    return [_parameter(name, "path", required=True) for name in call.variables]


def _parameters(call: Call) -> list[dict[str, Any]]:
    return [
        _parameter(parameter.name, parameter.place, required=parameter.required)
        for parameter in call.parameters
        if parameter.place in ("query", "header") and PARAMETER_NAME.fullmatch(parameter.name)
    ]


def _parameter(name: str, place: str, *, required: bool) -> dict[str, Any]:
    """API Gateway looks at no more than this; the type is asked by OpenAPI."""
    return {"name": name, "in": place, "required": required, "schema": {"type": "string"}}


def _of_path(path: str, calls: list[Call]) -> list[dict[str, Any]]:
    return next(path_parameters(call) for call in calls if published(call.path) == path)


def _answer(status: str, headers: tuple[str, ...]) -> dict[str, Any]:
    declared = {"headers": declared_headers(headers)} if headers else {}
    return {"description": f"{status} response", **declared}


def check_keys(settings: HttpSettings, calls: list[Call], looked: Looked) -> None:
    """A setting for an operation that is not there would do nothing, and nobody would know."""
    known = {call.key for call in calls}
    for key in sorted({*settings.overrides, *settings.authorized_by} - known):
        what = f"The settings name an operation “{key}” that the document does not have."
        looked.found.block(
            "unknown-operation", ("paths",), what, "Remove the setting, or name another operation."
        )


__all__ = ["check_keys", "path_parameters", "rest_document"]
