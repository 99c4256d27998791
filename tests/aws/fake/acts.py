"""What tests of the fake do again and again, through the client."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from aws.client.calls import Calls
from aws.client.errors import Missing
from tests.aws.fake import FakeAWS
from tests.aws.fake.documents import document

REGIONAL = {"types": ["REGIONAL"]}
SECRET = "gh" + "k" * 40


def make_api(calls: Calls, body: bytes | None = None, *, tag: str = "api_1") -> str:
    """An API with a definition; its id."""
    api = calls.call(
        "apigateway",
        "CreateRestApi",
        name="orders",
        endpointConfiguration=REGIONAL,
        tags={"portal:object": tag},
    )
    put(calls, api["id"], body or document())
    return str(api["id"])


def put(calls: Calls, api_id: str, body: bytes, *, fail_on_warnings: bool = True) -> dict[str, Any]:
    """Replace the definition."""
    return calls.call(
        "apigateway",
        "PutRestApi",
        restApiId=api_id,
        mode="overwrite",
        failOnWarnings=fail_on_warnings,
        body=body,
    )


def publish(calls: Calls, api_id: str, stage: str = "live", **variables: str) -> str:
    """Deploy what is there and point the stage at it; the deployment's id."""
    deployment = calls.call("apigateway", "CreateDeployment", restApiId=api_id)["id"]
    try:
        patch_stage(calls, api_id, "replace", "/deploymentId", deployment, stage=stage)
    except Missing:
        calls.call(
            "apigateway",
            "CreateStage",
            restApiId=api_id,
            stageName=stage,
            deploymentId=deployment,
            variables=variables,
        )
    return str(deployment)


def patch_stage(
    calls: Calls, api_id: str, op: str, path: str, value: str = "", *, stage: str = "live"
) -> dict[str, Any]:
    """One patch of a stage."""
    patch = {"op": op, "path": path, **({"value": value} if value else {})}
    return calls.call("apigateway", "UpdateStage", restApiId=api_id, stageName=stage, patchOperations=[patch])


def make_plan(calls: Calls, *api_ids: str, **more: Any) -> str:
    """A plan of the live stages of these APIs; its id."""
    stages = [{"apiId": api_id, "stage": "live"} for api_id in api_ids]
    return str(calls.call("apigateway", "CreateUsagePlan", name="gold", apiStages=stages, **more)["id"])


def patch_plan(calls: Calls, plan_id: str, *patches: tuple[str, str, str]) -> dict[str, Any]:
    """Patches (op, path, value) of a plan in one call."""
    told = [{"op": op, "path": path, "value": value} for op, path, value in patches]
    return calls.call("apigateway", "UpdateUsagePlan", usagePlanId=plan_id, patchOperations=told)


def make_key(calls: Calls, *plan_ids: str, value: str = SECRET) -> str:
    """A key in these plans; its id."""
    key = calls.call("apigateway", "CreateApiKey", name="portal", value=value, enabled=True)["id"]
    for plan_id in plan_ids:
        calls.call("apigateway", "CreateUsagePlanKey", usagePlanId=plan_id, keyId=key, keyType="API_KEY")
    return str(key)


def zipped(text: str = "def handler(event, context): return {}") -> bytes:
    """A zip with one file."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr(zipfile.ZipInfo("index.py"), text)
    return body.getvalue()


def make_function(fake: FakeAWS, calls: Calls, name: str = "portal-orders", **more: Any) -> str:
    """A function that is active; its ARN."""
    role = fake.add_role(calls.account, f"{name}-role")
    made = calls.call(
        "lambda",
        "CreateFunction",
        **{
            "FunctionName": name,
            "Role": role,
            "Runtime": "python3.13",
            "Handler": "index.handler",
            "Code": {"ZipFile": zipped()},
            **more,
        },
    )
    fake.clock.advance(60)
    return str(made["FunctionArn"])


def change_code(fake: FakeAWS, calls: Calls, text: str, name: str = "portal-orders") -> str:
    """New code, and its version."""
    calls.call("lambda", "UpdateFunctionCode", FunctionName=name, ZipFile=zipped(text))
    fake.clock.advance(60)
    return str(calls.call("lambda", "PublishVersion", FunctionName=name)["Version"])


def let_in(calls: Calls, api_id: str, qualifier: str, name: str = "portal-orders") -> None:
    """Let an API call an alias or version."""
    calls.call(
        "lambda",
        "AddPermission",
        FunctionName=name,
        Qualifier=qualifier,
        StatementId=f"portal-{api_id}",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:{calls.account.region}:{calls.account.number}:{api_id}/*/*",
    )
