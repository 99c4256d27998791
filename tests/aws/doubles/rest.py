"""A REST API as one document, as Gatehouse writes it, and how a test publishes it."""

from __future__ import annotations

import json
from typing import Any

from tests.aws.doubles.functions import integration_of
from tests.aws.doubles.servers import Double, unique

ORDER = {
    "type": "object",
    "required": ["product"],
    "properties": {"product": {"type": "string"}, "count": {"type": "integer"}},
}


def mock(answer: dict[str, Any], status: str = "200") -> dict[str, Any]:
    """An integration that the gateway answers itself."""
    return {
        "type": "mock",
        "requestTemplates": {"application/json": '{"statusCode": 200}'},
        "responses": {
            "default": {"statusCode": status, "responseTemplates": {"application/json": json.dumps(answer)}}
        },
    }


def proxy(function: str) -> dict[str, Any]:
    """An integration that hands a call to a function as it came."""
    return {"type": "aws_proxy", "httpMethod": "POST", "uri": integration_of(function)}


def operation(integration: dict[str, Any], **given: Any) -> dict[str, Any]:
    """One operation of a document."""
    response = {"description": "An answer.", "content": {"application/json": {"schema": {"type": "object"}}}}
    return {"responses": {"200": response}, "x-amazon-apigateway-integration": integration, **given}


def document(paths: dict[str, Any], **components: Any) -> dict[str, Any]:
    """A document that API Gateway imports; `key` is the scheme of a usage plan's key."""
    key = {"type": "apiKey", "name": "x-api-key", "in": "header"}
    schemes = {"key": key, **components.pop("schemes", {})}
    return {
        "openapi": "3.0.1",
        "info": {"title": "Orders", "version": "1", "description": "Orders of the shop."},
        "paths": paths,
        "components": {"securitySchemes": schemes, **components},
        "x-amazon-apigateway-request-validators": {
            "body": {"validateRequestBody": True, "validateRequestParameters": False}
        },
    }


def make_rest_api(double: Double) -> str:
    """A REST API without anything in it."""
    client = double.client("apigateway")
    made = client.create_rest_api(name=unique("portal"), endpointConfiguration={"types": ["REGIONAL"]})
    return str(made["id"])


def put(double: Double, api: str, written: dict[str, Any]) -> None:
    """Replace the API by a document; what the gateway would warn of fails."""
    double.client("apigateway").put_rest_api(
        restApiId=api, mode="overwrite", failOnWarnings=True, body=json.dumps(written).encode()
    )


def deploy(double: Double, api: str, stage: str = "production", **given: Any) -> str:
    """Make a deployment and move the stage to it; the stage is made when it is not there."""
    client = double.client("apigateway")
    deployment = client.create_deployment(restApiId=api)["id"]
    if stage in [one["stageName"] for one in client.get_stages(restApiId=api)["item"]]:
        flip(double, api, deployment, stage)
    else:
        client.create_stage(restApiId=api, stageName=stage, deploymentId=deployment, **given)
    return str(deployment)


def flip(double: Double, api: str, deployment: str, stage: str = "production") -> None:
    """Move the stage to a deployment that there is."""
    patch = {"op": "replace", "path": "/deploymentId", "value": deployment}
    double.client("apigateway").update_stage(restApiId=api, stageName=stage, patchOperations=[patch])


def make_plan(double: Double, api: str, stage: str = "production", **given: Any) -> str:
    """A usage plan for one stage."""
    stages = [{"apiId": api, "stage": stage}]
    made = double.client("apigateway").create_usage_plan(name=unique("plan"), apiStages=stages, **given)
    return str(made["id"])


def make_key(double: Double, plan: str | None = None) -> tuple[str, str]:
    """A key, in a plan if one is given; its id and its value."""
    client, value = double.client("apigateway"), unique("k" * 24)
    key = str(client.create_api_key(name=unique("key"), value=value, enabled=True)["id"])
    if plan:
        client.create_usage_plan_key(usagePlanId=plan, keyId=key, keyType="API_KEY")
    return key, value


def make_mock_api(double: Double, **given: Any) -> tuple[str, str]:
    """A REST API whose GET /orders the gateway answers itself; its id and the resource's. `given` is for the method."""
    client = double.client("apigateway")
    api = client.create_rest_api(name=unique("portal"), endpointConfiguration={"types": ["REGIONAL"]})["id"]
    root = client.get_resources(restApiId=api)["items"][0]["id"]
    resource = client.create_resource(restApiId=api, parentId=root, pathPart="orders")["id"]
    method = {"restApiId": api, "resourceId": resource, "httpMethod": "GET"}
    client.put_method(**{**method, "authorizationType": "NONE", **given})
    client.put_integration(
        **method, type="MOCK", requestTemplates={"application/json": '{"statusCode": 200}'}
    )
    client.put_method_response(**method, statusCode="200")
    answer_with(double, api, resource, "first")
    return api, resource


def answer_with(double: Double, api: str, resource: str, word: str) -> None:
    """Change what the gateway answers, without a deployment."""
    double.client("apigateway").put_integration_response(
        restApiId=api,
        resourceId=resource,
        httpMethod="GET",
        statusCode="200",
        responseTemplates={"application/json": json.dumps({"said": word})},
    )
