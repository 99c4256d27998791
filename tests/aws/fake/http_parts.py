"""Routes, integrations and authorizers of HTTP and WebSocket APIs.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop.html, apigateway-websocket-api.html.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.aws.fake.http_state import HttpApi, Members, changed, http_api_of
from tests.aws.fake.place import Params, Place, operation, page
from tests.aws.fake.refusals import bad_request, conflict, not_found, quota

type Check = Callable[[Place, HttpApi, Members], None]


def _check_route(place: Place, api: HttpApi, members: Members) -> None:
    key = members["RouteKey"]
    if any(
        other["RouteKey"] == key and other["RouteId"] != members["RouteId"]
        for other in api.now.routes.values()
    ):
        raise conflict(f"Route with key {key} already exists for this API")
    target = members.get("Target", "").removeprefix("integrations/")
    if target and target not in api.now.integrations:
        raise bad_request(f"Invalid target: integrations/{target}")
    if members.get("ApiKeyRequired") and not api.is_websocket:
        raise bad_request("ApiKeyRequired is not currently supported for HTTP APIs")
    kind = members.get("AuthorizationType", "NONE")
    if kind in {"CUSTOM", "JWT"} and members.get("AuthorizerId") not in api.now.authorizers:
        raise bad_request("AuthorizerId is required and must be of this API")
    if kind != "NONE" and api.is_websocket and key != "$connect":
        raise bad_request("Authorization is supported on the $connect route only")


def _check_integration(place: Place, api: HttpApi, members: Members) -> None:
    kind, most = members["IntegrationType"], 29_000 if api.is_websocket else 30_000
    if not api.is_websocket and kind not in {"HTTP_PROXY", "AWS_PROXY"}:
        raise bad_request(f"Integration type {kind} is not supported for HTTP protocol type")
    if not 50 <= members.setdefault("TimeoutInMillis", most) <= most:
        raise bad_request(f"Timeout should be between 50 ms and {most} ms")
    members.setdefault("ConnectionType", "INTERNET")


def _check_authorizer(place: Place, api: HttpApi, members: Members) -> None:
    if members["AuthorizerType"] == "JWT":
        if api.is_websocket:
            raise bad_request("JWT authorizers are not supported for WEBSOCKET protocol type")
        jwt = members.get("JwtConfiguration") or {}
        if not jwt.get("Issuer") or not jwt.get("Audience"):
            raise bad_request("JwtConfiguration must hold an issuer and an audience")
    elif not members.get("AuthorizerUri"):
        raise bad_request("AuthorizerUri is required for REQUEST authorizers")


_CHECKS: dict[str, Check] = {
    "Route": _check_route,
    "Integration": _check_integration,
    "Authorizer": _check_authorizer,
}


def _parts(api: HttpApi, kind: str) -> dict[str, Members]:
    found: dict[str, Members] = getattr(api.now, f"{kind.lower()}s")
    return found


def _part(api: HttpApi, kind: str, params: Params) -> Members:
    number = params[f"{kind}Id"]
    if number not in _parts(api, kind):
        raise not_found(f"Unable to find {kind} with id {number}")
    return _parts(api, kind)[number]


def _most(place: Place, kind: str) -> int:
    quotas = place.quotas
    return {
        "Route": quotas.http_routes,
        "Integration": quotas.http_integrations,
        "Authorizer": quotas.authorizers,
    }[kind]


def _is_used(api: HttpApi, kind: str, number: str) -> bool:
    routes = api.now.routes.values()
    if kind == "Integration":
        return any(route.get("Target") == f"integrations/{number}" for route in routes)
    return kind == "Authorizer" and any(route.get("AuthorizerId") == number for route in routes)


def _register(kind: str) -> None:
    """The five operations of a kind."""

    @operation("apigatewayv2", f"Create{kind}")
    def create(place: Place, params: Params) -> dict[str, Any]:
        api = http_api_of(place, params["ApiId"])
        if len(_parts(api, kind)) >= _most(place, kind):
            raise quota(f"Maximum number of {kind}s for this API has been reached: {_most(place, kind)}")
        members = {name: value for name, value in params.items() if name != "ApiId"} | {
            f"{kind}Id": place.new_id(6)
        }
        _CHECKS[kind](place, api, members)
        _parts(api, kind)[members[f"{kind}Id"]] = members
        changed(place, api)
        return dict(members)

    @operation("apigatewayv2", f"Get{kind}")
    def get(place: Place, params: Params) -> dict[str, Any]:
        return dict(_part(http_api_of(place, params["ApiId"]), kind, params))

    @operation("apigatewayv2", f"Get{kind}s")
    def get_all(place: Place, params: Params) -> dict[str, Any]:
        parts = _parts(http_api_of(place, params["ApiId"]), kind).values()
        found, token = page(parts, params, marker="NextToken", size="MaxResults")
        return {"Items": [dict(one) for one in found]} | ({"NextToken": token} if token else {})

    @operation("apigatewayv2", f"Update{kind}")
    def update(place: Place, params: Params) -> dict[str, Any]:
        api = http_api_of(place, params["ApiId"])
        members = _part(api, kind, params) | {
            name: value for name, value in params.items() if name != "ApiId"
        }
        _CHECKS[kind](place, api, members)
        _parts(api, kind)[members[f"{kind}Id"]] = members
        changed(place, api)
        return dict(members)

    @operation("apigatewayv2", f"Delete{kind}")
    def delete(place: Place, params: Params) -> dict[str, Any]:
        api = http_api_of(place, params["ApiId"])
        number = _part(api, kind, params)[f"{kind}Id"]
        if _is_used(api, kind, number):
            raise conflict(f"Cannot delete {kind} '{number}' because it is referenced by a Route")
        del _parts(api, kind)[number]
        changed(place, api)
        return {}


for _kind in _CHECKS:
    _register(_kind)


@operation("apigatewayv2", "CreateRouteResponse")
def create_route_response(place: Place, params: Params) -> dict[str, Any]:
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-route-response.html: there
    is $default and no other. That a second one is refused is decided for the worse [U]."""
    api, route = _route_of(place, params)
    if not api.is_websocket:
        raise bad_request("RouteResponses are supported for WEBSOCKET protocol type only")
    if params["RouteResponseKey"] != "$default":
        raise bad_request("RouteResponseKey must be $default")
    if any(one["RouteId"] == route for one in api.now.answers.values()):
        raise conflict("RouteResponse with key $default already exists for this route")
    number = place.new_id(6)
    api.now.answers[number] = {**params, "RouteResponseId": number}
    changed(place, api)
    return _answer(api.now.answers[number])


@operation("apigatewayv2", "GetRouteResponses")
def get_route_responses(place: Place, params: Params) -> dict[str, Any]:
    api, route = _route_of(place, params)
    found, token = page(
        [_answer(one) for one in api.now.answers.values() if one["RouteId"] == route],
        params,
        marker="NextToken",
        size="MaxResults",
    )
    return {"Items": found} | ({"NextToken": token} if token else {})


def _route_of(place: Place, params: Params) -> tuple[HttpApi, str]:
    api = http_api_of(place, params["ApiId"])
    return api, str(_part(api, "Route", params)["RouteId"])


def _answer(members: Members) -> Members:
    return {name: value for name, value in members.items() if name not in {"ApiId", "RouteId"}}
