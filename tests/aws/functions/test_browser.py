"""Pages of functions in Chromium: the slider moves with its field, all is read well, in the dark and on phones too."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as live_settings
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from aws.models import AwsAccount, LambdaFunction
from teams.models import Team, User
from tests.aws.factories import make_alias, make_function, make_push, make_version
from tests.portal.test_browser import AXE, SERIOUS, WATCH, _files_as_they_lie, chromium

__all__ = ["_files_as_they_lie", "chromium"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SHOTS = os.environ.get("GATEHOUSE_SHOTS", "")
"""A directory to leave pictures in, for whoever works on the look."""


@pytest.fixture
def function(shop: Team, cloud: AwsAccount) -> LambdaFunction:
    """With two versions that share an alias, a warning, a trigger, and a push that failed."""
    function = make_function(
        shop,
        cloud,
        runtime="python3.10",
        environment_names=["DATABASE", "LOG_LEVEL"],
        tags={"cost": "shop"},
        on_failure_arn="arn:aws:sqs:eu-central-1:111122223333:gatehouse-failed",
        seen={
            "open_policies": [{"qualifier": "live", "sid": "open", "why": "service"}],
            "triggers": [
                {
                    "source": "arn:aws:sqs:eu-central-1:111122223333:orders",
                    "target": "arn:aws:lambda:eu-central-1:111122223333:function:gatehouse-shop-orders:live",
                    "state": "Enabled",
                    "batch": 10,
                }
            ],
        },
    )
    one = make_version(function, 1, note="First that works")
    two = make_version(function, 2, note="Reads orders from the new table")
    make_alias(one, second=two, weight=10)
    make_alias(two, "beta", provisioned=5, previous=one)
    push = make_push(function, "failed", message="AWS denies lambda:UpdateAlias (UpdateAlias).")
    push.steps.create(
        position=2,
        name="set_alias",
        operation="lambda:UpdateAlias",
        detail="live on 1, 10% on 2",
        state="failed",
        started_at=timezone.now() - timedelta(seconds=1),
        finished_at=timezone.now(),
    )
    return function


@pytest.fixture
def page(live_server: Any, chromium: Browser, alice: User) -> Any:
    """A page on which Alice is signed in; what the browser complains about fails the test."""
    client = Client()
    client.force_login(alice)
    session = client.cookies[live_settings.SESSION_COOKIE_NAME]
    context = chromium.new_context(base_url=live_server.url, viewport={"width": 1320, "height": 900})
    context.set_default_timeout(15_000)
    context.add_cookies([{"name": session.key, "value": session.value, "url": live_server.url}])
    found = context.new_page()
    found.add_init_script(WATCH)
    complaints: list[str] = []
    found.on("console", lambda message: message.type == "error" and complaints.append(message.text))
    found.on("pageerror", lambda error: complaints.append(str(error)))
    yield found
    context.close()
    assert complaints == []


def check(page: Page, name: str) -> None:
    """Nothing serious for people who see or hear it otherwise, in light and dark, and as narrow as a phone."""
    page.evaluate(AXE)
    for scheme, width in (("light", 1320), ("dark", 1320), ("light", 390)):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_timeout(300)
        if SHOTS:
            page.screenshot(path=Path(SHOTS) / f"{name}-{scheme}-{width}.png", full_page=True)
        assert page.evaluate("reports") == [], name
        assert page.evaluate(SERIOUS) == [], f"{name}, {scheme}, {width}"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} at {width}"
    page.emulate_media(color_scheme="light")
    page.set_viewport_size({"width": 1320, "height": 900})


def test_pages_read_well_everywhere(page: Page, function: LambdaFunction) -> None:
    one = f"/aws/functions/{function.public_id}/"
    push = function.pushes.order_by("-pk")[0]
    for name, path in (
        ("functions", "/aws/functions/"),
        ("function-new", "/aws/functions/new/"),
        ("function", one),
        ("function-edit", f"{one}edit/"),
        ("function-alias", f"{one}aliases/live/"),
        ("function-push", f"{one}pushes/{push.public_id}/"),
        ("function-adopt", "/aws/functions/adopt/"),
    ):
        page.goto(path)
        check(page, name)


def test_the_slider_moves_with_its_field(page: Page, function: LambdaFunction) -> None:
    page.goto(f"/aws/functions/{function.public_id}/aliases/live/")
    slider, field = page.locator("input.slider"), page.locator("#id_weight")
    expect(slider).to_have_value("10")
    field.fill("35")
    expect(slider).to_have_value("35")
    slider.fill("60")
    expect(field).to_have_value("60")
    page.get_by_role("button", name="Save").first.click()
    expect(page.get_by_role("heading", name="Orders", exact=True)).to_be_visible()
    assert function.aliases.get(name="live").weight == 60
