"""Tags of REST APIs, stages, plans and keys.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-tagging-supported-resources.html.
"""

from __future__ import annotations

import re
from typing import Any

from tests.aws.fake.place import Params, Place, operation
from tests.aws.fake.refusals import bad_request, not_found, quota
from tests.aws.fake.rest_keys import key_of
from tests.aws.fake.rest_plans import plan_of
from tests.aws.fake.rest_stages import stage_of
from tests.aws.fake.rest_state import api_of

_ARN = re.compile(r"arn:aws:apigateway:([\w-]+)::/(restapis|usageplans|apikeys)/([^/]+)(?:/stages/([^/]+))?")


@operation("apigateway", "TagResource")
def tag_resource(place: Place, params: Params) -> dict[str, Any]:
    tags = _tags(place, params["resourceArn"])
    if len({**tags, **params["tags"]}) > place.quotas.tags:
        raise quota(f"Maximum number of tags for this resource has been reached: {place.quotas.tags}")
    tags |= params["tags"]
    return {}


@operation("apigateway", "UntagResource")
def untag_resource(place: Place, params: Params) -> dict[str, Any]:
    tags = _tags(place, params["resourceArn"])
    for name in params["tagKeys"]:
        tags.pop(name, None)
    return {}


@operation("apigateway", "GetTags")
def get_tags(place: Place, params: Params) -> dict[str, Any]:
    return {"tags": dict(_tags(place, params["resourceArn"]))}


def _tags(place: Place, arn: str) -> dict[str, str]:
    found = _ARN.fullmatch(arn)
    if found is None:
        raise bad_request(f"Invalid ARN. ARN is not well formed {arn}")
    region, kind, name, stage = found.groups()
    if region != place.region:
        raise not_found("Invalid ARN specified in the request")
    if kind == "usageplans":
        return plan_of(place, name).tags
    if kind == "apikeys":
        return key_of(place, name).tags
    api = api_of(place, name)
    return stage_of(api, stage).tags if stage else api.tags
