"""Stages: which deployment is live, with which settings.

https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-stages.html and API_UpdateStage.html; texts [S]
test_apigateway_common.snapshot.json, test_apigateway_api.snapshot.json (test_stage_access_log_settings_validation).
"""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Any

from tests.aws.fake.patches import Patch, number, patches, without_empty
from tests.aws.fake.place import Params, Place, operation
from tests.aws.fake.refusals import bad_request, conflict, not_found, quota
from tests.aws.fake.rest_state import RestApi, Stage, api_of, rest

_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")
_VALUE = re.compile(r"[A-Za-z0-9\-._~:/?#&=,]+")
_NEW_SETTING = {
    "metricsEnabled": False,
    "dataTraceEnabled": False,
    "throttlingBurstLimit": 5000,
    "throttlingRateLimit": 10000.0,
    "cachingEnabled": True,
    "cacheTtlInSeconds": 300,
    "cacheDataEncrypted": False,
    "requireAuthorizationForCacheControl": True,
    "unauthorizedCacheControlHeaderStrategy": "SUCCEED_WITH_RESPONSE_HEADER",
}
"""[S] test_create_update_stages."""
_SETTINGS = {
    "metrics/enabled": ("metricsEnabled", bool),
    "logging/dataTrace": ("dataTraceEnabled", bool),
    "logging/loglevel": ("loggingLevel", str),
    "throttling/burstLimit": ("throttlingBurstLimit", int),
    "throttling/rateLimit": ("throttlingRateLimit", float),
    "caching/ttlInSeconds": ("cacheTtlInSeconds", int),
    "caching/enabled": ("cachingEnabled", bool),
    "caching/dataEncrypted": ("cacheDataEncrypted", bool),
    "caching/requireAuthorizationForCacheControl": ("requireAuthorizationForCacheControl", bool),
    "caching/unauthorizedCacheControlHeaderStrategy": ("unauthorizedCacheControlHeaderStrategy", str),
}
_PATHS = (
    "/deploymentId, /description, /cacheClusterEnabled, /cacheClusterSize, /clientCertificateId, /accessLogSettings,"
    " /accessLogSettings/destinationArn, /accessLogSettings/format, /{resourcePath}/{httpMethod}/metrics/enabled,"
    " /{resourcePath}/{httpMethod}/logging/dataTrace, /{resourcePath}/{httpMethod}/logging/loglevel,"
    " /{resourcePath}/{httpMethod}/throttling/burstLimit/{resourcePath}/{httpMethod}/throttling/rateLimit"
    "/{resourcePath}/{httpMethod}/caching/ttlInSeconds, /{resourcePath}/{httpMethod}/caching/enabled,"
    " /{resourcePath}/{httpMethod}/caching/dataEncrypted,"
    " /{resourcePath}/{httpMethod}/caching/requireAuthorizationForCacheControl,"
    " /{resourcePath}/{httpMethod}/caching/unauthorizedCacheControlHeaderStrategy, /*/*/metrics/enabled,"
    " /*/*/logging/dataTrace, /*/*/logging/loglevel, /*/*/throttling/burstLimit /*/*/throttling/rateLimit"
    " /*/*/caching/ttlInSeconds, /*/*/caching/enabled, /*/*/caching/dataEncrypted,"
    " /*/*/caching/requireAuthorizationForCacheControl, /*/*/caching/unauthorizedCacheControlHeaderStrategy,"
    " /variables/{variable_name}, /tracingEnabled"
)
"""[S] word for word."""
_NO_LOG_ROLE = "CloudWatch Logs role ARN must be set in account settings to enable logging"


@operation("apigateway", "CreateStage")
def create_stage(place: Place, params: Params) -> dict[str, Any]:
    api = api_of(place, params["restApiId"])
    stage = new_stage(place, api, params["stageName"], params["deploymentId"])
    for name, value in (params.get("variables") or {}).items():
        _check_variable(name, value)
    stage.description = params.get("description", "")
    stage.variables = dict(params.get("variables") or {})
    stage.documentation = params.get("documentationVersion", "")
    stage.tracing = params.get("tracingEnabled", False)
    stage.cache = params.get("cacheClusterEnabled", False)
    stage.cache_size = params.get("cacheClusterSize", "")
    stage.tags = dict(params.get("tags") or {})
    return shown(stage)


@operation("apigateway", "GetStage")
def get_stage(place: Place, params: Params) -> dict[str, Any]:
    return shown(stage_of(api_of(place, params["restApiId"]), params["stageName"]))


@operation("apigateway", "GetStages")
def get_stages(place: Place, params: Params) -> dict[str, Any]:
    wanted = params.get("deploymentId")
    stages = api_of(place, params["restApiId"]).stages.values()
    return {"item": [shown(stage) for stage in stages if wanted in {None, stage.deployment_id}]}


@operation("apigateway", "UpdateStage")
def update_stage(place: Place, params: Params) -> dict[str, Any]:
    """All patches or none of them."""
    api = api_of(place, params["restApiId"])
    stage = deepcopy(stage_of(api, params["stageName"]))
    for patch in patches(params):
        _patch(place, api, stage, patch)
    stage.updated = place.date
    api.stages[stage.name] = stage
    return shown(stage)


@operation("apigateway", "DeleteStage")
def delete_stage(place: Place, params: Params) -> dict[str, Any]:
    """A usage plan stands against it. The text is not verified [U]."""
    api = api_of(place, params["restApiId"])
    stage = stage_of(api, params["stageName"])
    for plan in rest(place).plans.values():
        if (api.id, stage.name) in plan.settings.stages:
            raise bad_request(f"Cannot delete stage {stage.name} because it is in Usage Plan {plan.id}")
    del api.stages[stage.name]
    return {}


def stage_of(api: RestApi, name: str) -> Stage:
    """Raises NotFoundException."""
    if name not in api.stages:
        raise not_found("Invalid stage identifier specified")
    return api.stages[name]


def new_stage(place: Place, api: RestApi, name: str, deployment_id: str) -> Stage:
    """A stage with nothing set. Raises for a name that AWS does not take, that is there, and for one too many."""
    if not _NAME.fullmatch(name):
        raise bad_request("Stage name only allows a-zA-Z0-9_-")
    if name in api.stages:
        raise conflict("Stage already exists")
    if deployment_id not in api.deployments:
        raise bad_request("Deployment id does not exist")
    if len(api.stages) >= place.quotas.stages:
        raise quota(f"Maximum number of stages for this API has been reached: {place.quotas.stages}")
    api.stages[name] = Stage(name, deployment_id, place.date, place.date)
    return api.stages[name]


def shown(stage: Stage) -> dict[str, Any]:
    """As AWS answers it [S]."""
    return without_empty(
        {
            "stageName": stage.name,
            "deploymentId": stage.deployment_id,
            "description": stage.description,
            "documentationVersion": stage.documentation,
            "clientCertificateId": stage.certificate,
            "cacheClusterEnabled": stage.cache,
            "cacheClusterSize": stage.cache_size,
            "cacheClusterStatus": "AVAILABLE" if stage.cache else "NOT_AVAILABLE",
            "methodSettings": deepcopy(stage.settings),
            "variables": dict(stage.variables) or None,
            "accessLogSettings": dict(stage.access_log) or None,
            "canarySettings": deepcopy(stage.canary),
            "tracingEnabled": stage.tracing,
            "tags": dict(stage.tags) or None,
            "createdDate": stage.created,
            "lastUpdatedDate": stage.updated,
        }
    )


def _patch(place: Place, api: RestApi, stage: Stage, patch: Patch) -> None:
    head = patch.parts[0]
    if patch.op == "copy":
        _promote(stage, patch)
    elif head == "canarySettings":
        _patch_canary(api, stage, patch)
    elif head == "accessLogSettings":
        _patch_log(place, stage, patch)
    elif head == "variables" and len(patch.parts) == 2:
        _patch_variable(stage, patch)
    elif len(patch.parts) == 1:
        _patch_field(api, stage, patch)
    else:
        _patch_setting(place, stage, patch)


def _patch_field(api: RestApi, stage: Stage, patch: Patch) -> None:
    if patch.path == "/deploymentId":
        if patch.value not in api.deployments:
            raise bad_request("Deployment id does not exist")
        if stage.canary is not None:
            raise bad_request(f"Stage {stage.name} has a canary and cannot take another deployment")
        stage.deployment_id = patch.value
    elif patch.path in {"/description", "/clientCertificateId", "/cacheClusterSize"}:
        names = {
            "/description": "description",
            "/clientCertificateId": "certificate",
            "/cacheClusterSize": "cache_size",
        }
        setattr(stage, names[patch.path], patch.value)
    elif patch.path == "/tracingEnabled":
        stage.tracing = patch.is_true
    elif patch.path == "/cacheClusterEnabled":
        stage.cache = patch.is_true
    else:
        raise _bad_path(patch)


def _patch_variable(stage: Stage, patch: Patch) -> None:
    name = patch.parts[1]
    if patch.op == "remove":
        stage.variables.pop(name, None)
        return
    _check_variable(name, patch.value)
    stage.variables[name] = patch.value
    if len(stage.variables) > 100:
        raise quota("Maximum number of stage variables has been reached: 100")


def _check_variable(name: str, value: str) -> None:
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/aws-api-gateway-stage-variables-reference.html."""
    if not re.fullmatch(r"\w{1,64}", name) or not _VALUE.fullmatch(value) or len(value) > 512:
        raise bad_request(f"Stage variable value contains invalid characters: {name}")


def _patch_log(place: Place, stage: Stage, patch: Patch) -> None:
    if patch.path == "/accessLogSettings" and patch.op == "remove":
        stage.access_log = {}
        return
    if patch.op == "remove":
        where = "/".join(patch.parts)
        raise bad_request(
            f"Cannot remove method setting {where} because there is no method setting for this method "
        )
    if len(patch.parts) != 2 or patch.parts[1] not in {"destinationArn", "format"}:
        raise bad_request(
            "Invalid accessLogSettings path. Must be one of : [/accessLogSettings/destinationArn,"
            " /accessLogSettings/format]"
        )
    if not patch.value:
        raise bad_request("Access Log value must not be empty")
    if not rest(place).log_role:
        raise bad_request(_NO_LOG_ROLE)
    if patch.parts[1] == "format" and "$context.requestId" not in patch.value:
        raise bad_request("Access Log format must contain $context.requestId")
    stage.access_log[patch.parts[1]] = patch.value


def _patch_setting(place: Place, stage: Stage, patch: Patch) -> None:
    """`/~1pets~1{id}/GET/throttling/rateLimit`, or `/*/*/...` for all methods."""
    resource, method = patch.parts[0], patch.parts[1]
    key = f"{resource.strip('/')}/{method}"
    if patch.op == "remove":
        if len(patch.parts) != 2 or key not in stage.settings:
            where = "/".join(patch.parts)
            raise bad_request(
                f"Cannot remove method setting {where} because there is no method setting for this method "
            )
        del stage.settings[key]
        return
    known = _SETTINGS.get("/".join(patch.parts[2:]))
    if known is None:
        raise _bad_path(patch)
    name, kind = known
    logs = name in {"loggingLevel", "dataTraceEnabled"} and patch.value.upper() not in {"OFF", "FALSE"}
    if logs and not rest(place).log_role:
        raise bad_request(_NO_LOG_ROLE)
    value: Any = patch.is_true if kind is bool else patch.value if kind is str else kind(number(patch))
    stage.settings.setdefault(key, dict(_NEW_SETTING))[name] = value


def _patch_canary(api: RestApi, stage: Stage, patch: Patch) -> None:
    if patch.path == "/canarySettings" and patch.op == "remove":
        stage.canary = None
        return
    known = {"percentTraffic", "deploymentId", "useStageCache", "stageVariableOverrides"}
    if len(patch.parts) < 2 or patch.parts[1] not in known:
        raise _bad_path(patch)
    if patch.op == "add" and patch.parts[1] == "deploymentId":
        raise bad_request("Invalid add operation with path: /canarySettings/deploymentId")
    if stage.canary is None:
        stage.canary = {"percentTraffic": 0.0, "useStageCache": False, "deploymentId": stage.deployment_id}
    if patch.parts[1] == "percentTraffic":
        stage.canary["percentTraffic"] = number(patch)
    elif patch.parts[1] == "useStageCache":
        stage.canary["useStageCache"] = patch.is_true
    elif patch.parts[1] == "deploymentId":
        if patch.value not in api.deployments:
            raise bad_request("Deployment id does not exist")
        stage.canary["deploymentId"] = patch.value
    elif len(patch.parts) == 3:
        stage.canary.setdefault("stageVariableOverrides", {})[patch.parts[2]] = patch.value


def _promote(stage: Stage, patch: Patch) -> None:
    """[S] test_apigateway_canary.snapshot.json."""
    if stage.canary is None:
        raise bad_request("Promotion not available. Canary does not exist.")
    if (patch.path, patch.origin) == ("/deploymentId", "/canarySettings/deploymentId"):
        stage.deployment_id = stage.canary["deploymentId"]
    elif (patch.path, patch.origin) == ("/variables", "/canarySettings/stageVariableOverrides"):
        stage.variables |= stage.canary.get("stageVariableOverrides", {})
    else:
        raise bad_request(
            f"Invalid copy operation with path: {patch.path} and from {patch.origin}. Valid copy:path are"
            " [/deploymentId, /variables] and valid copy:from are [/canarySettings/deploymentId,"
            " /canarySettings/stageVariableOverrides]"
        )


def _bad_path(patch: Patch) -> Exception:
    return bad_request(f"Invalid method setting path: {patch.path}. Must be one of: [{_PATHS}]")
