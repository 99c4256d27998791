"""Calls of what is published: who gets an answer, and from which version of what.

REST APIs: stage, route, authorizer, key, plan, throttle and quota in this order
(https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-request-throttling.html,
supported-gateway-response-types.html, use-lambda-authorizer.html). Throttles are exact here, and best effort at AWS.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any

from tests.aws.fake.lambda_state import Function, lambdas
from tests.aws.fake.lambda_versions import version_for
from tests.aws.fake.place import Params, Place, operation
from tests.aws.fake.rest_state import (
    ApiKey,
    Definition,
    Method,
    PlanSettings,
    RestApi,
    Stage,
    UsagePlan,
    api_of,
    rest,
)
from tests.aws.fake.timeline import CallBucket

type Headers = Mapping[str, str]

_FUNCTION = re.compile(r"arn:aws:lambda:[^:]+:(\d+):function:([^:/]+)(?::([^/]+))?(?:/invocations)?$")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a caller gets. `by` is the function and version, or the address, that answered; `reason` is for people."""

    status: int
    reason: str = ""
    by: str = ""
    key_id: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an authorizer says. `key` is the value of an API key, where the authorizer is their source."""

    is_allowed: bool
    key: str = ""


type Authorizer = Callable[[Headers], Verdict | None]
"""None where what it needs is not there, so that the answer is 401."""


@dataclass(slots=True)
class DataPlane:
    """`authorizers` are those of a test, by the name that the definition gives them: without one nobody gets in."""

    authorizers: dict[str, Authorizer] = field(default_factory=dict)


class Stopped(Exception):
    """No integration is asked."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.answer = Answer(status, reason)


@dataclass(frozen=True, slots=True)
class _Call:
    place: Place
    api: RestApi
    stage: Stage
    definition: Definition
    variables: dict[str, str]
    method: str
    path: str
    """The path of the resource that answers."""
    told: Method
    headers: dict[str, str]


def call_rest(place: Place, api_id: str, stage: str, method: str, path: str, headers: Headers) -> Answer:
    """The answer to a call of a stage."""
    try:
        call = _routed(
            place, api_id, stage, method, path, {name.lower(): value for name, value in headers.items()}
        )
        key_value = _authorized(call)
        key = _key(call, key_value) if call.told.needs_key else None
        _stage_limit(call)
        answer = _integrated(call)
    except Stopped as stopped:
        return stopped.answer
    return Answer(answer.status, answer.reason, answer.by, key.id if key else "")


def _routed(place: Place, api_id: str, name: str, method: str, path: str, headers: dict[str, str]) -> _Call:
    api = rest(place).apis.get(api_id)
    if api is None or name not in api.stages or api.disable_endpoint:
        raise Stopped(403, "Forbidden")
    stage = api.stages[name]
    deployment_id, variables = _deployment(stage)
    definition = api.deployments[deployment_id].definition
    found = _resource(definition, method, path)
    if found is None:
        raise Stopped(403, "Missing Authentication Token")
    resource, told = found
    return _Call(place, api, stage, definition, variables, method, resource, told, headers)


def _deployment(stage: Stage) -> tuple[str, dict[str, str]]:
    """The canary's share is kept exactly."""
    stage.calls += 1
    if stage.canary is not None:
        share = stage.canary["percentTraffic"] / 100
        if int(stage.calls * share) > int((stage.calls - 1) * share):
            overrides = stage.canary.get("stageVariableOverrides", {})
            return stage.canary["deploymentId"], {**stage.variables, **overrides}
    return stage.deployment_id, dict(stage.variables)


def _resource(definition: Definition, method: str, path: str) -> tuple[str, Method] | None:
    """Literal parts go before variables, and those before greedy ones."""
    asked = [part for part in path.split("/") if part]
    fitting = [resource for resource in definition.resources if _fits(resource, asked)]
    for resource in sorted(
        fitting, key=lambda one: [(part.startswith("{"), "+" in part) for part in one.split("/")]
    ):
        methods = definition.resources[resource]
        if method in methods or "ANY" in methods:
            return resource, methods.get(method) or methods["ANY"]
    return None


def _fits(resource: str, asked: list[str]) -> bool:
    parts = [part for part in resource.split("/") if part]
    for number, part in enumerate(parts):
        if part.endswith("+}"):
            return len(asked) > number
        if number >= len(asked) or (not part.startswith("{") and part != asked[number]):
            return False
    return len(parts) == len(asked)


def _authorized(call: _Call) -> str:
    """The value of a key, where the authorizer tells it."""
    if call.told.is_iam and "authorization" not in call.headers:
        raise Stopped(403, "Missing Authentication Token")
    if not call.told.authorizer:
        return ""
    told = call.definition.authorizers[call.told.authorizer]
    source = f"{call.api.id}/authorizers/{told['id']}"
    permitted(call.place, told.get("authorizerUri", ""), call.variables, source)
    authorizer = call.place.state(DataPlane).authorizers.get(
        call.told.authorizer, lambda _: Verdict(is_allowed=False)
    )
    verdict = authorizer(call.headers)
    if verdict is None:
        raise Stopped(401, "Unauthorized")
    if not verdict.is_allowed:
        raise Stopped(403, "User is not authorized to access this resource")
    return verdict.key


def _key(call: _Call, told: str) -> ApiKey:
    """The key that a caller has."""
    is_told = call.definition.key_source == "AUTHORIZER"
    value = told if is_told else call.headers.get("x-api-key", "")
    return key_in_plan(call.place, value, (call.api.id, call.stage.name), f"{call.path}/{call.method}")


def key_in_plan(place: Place, value: str, stage: tuple[str, str], method: str) -> ApiKey:
    """The key of that value in a plan of the stage, within its limits. Raises Stopped for everybody else."""
    state, now = rest(place), place.now
    key = state.keys.get(state.values.get(value, ""))
    if key is None or not key.in_effect.at(now):
        raise Stopped(403, "Forbidden")
    for plan in state.plans.values():
        settings = plan.in_effect.at(now)
        is_in = (plan.id, key.id) in state.links and state.links[plan.id, key.id].at(now)
        if is_in and settings.is_there and stage in settings.stages:
            _within(place, plan, settings, key, settings.stages[stage].get(method), method)
            return key
    raise Stopped(403, "Forbidden")


def _within(
    place: Place,
    plan: UsagePlan,
    settings: PlanSettings,
    key: ApiKey,
    own: dict[str, float] | None,
    method: str,
) -> None:
    state, now = rest(place), place.now
    limits = [((plan.id, key.id), settings.throttle)]
    if own:
        limits.insert(0, ((plan.id, key.id, method), own))
    for name, limit in limits:
        if limit and not state.buckets.setdefault(name, CallBucket()).take(
            limit.get("rateLimit", 1e9), limit.get("burstLimit", 1e9), now
        ):
            raise Stopped(429, "Too Many Requests")
    _count(place, plan, settings, key)


def _count(place: Place, plan: UsagePlan, settings: PlanSettings, key: ApiKey) -> None:
    """In UTC; a month begins on its first, a week on Sunday."""
    today = place.date.date()
    used = rest(place).usage.setdefault((plan.id, key.id), {})
    if settings.quota:
        begin = {
            "DAY": today,
            "WEEK": today - timedelta(days=(today.weekday() + 1) % 7),
            "MONTH": today.replace(day=1),
        }[settings.quota["period"]]
        if sum(count for day, count in used.items() if day >= begin.isoformat()) >= settings.quota["limit"]:
            raise Stopped(429, "Limit Exceeded")
    used[today.isoformat()] = used.get(today.isoformat(), 0) + 1


def _stage_limit(call: _Call) -> None:
    settings = call.stage.settings
    name = f"{call.path.strip('/')}/{call.method}"
    limit = settings.get(name) or settings.get("*/*")
    if limit is None:
        return
    bucket = rest(call.place).buckets.setdefault((call.api.id, call.stage.name, name), CallBucket())
    if not bucket.take(limit["throttlingRateLimit"], limit["throttlingBurstLimit"], call.place.now):
        raise Stopped(429, "Too Many Requests")


def _integrated(call: _Call) -> Answer:
    integration = call.told.integration or {}
    uri = with_variables(integration.get("uri", ""), call.variables)
    kind = str(integration.get("type", "")).upper()
    if kind == "MOCK":
        return Answer(200, by="mock")
    if ":lambda:path/" not in uri:
        return Answer(200, by=uri)
    source = f"{call.api.id}/{call.stage.name}/{call.method}{call.path}"
    function, qualifier = permitted(call.place, uri, call.variables, source)
    return Answer(200, by=f"{function.name}:{version_for(function, qualifier)}")


def permitted(place: Place, uri: str, variables: dict[str, str], source: str) -> tuple[Function, str]:
    """The function and qualifier of a URI or ARN.

    Without a permission on the qualifier that is called the answer is 500, and no reason.
    """
    found = _FUNCTION.search(with_variables(uri, variables))
    function = lambdas(place).functions.get(found[2]) if found else None
    qualifier = (found[3] or "") if found else ""
    if function is None or qualifier not in {"", *function.versions, *function.aliases}:
        raise Stopped(500, "Internal server error")
    asks = place.arn("execute-api", source)
    for statement in function.policies.get(qualifier, {}).values():
        pattern = statement.get("Condition", {}).get("ArnLike", {}).get("AWS:SourceArn", "*")
        is_service = statement["Principal"].get("Service") == "apigateway.amazonaws.com"
        if is_service and fnmatchcase(asks, pattern):
            return function, qualifier
    raise Stopped(500, "Internal server error")


def with_variables(uri: str, variables: dict[str, str]) -> str:
    """An address in which stage variables stand."""
    return re.sub(r"\$\{stageVariables\.(\w+)\}", lambda found: variables.get(found[1], ""), uri)


@operation("apigateway", "TestInvokeMethod")
def tried_method(place: Place, params: Params) -> dict[str, Any]:
    """Of what is not deployed, and past keys and authorizers."""
    api = api_of(place, params["restApiId"])
    by_id = {number: path for path, number in api.definition.ids.items()}
    path = by_id.get(params["resourceId"], "/")
    told = api.definition.resources[path].get(params["httpMethod"]) or api.definition.resources[path]["ANY"]
    stage = Stage("test-invoke-stage", "", place.date, place.date)
    variables = dict(params.get("stageVariables") or {})
    call = _Call(place, api, stage, api.definition, variables, params["httpMethod"], path, told, {})
    try:
        answer = _integrated(call)
    except Stopped as stopped:
        answer = stopped.answer
    return {"status": answer.status, "body": answer.reason, "log": f"Endpoint: {answer.by}", "latency": 1}
