"""REST APIs made resource by resource: what our driver does not do, and others are measured by.

https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-method-settings.html. Only what a plain method with
an integration takes; whoever sets more fails the test.
"""

from __future__ import annotations

from typing import Any

from tests.aws.fake.place import Params, Place, operation
from tests.aws.fake.refusals import conflict, not_found
from tests.aws.fake.rest_state import Method, RestApi, api_of, written


@operation("apigateway", "CreateResource")
def create_resource(place: Place, params: Params) -> dict[str, Any]:
    api = api_of(place, params["restApiId"])
    written(place, api)
    parent = _path(api, params["parentId"])
    path = f"{parent.rstrip('/')}/{params['pathPart']}"
    if path in api.definition.resources:
        raise conflict("Another resource with the same parent already has this name: " + params["pathPart"])
    api.definition.resources[path] = {}
    api.definition.ids[path] = place.new_id(6)
    return {
        "id": api.definition.ids[path],
        "parentId": params["parentId"],
        "path": path,
        "pathPart": params["pathPart"],
    }


@operation("apigateway", "PutMethod")
def put_method(place: Place, params: Params) -> dict[str, Any]:
    api = api_of(place, params["restApiId"])
    written(place, api)
    methods = api.definition.resources[_path(api, params["resourceId"])]
    if params["httpMethod"] in methods:
        raise conflict("Method already exists for this resource")
    needs_key = bool(params.get("apiKeyRequired"))
    methods[params["httpMethod"]] = Method(None, needs_key=needs_key)
    return {
        "httpMethod": params["httpMethod"],
        "authorizationType": params["authorizationType"],
        "apiKeyRequired": needs_key,
    }


@operation("apigateway", "PutIntegration")
def put_integration(place: Place, params: Params) -> dict[str, Any]:
    api = api_of(place, params["restApiId"])
    written(place, api)
    method = _method(api, params)
    told = {"type": params["type"], "httpMethod": params["integrationHttpMethod"], "uri": params["uri"]}
    method.integration = {**told, "timeoutInMillis": 29_000}
    return dict(told)


@operation("apigateway", "PutMethodResponse")
def put_method_response(place: Place, params: Params) -> dict[str, Any]:
    api = api_of(place, params["restApiId"])
    written(place, api)
    _method(api, params)
    return {"statusCode": params["statusCode"]}


def _path(api: RestApi, resource_id: str) -> str:
    found = next((path for path, known in api.definition.ids.items() if known == resource_id), None)
    if found is None:
        raise not_found("Invalid Resource identifier specified")
    return found


def _method(api: RestApi, params: Params) -> Method:
    methods = api.definition.resources[_path(api, params["resourceId"])]
    if params["httpMethod"] not in methods:
        raise not_found("Invalid Method identifier specified")
    return methods[params["httpMethod"]]
