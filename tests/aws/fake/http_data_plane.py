"""Calls of HTTP APIs, and connections and messages of WebSocket APIs.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html (which route answers),
http-api-lambda-authorizer.html, apigateway-websocket-api-route-keys-connect-disconnect.html.
"""

from __future__ import annotations

from typing import Any

from tests.aws.fake.data_plane import Answer, DataPlane, Headers, Stopped, Verdict, key_in_plan, permitted
from tests.aws.fake.http_state import Belongings, HttpApi, Members, http
from tests.aws.fake.lambda_versions import version_for
from tests.aws.fake.place import Place
from tests.aws.fake.rest_state import rest
from tests.aws.fake.running import run
from tests.aws.fake.timeline import CallBucket


def call_http(place: Place, api_id: str, stage_name: str, method: str, path: str, headers: Headers) -> Answer:
    """The answer to a call; of a WebSocket API `method` is the route ("$connect", "$default" or its own) and there is
    no path."""
    low = {name.lower(): value for name, value in headers.items()}
    try:
        api, stage, told = _deployed(place, api_id, stage_name)
        route = _message_route(told, method) if api.is_websocket else _route(told, method, path)
        _authorized(place, api, told, stage, route, low)
        key_id = ""
        if route.get("ApiKeyRequired"):
            key_id = key_in_plan(place, low.get("x-api-key", ""), (api.id, stage_name), route["RouteKey"]).id
        _within(place, api, stage, route)
        answer = _integrated(place, api, told, stage, route)
    except Stopped as stopped:
        return stopped.answer
    return Answer(answer.status, answer.reason, answer.by, key_id)


def _deployed(place: Place, api_id: str, stage_name: str) -> tuple[HttpApi, Members, Belongings]:
    api = http(place).get(api_id)
    stage = api.stages.get(stage_name) if api else None
    if api is None or stage is None or api.members.get("DisableExecuteApiEndpoint"):
        raise Stopped(404, "Not Found")
    deployment = api.deployments.get(stage.get("DeploymentId", ""))
    if deployment is None:
        raise Stopped(404, "Not Found")
    return api, stage, deployment.belongings


def _route(told: Belongings, method: str, path: str) -> Members:
    """A full match goes before a greedy one, those before $default."""
    asked = [part for part in path.split("/") if part]
    fitting = []
    for route in told.routes.values():
        verb, _, resource = route["RouteKey"].partition(" ")
        parts = [part for part in resource.split("/") if part]
        if resource and verb in {method, "ANY"} and _fits(parts, asked):
            fitting.append(
                (
                    [("+" in part, part.startswith("{")) for part in parts],
                    verb == "ANY",
                    route["RouteKey"],
                    route,
                )
            )
    if fitting:
        return min(fitting)[3]
    for route in told.routes.values():
        if route["RouteKey"] == "$default":
            return route
    raise Stopped(404, "Not Found")


def _fits(parts: list[str], asked: list[str]) -> bool:
    for number, part in enumerate(parts):
        if part.endswith("+}"):
            return len(asked) > number
        if number >= len(asked) or (not part.startswith("{") and part != asked[number]):
            return False
    return len(parts) == len(asked)


def _message_route(told: Belongings, key: str) -> Members:
    """A connection needs no route of its own; a message without one goes to $default, if there is one."""
    by_key = {route["RouteKey"]: route for route in told.routes.values()}
    if key in by_key:
        return by_key[key]
    if key in {"$connect", "$disconnect"}:
        return {"RouteKey": key, "AuthorizationType": "NONE"}
    if "$default" in by_key:
        return by_key["$default"]
    raise Stopped(403, "Forbidden")


def _authorized(
    place: Place, api: HttpApi, told: Belongings, stage: Members, route: Members, headers: Headers
) -> None:
    if route.get("AuthorizationType", "NONE") == "NONE":
        return
    if route["AuthorizationType"] == "AWS_IAM":
        if "authorization" not in headers:
            raise Stopped(403, "Forbidden")
        return
    authorizer = told.authorizers[route["AuthorizerId"]]
    verdict = _verdict(place, api, stage, authorizer, headers)
    if verdict is None:
        raise Stopped(401, "Unauthorized")
    if not verdict.is_allowed:
        raise Stopped(403, "Forbidden")


def _verdict(
    place: Place, api: HttpApi, stage: Members, authorizer: Members, headers: Headers
) -> Verdict | None:
    """What a test says for an authorizer of that name, or what the deployed function answers."""
    answers = place.state(DataPlane).authorizers
    if authorizer["AuthorizerType"] == "REQUEST":
        if not all(_has(source, headers) for source in authorizer.get("IdentitySource") or ()):
            return None
        source = f"{api.id}/authorizers/{authorizer['AuthorizerId']}"
        uri = authorizer["AuthorizerUri"]
        function, _qualifier = permitted(place, uri, stage.get("StageVariables", {}), source)
        if function.code and authorizer["Name"] not in answers:
            answer = run(place, function, _question(api, stage, headers))
            return Verdict(is_allowed=_allows(api, answer))
    return answers.get(authorizer["Name"], lambda _: Verdict(is_allowed=False))(headers)


def _has(source: str, headers: Headers) -> bool:
    """A caller without what an authorizer reads is refused, and it is not asked."""
    _, _, name = source.partition("request.header.")
    return not name or name.lower() in headers


def _question(api: HttpApi, stage: Members, headers: Headers) -> dict[str, Any]:
    """https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html, for WebSocket APIs
    apigateway-websocket-api-lambda-auth.html."""
    asked = {"type": "REQUEST", "headers": dict(headers)}
    called = {"apiId": api.id, "stage": stage["StageName"]}
    if api.is_websocket:
        return {**asked, "methodArn": f"{api.id}/{stage['StageName']}/$connect", "requestContext": called}
    return {**asked, "version": "2.0", "requestContext": called}


def _allows(api: HttpApi, answer: dict[str, Any]) -> bool:
    if not api.is_websocket:
        return answer["isAuthorized"] is True
    statement = answer["policyDocument"]["Statement"][0]
    return bool(statement["Effect"] == "Allow")


def _within(place: Place, api: HttpApi, stage: Members, route: Members) -> None:
    own = (stage.get("RouteSettings") or {}).get(route["RouteKey"], {})
    limit = {**(stage.get("DefaultRouteSettings") or {}), **own}
    if "ThrottlingRateLimit" not in limit:
        return
    name = (api.id, stage["StageName"], route["RouteKey"])
    bucket = rest(place).buckets.setdefault(name, CallBucket())
    if not bucket.take(limit["ThrottlingRateLimit"], limit.get("ThrottlingBurstLimit", 1), place.now):
        raise Stopped(429, "Too Many Requests")


def _integrated(place: Place, api: HttpApi, told: Belongings, stage: Members, route: Members) -> Answer:
    target = route.get("Target", "").removeprefix("integrations/")
    integration = told.integrations.get(target)
    if integration is None:
        return Answer(200, by="no integration")
    uri = integration.get("IntegrationUri", "")
    if ":function:" not in uri:
        return Answer(200, by=uri or str(integration["IntegrationType"]).lower())
    where = route["RouteKey"].replace(" ", "")
    source = f"{api.id}/{stage['StageName']}/{where}"
    function, qualifier = permitted(place, uri, stage.get("StageVariables", {}), source)
    return Answer(200, by=f"{function.name}:{version_for(function, qualifier)}")
