"""From neutral objects to the document that API Gateway imports."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aws.client.account import Account
from gateways.drivers.aws.openapi.found import CannotImport, Trap
from gateways.drivers.aws.openapi.rest import rest_document
from gateways.drivers.aws.openapi.settings import (
    Authorizer,
    AuthorizerKind,
    Cors,
    Integration,
    IntegrationKind,
    RestSettings,
    Validate,
)
from gateways.engine.document import Definition, Route, Upstream, canonical_json

FUNCTION = re.compile(
    r"arn:(?P<partition>aws|aws-cn|aws-us-gov):lambda:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):function:"
    r"(?P<name>[A-Za-z0-9_-]{1,64}):(?P<alias>[A-Za-z0-9_-]{1,128})"
)
"""https://docs.aws.amazon.com/lambda/latest/api/API_FunctionConfiguration.html; always with an alias."""
NOWHERE = Account(id="", region="eu-central-1", number="000000000000")
"""An account for a document that is only looked at."""


@dataclass(frozen=True, slots=True)
class Function:
    """A Lambda function at an alias."""

    partition: str
    region: str
    account: str
    name: str
    alias: str

    @property
    def arn(self) -> str:
        """Without the alias."""
        return f"arn:{self.partition}:lambda:{self.region}:{self.account}:function:{self.name}"

    @property
    def invoked(self) -> str:
        """With the alias: what is called."""
        return f"{self.arn}:{self.alias}"


def function_of(upstream: Upstream) -> Function | None:
    """The function that an upstream is, if it is one."""
    found = FUNCTION.fullmatch(upstream.targets[0].url) if upstream.targets else None
    return Function(**found.groupdict()) if found else None


def rendered(
    definition: Definition, upstream: Upstream, route: Route, *, name: str, account: Account
) -> bytes:
    """The document of a REST API. Raises CannotImport with the traps, ValueError for settings that do not fit."""
    settings = _settings(definition, upstream, route, name, account)
    return canonical_json(rest_document(dict(definition.document), settings).document).encode()


def traps_in(definition: Definition, upstream: Upstream, route: Route) -> tuple[Trap, ...]:
    """What API Gateway would refuse of such a document, or else all that it takes otherwise than it is written."""
    try:
        settings = _settings(definition, upstream, route, "gatehouse", NOWHERE)
        return rest_document(dict(definition.document), settings).notes
    except CannotImport as error:
        return error.traps
    except ValueError as error:
        return (Trap("", str(error), "", True, "settings"),)


def refusal_of(definition: Definition, upstream: Upstream, route: Route) -> str:
    """Why there can be no such document; empty if there can. Without the document itself only the rest is looked at."""
    try:
        settings = _settings(definition, upstream, route, "gatehouse", NOWHERE)
        if definition.document:
            rest_document(dict(definition.document), settings)
    except (CannotImport, ValueError) as error:
        return str(error)
    return ""


def _settings(
    definition: Definition, upstream: Upstream, route: Route, name: str, account: Account
) -> RestSettings:
    said = definition.settings
    return RestSettings(
        name=name,
        description=definition.label,
        region=account.region,
        account=account.number or NOWHERE.number,
        integration=_integration(upstream),
        overrides={key: _overriding(value) for key, value in (said.get("overrides") or {}).items()},
        authorizers=tuple(_authorizer(one) for one in said.get("authorizers") or ()),
        authorizer=str(said.get("authorizer") or ""),
        authorized_by=dict(said.get("authorized_by") or {}),
        cors=Cors(tuple(route.cors_origins)) if route.cors_origins else None,
        api_key_required=bool(said.get("api_key_required", True)),
        validate=Validate(said.get("validate") or "none"),
        binary_media_types=tuple(said.get("binary_media_types") or ()),
        minimum_compression=said.get("minimum_compression"),
        policy=said.get("policy"),
    )


def _integration(upstream: Upstream) -> Integration:
    timeout = min(max(upstream.timeout_ms, 50), 29_000)
    function = function_of(upstream)
    if function is not None:
        kind = IntegrationKind.LAMBDA_PROXY
        return Integration(kind, function=function.arn, alias=function.alias, timeout_ms=timeout)
    url = upstream.targets[0].url if upstream.targets else ""
    return Integration(IntegrationKind.HTTP_PROXY, url=url, timeout_ms=timeout)


def _overriding(said: Mapping[str, Any]) -> Integration:
    return Integration(**{**said, "kind": IntegrationKind(said["kind"])})


def _authorizer(said: Mapping[str, Any]) -> Authorizer:
    lists = {name: tuple(value) for name, value in said.items() if isinstance(value, list)}
    return Authorizer(**{**said, **lists, "kind": AuthorizerKind(said["kind"])})
