"""REST APIs on LocalStack: imported as one document, deployed, called over HTTP, and rolled back."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import Any

import pytest

from tests.aws.doubles.functions import (
    ECHO,
    TOKEN_AUTHORIZER,
    integration_of,
    make_function,
    wait_until_settled,
    zipped,
)
from tests.aws.doubles.rest import (
    ORDER,
    deploy,
    document,
    flip,
    make_key,
    make_plan,
    make_rest_api,
    mock,
    operation,
    proxy,
    put,
)
from tests.aws.doubles.servers import Double, refusal, unique

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("localstack")]
GUARDED = {"security": [{"key": []}]}


def publish(double: Double, paths: dict[str, Any], **given: Any) -> str:
    """An API with these paths on the stage production."""
    api = make_rest_api(double)
    put(double, api, document(paths, **given))
    deploy(double, api)
    return api


@pytest.fixture(scope="module")
def echo(localstack: Double) -> str:
    """A function that says what it was called with."""
    return str(make_function(localstack, ECHO)["FunctionArn"])


@pytest.fixture(scope="module")
def keyed(localstack: Double) -> str:
    """An API whose one operation asks for a key."""
    return publish(localstack, {"/orders": {"get": operation(mock({"said": "orders"}), **GUARDED)}})


def test_a_document_becomes_an_api_that_answers(localstack: Double, echo: str) -> None:
    paths = {
        "/orders": {"get": operation(mock({"said": "mock"})), "post": operation(proxy(echo))},
        "/orders/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
            "x-amazon-apigateway-any-method": operation(proxy(echo)),
        },
    }
    api = publish(localstack, paths)
    assert localstack.call(api, "production", "/orders").json() == {"said": "mock"}
    posted = localstack.call(api, "production", "/orders?deep=1", "POST", json={"product": "tea"}).json()[
        "event"
    ]
    assert (posted["httpMethod"], posted["resource"]) == ("POST", "/orders")
    assert (posted["queryStringParameters"], json.loads(posted["body"])) == (
        {"deep": "1"},
        {"product": "tea"},
    )
    removed = localstack.call(api, "production", "/orders/7", "DELETE").json()["event"]
    assert (removed["httpMethod"], removed["pathParameters"]) == ("DELETE", {"id": "7"})
    assert localstack.call(api, "production", "/other").status_code == 403, "AWS names a missing token here"


def test_an_import_replaces_all_that_was_there(localstack: Double) -> None:
    api = publish(localstack, {"/old": {"get": operation(mock({}))}})
    put(localstack, api, document({"/new": {"get": operation(mock({}))}}))
    resources = localstack.client("apigateway").get_resources(restApiId=api)["items"]
    assert sorted(one["path"] for one in resources) == ["/", "/new"]


def test_security_of_the_whole_document_leaves_it_open_as_on_aws(localstack: Double) -> None:
    api = make_rest_api(localstack)
    put(localstack, api, {**document({"/orders": {"get": operation(mock({}))}}), **GUARDED})
    deploy(localstack, api)
    assert localstack.call(api, "production", "/orders").status_code == 200


def test_a_deployment_is_a_snapshot_and_one_call_rolls_back(localstack: Double) -> None:
    api = make_rest_api(localstack)
    put(localstack, api, document({"/orders": {"get": operation(mock({"rev": 1}))}}))
    first = deploy(localstack, api)
    put(localstack, api, document({"/orders": {"get": operation(mock({"rev": 2}))}}))
    assert localstack.call(api, "production", "/orders").json() == {"rev": 1}, "not live before the flip"
    deploy(localstack, api)
    assert localstack.call(api, "production", "/orders").json() == {"rev": 2}
    flip(localstack, api, first)
    assert localstack.call(api, "production", "/orders").json() == {"rev": 1}
    client = localstack.client("apigateway")
    assert refusal(client.delete_deployment, restApiId=api, deploymentId=first) == "BadRequestException"


def test_the_flip_keeps_the_stages_settings(localstack: Double) -> None:
    api = make_rest_api(localstack)
    put(localstack, api, document({"/orders": {"get": operation(mock({}))}}))
    deploy(localstack, api, variables={"alias": "live"})
    deploy(localstack, api)
    stage = localstack.client("apigateway").get_stage(restApiId=api, stageName="production")
    assert stage["variables"] == {"alias": "live"}


def test_a_key_of_the_stages_plan_is_asked_for(localstack: Double, keyed: str) -> None:
    client, plan = localstack.client("apigateway"), make_plan(localstack, keyed)
    (key, value), (_, foreign) = make_key(localstack, plan), make_key(localstack)

    def status(**headers: str) -> int:
        return localstack.call(keyed, "production", "/orders", headers=headers).status_code

    assert (status(), status(**{"x-api-key": foreign}), status(**{"x-api-key": value})) == (403, 403, 200)
    client.update_api_key(
        apiKey=key, patchOperations=[{"op": "replace", "path": "/enabled", "value": "false"}]
    )
    assert status(**{"x-api-key": value}) == 403


def test_a_key_of_one_version_is_refused_on_another(localstack: Double, keyed: str) -> None:
    other = publish(localstack, {"/orders": {"get": operation(mock({}), **GUARDED)}})
    _, value = make_key(localstack, make_plan(localstack, other))
    headers = {"x-api-key": value}
    assert localstack.call(other, "production", "/orders", headers=headers).status_code == 200
    assert localstack.call(keyed, "production", "/orders", headers=headers).status_code == 403


def test_a_plan_throttles_and_counts_by_our_plugin(localstack: Double, keyed: str) -> None:
    slow = make_plan(localstack, keyed, throttle={"rateLimit": 0.01, "burstLimit": 2})
    short = make_plan(localstack, keyed, quota={"limit": 3, "period": "DAY"})

    def statuses(plan: str) -> list[int]:
        headers = {"x-api-key": make_key(localstack, plan)[1]}
        return [
            localstack.call(keyed, "production", "/orders", headers=headers).status_code for _ in range(5)
        ]

    assert statuses(slow) == [200, 200, 429, 429, 429]
    assert statuses(short) == [200, 200, 200, 429, 429]
    assert statuses(short) == [200, 200, 200, 429, 429], "each key has its own"


def test_velocity_templates_change_request_and_answer(localstack: Double) -> None:
    source = "def handler(event, context):\n    return {'items': event['wanted'], 'who': event['who']}\n"
    asked = (
        "#set($body = $input.path('$'))"
        '{"who": "$input.params(\'name\')", "wanted": [#foreach($one in $body.products)'
        '{"sku": "$util.escapeJavaScript($one)"}#if($foreach.hasNext),#end#end]}'
    )
    answered = "#set($n = $input.path('$.items').size()){\"count\": $n, \"who\": $input.json('$.who')}"
    integration = {
        "type": "aws",
        "httpMethod": "POST",
        "uri": integration_of(make_function(localstack, source)["FunctionArn"]),
        "passthroughBehavior": "never",
        "requestTemplates": {"application/json": asked},
        "responses": {"default": {"statusCode": "200", "responseTemplates": {"application/json": answered}}},
    }
    api = publish(localstack, {"/orders": {"post": operation(integration)}})
    answer = localstack.call(
        api, "production", "/orders?name=dana", "POST", json={"products": ["tea", 'co"ffee']}
    )
    assert answer.json() == {"count": 2, "who": "dana"}


def test_what_a_function_raises_becomes_a_status(localstack: Double) -> None:
    source = "def handler(event, context):\n    raise ValueError('no such order')\n"
    integration = {
        "type": "aws",
        "httpMethod": "POST",
        "uri": integration_of(make_function(localstack, source)["FunctionArn"]),
        "responses": {
            "default": {"statusCode": "200"},
            ".*no such.*": {
                "statusCode": "404",
                "responseTemplates": {"application/json": '{"missing": true}'},
            },
        },
    }
    responses = {"200": {"description": "Some."}, "404": {"description": "None."}}
    api = publish(localstack, {"/orders": {"get": operation(integration, responses=responses)}})
    answer = localstack.call(api, "production", "/orders")
    assert (answer.status_code, answer.json()) == (404, {"missing": True})


def test_a_body_is_held_against_its_model(localstack: Double) -> None:
    body = {
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Order"}}},
        "required": True,
    }
    post = operation(
        mock({"said": "taken"}), requestBody=body, **{"x-amazon-apigateway-request-validator": "body"}
    )
    api = publish(localstack, {"/orders": {"post": post}}, schemas={"Order": ORDER})
    assert localstack.call(api, "production", "/orders", "POST", json={"product": "tea"}).status_code == 200
    refused = localstack.call(api, "production", "/orders", "POST", json={"count": 1})
    assert (refused.status_code, refused.json()) == (400, {"message": "Invalid request body"})


@pytest.fixture(scope="module")
def authorized(localstack: Double, echo: str) -> str:
    """An API whose one operation asks a Lambda authorizer."""
    scheme = {
        "type": "apiKey",
        "name": "Authorization",
        "in": "header",
        "x-amazon-apigateway-authtype": "custom",
        "x-amazon-apigateway-authorizer": {
            "type": "token",
            "authorizerUri": integration_of(make_function(localstack, TOKEN_AUTHORIZER)["FunctionArn"]),
            "authorizerResultTtlInSeconds": 0,
        },
    }
    get = operation(proxy(echo), security=[{"portal": []}])
    return publish(localstack, {"/orders": {"get": get}}, schemes={"portal": scheme})


@pytest.mark.parametrize(
    ("token", "status"), [(None, 401), ("Bearer of-nobody", 403), ("broken", 500), ("Bearer of-dana", 200)]
)
def test_the_authorizer_decides_by_our_plugin(
    localstack: Double, authorized: str, token: str | None, status: int
) -> None:
    headers = {"authorization": token} if token else {}
    answer = localstack.call(authorized, "production", "/orders", headers=headers)
    assert answer.status_code == status, answer.text
    if status == 200:
        context = answer.json()["event"]["requestContext"]["authorizer"]
        assert (context["principalId"], context["application"]) == ("dana", "app_dana")


def test_the_stage_names_the_alias_and_its_weights_split_the_calls(localstack: Double) -> None:
    client = localstack.client("lambda")
    name = make_function(localstack, _says("one"))["FunctionName"]
    client.publish_version(FunctionName=name)
    client.update_function_code(FunctionName=name, ZipFile=zipped(_says("two")))
    wait_until_settled(client, name)
    client.publish_version(FunctionName=name)
    weights = {"AdditionalVersionWeights": {"2": 0.5}}
    alias = client.create_alias(FunctionName=name, Name="live", FunctionVersion="1", RoutingConfig=weights)
    api = make_rest_api(localstack)
    by_stage = alias["AliasArn"].removesuffix("live") + "${stageVariables.alias}"
    put(localstack, api, document({"/orders": {"get": operation(proxy(by_stage))}}))
    deploy(localstack, api, variables={"alias": "live"})
    said = Counter(localstack.call(api, "production", "/orders").text for _ in range(40))
    assert set(said) == {"one", "two"}
    client.update_alias(FunctionName=name, Name="live", FunctionVersion="1", RoutingConfig={})
    assert {localstack.call(api, "production", "/orders").text for _ in range(10)} == {"one"}


def test_a_function_that_takes_too_long_is_ended_and_answers_again(localstack: Double) -> None:
    source = "import time\ndef handler(event, context):\n    time.sleep(event['s'])\n    return 'done'\n"
    client, name = localstack.client("lambda"), make_function(localstack, source, Timeout=1)["FunctionName"]
    late = json.loads(client.invoke(FunctionName=name, Payload=b'{"s": 30}')["Payload"].read())
    assert "Task timed out after 1.00 seconds" in late["errorMessage"]
    assert json.loads(client.invoke(FunctionName=name, Payload=b'{"s": 0}')["Payload"].read()) == "done"


def test_what_a_function_says_is_in_its_log(localstack: Double) -> None:
    source = "def handler(event, context):\n    print('looked at order 7')\n"
    name = make_function(localstack, source)["FunctionName"]
    answer = localstack.client("lambda").invoke(FunctionName=name, LogType="Tail")
    assert "FunctionError" not in answer
    found = _logged(localstack, f"/aws/lambda/{name}")
    assert any("looked at order 7" in line for line in found), found


def test_a_sqs_queue_is_reached_without_a_function(localstack: Double) -> None:
    queue = localstack.client("sqs").create_queue(QueueName=unique("orders"))["QueueUrl"]
    integration = {
        "type": "aws",
        "httpMethod": "POST",
        "uri": f"arn:aws:apigateway:eu-central-1:sqs:path/000000000000/{queue.rpartition('/')[2]}",
        "credentials": "arn:aws:iam::000000000000:role/portal-queue",
        "requestParameters": {
            "integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"
        },
        "requestTemplates": {
            "application/json": "Action=SendMessage&MessageBody=$util.urlEncode($input.body)"
        },
        "responses": {"default": {"statusCode": "200"}},
    }
    api = publish(localstack, {"/orders": {"post": operation(integration)}})
    assert localstack.call(api, "production", "/orders", "POST", json={"product": "tea"}).status_code == 200
    messages = localstack.client("sqs").receive_message(QueueUrl=queue)["Messages"]
    assert [json.loads(one["Body"]) for one in messages] == [{"product": "tea"}]


def _says(word: str) -> str:
    return f"def handler(event, context):\n    return {{'statusCode': 200, 'body': '{word}'}}\n"


def _logged(double: Double, group: str) -> list[str]:
    logs, deadline = double.client("logs"), time.monotonic() + 20
    while True:
        if not refusal(logs.filter_log_events, logGroupName=group):
            found = [one["message"] for one in logs.filter_log_events(logGroupName=group)["events"]]
            if found or time.monotonic() > deadline:
                return found
        assert time.monotonic() < deadline, "no log group"
        time.sleep(0.2)
