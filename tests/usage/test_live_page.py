"""The live page, in Chromium: new numbers arrive under the reader, who loses neither place nor focus."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as configured
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, sync_playwright

from gateways.models import Gateway, Publication
from subscriptions.models import Credential
from teams.models import User
from tests.usage.feeds import line
from usage.actions import ingest_batch

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


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


def test_an_open_table_stays_open_and_keeps_the_focus_while_calls_arrive(
    live_server: Any, page: Page, edge: Gateway, orders: Publication, key: Credential
) -> None:
    ingest_batch(edge, node="n1", segment="s1", offset=0, body=line(orders, key))
    api = orders.api_version.api
    page.goto(live_server.url + reverse("usage-api", args=[api.team.slug, api.slug]))
    page.locator("#calls-show").press("Enter")
    assert page.locator("#calls-data").get_attribute("open") is not None
    page.evaluate("document.getElementById('figures').dataset.old = 'yes'")
    ingest_batch(edge, node="n1", segment="s2", offset=0, body=line(orders, key) * 6)
    page.locator("#figures:not([data-old]) .value", has_text="7").first.wait_for()
    assert page.locator("#calls-data").get_attribute("open") is not None
    assert page.evaluate("document.activeElement.id") == "calls-show"
    assert page.locator("#latency-data").get_attribute("open") is None
