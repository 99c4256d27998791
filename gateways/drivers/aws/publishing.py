"""Publications as stages: one API for each version of an API and each type, with a stage for each environment.

The working copy is brought to what is wanted, frozen by a deployment without a stage, and comes into force by one call
that points the stage to it: until then nobody notices, and going back is one call too. How AWS is spoken to is the
business of the type (`form`). https://docs.aws.amazon.com/apigateway/latest/developerguide/how-to-deploy-api.html
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from functools import partial

from aws.client.errors import Conflict, Missing, NotYet
from gateways.drivers.aws import http_apis, permissions, plans, rest
from gateways.drivers.aws.form import Form
from gateways.drivers.aws.kinds import ApiType, named, parted, type_of
from gateways.drivers.aws.work import APIS, LEAST_S, STAGES, Work
from gateways.engine.document import Document, Kind, Ref, Route, digest

DEPLOYMENTS_KEPT = 10
FORMS: Mapping[ApiType, Form] = {
    ApiType.REST: rest.RestApis(),
    ApiType.HTTP: http_apis.HttpApis("HTTP"),
    ApiType.WEBSOCKET: http_apis.HttpApis("WEBSOCKET"),
}


def wanted_of(document: Document, route: Route) -> str:
    """A digest of all that a route's stage is made of."""
    definition = document.items[Ref(Kind.DEFINITION, route.definition)]
    upstream = document.items[Ref(Kind.UPSTREAM, route.upstream)]
    parts = f"{digest(route)} {digest(definition)} {digest(upstream)}"
    return hashlib.sha256(parts.encode()).hexdigest()


def stage_of(document: Document, route: Route) -> str:
    """The name of the resource that the stage of `route` is."""
    return named(route.id, type_of(document, route))


def serves(work: Work, route: Route) -> bool:
    """Whether the stage of `route` is as it should be, as far as is known."""
    known = work.resource(STAGES, stage_of(work.desired, route))
    return bool(known.get("wanted") == wanted_of(work.desired, route))


def is_served(work: Work, publication: str) -> bool:
    """Whether there is a stage of any type."""
    names = (named(publication, kind) for kind in ApiType)
    return any(work.resource(STAGES, name).get("wanted") for name in names)


def publish(work: Work, route: Route) -> None:
    """Bring `route` into force. Raises AwsError; called again it goes on where it stopped."""
    wanted, name = wanted_of(work.desired, route), stage_of(work.desired, route)
    api = _api(work, route)
    try:
        deployment = _deployed(work, api, route, wanted)
        _flip(work, api, route, deployment)
    except Missing:
        if _is_there(work, route, api):
            raise
        _forget(work, api_of(work.desired, route), api)
        message = "Somebody deleted the API, or an answer of AWS was lost. It is made again."
        raise NotYet(message, retry_in_s=LEAST_S) from None
    stands = {
        "api": api,
        "name": work.names.api(route),
        "stage": route.environment,
        "deployment": deployment,
        "wanted": wanted,
    }
    work.keep(STAGES, name, {**work.resource(STAGES, name), **stands})


def _is_there(work: Work, route: Route, api: str) -> bool:
    """What is missing may be something else: the function that it calls, for one."""
    try:
        FORMS[type_of(work.desired, route)].look_for(work, api)
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


def unpublish(work: Work, name: str) -> None:
    """Take a stage away. Raises AwsError."""
    stage = work.resource(STAGES, name)
    if stage.get("stage"):
        _doubt(work, name)
        with suppress(Missing):
            FORMS[parted(name)[1]].delete_stage(work, stage["api"], stage["stage"])
        work.past(STAGES, name, f"{stage['api']}:{stage['stage']}")
    work.holdings.drop(STAGES, [name])


def _doubt(work: Work, name: str) -> None:
    """Before a stage is touched: until the answer is there, nobody knows what it serves."""
    work.keep(STAGES, name, {**work.resource(STAGES, name), "wanted": ""})


def abandoned_stages(work: Work) -> list[str]:
    """Stages of what is not wanted any more, or is wanted as another type of API; usage plans leave them first."""
    wanted = {stage_of(work.desired, route) for route in work.desired.of_kind(Route)}
    known = work.holdings.resources(STAGES)
    return [name for name in known if name not in wanted and not plans.of_stage(work, name)]


def abandoned_apis(work: Work) -> list[str]:
    """The APIs that have no stage, and of which no route is wanted."""
    used = {stage.get("api") for stage in work.holdings.resources(STAGES).values()}
    wanted = {api_of(work.desired, route) for route in work.desired.of_kind(Route)}
    known = work.holdings.resources(APIS)
    return [name for name, one in known.items() if name not in wanted and one.get("id") not in used - {None}]


def remove_api(work: Work, name: str) -> None:
    """Once in thirty seconds for REST: https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html."""
    form = FORMS[parted(name)[1]]
    api = work.id_of(APIS, name, partial(_tagged, work, form))
    if api:
        with suppress(Missing):
            form.delete_api(work, api)
        permissions.withdraw(work, api)
    work.holdings.drop(APIS, [name])


def api_of(document: Document, route: Route) -> str:
    """The name of the resource that the API of `route` is."""
    return named(route.api_version, type_of(document, route))


def _api(work: Work, route: Route) -> str:
    form, version = FORMS[type_of(work.desired, route)], route.api_version
    make = partial(form.make_api, work, route, work.names.tags(version))
    return work.made_once(APIS, api_of(work.desired, route), version, partial(_tagged, work, form), make)


def _tagged(work: Work, form: Form, version: str) -> str:
    wanted = work.names.tags(version).items()
    return next((one.id for one in form.apis(work) if wanted <= (one.mark or {}).items()), "")


def _deployed(work: Work, api: str, route: Route, wanted: str) -> str:
    """The deployment to point the stage to; empty for a stage that deploys itself."""
    form = FORMS[type_of(work.desired, route)]
    if not form.deploys_itself(work, route):
        return _deployment(work, api, route, wanted)
    name = stage_of(work.desired, route)
    work.keep(STAGES, name, {**work.resource(STAGES, name), "api": api, "wanted": ""})
    form.put(work, api, route)
    return ""


def _deployment(work: Work, api: str, route: Route, wanted: str) -> str:
    """The deployment that holds what is wanted, made if it is not there: going back makes none."""
    name, form = stage_of(work.desired, route), FORMS[type_of(work.desired, route)]
    stage = dict(work.resource(STAGES, name))
    made: dict[str, str] = dict(stage.get("made", {}))
    if wanted in made:
        return made[wanted]
    description = work.names.deployment(route.id, wanted)

    def find() -> str:
        return next((one.id for one in form.deployments(work, api) if one.mark == description), "")

    found = work.found_by_now(stage.get("began") if stage.get("making") == wanted else None, find)
    if not found:
        form.put(work, api, route)
        note = {**stage, "api": api, "making": wanted, "began": work.clock()}
        with work.in_doubt(STAGES, {name: note}):
            found = form.deploy(work, api, description)
    work.keep(STAGES, name, {**stage, "api": api, "making": "", "made": {**made, wanted: found}})
    return found


def _flip(work: Work, api: str, route: Route, deployment: str) -> None:
    """One call, after which callers meet the new deployment."""
    name, form = stage_of(work.desired, route), FORMS[type_of(work.desired, route)]
    _doubt(work, name)
    stage = work.resource(STAGES, name)
    if stage.get("stage"):
        try:
            form.point(work, api, route, deployment)
            return
        except Missing:
            pass  # it was not made after all, or somebody took it away
    work.keep(STAGES, name, {**stage, "stage": route.environment})
    try:
        form.make_stage(work, api, route, deployment, work.names.tags(route.id))
    except Conflict:
        form.point(work, api, route, deployment)  # made by a call whose answer was lost


def shows(work: Work, name: str) -> bool:
    """Whether AWS shows the stage as it is known to be; Missing where it is not there. Raises AwsError."""
    known = work.resource(STAGES, name)
    return FORMS[parted(name)[1]].shows(work, known["api"], known["stage"], known["deployment"])


def outdated(work: Work, route: Route) -> list[str]:
    """What the oldest deployments of a stage were made of, to which nobody goes back any more."""
    stage = work.resource(STAGES, stage_of(work.desired, route))
    return [wanted for wanted in stage.get("made", {}) if wanted != stage.get("wanted")][:-DEPLOYMENTS_KEPT]


def prune(work: Work, route: Route, wanted: str) -> None:
    """Let go of a deployment. Raises AwsError."""
    name, form = stage_of(work.desired, route), FORMS[type_of(work.desired, route)]
    stage = work.resource(STAGES, name)
    with suppress(Missing):
        form.delete_deployment(work, stage["api"], stage["made"][wanted])
    made = {known: one for known, one in stage["made"].items() if known != wanted}
    work.keep(STAGES, name, {**stage, "made": made})
