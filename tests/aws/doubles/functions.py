"""Small Lambda functions, and how a test puts one into a double."""

from __future__ import annotations

import io
import time
import zipfile
from typing import Any

from tests.aws.doubles.servers import ACCOUNT, REGION, Double, unique

ROLE = f"arn:aws:iam::{ACCOUNT}:role/portal/functions"

ECHO = """
import json, os, sys

def handler(event, context):
    said = {
        "version": os.environ.get("AWS_LAMBDA_FUNCTION_VERSION"),
        "python": list(sys.version_info[:2]),
        "variables": sorted(os.environ),
        "event": event,
    }
    return {"statusCode": 200, "headers": {"content-type": "application/json"}, "body": json.dumps(said)}
"""

AUTHORIZER = """
def handler(event, context):
    headers = event.get("headers") or {}
    key = headers.get("x-api-key") or headers.get("X-Api-Key")
    return {"isAuthorized": key == "of-dana", "context": {"application": "app_dana"}}
"""

CHAT = """
import json

def handler(event, context):
    call = event["requestContext"]
    if call["eventType"] == "CONNECT":
        return {"statusCode": 200 if (event.get("headers") or {}).get("x-api-key") == "of-dana" else 403}
    said = {"route": call["routeKey"], "heard": event.get("body"), "connection": call["connectionId"]}
    return {"statusCode": 200, "body": json.dumps(said)}
"""

TOKEN_AUTHORIZER = """
def handler(event, context):
    if event.get("authorizationToken") == "broken":
        raise RuntimeError("no answer")
    effect = "Allow" if event.get("authorizationToken") == "Bearer of-dana" else "Deny"
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": event["methodArn"]}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    return {"principalId": "dana", "policyDocument": policy, "context": {"application": "app_dana"}}
"""


def zipped(source: str, module: str = "app") -> bytes:
    """A zip with one module, the same each time: what AWS tells by its digest is whether the code changed."""
    buffer, member = io.BytesIO(), zipfile.ZipInfo(f"{module}.py", (1980, 1, 1, 0, 0, 0))
    member.external_attr = 0o644 << 16
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(member, source)
    return buffer.getvalue()


def make_function(double: Double, source: str, **given: Any) -> dict[str, Any]:
    """A function that is active; what CreateFunction answered."""
    asked = {
        "FunctionName": unique("portal-function"),
        "Runtime": "python3.12",
        "Role": ROLE,
        "Handler": "app.handler",
        "Code": {"ZipFile": zipped(source)},
        **given,
    }
    client = double.client("lambda")
    made: dict[str, Any] = client.create_function(**asked)
    wait_until_settled(client, made["FunctionName"])
    return made


def wait_until_settled(client: Any, name: str) -> None:
    """Until a function may be changed, published and called. boto3's own waiter asks once a second."""
    deadline = time.monotonic() + 30
    while True:
        found = client.get_function_configuration(FunctionName=name)
        if found["State"] == "Active" and found.get("LastUpdateStatus", "Successful") == "Successful":
            return
        assert found["State"] != "Failed", found
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def integration_of(arn: str) -> str:
    """The address by which REST and WebSocket APIs and authorizers name a function."""
    return f"arn:aws:apigateway:{REGION}:lambda:path/2015-03-31/functions/{arn}/invocations"
