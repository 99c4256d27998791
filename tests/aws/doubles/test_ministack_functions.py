"""Lambda on MiniStack: functions really run, and keep the rules of states, versions, aliases and permissions."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest

from tests.aws.doubles.functions import AUTHORIZER, ECHO, make_function, wait_until_settled, zipped
from tests.aws.doubles.servers import ACCOUNT, REGION, Double, refusal

pytestmark = pytest.mark.xdist_group("ministack")


def test_a_function_from_a_zip_is_pending_first_and_then_runs(ministack: Double) -> None:
    made = make_function(ministack, ECHO, Tags={"portal:object": "fn_1"})
    assert made["State"] == "Pending", "AWS answers before the function can be called"
    assert made["CodeSha256"] == base64.b64encode(hashlib.sha256(zipped(ECHO)).digest()).decode()
    client = ministack.client("lambda")
    answer = client.invoke(FunctionName=made["FunctionName"], Payload=json.dumps({"n": 1}).encode())
    said = json.loads(json.loads(answer["Payload"].read())["body"])
    assert said["event"] == {"n": 1}
    assert said["python"] == [3, 12]
    assert client.list_tags(Resource=made["FunctionArn"])["Tags"] == {"portal:object": "fn_1"}


def test_a_function_has_boto3_as_on_aws(ministack: Double) -> None:
    made = make_function(ministack, "import boto3\ndef handler(event, context):\n    return boto3.__name__\n")
    answer = ministack.client("lambda").invoke(FunctionName=made["FunctionName"])
    assert json.loads(answer["Payload"].read()) == "boto3"


def test_what_a_function_raises_is_told(ministack: Double) -> None:
    made = make_function(ministack, "def handler(event, context):\n    raise ValueError('no such order')\n")
    answer = ministack.client("lambda").invoke(FunctionName=made["FunctionName"])
    assert "FunctionError" in answer
    assert "no such order" in json.loads(answer["Payload"].read())["errorMessage"]


def test_a_version_is_published_once_and_an_alias_moves(ministack: Double) -> None:
    client, name = ministack.client("lambda"), make_function(ministack, ECHO)["FunctionName"]
    first = client.publish_version(FunctionName=name, Description="rev 1")
    assert first["Version"] == client.publish_version(FunctionName=name)["Version"] == "1", "nothing changed"
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    client.update_function_code(FunctionName=name, ZipFile=zipped(AUTHORIZER))
    wait_until_settled(client, name)
    assert client.publish_version(FunctionName=name)["Version"] == "2"
    moved = client.update_alias(FunctionName=name, Name="live", FunctionVersion="2")
    answer = client.invoke(FunctionName=moved["AliasArn"], Payload=b'{"headers": {"x-api-key": "of-dana"}}')
    assert json.loads(answer["Payload"].read())["isAuthorized"] is True
    assert refusal(client.delete_function, FunctionName=name, Qualifier="2") == "ResourceConflictException"


def test_a_permission_of_an_alias_is_given_once_and_taken_back(ministack: Double) -> None:
    client, name = ministack.client("lambda"), make_function(ministack, ECHO)["FunctionName"]
    client.publish_version(FunctionName=name)
    client.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    given = {
        "FunctionName": name,
        "Qualifier": "live",
        "StatementId": "portal-api",
        "Action": "lambda:InvokeFunction",
        "Principal": "apigateway.amazonaws.com",
        "SourceArn": f"arn:aws:execute-api:{REGION}:{ACCOUNT}:abcdef/*/*",
    }
    client.add_permission(**given)
    assert refusal(client.add_permission, **given) == "ResourceConflictException"
    assert "portal-api" in client.get_policy(FunctionName=name, Qualifier="live")["Policy"]
    client.remove_permission(FunctionName=name, Qualifier="live", StatementId="portal-api")
    assert refusal(client.get_policy, FunctionName=name, Qualifier="live") == "ResourceNotFoundException"


def test_what_is_no_zip_is_refused(ministack: Double) -> None:
    code = {"ZipFile": b"no zip"}
    assert refusal(make_function, ministack, ECHO, Code=code) == "InvalidParameterValueException"


def test_lists_come_in_pages(ministack: Double) -> None:
    lambdas, gateway = ministack.client("lambda"), ministack.client("apigateway")
    names = {make_function(ministack, ECHO)["FunctionName"] for _ in range(3)}
    assert len(lambdas.list_functions(MaxItems=2)["Functions"]) == 2
    pages = lambdas.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2})
    assert names <= {one["FunctionName"] for page in pages for one in page["Functions"]}
    apis = {gateway.create_rest_api(name=f"page {n}")["id"] for n in range(30)}
    assert len(gateway.get_rest_apis()["items"]) == 25, "what AWS gives without being asked for more"
    pages = gateway.get_paginator("get_rest_apis").paginate(PaginationConfig={"PageSize": 7})
    assert apis <= {one["id"] for page in pages for one in page["items"]}


def test_a_function_is_told_nothing_of_where_the_double_runs(ministack: Double) -> None:
    made = make_function(ministack, ECHO)
    answer = ministack.client("lambda").invoke(FunctionName=made["FunctionName"])
    variables = set(json.loads(json.loads(answer["Payload"].read())["body"])["variables"])
    assert {"AWS_REGION", "AWS_LAMBDA_FUNCTION_NAME", "AWS_ENDPOINT_URL"} <= variables
    assert not {"DATABASE_URL", "REDIS_URL", "SECRET_KEY"} & variables
