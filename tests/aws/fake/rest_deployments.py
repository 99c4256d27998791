"""Deployments: snapshots of a definition, which stages point to.

https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-deploy-api.html; texts [S]
test_apigateway_common.snapshot.json, test_apigateway_canary.snapshot.json.
"""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

from tests.aws.fake.patches import without_empty
from tests.aws.fake.place import Params, Place, operation, page
from tests.aws.fake.refusals import bad_request, not_found
from tests.aws.fake.rest_stages import new_stage, stage_of
from tests.aws.fake.rest_state import Deployment, RestApi, Stage, api_of, written

_CANARY = "Invalid deployment content specified."
_TOLD = ("summary", "description", "tags", "externalDocs")


@operation("apigateway", "CreateDeployment")
def create_deployment(place: Place, params: Params) -> dict[str, Any]:
    api = api_of(place, params["restApiId"])
    written(place, api)
    _check_methods(api)
    stage_name, canary = params.get("stageName"), params.get("canarySettings")
    if canary is not None:
        _check_canary(api, stage_name)
    elif stage_name in api.stages and api.stages[stage_name].canary is not None:
        raise bad_request(f"Stage {stage_name} has a canary and cannot take another deployment")
    deployment = Deployment(
        place.new_id(6), params.get("description", ""), place.date, deepcopy(api.definition)
    )
    api.deployments[deployment.id] = deployment
    if stage_name:
        _to_stage(place, api, deployment, params)
    return shown(deployment)


@operation("apigateway", "GetDeployment")
def get_deployment(place: Place, params: Params) -> dict[str, Any]:
    return shown(_deployment(place, params))


@operation("apigateway", "GetDeployments")
def get_deployments(place: Place, params: Params) -> dict[str, Any]:
    found, position = page(api_of(place, params["restApiId"]).deployments.values(), params)
    return without_empty({"items": [shown(one) for one in found], "position": position})


@operation("apigateway", "DeleteDeployment")
def delete_deployment(place: Place, params: Params) -> dict[str, Any]:
    deployment, api = _deployment(place, params), api_of(place, params["restApiId"])
    if any(deployment.id in used_by(stage) for stage in api.stages.values()):
        raise bad_request("Active stages pointing to this deployment must be moved or deleted")
    del api.deployments[deployment.id]
    return {}


@operation("apigateway", "GetExport")
def get_export(place: Place, params: Params) -> dict[str, Any]:
    """Of what the stage has deployed, and as AWS writes it: never the document that was imported."""
    api = api_of(place, params["restApiId"])
    stage = stage_of(api, params["stageName"])
    deployment = api.deployments[stage.deployment_id]
    with_extensions = (params.get("parameters") or {}).get("extensions") in {"apigateway", "integrations"}
    document = _exported(place, api, stage, deployment, with_extensions=with_extensions)
    return {
        "body": json.dumps(document, sort_keys=True).encode(),
        "contentType": "application/json",
        "contentDisposition": f'attachment; filename="{api.name}-{stage.name}.json"',
    }


def shown(deployment: Deployment) -> dict[str, Any]:
    """As AWS answers it."""
    return without_empty(
        {"id": deployment.id, "description": deployment.description, "createdDate": deployment.created}
    )


def used_by(stage: Stage) -> set[str]:
    """The deployments that a stage points to."""
    return {stage.deployment_id} | ({stage.canary["deploymentId"]} if stage.canary else set())


def _deployment(place: Place, params: Params) -> Deployment:
    api = api_of(place, params["restApiId"])
    if params["deploymentId"] not in api.deployments:
        raise not_found("Invalid Deployment identifier specified")
    return api.deployments[params["deploymentId"]]


def _check_methods(api: RestApi) -> None:
    """The texts are those that deployments of empty APIs meet everywhere [T]."""
    methods = [method for of_path in api.definition.resources.values() for method in of_path.values()]
    if not methods:
        raise bad_request("The REST API doesn't contain any methods")
    if any(method.integration is None for method in methods):
        raise bad_request("No integration defined for method")


def _check_canary(api: RestApi, stage_name: str | None) -> None:
    if not stage_name:
        value = "null" if stage_name is None else stage_name
        said = "Non null and non empty stageName must be provided for canary deployment."
        raise bad_request(f"{_CANARY}{said} Provided value is {value}")
    if stage_name not in api.stages:
        raise bad_request(
            f"{_CANARY}Stage {stage_name} must already be created before making a canary release deployment"
        )


def _to_stage(place: Place, api: RestApi, deployment: Deployment, params: Params) -> None:
    """A stage that is there keeps its settings."""
    name, canary = params["stageName"], params.get("canarySettings")
    stage = api.stages.get(name)
    if stage is None:
        stage = new_stage(place, api, name, deployment.id)
        stage.description = params.get("stageDescription", "")
    stage.updated = place.date
    if canary is not None:
        stage.canary = {
            "percentTraffic": 0.0,
            "useStageCache": False,
            **canary,
            "deploymentId": deployment.id,
        }
        return
    stage.deployment_id = deployment.id
    stage.variables |= params.get("variables") or {}


def _exported(
    place: Place, api: RestApi, stage: Stage, deployment: Deployment, *, with_extensions: bool
) -> dict[str, Any]:
    document = deepcopy(deployment.definition.document)
    document["openapi"] = "3.0.1"
    document["info"] = {"title": api.name, "version": deployment.created.isoformat()}
    host = f"https://{api.id}.execute-api.{place.region}.amazonaws.com/{{basePath}}"
    document["servers"] = [{"url": host, "variables": {"basePath": {"default": stage.name}}}]
    for item in document.get("paths", {}).values():
        for told in item.values():
            if isinstance(told, dict):
                for word in _TOLD:
                    told.pop(word, None)
    return document if with_extensions else _plain(document)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: _plain(inner) for name, inner in value.items() if not name.startswith("x-amazon-apigateway")
        }
    return [_plain(inner) for inner in value] if isinstance(value, list) else value
