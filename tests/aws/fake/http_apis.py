"""HTTP and WebSocket APIs: made, imported, changed, deleted.

https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/, and for imports
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-open-api.html. Texts are not recorded [U], except
where AWS's words stand in many reports [T].
"""

from __future__ import annotations

import json
from typing import Any

import yaml

from tests.aws.fake.http_state import Belongings, HttpApi, Members, changed, http, http_api_of
from tests.aws.fake.place import Params, Place, operation, page
from tests.aws.fake.refusals import bad_request, not_found, quota
from tests.aws.fake.rest_documents import ANY, AUTHORIZER, INTEGRATION, METHODS

_API = (
    "Name", "Description", "Version", "CorsConfiguration", "DisableExecuteApiEndpoint", "RouteSelectionExpression",
    "ApiKeySelectionExpression", "DisableSchemaValidation",
)  # fmt: skip


@operation("apigatewayv2", "CreateApi")
def create_api(place: Place, params: Params) -> dict[str, Any]:
    if params["ProtocolType"] == "WEBSOCKET" and not params.get("RouteSelectionExpression"):
        raise bad_request("RouteSelectionExpression is required for WEBSOCKET protocol")
    api = _new(place, params["Name"], params["ProtocolType"], params.get("Tags") or {})
    api.members |= {name: params[name] for name in _API if name in params}
    return shown(api)


@operation("apigatewayv2", "GetApi")
def get_api(place: Place, params: Params) -> dict[str, Any]:
    return shown(http_api_of(place, params["ApiId"]))


@operation("apigatewayv2", "GetApis")
def get_apis(place: Place, params: Params) -> dict[str, Any]:
    apis = [api for api in http(place).values() if api.seen_at <= place.now]
    found, token = page(apis, params, marker="NextToken", size="MaxResults")
    return {"Items": [shown(api) for api in found]} | ({"NextToken": token} if token else {})


@operation("apigatewayv2", "UpdateApi")
def update_api(place: Place, params: Params) -> dict[str, Any]:
    api = http_api_of(place, params["ApiId"])
    api.members |= {name: params[name] for name in _API if name in params}
    changed(place, api)
    return shown(api)


@operation("apigatewayv2", "DeleteCorsConfiguration")
def delete_cors(place: Place, params: Params) -> dict[str, Any]:
    """UpdateApi replaces it, and cannot take it away."""
    api = http_api_of(place, params["ApiId"])
    api.members["CorsConfiguration"] = None
    changed(place, api)
    return {}


@operation("apigatewayv2", "DeleteApi")
def delete_api(place: Place, params: Params) -> dict[str, Any]:
    del http(place)[http_api_of(place, params["ApiId"]).id]
    return {}


@operation("apigatewayv2", "ImportApi")
def import_api(place: Place, params: Params) -> dict[str, Any]:
    """A new API each time."""
    document, belongings, warnings = _imported(place, params)
    api = _new(place, document.get("info", {}).get("title", ""), "HTTP", _tags(document))
    return _taken(place, api, document, belongings, warnings)


@operation("apigatewayv2", "ReimportApi")
def reimport_api(place: Place, params: Params) -> dict[str, Any]:
    """What was there before is replaced."""
    api = http_api_of(place, params["ApiId"])
    document, belongings, warnings = _imported(place, params)
    api.members["Name"] = document.get("info", {}).get("title", "")
    return _taken(place, api, document, belongings, warnings)


@operation("apigatewayv2", "ExportApi")
def export_api(place: Place, params: Params) -> dict[str, Any]:
    """Of HTTP APIs alone."""
    api = http_api_of(place, params["ApiId"])
    if api.is_websocket:
        raise bad_request("Only HTTP APIs can be exported")
    paths: dict[str, Any] = {}
    for route in api.now.routes.values():
        method, _, path = route["RouteKey"].partition(" ")
        told = {"responses": {"default": {"description": f"Default response for {route['RouteKey']}"}}}
        paths.setdefault(path or "/$default", {})[
            ANY if method in {"ANY", "$default"} else method.lower()
        ] = told
    body = {"openapi": "3.0.1", "info": {"title": api.members["Name"]}, "paths": paths}
    return {"body": json.dumps(body, sort_keys=True).encode()}


@operation("apigatewayv2", "TagResource")
def tag_resource(place: Place, params: Params) -> dict[str, Any]:
    tags = _tagged(place, params["ResourceArn"])
    if len({**tags, **params["Tags"]}) > place.quotas.tags:
        raise quota(f"Maximum number of tags for this resource has been reached: {place.quotas.tags}")
    tags |= params["Tags"]
    return {}


@operation("apigatewayv2", "UntagResource")
def untag_resource(place: Place, params: Params) -> dict[str, Any]:
    for name in params["TagKeys"]:
        _tagged(place, params["ResourceArn"]).pop(name, None)
    return {}


@operation("apigatewayv2", "GetTags")
def get_tags(place: Place, params: Params) -> dict[str, Any]:
    return {"Tags": dict(_tagged(place, params["ResourceArn"]))}


def shown(api: HttpApi) -> dict[str, Any]:
    """As AWS answers it."""
    return {name: value for name, value in api.members.items() if value is not None}


def _new(place: Place, name: str, protocol: str, tags: dict[str, str]) -> HttpApi:
    api_id = place.new_id()
    scheme = "wss" if protocol == "WEBSOCKET" else "https"
    members = {
        "ApiId": api_id,
        "ApiEndpoint": f"{scheme}://{api_id}.execute-api.{place.region}.amazonaws.com",
        "Name": name,
        "ProtocolType": protocol,
        "RouteSelectionExpression": "$request.method $request.path",
        "ApiKeySelectionExpression": "$request.header.x-api-key",
        "DisableExecuteApiEndpoint": False,
        "CreatedDate": place.date,
        "Tags": dict(tags),
    }
    http(place)[api_id] = HttpApi(api_id, place.now + place.delays.lists, members)
    return http(place)[api_id]


def _tagged(place: Place, arn: str) -> dict[str, str]:
    """Of APIs and stages: arn:aws:apigateway:REGION::/apis/ID[/stages/NAME]."""
    parts = arn.split("::/", 1)[-1].split("/")
    if not arn.startswith(f"arn:aws:apigateway:{place.region}::/apis/"):
        raise bad_request(f"Invalid ARN. ARN is not well formed {arn}")
    api = http_api_of(place, parts[1])
    if len(parts) == 2:
        return dict_of(api.members)
    if parts[3] not in api.stages:
        raise not_found("Invalid stage identifier specified")
    return dict_of(api.stages[parts[3]])


def dict_of(members: Members) -> dict[str, str]:
    """The tags among members, to be changed."""
    tags: dict[str, str] = members.setdefault("Tags", {})
    return tags


def _taken(
    place: Place, api: HttpApi, document: dict[str, Any], belongings: Belongings, warnings: list[str]
) -> dict[str, Any]:
    api.now, api.document = belongings, document
    info = document.get("info", {})
    api.members["Version"] = str(info.get("version", ""))
    api.members["Description"] = info.get("description")
    cors = document.get("x-amazon-apigateway-cors")
    api.members["CorsConfiguration"] = (
        {name[0].upper() + name[1:]: value for name, value in cors.items()} if cors else None
    )
    changed(place, api)
    return shown(api) | ({"Warnings": warnings} if warnings else {})


def _tags(document: dict[str, Any]) -> dict[str, str]:
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-swagger-extensions-tag-value.html."""
    return {
        tag["name"]: tag["x-amazon-apigateway-tag-value"]
        for tag in document.get("tags", ())
        if "x-amazon-apigateway-tag-value" in tag
    }


def _imported(place: Place, params: Params) -> tuple[dict[str, Any], Belongings, list[str]]:
    document = _read(params["Body"])
    belongings, warnings = Belongings(), list[str]()
    schemes = document.get("components", {}).get("securitySchemes", {})
    for name, scheme in schemes.items():
        if AUTHORIZER in scheme:
            told = _authorizer(name, scheme[AUTHORIZER]) | {"AuthorizerId": place.new_id(6)}
            belongings.authorizers[told["AuthorizerId"]] = told
        elif scheme.get("type") == "apiKey":
            warnings.append(f"Security scheme {name} is not supported by HTTP APIs and is ignored")
    for path, item in document.get("paths", {}).items():
        for method, told in item.items():
            if method in METHODS or method == ANY:
                _route(place, belongings, path, method, told, warnings)
    if len(belongings.routes) > place.quotas.http_routes:
        raise quota(f"Maximum number of Routes for this API has been reached: {place.quotas.http_routes}")
    if warnings and params.get("FailOnWarnings"):
        raise bad_request(f"Warnings found during import: {'; '.join(warnings)}")
    return document, belongings, warnings


def _read(body: str) -> dict[str, Any]:
    try:
        document = json.loads(body) if body.lstrip().startswith("{") else yaml.safe_load(body)
    except (ValueError, yaml.YAMLError):
        raise bad_request("Unable to parse the OpenAPI document") from None
    if not isinstance(document, dict) or not str(document.get("openapi", "")).startswith("3.0"):
        raise bad_request("Only OpenAPI 3.0 documents are supported")
    return document


def _authorizer(name: str, told: dict[str, Any]) -> Members:
    if told.get("type") == "jwt":
        jwt = told.get("jwtConfiguration", {})
        return {
            "Name": name,
            "AuthorizerType": "JWT",
            "IdentitySource": [told.get("identitySource", "$request.header.Authorization")],
            "JwtConfiguration": {"Issuer": jwt.get("issuer", ""), "Audience": list(jwt.get("audience", ()))},
        }
    return {
        "Name": name,
        "AuthorizerType": "REQUEST",
        "AuthorizerUri": told.get("authorizerUri", ""),
        "AuthorizerPayloadFormatVersion": told.get("authorizerPayloadFormatVersion", "2.0"),
        "EnableSimpleResponses": bool(told.get("enableSimpleResponses", False)),
    }


def _route(
    place: Place, belongings: Belongings, path: str, method: str, told: dict[str, Any], warnings: list[str]
) -> None:
    integration = told.get(INTEGRATION)
    if integration is None:
        warnings.append(f"No integration of {method.upper()} {path}: the route is not made")
        return
    kind = str(integration.get("type", "")).upper()
    if kind not in {"HTTP_PROXY", "AWS_PROXY"}:
        raise bad_request(f"Integration type {kind} is not supported for HTTP protocol type")
    members: Members = {
        "IntegrationId": place.new_id(6),
        "IntegrationType": kind,
        "IntegrationMethod": integration.get("httpMethod", "POST"),
        "IntegrationUri": integration.get("uri", ""),
        "PayloadFormatVersion": str(integration.get("payloadFormatVersion", "1.0")),
        "TimeoutInMillis": int(integration.get("timeoutInMillis", 30_000)),
        "ConnectionType": "INTERNET",
    }
    belongings.integrations[members["IntegrationId"]] = members
    verb = "ANY" if method == ANY else method.upper()
    route: Members = {
        "RouteId": place.new_id(6),
        "RouteKey": "$default" if path == "/$default" else f"{verb} {path}",
        "Target": f"integrations/{members['IntegrationId']}",
        "AuthorizationType": "NONE",
        "ApiKeyRequired": False,
    }
    by_name = {one["Name"]: one for one in belongings.authorizers.values()}
    for requirement in told.get("security", ()):
        for name, scopes in requirement.items():
            if name in by_name:
                kind = "JWT" if by_name[name]["AuthorizerType"] == "JWT" else "CUSTOM"
                route |= {"AuthorizationType": kind, "AuthorizerId": by_name[name]["AuthorizerId"]}
                if scopes:
                    route["AuthorizationScopes"] = list(scopes)
    belongings.routes[route["RouteId"]] = route
