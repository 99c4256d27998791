"""REST APIs: made, changed, deleted; their resources; the account's settings.

https://docs.aws.amazon.com/apigateway/latest/api/API_Operations.html.
"""

from __future__ import annotations

from typing import Any

from tests.aws.fake.patches import Patch, patches, without_empty
from tests.aws.fake.place import Params, Place, operation, page
from tests.aws.fake.refusals import bad_request, quota
from tests.aws.fake.rest_documents import imported
from tests.aws.fake.rest_state import Definition, Method, RestApi, api_of, rest, written

_TYPES = {"REGIONAL": "regional_apis", "EDGE": "edge_apis", "PRIVATE": "regional_apis"}


@operation("apigateway", "CreateRestApi")
def create_rest_api(place: Place, params: Params) -> dict[str, Any]:
    endpoint = params.get("endpointConfiguration") or {}
    types = endpoint.get("types") or ["EDGE"]
    if not params.get("name"):
        raise bad_request("Name cannot be empty")
    if "description" in params and not params["description"]:
        raise bad_request("Description cannot be an empty string")
    api = _new(place, params["name"], types, params.get("tags") or {})
    api.description = params.get("description", "")
    api.version = params.get("version", "")
    api.disable_endpoint = params.get("disableExecuteApiEndpoint", False)
    api.compression = params.get("minimumCompressionSize")
    api.ip_address_type = endpoint.get("ipAddressType") or ("dualstack" if types == ["PRIVATE"] else "ipv4")
    api.definition.key_source = params.get("apiKeySource", "HEADER")
    api.definition.binary_types = list(params.get("binaryMediaTypes") or ())
    api.definition.policy = params.get("policy", "")
    return shown(api)


@operation("apigateway", "ImportRestApi")
def import_rest_api(place: Place, params: Params) -> dict[str, Any]:
    types = [(params.get("parameters") or {}).get("endpointConfigurationTypes", "EDGE")]
    result = imported(place, params["body"], fail_on_warnings=params.get("failOnWarnings", False))
    api = _new(place, result.name, types, {})
    return _taken(api, result) | ({"warnings": result.warnings} if result.warnings else {})


@operation("apigateway", "PutRestApi")
def put_rest_api(place: Place, params: Params) -> dict[str, Any]:
    """All or nothing [D import-api-errors]; overwrite resets what the document does not hold [D import-update]."""
    api = api_of(place, params["restApiId"])
    written(place, api)
    before = None if params.get("mode") == "overwrite" else api.definition
    result = imported(
        place, params["body"], fail_on_warnings=params.get("failOnWarnings", False), into=before
    )
    return _taken(api, result) | ({"warnings": result.warnings} if result.warnings else {})


@operation("apigateway", "GetRestApi")
def get_rest_api(place: Place, params: Params) -> dict[str, Any]:
    return shown(api_of(place, params["restApiId"]))


@operation("apigateway", "GetRestApis")
def get_rest_apis(place: Place, params: Params) -> dict[str, Any]:
    """With tags [S]."""
    found, position = page([api for api in rest(place).apis.values() if api.seen_at <= place.now], params)
    return without_empty({"items": [shown(api) for api in found], "position": position})


@operation("apigateway", "UpdateRestApi")
def update_rest_api(place: Place, params: Params) -> dict[str, Any]:
    api = api_of(place, params["restApiId"])
    written(place, api)
    for patch in patches(params):
        _patch(api, patch)
    return shown(api)


@operation("apigateway", "DeleteRestApi")
def delete_rest_api(place: Place, params: Params) -> dict[str, Any]:
    """A stage in a usage plan stands against it. The text is not verified [U]."""
    api = api_of(place, params["restApiId"])
    for plan in rest(place).plans.values():
        for api_id, stage in plan.settings.stages:
            if api_id == api.id:
                raise bad_request(
                    f"Cannot delete REST API {api.id} because its stage {stage} is in Usage Plan {plan.id}"
                )
    del rest(place).apis[api.id]
    return {}


@operation("apigateway", "GetResources")
def get_resources(place: Place, params: Params) -> dict[str, Any]:
    api = api_of(place, params["restApiId"])
    with_methods = "methods" in (params.get("embed") or ())
    paths, position = page(sorted(api.definition.resources), params)
    items = [_resource(api, path, with_methods=with_methods) for path in paths]
    return without_empty({"items": items, "position": position})


@operation("apigateway", "GetAccount")
def get_account(place: Place, params: Params) -> dict[str, Any]:
    return without_empty(
        {
            "cloudwatchRoleArn": rest(place).log_role,
            "throttleSettings": {"burstLimit": 5000, "rateLimit": 10000.0},
            "features": ["UsagePlans"],
            "apiKeyVersion": "4",
        }
    )


@operation("apigateway", "UpdateAccount")
def update_account(place: Place, params: Params) -> dict[str, Any]:
    for patch in patches(params):
        if patch.path != "/cloudwatchRoleArn":
            raise bad_request(f"Invalid patch path {patch.path}")
        rest(place).log_role = patch.value if patch.op != "remove" else ""
    return get_account(place, params)


def shown(api: RestApi) -> dict[str, Any]:
    """As AWS answers it."""
    definition = api.definition
    return without_empty(
        {
            "id": api.id,
            "name": api.name,
            "description": api.description,
            "createdDate": api.created,
            "version": api.version,
            "binaryMediaTypes": definition.binary_types or None,
            "minimumCompressionSize": api.compression,
            "apiKeySource": definition.key_source,
            "endpointConfiguration": {"types": api.types, "ipAddressType": api.ip_address_type},
            "policy": definition.policy,
            "tags": dict(api.tags),
            "disableExecuteApiEndpoint": api.disable_endpoint,
            "rootResourceId": api.root_id,
        }
    )


def _new(place: Place, name: str, types: list[str], tags: dict[str, str]) -> RestApi:
    if len(types) != 1:
        raise bad_request("Cannot create an api with multiple Endpoint Types.")
    state, kind = rest(place), _TYPES[types[0]]
    if sum(_TYPES[api.types[0]] == kind for api in state.apis.values()) >= getattr(place.quotas, kind):
        raise quota(
            "Maximum number of APIs for this account has been reached. Please contact AWS if you need more."
        )
    api = RestApi(
        id=place.new_id(),
        name=name,
        root_id=place.new_id(),
        created=place.date,
        seen_at=place.now + place.delays.lists,
        types=types,
        tags=dict(tags),
    )
    api.definition.ids["/"] = api.root_id
    state.apis[api.id] = api
    return api


def _taken(api: RestApi, result: Any) -> dict[str, Any]:
    """Ids of resources and authorizers are new ones [D import-update]."""
    api.name, api.description, api.version = result.name, result.description, result.version
    api.disable_endpoint = result.disable_endpoint
    definition: Definition = result.definition
    definition.ids["/"] = api.root_id
    api.definition = definition
    return shown(api)


_FIELDS = {"/name": "name", "/description": "description", "/version": "version"}


def _patch(api: RestApi, patch: Patch) -> None:
    """https://docs.aws.amazon.com/apigateway/latest/api/API_UpdateRestApi.html."""
    kinds = patch.parts[0]
    if patch.path in _FIELDS and patch.op == "replace":
        setattr(api, _FIELDS[patch.path], patch.value)
    elif patch.path == "/disableExecuteApiEndpoint" and patch.op == "replace":
        api.disable_endpoint = patch.is_true
    elif patch.path == "/apiKeySource" and patch.op == "replace":
        api.definition.key_source = patch.value
    elif patch.path == "/policy" and patch.op == "replace":
        api.definition.policy = patch.value
    elif patch.path == "/minimumCompressionSize" and patch.op == "replace":
        api.compression = int(patch.value) if patch.value else None
    elif kinds == "binaryMediaTypes" and len(patch.parts) == 2:
        _patch_binary(api, patch)
    elif kinds == "endpointConfiguration" and patch.op == "replace":
        api.types = [patch.value]
    else:
        raise bad_request(f"Invalid patch path {patch.path}")


def _patch_binary(api: RestApi, patch: Patch) -> None:
    kinds = api.definition.binary_types
    if patch.op == "remove":
        api.definition.binary_types = [one for one in kinds if one != patch.parts[1]]
    elif patch.parts[1] not in kinds:
        kinds.append(patch.parts[1])


def _resource(api: RestApi, path: str, *, with_methods: bool) -> dict[str, Any]:
    definition = api.definition
    found: dict[str, Any] = {"id": definition.ids[path], "path": path}
    if path != "/":
        parent = path.rsplit("/", 1)[0] or "/"
        found |= {"parentId": definition.ids[parent], "pathPart": path.rsplit("/", 1)[1]}
    methods = definition.resources[path]
    if methods:
        found["resourceMethods"] = {
            name: _method(name, method) if with_methods else {} for name, method in methods.items()
        }
    return found


def _method(name: str, method: Method) -> dict[str, Any]:
    kind = "AWS_IAM" if method.is_iam else "CUSTOM" if method.authorizer else "NONE"
    found = {"httpMethod": name, "apiKeyRequired": method.needs_key, "authorizationType": kind}
    if method.integration:
        known = {"type", "uri", "httpMethod", "timeoutInMillis", "credentials", "passthroughBehavior"}
        told = {key: value for key, value in method.integration.items() if key in known}
        found["methodIntegration"] = told | {"type": str(told["type"]).upper()}
    return found
