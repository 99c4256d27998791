"""A plugin of LocalStack: Lambda authorizers are asked, and usage plans throttle and count. It stores and ignores both.

What AWS documents: an authorizer comes before the key
(https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-use-lambda-authorizer.html), and a plan's rate
and quota hold for each key
(https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-usage-plans.html).
AWS calls both best effort; here they are exact. Throttles of single methods are not here. Runs inside LocalStack.
"""

from __future__ import annotations

import fnmatch
import json
import re
import threading
import time
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

from localstack.aws.connect import connect_to
from localstack.runtime import hooks
from localstack.services.apigateway.next_gen.execute_api import handlers, helpers
from localstack.services.apigateway.next_gen.execute_api.context import RestApiInvocationContext as Call
from localstack.services.apigateway.next_gen.execute_api.gateway_response import (
    AccessDeniedError,
    AuthorizerConfigurationError,
    QuotaExceededError,
    ThrottledError,
    UnauthorizedError,
)
from localstack.services.apigateway.next_gen.execute_api.moto_helpers import (
    get_usage_plan_keys,
    get_usage_plans,
)

HEADER = "method.request.header."
PERIODS = {"DAY": "%Y-%m-%d", "WEEK": "%G-%V", "MONTH": "%Y-%m"}


class Buckets:
    """What each key has left of each plan."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tokens: dict[tuple[str, str], tuple[float, float]] = {}
        self._used: dict[tuple[str, str, str], int] = defaultdict(int)

    def take(self, plan: dict[str, Any], key: str) -> None:
        """Raises ThrottledError or QuotaExceededError."""
        with self._lock:
            if (throttle := plan.get("throttle")) and not self._has_token(plan["id"], key, throttle):
                raise ThrottledError("Too Many Requests")
            if (quota := plan.get("quota")) and not self._has_quota(plan["id"], key, quota):
                raise QuotaExceededError("Limit Exceeded")

    def _has_token(self, plan: str, key: str, throttle: dict[str, Any]) -> bool:
        burst, rate, now = float(throttle["burstLimit"]), float(throttle["rateLimit"]), time.monotonic()
        left, since = self._tokens.get((plan, key), (burst, now))
        left = min(burst, left + (now - since) * rate)
        self._tokens[plan, key] = (left - 1 if left >= 1 else left, now)
        return left >= 1

    def _has_quota(self, plan: str, key: str, quota: dict[str, Any]) -> bool:
        period = datetime.now(UTC).strftime(PERIODS[quota["period"]])
        self._used[plan, key, period] += 1
        return self._used[plan, key, period] <= int(quota["limit"])


BUCKETS = Buckets()


@hooks.on_infra_start()
def hold_rules() -> None:
    """Put the rules into LocalStack's chain: authorizers before the key, plans after it."""
    handlers.preprocess_request.handlers.append(ask_authorizer)
    checked = type(handlers.api_key_validation_handler)
    check_key = checked.__call__

    def check_key_and_plan(self: Any, chain: Any, call: Call, response: Any) -> None:
        check_key(self, chain, call, response)
        if call.resource_method.get("apiKeyRequired"):
            hold_plan(call)

    checked.__call__ = check_key_and_plan


def hold_plan(call: Call) -> None:
    """Count this call for the plan by which its key may call this stage."""
    key, scope = (
        call.context_variables["identity"]["apiKeyId"],
        {"account_id": call.account_id, "region_name": call.region},
    )
    for plan in get_usage_plans(**scope):
        stages = [(one["apiId"], one["stage"]) for one in plan.get("apiStages", [])]
        keys = [one["id"] for one in get_usage_plan_keys(usage_plan_id=plan["id"], **scope)]
        if (call.api_id, call.stage) in stages and key in keys:
            BUCKETS.take(plan, key)


def ask_authorizer(chain: Any, call: Call, response: Any) -> None:
    """Ask the method's authorizer, if it has one. Raises what the gateway answers to who is refused."""
    if call.resource_method.get("authorizationType") != "CUSTOM":
        return
    authorizer = call.deployment.rest_api.authorizers[call.resource_method["authorizerId"]]
    arn = helpers.get_source_arn(call)
    said = _answer(call, authorizer, _question(call, authorizer, arn))
    if not _allows(said.get("policyDocument") or {}, arn):
        raise AccessDeniedError("User is not authorized to access this resource")
    call.context_variables["authorizer"] = {"principalId": said["principalId"], **(said.get("context") or {})}
    if key := said.get("usageIdentifierKey"):
        call.context_variables["identity"]["apiKey"] = key


def _question(call: Call, authorizer: dict[str, Any], arn: str) -> dict[str, Any]:
    request = call.invocation_request
    sources = [one.strip() for one in (authorizer.get("identitySource") or "").split(",") if one.strip()]
    headers = request["headers"]
    values = [headers.get(one.removeprefix(HEADER)) for one in sources if one.startswith(HEADER)]
    if not all(values):
        raise UnauthorizedError("Unauthorized")
    if authorizer["type"] == "TOKEN":
        pattern = authorizer.get("identityValidationExpression")
        if pattern and not re.fullmatch(pattern, values[0]):
            raise UnauthorizedError("Unauthorized")
        return {"type": "TOKEN", "methodArn": arn, "authorizationToken": values[0]}
    return {
        "type": "REQUEST",
        "methodArn": arn,
        "resource": call.resource["path"],
        "path": request["path"],
        "httpMethod": request["http_method"],
        "headers": dict(headers),
        "queryStringParameters": request["query_string_parameters"],
        "pathParameters": request["path_parameters"],
        "stageVariables": call.stage_variables,
        "requestContext": {"apiId": call.api_id, "stage": call.stage},
    }


def _answer(call: Call, authorizer: dict[str, Any], question: dict[str, Any]) -> dict[str, Any]:
    function = helpers.get_lambda_function_arn_from_invocation_uri(authorizer["authorizerUri"])
    client = connect_to(aws_access_key_id=call.account_id, region_name=call.region).lambda_
    answer = client.invoke(FunctionName=function, Payload=json.dumps(question))
    said = json.loads(answer["Payload"].read() or b"null")
    if "FunctionError" in answer:
        if isinstance(said, dict) and said.get("errorMessage") == "Unauthorized":
            raise UnauthorizedError("Unauthorized")
        raise AuthorizerConfigurationError("Internal server error")
    if not isinstance(said, dict) or "principalId" not in said:
        raise AuthorizerConfigurationError("Internal server error")
    return said


def _allows(policy: dict[str, Any], arn: str) -> bool:
    """Whether a statement allows the call and none denies it."""
    effects = {
        statement["Effect"]
        for statement in policy.get("Statement", [])
        if any(fnmatch.fnmatchcase(arn, pattern) for pattern in _listed(statement["Resource"]))
    }
    return effects == {"Allow"}


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]
