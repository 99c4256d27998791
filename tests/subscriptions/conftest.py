"""What the tests start from: an API of Shop with a manual and an automatic plan, an application of Logistics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from apis.models import ApiVersion, Environment, PlanRevision
from subscriptions.models import AccessRequest, Application
from teams.models import Actor, Team, User
from teams.queries import actor_of_user
from tests import factories


@dataclass
class World:
    """One API on offer and one application that may ask for it."""

    version: ApiVersion
    gold: PlanRevision
    bronze: PlanRevision
    application: Application
    production: Environment
    sandbox: Environment


@pytest.fixture
def world(shop: Team, logistics: Team, alice: User, dana: User) -> World:
    version = factories.make_version(factories.make_api(shop, "Orders"))
    return World(
        version=version,
        gold=factories.make_plan(version.api, "Gold", rate_calls=200, burst=400, quota_month=2_000_000),
        bronze=factories.make_plan(version.api, "Bronze", approval=PlanRevision.Approval.AUTOMATIC),
        application=factories.make_application(logistics, "Route planner"),
        production=factories.make_environment("production"),
        sandbox=factories.make_environment("sandbox"),
    )


@pytest.fixture
def waiting(world: World, dana: User) -> AccessRequest:
    """Dana asked for Gold in production."""
    return factories.make_request(world.application, world.gold, by=dana)


@pytest.fixture
def acting() -> Callable[[User], Actor]:
    return actor_of_user
