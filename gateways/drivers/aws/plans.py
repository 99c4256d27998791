"""Usage plans: one for each plan revision on each publication, so that a key of one version opens no other.

A usage plan holds one stage alone: a key in a plan reaches all its stages. Its numbers never change, because a plan
revision's do not. https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-usage-plans.html
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from aws.client.errors import Missing
from gateways.drivers.aws.kinds import is_rest
from gateways.drivers.aws.work import PLANS, STAGES, Work
from gateways.engine.document import Document, Grant, Kind, Limit, Ref, Route

FASTEST = 10_000
"""Calls a second: https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html."""


class Tier(NamedTuple):
    """What a usage plan stands for: ids of a Limit and of a Route."""

    limit: str
    route: str

    @property
    def name(self) -> str:
        """As a resource."""
        return f"{self.limit}/{self.route}"


def tiers_of(document: Document, grant: Grant) -> list[Tier]:
    """The usage plans in which the keys of a subscription are. APIs of other types than REST have none."""
    return [Tier(grant.limit, route) for route in grant.routes if is_rest(document, route)]


def tiers(document: Document) -> dict[str, Tier]:
    """All usage plans of a document, by the names of their resources."""
    return {tier.name: tier for grant in document.of_kind(Grant) for tier in tiers_of(document, grant)}


def plan_id(work: Work, tier: Tier) -> str:
    """At AWS; empty while there is none, and for one that is about to go."""
    known = work.resource(PLANS, tier.name)
    return "" if known.get("leaving") else str(known.get("id", ""))


def make(work: Work, tier: Tier) -> None:
    """Make the usage plan of `tier`, whose stage is there. Raises AwsError."""
    if work.resource(PLANS, tier.name).get("leaving"):
        remove(work, tier.name)
    limit = work.desired.items.get(Ref(Kind.LIMIT, tier.limit))
    route = work.desired.items[Ref(Kind.ROUTE, tier.route)]
    assert isinstance(route, Route)  # noqa: S101 - named by its kind
    terms = limit.label if isinstance(limit, Limit) else "unlimited"
    label = f"{terms} {route.label} {route.environment}"
    name = work.names.plan(label, f"{tier.limit}-{tier.route}")
    stage = work.resource(STAGES, tier.route)

    def create() -> str:
        throttle: dict[str, Any] = {"throttle": throttle_of(limit)} if isinstance(limit, Limit) else {}
        stages = [{"apiId": stage["api"], "stage": stage["stage"]}]
        tags = work.names.tags(tier.name)
        made = work.call("CreateUsagePlan", name=name, apiStages=stages, tags=tags, **throttle)
        return str(made["id"])

    work.made_once(PLANS, tier.name, name, partial(_named, work), create)


def throttle_of(limit: Limit) -> dict[str, float | int]:
    """A token bucket again: a rate a second, which may be a fraction, and a burst."""
    return {"rateLimit": min(FASTEST, limit.calls / limit.period_s), "burstLimit": limit.burst}


def _named(work: Work, name: str) -> str:
    """Lists of plans tell no tags."""
    found = work.calls.pages("apigateway", "GetUsagePlans", "items")
    return next((str(plan["id"]) for plan in found if plan["name"] == name), "")


def of_stage(work: Work, publication: str) -> list[str]:
    """The names of the usage plans that hold a stage, which AWS does not delete as long as one does."""
    return [name for name in work.holdings.resources(PLANS) if name.partition("/")[2] == publication]


def remove(work: Work, name: str) -> None:
    """Take a usage plan away; its stage has to leave it first. Raises AwsError."""
    plan = work.id_of(PLANS, name, partial(_named, work))
    if plan:
        work.keep(PLANS, name, {**work.resource(PLANS, name), "id": plan, "leaving": True})
        if not work.resource(PLANS, name).get("empty"):
            _detach(work, name, plan)
        with suppress(Missing):
            work.call("DeleteUsagePlan", usagePlanId=plan)
    work.holdings.drop(PLANS, [name])


def _detach(work: Work, name: str, plan: str) -> None:
    """All in one call: AWS takes one UpdateUsagePlan in twenty seconds."""
    stage = work.resource(STAGES, name.partition("/")[2])
    patch = [{"op": "remove", "path": "/apiStages", "value": f"{stage['api']}:{stage['stage']}"}]
    with suppress(Missing):
        work.call("UpdateUsagePlan", usagePlanId=plan, patchOperations=patch)
    work.keep(PLANS, name, {**work.resource(PLANS, name), "empty": True})
