"""API keys: one by one and in bulk.

https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-key-source.html,
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-key-file-format.html; texts [S] apigateway.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import Any

from tests.aws.fake.patches import only, patches, without_empty
from tests.aws.fake.place import Params, Place, operation, page
from tests.aws.fake.refusals import Refused, bad_request, conflict, not_found, quota
from tests.aws.fake.rest_plans import link, unlink
from tests.aws.fake.rest_state import ApiKey, rest
from tests.aws.fake.timeline import Timeline

_PATHS = ("/description", "/enabled", "/name", "/customerId")


@operation("apigateway", "CreateApiKey")
def create_api_key(place: Place, params: Params) -> dict[str, Any]:
    """Disabled unless said otherwise [X]."""
    key = _new(
        place, params.get("name", ""), params.get("value", ""), is_enabled=params.get("enabled", False)
    )
    key.description = params.get("description", "")
    key.customer_id = params.get("customerId", "")
    key.tags = dict(params.get("tags") or {})
    return shown(key, with_value=True)


@operation("apigateway", "GetApiKey")
def get_api_key(place: Place, params: Params) -> dict[str, Any]:
    return shown(key_of(place, params["apiKey"]), with_value=params.get("includeValue", False)) | {
        "tags": dict(key_of(place, params["apiKey"]).tags)
    }


@operation("apigateway", "GetApiKeys")
def get_api_keys(place: Place, params: Params) -> dict[str, Any]:
    """By the beginning of the name. Whether lists tell tags is not verified: here they do not [U]."""
    begins, customer = params.get("nameQuery", ""), params.get("customerId")
    keys = [
        key
        for key in rest(place).keys.values()
        if key.seen_at <= place.now and key.name.startswith(begins) and customer in {None, key.customer_id}
    ]
    found, position = page(keys, params)
    items = [shown(key, with_value=params.get("includeValues", False)) for key in found]
    return without_empty({"items": items, "position": position})


@operation("apigateway", "UpdateApiKey")
def update_api_key(place: Place, params: Params) -> dict[str, Any]:
    key = key_of(place, params["apiKey"])
    for patch in patches(params):
        only(patch, ("replace",), _PATHS)
        if patch.path == "/enabled":
            _enable(place, key, is_enabled=patch.is_true)
        else:
            names = {"/name": "name", "/description": "description", "/customerId": "customer_id"}
            setattr(key, names[patch.path], patch.value)
    key.updated = place.date
    return shown(key) | {"tags": dict(key.tags)}


@operation("apigateway", "DeleteApiKey")
def delete_api_key(place: Place, params: Params) -> dict[str, Any]:
    key = key_of(place, params["apiKey"])
    for plan in rest(place).plans.values():
        if key.id in plan.keys:
            unlink(place, plan, key.id)
    _enable(place, key, is_enabled=False)
    del rest(place).keys[key.id]
    del rest(place).values[key.value]
    return {}


@operation("apigateway", "ImportApiKeys")
def import_api_keys(place: Place, params: Params) -> dict[str, Any]:
    """The same key again overwrites what is there; enabled unless the row says otherwise [D api-key-file-format].

    What is wrong with a row is a warning, and with `failOnWarnings` nothing is taken; that a value is too short or a
    quota full is an error. How AWS tells these apart is not verified [U].
    """
    rows = [*_rows(params["body"])]
    warnings = [said for row in rows for said in _unknown_plans(place, row)]
    if warnings and params.get("failOnWarnings"):
        raise bad_request(f"Warnings found during import: {'; '.join(warnings)}")
    new = {row.value for row in rows} - rest(place).values.keys()
    _check_quota(place, len(new))
    for row in rows:
        _check_value(row.value)
    ids = []
    for row in rows:
        key = _imported_key(place, row)
        key.name, key.description, key.updated = row.name, row.description, place.date
        _enable(place, key, is_enabled=row.is_enabled)
        warnings += _linked(place, key, row.plans)
        ids.append(key.id)
    return {"ids": ids, "warnings": warnings}


def key_of(place: Place, key_id: str) -> ApiKey:
    """Raises NotFoundException."""
    if key_id not in rest(place).keys:
        raise not_found("Invalid API Key identifier specified")
    return rest(place).keys[key_id]


def shown(key: ApiKey, *, with_value: bool = False) -> dict[str, Any]:
    """As AWS answers it [S] test_api_key_required_for_methods."""
    found = without_empty(
        {
            "id": key.id,
            "name": key.name,
            "description": key.description,
            "customerId": key.customer_id,
            "enabled": key.enabled,
            "createdDate": key.created,
            "lastUpdatedDate": key.updated,
        }
    )
    return found | {"stageKeys": []} | ({"value": key.value} if with_value else {})


def _new(place: Place, name: str, value: str, *, is_enabled: bool) -> ApiKey:
    value = value or place.new_id(40)
    if len(name) > 1024:
        raise bad_request("Invalid API Key name, can be at most 1024 characters.")
    _check_value(value)
    if value in rest(place).values:
        raise conflict("API Key already exists")
    _check_quota(place, 1)
    now = place.date
    seen_at = place.now + place.delays.lists
    key = ApiKey(place.new_id(), name, value, now, now, seen_at, is_enabled, Timeline(first=False))
    rest(place).keys[key.id] = key
    rest(place).values[value] = key.id
    _enable(place, key, is_enabled=is_enabled)
    return key


def _enable(place: Place, key: ApiKey, *, is_enabled: bool) -> None:
    key.enabled = is_enabled
    key.in_effect.set(is_enabled, place.now + place.delays.keys)


def _check_value(value: str) -> None:
    if len(value) < 20:
        raise bad_request("API Key value should be at least 20 characters")
    if len(value) > 128:
        raise bad_request("API Key value exceeds maximum size of 128 characters")


def _check_quota(place: Place, more: int) -> None:
    if len(rest(place).keys) + more > place.quotas.api_keys:
        raise quota(f"Maximum number of API keys for this account has been reached: {place.quotas.api_keys}")


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    value: str
    description: str
    is_enabled: bool
    plans: tuple[str, ...]


def _rows(body: bytes) -> list[_Row]:
    reader = csv.DictReader(io.StringIO(body.decode()))
    names = {name.strip().lower() for name in reader.fieldnames or ()}
    if not {"name", "key"} <= names:
        raise bad_request("Invalid API Keys input: the header must hold Name and Key")
    found = []
    for told in reader:
        row = {name.strip().lower(): (value or "").strip() for name, value in told.items() if name}
        plans = tuple(one.strip() for one in row.get("usageplanids", "").split(",") if one.strip())
        is_enabled = row.get("enabled", "").lower() != "false"
        found.append(_Row(row["name"], row["key"], row.get("description", ""), is_enabled, plans))
    return found


def _imported_key(place: Place, row: _Row) -> ApiKey:
    if row.value in rest(place).values:
        return key_of(place, rest(place).values[row.value])
    return _new(place, row.name, row.value, is_enabled=row.is_enabled)


def _unknown_plans(place: Place, row: _Row) -> list[str]:
    return [
        f"Usage plan {plan} of key {row.name} does not exist"
        for plan in row.plans
        if plan not in rest(place).plans
    ]


def _linked(place: Place, key: ApiKey, plans: tuple[str, ...]) -> list[str]:
    said = []
    for plan_id in plans:
        plan = rest(place).plans.get(plan_id)
        if plan is None or key.id in plan.keys:
            continue
        try:
            link(place, plan, key.id)
        except Refused as refused:
            said.append(refused.message)
    return said
