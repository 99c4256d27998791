"""The live page, in Chromium: new numbers arrive under the reader, who loses neither place nor focus."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page

from gateways.models import Gateway, Publication
from subscriptions.models import Credential
from tests.usage.feeds import line
from usage.actions import ingest_batch

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


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
