"""Deployments and stages of HTTP and WebSocket APIs.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-stages.html: a stage may deploy by itself, and may
be named $default.
"""

from __future__ import annotations

import re
from copy import deepcopy
from typing import Any

from tests.aws.fake.http_state import HttpApi, HttpDeployment, Members, changed, deploy, http_api_of
from tests.aws.fake.place import Params, Place, operation, page
from tests.aws.fake.refusals import bad_request, conflict, not_found, quota

_STAGE = (
    "AutoDeploy", "DeploymentId", "Description", "StageVariables", "DefaultRouteSettings", "RouteSettings",
    "AccessLogSettings", "ClientCertificateId",
)  # fmt: skip


@operation("apigatewayv2", "CreateDeployment")
def create_deployment(place: Place, params: Params) -> dict[str, Any]:
    """The words about routes stand in many reports [T]."""
    api = http_api_of(place, params["ApiId"])
    if not api.now.routes:
        raise bad_request("At least one route is required before deploying the Api.")
    stage = _stage(api, params["StageName"]) if params.get("StageName") else None
    deployment = deploy(place, api, params.get("Description", ""))
    if stage is not None:
        stage["DeploymentId"] = deployment.id
    return _shown(deployment)


@operation("apigatewayv2", "GetDeployment")
def get_deployment(place: Place, params: Params) -> dict[str, Any]:
    return _shown(_deployment(http_api_of(place, params["ApiId"]), params["DeploymentId"]))


@operation("apigatewayv2", "GetDeployments")
def get_deployments(place: Place, params: Params) -> dict[str, Any]:
    deployments = http_api_of(place, params["ApiId"]).deployments.values()
    found, token = page(deployments, params, marker="NextToken", size="MaxResults")
    return {"Items": [_shown(one) for one in found]} | ({"NextToken": token} if token else {})


@operation("apigatewayv2", "DeleteDeployment")
def delete_deployment(place: Place, params: Params) -> dict[str, Any]:
    api = http_api_of(place, params["ApiId"])
    deployment = _deployment(api, params["DeploymentId"])
    if any(stage.get("DeploymentId") == deployment.id for stage in api.stages.values()):
        raise bad_request("Active stages pointing to this deployment must be moved or deleted")
    del api.deployments[deployment.id]
    return {}


@operation("apigatewayv2", "CreateStage")
def create_stage(place: Place, params: Params) -> dict[str, Any]:
    api, name = http_api_of(place, params["ApiId"]), params["StageName"]
    if not re.fullmatch(r"\$default|[A-Za-z0-9_-]{1,128}", name) or (name == "$default" and api.is_websocket):
        raise bad_request(f"Invalid stage name: {name}")
    if name in api.stages:
        raise conflict("Stage already exists")
    if len(api.stages) >= place.quotas.stages:
        raise quota(f"Maximum number of stages for this API has been reached: {place.quotas.stages}")
    _check(api, params)
    stage: Members = {
        "StageName": name,
        "AutoDeploy": False,
        "CreatedDate": place.date,
        "LastUpdatedDate": place.date,
    }
    stage |= {one: deepcopy(params[one]) for one in _STAGE if one in params} | {
        "Tags": dict(params.get("Tags") or {})
    }
    api.stages[name] = stage
    if stage["AutoDeploy"]:
        changed(place, api)
    return dict(stage)


@operation("apigatewayv2", "GetStage")
def get_stage(place: Place, params: Params) -> dict[str, Any]:
    return dict(_stage(http_api_of(place, params["ApiId"]), params["StageName"]))


@operation("apigatewayv2", "GetStages")
def get_stages(place: Place, params: Params) -> dict[str, Any]:
    stages = http_api_of(place, params["ApiId"]).stages.values()
    found, token = page(stages, params, marker="NextToken", size="MaxResults")
    return {"Items": [dict(one) for one in found]} | ({"NextToken": token} if token else {})


@operation("apigatewayv2", "UpdateStage")
def update_stage(place: Place, params: Params) -> dict[str, Any]:
    api = http_api_of(place, params["ApiId"])
    stage = _stage(api, params["StageName"])
    _check(api, {**stage, **params})
    stage |= {one: deepcopy(params[one]) for one in _STAGE if one in params} | {"LastUpdatedDate": place.date}
    return dict(stage)


@operation("apigatewayv2", "DeleteStage")
def delete_stage(place: Place, params: Params) -> dict[str, Any]:
    api = http_api_of(place, params["ApiId"])
    del api.stages[_stage(api, params["StageName"])["StageName"]]
    return {}


def _stage(api: HttpApi, name: str) -> Members:
    if name not in api.stages:
        raise not_found("Invalid stage identifier specified")
    return api.stages[name]


def _deployment(api: HttpApi, number: str) -> HttpDeployment:
    if number not in api.deployments:
        raise not_found("Invalid Deployment identifier specified")
    return api.deployments[number]


def _check(api: HttpApi, params: Params) -> None:
    if params.get("DeploymentId") and params["DeploymentId"] not in api.deployments:
        raise bad_request("Deployment id does not exist")
    log = params.get("AccessLogSettings") or {}
    if log.get("Format") and "$context.requestId" not in log["Format"]:
        raise bad_request("Access Log format must contain $context.requestId")


def _shown(deployment: HttpDeployment) -> dict[str, Any]:
    return {
        "DeploymentId": deployment.id,
        "DeploymentStatus": "DEPLOYED",
        "Description": deployment.description,
        "AutoDeployed": deployment.is_automatic,
        "CreatedDate": deployment.created,
    }
