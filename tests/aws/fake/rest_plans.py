"""Usage plans, their stages and keys, and what was used of them.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-usage-plans.html; texts [S]
test_apigateway_common.snapshot.json (test_usage_plan_crud), [T] as the functions say.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from tests.aws.fake.http_state import websocket_api
from tests.aws.fake.patches import Patch, number, patches, without_empty
from tests.aws.fake.place import Params, Place, operation, page
from tests.aws.fake.refusals import bad_request, conflict, not_found, quota
from tests.aws.fake.rest_state import PlanSettings, RestState, UsagePlan, rest
from tests.aws.fake.timeline import Timeline

type StageKey = tuple[str, str]


@operation("apigateway", "CreateUsagePlan")
def create_usage_plan(place: Place, params: Params) -> dict[str, Any]:
    state = rest(place)
    if len(state.plans) >= place.quotas.usage_plans:
        raise quota(
            f"Maximum number of usage plans for this account has been reached: {place.quotas.usage_plans}"
        )
    settings = PlanSettings(
        stages={
            (one["apiId"], one["stage"]): deepcopy(one.get("throttle") or {})
            for one in params.get("apiStages") or ()
        },
        throttle=dict(params.get("throttle") or {}),
        quota={"offset": 0, **params["quota"]} if params.get("quota") else {},
    )
    plan_id = place.new_id(6)
    _check(place, settings, plan_id)
    empty = Timeline(PlanSettings(is_there=False))
    plan = UsagePlan(plan_id, params["name"], place.now + place.delays.lists, settings, empty)
    plan.description = params.get("description", "")
    plan.tags = dict(params.get("tags") or {})
    state.plans[plan.id] = plan
    plan.in_effect.set(settings, place.now + place.delays.keys)
    return shown(plan) | ({"tags": dict(plan.tags)} if plan.tags else {})


@operation("apigateway", "GetUsagePlan")
def get_usage_plan(place: Place, params: Params) -> dict[str, Any]:
    plan = plan_of(place, params["usagePlanId"])
    return shown(plan) | {"tags": dict(plan.tags)}


@operation("apigateway", "GetUsagePlans")
def get_usage_plans(place: Place, params: Params) -> dict[str, Any]:
    """Without tags, where one plan alone has them [S] test_usage_plan_crud."""
    key_id = params.get("keyId")
    plans = [
        plan
        for plan in rest(place).plans.values()
        if plan.seen_at <= place.now and (key_id is None or key_id in plan.keys)
    ]
    found, position = page(plans, params)
    return without_empty({"items": [shown(plan) for plan in found], "position": position})


@operation("apigateway", "UpdateUsagePlan")
def update_usage_plan(place: Place, params: Params) -> dict[str, Any]:
    """All patches or none of them."""
    plan = plan_of(place, params["usagePlanId"])
    settings, names = deepcopy(plan.settings), {"name": plan.name, "description": plan.description}
    for patch in patches(params):
        settings = _patched(plan, settings, names, patch)
    _check(place, settings, plan.id)
    _check_keys(rest(place), plan, settings)
    plan.name, plan.description = names["name"], names["description"]
    plan.settings = settings
    plan.in_effect.set(settings, place.now + place.delays.keys)
    return shown(plan) | {"tags": dict(plan.tags)}


@operation("apigateway", "DeleteUsagePlan")
def delete_usage_plan(place: Place, params: Params) -> dict[str, Any]:
    """[T] aws-sdk-js#3841."""
    plan = plan_of(place, params["usagePlanId"])
    if plan.settings.stages:
        raise bad_request(
            f"Cannot delete Usage Plan {plan.id} because there are API Stages associated with it"
        )
    for key_id in list(plan.keys):
        unlink(place, plan, key_id)
    del rest(place).plans[plan.id]
    return {}


@operation("apigateway", "CreateUsagePlanKey")
def create_usage_plan_key(place: Place, params: Params) -> dict[str, Any]:
    plan = plan_of(place, params["usagePlanId"])
    if params["keyId"] not in rest(place).keys:
        raise not_found("Invalid API Key identifier specified")
    if params["keyId"] in plan.keys:
        raise conflict("Usage Plan Key already exists")
    link(place, plan, params["keyId"])
    return _shown_key(place, params["keyId"])


@operation("apigateway", "GetUsagePlanKey")
def get_usage_plan_key(place: Place, params: Params) -> dict[str, Any]:
    plan = plan_of(place, params["usagePlanId"])
    if params["keyId"] not in plan.keys:
        raise not_found("Invalid Usage Plan Key identifier specified")
    return _shown_key(place, params["keyId"])


@operation("apigateway", "GetUsagePlanKeys")
def get_usage_plan_keys(place: Place, params: Params) -> dict[str, Any]:
    plan = plan_of(place, params["usagePlanId"])
    begins = params.get("nameQuery", "")
    keys = [key_id for key_id in plan.keys if rest(place).keys[key_id].name.startswith(begins)]
    found, position = page(keys, params)
    return without_empty({"items": [_shown_key(place, key_id) for key_id in found], "position": position})


@operation("apigateway", "DeleteUsagePlanKey")
def delete_usage_plan_key(place: Place, params: Params) -> dict[str, Any]:
    get_usage_plan_key(place, params)
    unlink(place, plan_of(place, params["usagePlanId"]), params["keyId"])
    return {}


@operation("apigateway", "GetUsage")
def get_usage(place: Place, params: Params) -> dict[str, Any]:
    """Per key and day [used, remaining]; only keys in the plan [D API_GetUsage]."""
    plan = plan_of(place, params["usagePlanId"])
    begin, end = date.fromisoformat(params["startDate"]), date.fromisoformat(params["endDate"])
    days = [begin + timedelta(days=number) for number in range((end - begin).days + 1)]
    found, position = page([key for key in plan.keys if params.get("keyId") in {None, key}], params)
    limit = plan.settings.quota.get("limit", 0)
    items = {}
    for key_id in found:
        used = rest(place).usage.get((plan.id, key_id), {})
        counts = [used.get(day.isoformat(), 0) for day in days]
        items[key_id] = [[count, max(0, limit - sum(counts[: at + 1]))] for at, count in enumerate(counts)]
    return without_empty(
        {
            "usagePlanId": plan.id,
            "startDate": params["startDate"],
            "endDate": params["endDate"],
            "items": items,
            "position": position,
        }
    )


def plan_of(place: Place, plan_id: str) -> UsagePlan:
    """Raises NotFoundException [S]."""
    if plan_id not in rest(place).plans:
        raise not_found("Invalid Usage Plan ID specified")
    return rest(place).plans[plan_id]


def link(place: Place, plan: UsagePlan, key_id: str) -> None:
    """Put a key into a plan. Of one stage it can be in one plan alone [D]; the text is AWS's in many reports [T]."""
    state = rest(place)
    others = [other for other in state.plans.values() if key_id in other.keys]
    if len(others) >= place.quotas.plans_per_key:
        raise quota(
            f"Maximum number of usage plans for this API key has been reached: {place.quotas.plans_per_key}"
        )
    for other in others:
        _check_apart(plan.id, other.settings, plan.settings)
    plan.keys.append(key_id)
    state.links.setdefault((plan.id, key_id), Timeline(first=False)).set(True, place.now + place.delays.keys)


def unlink(place: Place, plan: UsagePlan, key_id: str) -> None:
    """Take a key out of a plan."""
    plan.keys.remove(key_id)
    rest(place).links[plan.id, key_id].set(False, place.now + place.delays.keys)


def shown(plan: UsagePlan) -> dict[str, Any]:
    """As AWS answers it [S], tags apart."""
    settings = plan.settings
    stages = [
        without_empty({"apiId": api_id, "stage": stage, "throttle": deepcopy(throttle) or None})
        for (api_id, stage), throttle in settings.stages.items()
    ]
    return without_empty(
        {
            "id": plan.id,
            "name": plan.name,
            "description": plan.description,
            "productCode": plan.product_code,
            "apiStages": stages,
            "throttle": dict(settings.throttle) or None,
            "quota": dict(settings.quota) or None,
        }
    )


def _shown_key(place: Place, key_id: str) -> dict[str, Any]:
    key = rest(place).keys[key_id]
    return {"id": key.id, "type": "API_KEY", "name": key.name, "value": key.value}


def _check(place: Place, settings: PlanSettings, plan_id: str) -> None:
    for api_id, stage in settings.stages:
        api = rest(place).apis.get(api_id) or websocket_api(place, api_id)
        if api is None or stage not in api.stages:
            raise not_found(
                f"Invalid API Stage {{api: {api_id}, stage: {stage}}} specified for usageplan {plan_id}"
            )
        if len(settings.stages[api_id, stage]) > place.quotas.method_throttles:
            raise quota(
                f"Maximum number of method throttles has been reached: {place.quotas.method_throttles}"
            )
    if any(value < 0 for value in settings.throttle.values()) or settings.quota.get("limit", 0) < 0:
        raise bad_request("Usage Plan throttle and quota must not be negative")
    if settings.quota and settings.quota.get("period") not in {"DAY", "WEEK", "MONTH"}:
        raise bad_request("Usage Plan quota period must be one of DAY, WEEK, MONTH")


def _check_keys(state: RestState, plan: UsagePlan, settings: PlanSettings) -> None:
    for other in state.plans.values():
        if other is not plan and set(other.keys) & set(plan.keys):
            _check_apart(plan.id, other.settings, settings)


def _check_apart(plan_id: str, one: PlanSettings, other: PlanSettings) -> None:
    for api_id, stage in one.stages.keys() & other.stages.keys():
        raise conflict(
            f"Usage Plan ID {plan_id} cannot be added because API Key cannot reference multiple Usage Plans with the"
            f" same API stage: {api_id}:{stage}"
        )


def _patched(plan: UsagePlan, settings: PlanSettings, names: dict[str, str], patch: Patch) -> PlanSettings:
    head = patch.parts[0]
    if patch.path == "/apiStages":
        return _patched_stage(plan, settings, patch)
    if head == "apiStages" and len(patch.parts) >= 5 and patch.parts[2] == "throttle":
        return _patched_method(settings, patch)
    if head == "throttle":
        return replace(settings, throttle=_patched_numbers(settings.throttle, patch))
    if head == "quota":
        return replace(settings, quota=_patched_numbers(settings.quota, patch))
    if patch.path in {"/name", "/description"} and patch.op == "replace":
        names[head] = patch.value
        return settings
    raise bad_request(f"Invalid patch path {patch.path}")  # such as /apiStages/api:stage [T boto3#2629]


def _patched_stage(plan: UsagePlan, settings: PlanSettings, patch: Patch) -> PlanSettings:
    """A stage that is there already is refused; the text is not verified [U]."""
    api_id, _, stage = patch.value.partition(":")
    if not api_id or not stage or patch.op not in {"add", "remove"}:
        raise bad_request("Invalid API Stage specified")
    stages = dict(settings.stages)
    if patch.op == "add":
        if (api_id, stage) in stages:
            raise conflict(f"API Stage {{api: {api_id}, stage: {stage}}} is already in usageplan {plan.id}")
        stages[api_id, stage] = {}
    elif (api_id, stage) not in stages:
        raise not_found(
            f"Invalid API Stage {{api: {api_id}, stage: {stage}}} specified for usageplan {plan.id}"
        )
    else:
        del stages[api_id, stage]
    return replace(settings, stages=stages)


def _patched_method(settings: PlanSettings, patch: Patch) -> PlanSettings:
    """`/apiStages/{api}:{stage}/throttle/{path}/{METHOD}/rateLimit` [T]."""
    api_id, _, stage = patch.parts[1].partition(":")
    if (api_id, stage) not in settings.stages:
        raise bad_request("Invalid API Stage specified")
    stages = deepcopy(settings.stages)
    methods, name = stages[api_id, stage], f"{patch.parts[3]}/{patch.parts[4]}"
    if patch.op == "remove":
        methods.pop(name, None)
    elif len(patch.parts) == 6 and patch.parts[5] in {"rateLimit", "burstLimit"}:
        value = number(patch)
        limit = methods.setdefault(name, {"rateLimit": 0.0, "burstLimit": 0})
        limit[patch.parts[5]] = int(value) if patch.parts[5] == "burstLimit" else value
    else:
        raise bad_request(f"Invalid patch path {patch.path}")
    return replace(settings, stages=stages)


def _patched_numbers(values: dict[str, Any], patch: Patch) -> dict[str, Any]:
    if len(patch.parts) == 1:
        if patch.op != "remove":
            raise bad_request(f"Invalid patch path {patch.path}")
        return {}
    name, found = patch.parts[1], dict(values)
    if name not in {"rateLimit", "burstLimit", "limit", "period", "offset"}:
        raise bad_request(f"Invalid patch path {patch.path}")
    if patch.op == "remove":
        found.pop(name, None)
    elif name == "period":
        found[name] = patch.value
    else:
        found[name] = number(patch) if name == "rateLimit" else int(number(patch))
    return found | {"offset": found.get("offset", 0)} if patch.parts[0] == "quota" else found
