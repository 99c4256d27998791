from __future__ import annotations

import pytest

from gateways.models import Gateway, Publication
from subscriptions.models import Credential
from teams.models import Team
from tests import factories


@pytest.fixture
def edge(db: None) -> Gateway:
    return factories.make_gateway()


@pytest.fixture
def runtime(db: None) -> Gateway:
    """An AI runtime."""
    return factories.make_gateway("models", Gateway.Kind.AI_RUNTIME)


@pytest.fixture
def orders(shop: Team, edge: Gateway) -> Publication:
    """The shop's API, published for production."""
    version = factories.make_version(factories.make_api(shop, "Orders"))
    return factories.make_publication(version, edge)


@pytest.fixture
def key(orders: Publication, logistics: Team) -> Credential:
    """A key of the application Route planner, on a plan of 100 calls a day."""
    terms = factories.make_plan(orders.api_version.api, quota_day=100, quota_month=1000)
    application = factories.make_application(logistics, "Route planner")
    subscription = factories.make_subscription(application, terms)
    return factories.make_credential(subscription)[0]
