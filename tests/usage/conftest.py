from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as configured
from django.test import Client
from playwright.sync_api import Page, sync_playwright

from apis.actions import create_ai_upstream
from gateways.models import Gateway, Publication
from subscriptions.models import Credential
from teams.models import SYSTEM, Team, User
from tests import factories
from tests.ai import factories as ai_factories

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


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


@pytest.fixture
def translate(shop: Team, edge: Gateway) -> Publication:
    """A prompt of the shop that is published as an API for production; what it is asked is not kept."""
    version_of_prompt = ai_factories.make_prompt_version(ai_factories.make_prompt(shop, "Translate"))
    ai_factories.make_label(version_of_prompt)
    version = factories.make_version(factories.make_api(shop, "Translate"))
    version.upstream = create_ai_upstream(
        actor=SYSTEM,
        team=shop,
        name="translate",
        prompt=version_of_prompt.prompt,
        labels={factories.make_environment(): "production"},
    )
    version.save()
    return factories.make_publication(version, edge)


@pytest.fixture
def ai_key(translate: Publication, logistics: Team) -> Credential:
    """A key of the application Tour guide for that API."""
    terms = factories.make_plan(translate.api_version.api, "Gold")
    subscription = factories.make_subscription(factories.make_application(logistics, "Tour guide"), terms)
    return factories.make_credential(subscription)[0]


@pytest.fixture
def page(settings: Any, live_server: Any, alice: User) -> Iterator[Page]:
    """A browser in which alice is signed in."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
    client = Client()
    client.force_login(alice)
    name = configured.SESSION_COOKIE_NAME
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        context = browser.new_context()
        context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": live_server.url}])
        yield context.new_page()
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]
