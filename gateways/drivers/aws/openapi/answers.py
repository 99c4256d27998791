"""What API Gateway answers by itself: problem details in the words of every gateway, and preflights.

Its templates for these answers only put values in; they know no conditions. So what API Gateway does not tell
apart (a missing, an unknown and a foreign key) has one text, and nothing that a caller sent is repeated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from gateways.drivers.agents import problems
from gateways.drivers.agents.problems import CHALLENGE, Problem
from gateways.drivers.aws.openapi.settings import AuthorizerKind, Cors, RestSettings
from gateways.engine.document import canonical_json

_JSON = "application/json"
_ORIGIN = "Access-Control-Allow-Origin"

_KEY_DETAIL = (
    "Send the key of a subscription in the X-API-Key header. Keys are made in the portal, on the page of your "
    "application. A key that this gateway does not know, or whose subscription does not cover this API here, is "
    "answered in the same way: ask for access on the page of the API in the portal."
)
KEY_REFUSED = Problem("key-refused", 403, "The key was refused", _KEY_DETAIL)
RATE = replace(
    problems.RATE,
    detail="The calls of this subscription, or those of the whole account, are over their rate. Wait a second and "
    "call again, or ask for a bigger plan in the portal.",
)
QUOTA = replace(
    problems.QUOTA,
    detail="The quota of this subscription is used up. Calls are taken again when the next period of the plan begins; "
    "a bigger plan can be asked for in the portal.",
)


def _refused(status: int, detail: str) -> Problem:
    return Problem(problems.REFUSED, status, problems.REFUSED_TITLE, detail)


_TOKEN = _refused(
    401, "Send what this API asks callers to prove themselves with; its page in the portal says what."
)
_DENIED = _refused(403, "You are known, but may not make this call. Ask for access on the page of the API.")
_BODY = _refused(
    400, "The body of the call does not fit the description of the operation. Compare them in the portal."
)
_PARAMETERS = _refused(400, "A parameter is missing that the operation requires. Its description names it.")
_MEDIA = _refused(415, "This operation does not take a body of this content type.")
_OWN_FAULT = _refused(
    500, "The gateway cannot pass on this call. Call again later; the team of the API sees it."
)
_NO_STATUS = "The gateway cannot take this call as it was sent."


def gateway_responses(settings: RestSettings) -> dict[str, Any]:
    """`x-amazon-apigateway-gateway-responses`. That for bodies that are too large cannot be changed."""
    found = {name: _response(problem, settings) for name, problem in _problems(settings).items()}
    plain = {
        "type": problems.problem_type(problems.REFUSED),
        "title": problems.REFUSED_TITLE,
        "detail": _NO_STATUS,
    }
    found["DEFAULT_4XX"] = _written(plain, settings)
    found["DEFAULT_5XX"] = _written({**plain, "detail": _OWN_FAULT.detail}, settings)
    return found


def _problems(settings: RestSettings) -> Mapping[str, Problem]:
    checks_keys = any(authorizer.checks_keys for authorizer in settings.authorizers)
    signed = any(authorizer.kind is AuthorizerKind.IAM for authorizer in settings.authorizers)
    return {
        "INVALID_API_KEY": KEY_REFUSED,
        "UNAUTHORIZED": problems.NO_KEY if checks_keys else _TOKEN,
        "ACCESS_DENIED": problems.NO_SUBSCRIPTION if checks_keys else _DENIED,
        "EXPIRED_TOKEN": _DENIED,
        "INVALID_SIGNATURE": _DENIED,
        # Said of a path that does not exist, and of a call without a signature where one is asked.
        "MISSING_AUTHENTICATION_TOKEN": replace(_DENIED, detail=_TOKEN.detail)
        if signed
        else problems.UNKNOWN_PATH,
        "RESOURCE_NOT_FOUND": problems.UNKNOWN_PATH,
        "THROTTLED": RATE,
        "QUOTA_EXCEEDED": QUOTA,
        "BAD_REQUEST_BODY": _BODY,
        "BAD_REQUEST_PARAMETERS": _PARAMETERS,
        "UNSUPPORTED_MEDIA_TYPE": _MEDIA,
        "WAF_FILTERED": _refused(403, _NO_STATUS),
        "INTEGRATION_FAILURE": problems.UPSTREAM_DOWN,
        "INTEGRATION_TIMEOUT": problems.UPSTREAM_TIMEOUT,
        "API_CONFIGURATION_ERROR": _OWN_FAULT,
        "AUTHORIZER_CONFIGURATION_ERROR": _OWN_FAULT,
        "AUTHORIZER_FAILURE": _OWN_FAULT,
    }


def _response(problem: Problem, settings: RestSettings) -> dict[str, Any]:
    words = {"type": problem.type, "title": problem.title, "status": problem.status, "detail": problem.detail}
    headers = {}
    if problem.status == 401:
        headers["WWW-Authenticate"] = CHALLENGE
    if problem is RATE:
        headers["Retry-After"] = "1"
    return {"statusCode": str(problem.status), **_written(words, settings, headers)}


def _written(
    words: Mapping[str, Any], settings: RestSettings, headers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    body = canonical_json({**words, "instance": "$context.requestId"})
    said = {"Content-Type": "application/problem+json", **(headers or {})}
    if settings.cors:
        # These answers tell nothing of anybody, and a template cannot choose among several origins.
        said |= {_ORIGIN: _one_origin(settings.cors) or "*"}
        said |= (
            {"Access-Control-Expose-Headers": ", ".join(settings.cors.exposed)}
            if settings.cors.exposed
            else {}
        )
    return {
        "responseParameters": {
            f"gatewayresponse.header.{name}": f"'{value}'" for name, value in said.items()
        },
        "responseTemplates": {_JSON: body},
    }


def _one_origin(cors: Cors) -> str:
    return cors.origins[0] if len(cors.origins) == 1 else ""


def allowing(cors: Cors | None) -> dict[str, str]:
    """Headers, as mapping expressions, of an answer that API Gateway makes out of that of a service. Empty for
    several origins, for an answer is not told who asks."""
    origin = _one_origin(cors) if cors else ""
    return {_ORIGIN: f"'{origin}'"} if origin else {}


def preflight(cors: Cors, methods: Iterable[str], path_parameters: list[dict[str, Any]]) -> dict[str, Any]:
    """The OPTIONS operation of a path: answered by API Gateway itself, and asking nobody for a key."""
    headers = {
        "Access-Control-Allow-Methods": ",".join(cors.methods or (*methods, "OPTIONS")),
        "Access-Control-Allow-Headers": ",".join(cors.headers),
        "Access-Control-Max-Age": str(cors.max_age_s),
        "Vary": "Origin",
    }
    origin = _one_origin(cors)
    declared = sorted((*headers, _ORIGIN))
    answer: dict[str, Any] = {
        "statusCode": "204",
        "responseParameters": {
            f"method.response.header.{name}": f"'{value}'"
            for name, value in {**headers, **({_ORIGIN: origin} if origin else {})}.items()
        },
        "responseTemplates": {_JSON: "" if origin else _matching_origin(cors)},
    }
    return {
        "parameters": path_parameters,
        "responses": {"204": {"description": "204 response", "headers": declared_headers(declared)}},
        "security": [],
        "x-amazon-apigateway-integration": {
            "type": "mock",
            "passthroughBehavior": "when_no_match",
            "requestTemplates": {_JSON: '{"statusCode":204}'},
            "responses": {"default": answer},
        },
    }


def declared_headers(names: Iterable[str]) -> dict[str, Any]:
    """The headers of an answer: only those that are declared can be set."""
    return {name: {"schema": {"type": "string"}} for name in names}


def _matching_origin(cors: Cors) -> str:
    """Names the origin that asks, if it is one of those that may. HTTP/2 writes names of headers in small
    letters."""
    known = " || ".join(f'$origin == "{origin}"' for origin in cors.origins)
    return (
        '#set($origin = $input.params().header.get("Origin"))\n'
        '#if(!$origin || $origin == "")\n#set($origin = $input.params().header.get("origin"))\n#end\n'
        f"#if({known})\n#set($context.responseOverride.header.{_ORIGIN} = $origin)\n#end\n"
    )


__all__ = ["allowing", "declared_headers", "gateway_responses", "preflight"]
