"""The page "What is not as it should be" in Chromium: clean in both themes and on a phone, with and without scripts."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, Page

from gateways.actions import inspect_gateway
from gateways.drivers.memory import memory_gateway
from gateways.engine.document import Key, Target, Upstream, ref, value_digest
from gateways.models import Deployment, DriftFinding, Gateway, Publication
from teams.models import TeamRole, User
from tests import factories
from tests.portal.test_browser import AXE, SERIOUS, WATCH, _files_as_they_lie, chromium

__all__ = ["_files_as_they_lie", "chromium"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SHOTS = os.environ.get("GATEHOUSE_SHOTS", "")
"""A directory to leave pictures in, for whoever works on the look."""


@pytest.fixture
def drifted(
    published: Publication, edge: Gateway, push: Callable[[Gateway], Any], shop: Any, ada: User
) -> Gateway:
    """An upstream changed by hand, a cluster of unknown origin, and a key that nobody made here."""
    plan = factories.make_plan(published.api_version.api)
    subscription = factories.make_subscription(plan_revision=plan)
    push(edge)
    held = memory_gateway("edge")
    name, item = next((n, i) for n, i in held.items.items() if isinstance(i, Upstream))
    targets = (Target("http://10.1.2.3:8080/a/rather/long/path", 70), Target("http://10.1.2.4:8080", 30))
    held.items[name] = replace(item, targets=targets, timeout_ms=60_000)
    inspect_gateway(edge)
    key = Key("crd_x", "", subscription.public_id, value_digest("by hand"))
    held.items[ref(key)] = key
    _record_others(edge)
    factories.join(shop, ada, TeamRole.PUBLISHER)
    return edge


def _record_others(edge: Gateway) -> None:
    now = timezone.now()
    rows = (
        ("key", "a key that was not made here", "ghost", True, []),
        ("cluster", "by-hand", "foreign", False, [["by-hand", "", "added"]]),
        (
            "file",
            "rds-8080.json",
            "changed",
            False,
            [["writing", "", "by another hand, with the same meaning"]],
        ),
    )
    for kind, label, sort, urgent, fields in rows:
        DriftFinding.objects.create(
            gateway=edge,
            node="node-1",
            kind=kind,
            object_id=label,
            label=label,
            sort=sort,
            urgent=urgent,
            digest=kind,
            difference={"fields": fields},
            first_seen=now - timedelta(hours=3),
            last_seen=now,
        )


def entered(browser: Browser, user: User, url: str, **context: Any) -> Page:
    client = Client()
    client.force_login(user)
    cookie = {
        "name": settings.SESSION_COOKIE_NAME,
        "value": client.cookies[settings.SESSION_COOKIE_NAME].value,
    }
    inside = browser.new_context(**context)
    inside.add_cookies([{**cookie, "url": url}])  # type: ignore[typeddict-item]
    page = inside.new_page()
    page.add_init_script(WATCH)
    page.goto(url)
    page.wait_for_load_state("load")
    return page


def test_the_page_is_clean_in_both_themes_and_on_a_phone(
    live_server: Any, chromium: Browser, drifted: Gateway, ada: User
) -> None:
    for scheme, width in (("light", 1320), ("dark", 1320), ("light", 390)):
        for name, path in (("list", "/drift/"), ("empty", "/drift/?show=ignored")):
            size = {"width": width, "height": 900}
            page = entered(chromium, ada, live_server.url + path, color_scheme=scheme, viewport=size)
            if SHOTS:
                page.screenshot(path=Path(SHOTS) / f"drift-{name}-{scheme}-{width}.png", full_page=True)
            assert page.evaluate("reports") == []
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"sideways at {width}"
            page.evaluate(AXE)
            assert page.evaluate(SERIOUS) == [], f"{scheme}, {width}"
            page.context.close()


def test_a_finding_is_ignored_in_its_place_and_one_is_overwritten(
    live_server: Any, chromium: Browser, drifted: Gateway, ada: User
) -> None:
    page = entered(chromium, ada, live_server.url + "/drift/")
    row = page.locator("li", has=page.get_by_role("link", name="by-hand")).last
    row.get_by_text("Ignore…").click()
    row.get_by_label("Why it may stay").fill("The other team tries something.")
    row.get_by_role("button", name="Ignore it").click()
    row.get_by_text("The other team tries something.").first.wait_for()
    assert page.url.endswith("/drift/"), "the page has stayed"
    assert DriftFinding.objects.get(label="by-hand").state == "ignored"
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / "drift-ignored-row.png", full_page=True)
    page.context.close()


def test_the_forms_work_without_scripts(
    live_server: Any, chromium: Browser, drifted: Gateway, ada: User
) -> None:
    page = entered(chromium, ada, live_server.url + "/drift/", java_script_enabled=False)
    row = page.locator("li", has=page.get_by_role("link", name="by-hand")).last
    row.get_by_text("Ignore…").click()
    row.get_by_label("Why it may stay").fill("The other team tries something.")
    row.get_by_role("button", name="Ignore it").click()
    page.get_by_text("Ignored until something else is there: by-hand.").wait_for()
    page.locator("li").get_by_role("button", name="Overwrite").last.click()
    page.wait_for_url("**/deployments/**")
    assert Deployment.objects.filter(state="queued", forced=True).count() == 1
    page.context.close()
