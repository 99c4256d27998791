"""From neutral objects to what an API of each type is made of: a document to import, or routes with their parts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aws.client.account import Account
from aws.client.regions import partition_of
from gateways.drivers.aws.kinds import KEYS, ApiType, asks_authorizer, authorizer_in, type_in
from gateways.drivers.aws.openapi.found import CannotImport, Trap
from gateways.drivers.aws.openapi.http_api import http_document
from gateways.drivers.aws.openapi.integrations import function_arn
from gateways.drivers.aws.openapi.rest import rest_document
from gateways.drivers.aws.openapi.settings import (
    Authorizer,
    AuthorizerKind,
    Cors,
    HttpSettings,
    Integration,
    IntegrationKind,
    RestSettings,
    Validate,
    demand,
)
from gateways.drivers.aws.parts import Parts, parts_of
from gateways.drivers.aws.websocket import DEFAULT_SELECTION, Message, WebsocketSettings, websocket_parts
from gateways.engine.document import Definition, Route, Upstream, canonical_json

FUNCTION = re.compile(
    r"arn:(?P<partition>aws|aws-cn|aws-us-gov):lambda:(?P<region>[a-z0-9-]+):(?P<account>[0-9]{12}):function:"
    r"(?P<name>[A-Za-z0-9_-]{1,64})(:(?P<alias>[A-Za-z0-9_-]{1,128}))?"
)
"""https://docs.aws.amazon.com/lambda/latest/api/API_FunctionConfiguration.html."""
ODD_SETTINGS = "The settings for API Gateway hold something that it does not know"
NOWHERE = Account(id="", region="eu-central-1", number="000000000000")
"""An account for a document that is only looked at."""


@dataclass(frozen=True, slots=True)
class Function:
    """A Lambda function at an alias; the alias is empty for one without versions."""

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
        return f"{self.arn}:{self.alias}" if self.alias else self.arn


def function_of(upstream: Upstream) -> Function | None:
    """The function that an upstream is, if it is one: always at an alias."""
    found = _function(upstream.targets[0].url) if upstream.targets else None
    return found if found and found.alias else None


def _function(arn: str) -> Function | None:
    found = FUNCTION.fullmatch(arn)
    return Function(**{name: value or "" for name, value in found.groupdict().items()}) if found else None


@dataclass(frozen=True, slots=True)
class Made:
    """What an API is made of. `name` is its remote name; `authorizer` is the ARN of the portal's own, for an API that
    asks it."""

    definition: Definition
    upstream: Upstream
    route: Route
    name: str = "gatehouse"
    account: Account = NOWHERE
    authorizer: str = "gatehouse"

    @property
    def said(self) -> Mapping[str, Any]:
        """What the Revision says for API Gateway."""
        return self.definition.settings


def rendered(made: Made) -> bytes:
    """The document of a REST API. Raises CannotImport with the traps, ValueError for settings that do not fit."""
    document = rest_document(dict(made.definition.document), rest_settings(made)).document
    return canonical_json(document).encode()


def http_parts(made: Made) -> Parts:
    """The parts of an HTTP API. Raises as `rendered` does."""
    return parts_of(http_document(dict(made.definition.document), http_settings(made)).document)


def socket_parts(made: Made) -> Parts:
    """The parts of a WebSocket API. Raises ValueError for settings that do not fit."""
    return websocket_parts(websocket_settings(made))


def called_functions(settings: HttpSettings) -> tuple[list[Function], list[Function]]:
    """The functions that an API of these settings calls, and those that it asks as authorizers, the portal's own apart.

    Not those that a stage variable names.
    """
    used = {settings.authorizer, *settings.authorized_by.values()} - {KEYS}
    asked = [
        one.invoked()
        for one in settings.authorizers
        if one.name in used and one.kind in (AuthorizerKind.REQUEST, AuthorizerKind.TOKEN)
    ]
    called = [settings.integration, *settings.overrides.values(), *_of_messages(settings)]
    return _functions(called, settings), _functions(asked, settings)


def _of_messages(settings: HttpSettings) -> list[Integration]:
    if not isinstance(settings, WebsocketSettings):
        return []
    return [message.integration for message in settings.messages.values() if message.integration]


def _functions(integrations: list[Integration], settings: HttpSettings) -> list[Function]:
    kinds = (IntegrationKind.LAMBDA, IntegrationKind.LAMBDA_PROXY)
    arns = {function_arn(one, settings) for one in integrations if one.kind in kinds and not one.role}
    return [found for arn in sorted(arns) if (found := _function(arn))]


def traps_in(definition: Definition, upstream: Upstream, route: Route) -> tuple[Trap, ...]:
    """What API Gateway would refuse of such a Revision, or else all that it takes otherwise than it is written."""
    try:
        return _look_at(Made(definition, upstream, route))
    except CannotImport as error:
        return error.traps
    except ValueError as error:
        return (Trap("", str(error), "", True, "settings"),)
    except TypeError as error:
        return (Trap("", f"{ODD_SETTINGS}: {error}.", "", True, "settings"),)


def refusal_of(definition: Definition, upstream: Upstream, route: Route) -> str:
    """Why there can be no such API; empty if there can. Without the document itself only the rest is looked at."""
    try:
        _look_at(Made(definition, upstream, route))
    except (CannotImport, ValueError) as error:
        return str(error)
    except TypeError as error:
        return f"{ODD_SETTINGS}: {error}."
    return ""


def _look_at(made: Made) -> tuple[Trap, ...]:
    """What is taken otherwise than it is written. Raises what `rendered` raises, and TypeError."""
    document = dict(made.definition.document)
    stage_settings(made.definition)
    match type_in(made.said):
        case ApiType.WEBSOCKET:
            socket_parts(made)
            return ()
        case ApiType.HTTP:
            settings = http_settings(made)
            return http_document(document, settings).notes if document else ()
        case ApiType.REST:
            rest = rest_settings(made)
            return rest_document(document, rest).notes if document else ()


def rest_settings(made: Made) -> RestSettings:
    """The settings of a REST API. Raises ValueError."""
    said = made.said
    _demand_fitting(said, _NOT_REST, "A REST API")
    return RestSettings(
        **_common(made),
        overrides={key: _overriding(value) for key, value in (said.get("overrides") or {}).items()},
        authorizers=tuple(_authorizer(one) for one in said.get("authorizers") or ()),
        authorizer=str(said.get("authorizer") or ""),
        authorized_by=dict(said.get("authorized_by") or {}),
        cors=_cors(made),
        api_key_required=bool(said.get("api_key_required", True)),
        validate=Validate(said.get("validate") or "none"),
        binary_media_types=tuple(said.get("binary_media_types") or ()),
        minimum_compression=said.get("minimum_compression"),
        policy=said.get("policy"),
    )


_NOT_REST = ("auto_deploy", "key_source", "route_selection", "routes", "throttle")
_REST_ONLY = ("binary_media_types", "minimum_compression", "policy", "validate")
_HTTP_ONLY = ("auto_deploy", "authorized_by", "catch_all", "cors", "overrides")


def http_settings(made: Made) -> HttpSettings:
    """The settings of an HTTP API. Raises ValueError, also for what only a REST API does."""
    said = made.said
    _demand_fitting(said, _REST_ONLY, "An HTTP API")
    return HttpSettings(
        **_common(made),
        overrides={key: _overriding(value) for key, value in (said.get("overrides") or {}).items()},
        authorizers=_authorizers(made),
        authorizer=authorizer_in(said),
        authorized_by=dict(said.get("authorized_by") or {}),
        open_to_all=bool(said.get("open_to_all")),
        cors=_cors(made),
        catch_all=bool(said.get("catch_all")),
    )


def websocket_settings(made: Made) -> WebsocketSettings:
    """The settings of a WebSocket API. Raises ValueError, also for what only other types do."""
    said = made.said
    _demand_fitting(said, (*_REST_ONLY, *_HTTP_ONLY), "A WebSocket API")
    messages = said.get("routes") or {}
    return WebsocketSettings(
        **_common(made),
        authorizers=_authorizers(made),
        authorizer=authorizer_in(said),
        open_to_all=bool(said.get("open_to_all")),
        selection=str(said.get("route_selection") or DEFAULT_SELECTION),
        messages={str(key): _message(value or {}) for key, value in messages.items()},
    )


def stage_settings(definition: Definition) -> dict[str, Any]:
    """Members of the stage of an HTTP or WebSocket API. Raises ValueError."""
    throttle = definition.settings.get("throttle")
    if not throttle:
        return {}
    rate, burst = throttle.get("rate"), throttle.get("burst")
    fits = isinstance(rate, int | float) and rate > 0 and isinstance(burst, int) and burst > 0
    demand(
        fits, "A throttle says how many calls a second (rate) and at once (burst), for all callers together."
    )
    return {"DefaultRouteSettings": {"ThrottlingRateLimit": float(rate), "ThrottlingBurstLimit": burst}}


def _common(made: Made) -> dict[str, Any]:
    account = made.account
    return {
        "name": made.name,
        "description": made.definition.label,
        "region": account.region,
        "account": account.number or NOWHERE.number,
        "partition": partition_of(account.region),
        "integration": _integration(made.upstream),
    }


def _demand_fitting(said: Mapping[str, Any], others: tuple[str, ...], what: str) -> None:
    for name in others:
        idle = said.get(name) in (None, "", "none", [], {}, False)
        demand(
            idle, f"{what} has no {name.replace('_', ' ')}. Take the setting away, or choose another type."
        )


def _authorizers(made: Made) -> tuple[Authorizer, ...]:
    """Those of the settings, and the portal's own where it is asked."""
    own = tuple(_authorizer(one) for one in made.said.get("authorizers") or ())
    demand(all(one.name != KEYS for one in own), f"{KEYS!r} is the name of the portal's own authorizer.")
    return (*own, _keys_authorizer(made)) if asks_authorizer(made.said) else own


KEY_SOURCES: Mapping[str, tuple[str, ...]] = {
    "x-api-key": ("x-api-key",),
    "authorization": ("Authorization",),
    "query": ("query:x-api-key",),
    "either": (),
}
"""Where a caller shows the key, by the setting `key_source`. Whoever shows nothing there is refused without the
authorizer being asked; with "either" there are two headers, of which API Gateway would demand both, and so it is
always asked. A key in an address ends up in logs: "query" is for browsers, which cannot send headers to WebSockets."""


def _keys_authorizer(made: Made) -> Authorizer:
    source = str(made.said.get("key_source") or "x-api-key")
    demand(source in KEY_SOURCES, f"{source!r} is no place for keys: {', '.join(KEY_SOURCES)}.")
    is_socket = type_in(made.said) is ApiType.WEBSOCKET
    demand(source != "query" or is_socket, "A key stands in the address of a WebSocket API alone.")
    return Authorizer(
        KEYS,
        AuthorizerKind.REQUEST,
        function=made.authorizer,
        sources=KEY_SOURCES[source],
        ttl_s=0,  # what is kept would let a revoked key in
        checks_keys=True,
    )


def _cors(made: Made) -> Cors | None:
    """The origins are the Revision's and the portal's; all else may be set."""
    said = dict(made.said.get("cors") or {})
    lists = {name: tuple(value) for name, value in said.items() if isinstance(value, list)}
    origins = tuple(made.route.cors_origins)
    return Cors(origins, **{**said, **lists}) if origins else None


def _message(said: Mapping[str, Any]) -> Message:
    integration = said.get("integration")
    return Message(_overriding(integration) if integration else None, replies=bool(said.get("replies", True)))


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
