"""REST APIs: one for each version of an API, with a stage for each environment.

The definition is replaced as a whole (PutRestApi with overwrite, which takes all of it or nothing), frozen by a
deployment without a stage, and comes into force by one UpdateStage: until then nobody notices, and going back is one
call too. https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-deploy-api.html
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from functools import partial
from typing import Any

from aws.client.errors import Conflict, Missing, NotYet
from gateways.drivers.aws import logs, plans
from gateways.drivers.aws.definitions import function_of, rendered
from gateways.drivers.aws.names import statement_id
from gateways.drivers.aws.work import APIS, LEAST_S, PERMISSIONS, STAGES, Work
from gateways.engine.document import Definition, Document, Kind, Ref, Route, Upstream, digest

DEPLOYMENTS_KEPT = 10


def wanted_of(document: Document, route: Route) -> str:
    """A digest of all that a route's stage is made of."""
    definition = document.items[Ref(Kind.DEFINITION, route.definition)]
    upstream = document.items[Ref(Kind.UPSTREAM, route.upstream)]
    parts = f"{digest(route)} {digest(definition)} {digest(upstream)}"
    return hashlib.sha256(parts.encode()).hexdigest()


def serves(work: Work, route: Route) -> bool:
    """Whether the stage of `route` is as it should be, as far as is known."""
    return bool(work.resource(STAGES, route.id).get("wanted") == wanted_of(work.desired, route))


def publish(work: Work, route: Route) -> None:
    """Bring `route` into force. Raises AwsError; called again it goes on where it stopped."""
    wanted = wanted_of(work.desired, route)
    api = _api(work, route)
    try:
        deployment = _deployment(work, api, route, wanted)
        _flip(work, api, route, deployment)
    except Missing:
        if _is_there(work, api):
            raise
        _forget(work, route.api_version, api)
        message = "Somebody deleted the API, or an answer of AWS was lost. It is made again."
        raise NotYet(message, retry_in_s=LEAST_S) from None
    stands = {
        "api": api,
        "name": work.names.api(route),
        "stage": route.environment,
        "deployment": deployment,
        "wanted": wanted,
    }
    work.keep(STAGES, route.id, {**work.resource(STAGES, route.id), **stands})


def _is_there(work: Work, api: str) -> bool:
    """What is missing may be something else: the function that it calls, for one."""
    try:
        work.call("GetRestApi", restApiId=api)
    except Missing:
        return False
    return True


def _forget(work: Work, version: str, api: str) -> None:
    stages = work.holdings.resources(STAGES)
    gone = [name for name, stage in stages.items() if stage.get("api") == api]
    for name in gone:
        for plan in plans.of_stage(work, name):
            plans.remove(work, plan)
    work.holdings.drop(STAGES, gone)
    work.holdings.drop(APIS, [version])


def unpublish(work: Work, publication: str) -> None:
    """Take a stage away, and the API with the last of them. Raises AwsError."""
    stage = work.resource(STAGES, publication)
    if stage.get("stage"):
        _doubt(work, publication)
        _gone(work, "DeleteStage", restApiId=stage["api"], stageName=stage["stage"])
        work.past(STAGES, publication, f"{stage['api']}:{stage['stage']}")
    work.holdings.drop(STAGES, [publication])


def _doubt(work: Work, publication: str) -> None:
    """Before a stage is touched: until the answer is there, nobody knows what it serves."""
    work.keep(STAGES, publication, {**work.resource(STAGES, publication), "wanted": ""})


def abandoned(work: Work) -> list[str]:
    """The versions whose API has no stage, and of which no route is wanted."""
    used = {stage.get("api") for stage in work.holdings.resources(STAGES).values()}
    wanted = {route.api_version for route in work.desired.of_kind(Route)}
    known = work.holdings.resources(APIS)
    return [name for name, one in known.items() if name not in wanted and one.get("id") not in used - {None}]


def remove_api(work: Work, version: str) -> None:
    """Once in thirty seconds: https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html."""
    api = work.id_of(APIS, version, partial(_tagged, work))
    if api:
        _gone(work, "DeleteRestApi", restApiId=api)
    work.holdings.drop(APIS, [version])


def _api(work: Work, route: Route) -> str:
    name = work.names.api(route)

    def make() -> str:
        made = work.call(
            "CreateRestApi",
            name=name,
            endpointConfiguration={"types": ["REGIONAL"]},
            tags=work.names.tags(route.api_version),
        )
        return str(made["id"])

    return work.made_once(APIS, route.api_version, route.api_version, partial(_tagged, work), make)


def _tagged(work: Work, version: str) -> str:
    wanted = work.names.tags(version).items()
    found = work.calls.pages("apigateway", "GetRestApis", "items")
    return next((str(api["id"]) for api in found if wanted <= (api.get("tags") or {}).items()), "")


def _deployment(work: Work, api: str, route: Route, wanted: str) -> str:
    """The deployment that holds what is wanted, made if it is not there: going back makes none."""
    stage = dict(work.resource(STAGES, route.id))
    made: dict[str, str] = dict(stage.get("made", {}))
    if wanted in made:
        return made[wanted]
    description = work.names.deployment(route.id, wanted)
    began = stage.get("began") if stage.get("making") == wanted else None
    found = work.found_by_now(began, partial(_deployment_named, work, api, description))
    if not found:
        _put(work, api, route)
        note = {**stage, "api": api, "making": wanted, "began": work.clock()}
        with work.in_doubt(STAGES, {route.id: note}):
            found = str(work.call("CreateDeployment", restApiId=api, description=description)["id"])
    work.keep(STAGES, route.id, {**stage, "api": api, "making": "", "made": {**made, wanted: found}})
    return found


def _deployment_named(work: Work, api: str, description: str) -> str:
    for deployment in work.calls.pages("apigateway", "GetDeployments", "items", restApiId=api):
        if deployment.get("description") == description:
            return str(deployment["id"])
    return ""


def _put(work: Work, api: str, route: Route) -> None:
    """The working copy. Two environments share it, so it is written before each deployment."""
    definition = work.desired.items[Ref(Kind.DEFINITION, route.definition)]
    upstream = work.desired.items[Ref(Kind.UPSTREAM, route.upstream)]
    assert isinstance(definition, Definition)  # noqa: S101 - named by its kind
    assert isinstance(upstream, Upstream)  # noqa: S101 - likewise
    _permit(work, api, upstream)
    body = rendered(definition, upstream, route, name=work.names.api(route), account=work.calls.account)
    work.call("PutRestApi", restApiId=api, mode="overwrite", failOnWarnings=True, body=body)


def _permit(work: Work, api: str, upstream: Upstream) -> None:
    """Lambda lets an API in by a statement in the policy of the alias that is called; without it callers get 500."""
    function = function_of(upstream)
    if function is None:
        return
    name = f"{api} {function.arn}"[:120]
    if work.resource(PERMISSIONS, name):
        return
    account = work.calls.account
    with suppress(Conflict):  # it is there already, from an answer that was lost
        work.call(
            "AddPermission",
            "lambda",
            FunctionName=function.name,
            Qualifier=function.alias,
            StatementId=statement_id(api),
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
            SourceArn=f"arn:{function.partition}:execute-api:{account.region}:{function.account}:{api}/*/*",
        )
    work.keep(PERMISSIONS, name, {"function": function.arn, "api": api})


def _flip(work: Work, api: str, route: Route, deployment: str) -> None:
    """One call, after which callers meet the new deployment."""
    _doubt(work, route.id)
    stage = work.resource(STAGES, route.id)
    if stage.get("stage"):
        try:
            _point(work, api, route, deployment)
            return
        except Missing:
            pass  # it was not made after all, or somebody took it away
    work.keep(STAGES, route.id, {**stage, "stage": route.environment})
    try:
        tags = work.names.tags(route.id)
        place = {"restApiId": api, "stageName": route.environment}
        work.call("CreateStage", **place, deploymentId=deployment, tags=tags)
    except Conflict:
        _point(work, api, route, deployment)  # made by a call whose answer was lost
    else:
        logs.update_stage(work, route.id, api, route.environment, [])


def _point(work: Work, api: str, route: Route, deployment: str) -> None:
    flip = [{"op": "replace", "path": "/deploymentId", "value": deployment}]
    logs.update_stage(work, route.id, api, route.environment, flip)


def outdated(work: Work, route: Route) -> list[str]:
    """What the oldest deployments of a stage were made of, to which nobody goes back any more."""
    stage = work.resource(STAGES, route.id)
    return [wanted for wanted in stage.get("made", {}) if wanted != stage.get("wanted")][:-DEPLOYMENTS_KEPT]


def prune(work: Work, route: Route, wanted: str) -> None:
    """Let go of a deployment. Raises AwsError."""
    stage = work.resource(STAGES, route.id)
    _gone(work, "DeleteDeployment", restApiId=stage["api"], deploymentId=stage["made"][wanted])
    made = {known: name for known, name in stage["made"].items() if known != wanted}
    work.keep(STAGES, route.id, {**stage, "made": made})


def _gone(work: Work, operation: str, **params: Any) -> None:
    """Delete something, which may have been deleted before."""
    with suppress(Missing):
        work.call(operation, **params)
