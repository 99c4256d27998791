"""Every page there is, found in the URL conf, with everything on it and as somebody who may see it, in Chromium:
strict policy, no console error, axe, no sideways scrolling on a phone.

`make screenshots` (SCREENSHOTS=directory) takes pictures in light, dark and phone width, and lets axe look at each.
"""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from playwright.sync_api import Browser, sync_playwright
from playwright.sync_api import Page as Tab
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.security.pages import Page, every_page, refusals
from tests.security.walker import Walker
from tests.security.world import make_world

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

AXE = (Path(__file__).resolve().parents[1] / "vendor" / "axe-core" / "axe.min.js").read_text()
WATCH = """window.reports = [];
document.addEventListener("securitypolicyviolation", (event) => reports.push(event.violatedDirective));"""
SERIOUS = """axe.run({exclude: [["#reference"]]}).then((found) => found.violations
    .filter((rule) => ["serious", "critical"].includes(rule.impact))
    .map((rule) => rule.id + ": " + rule.nodes[0].target))"""
SETTLED = """new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))
    .then(() => Promise.allSettled(document.getAnimations()
    .filter((one) => one.effect.getComputedTiming().iterations !== Infinity).map((one) => one.finished)))"""
"""Colours fade when the theme changes, which begins with the next picture; axe must not look at them half-way."""
GROUND = "getComputedStyle(document.body).backgroundColor"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
HEIGHT, DESK, PHONE = 900, 1320, 390
PATIENCE_MS = 5_000
PICTURES = os.environ.get("SCREENSHOTS", "")
OPERATORS = re.compile(r"^/admin/")
"""Django's own site has its own looks; ours are not asked of it, and it is for operators at a desk."""


@pytest.fixture
def chromium(monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    # The loop of playwright runs in this thread; the test waits for it.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        yield browser
        browser.close()
        connections.close_all()  # under a running loop Django keeps connections apart from those outside


@pytest.mark.timeout(900)
def test_every_page_has_been_looked_at(live_server: Any, chromium: Browser, settings: Any) -> None:
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
    walker = Walker(make_world())
    pages = [one for one in every_page(walker) if one.whole and not OPERATORS.match(one.url)] + refusals(
        walker
    )
    looked, wrong = 0, []
    by_role = sorted(pages, key=lambda page: page.role.name)
    for role, own in itertools.groupby(by_role, lambda page: page.role):
        context = chromium.new_context(viewport={"width": DESK, "height": HEIGHT})
        if role.has_session:
            context.add_cookies(
                [
                    {
                        "name": settings.SESSION_COOKIE_NAME,
                        "value": walker.sessions[role.name],
                        "url": live_server.url,
                    }
                ]
            )
        tab = context.new_page()
        tab.add_init_script(WATCH)
        said: list[str] = []
        tab.on("console", lambda message, said=said: message.type == "error" and said.append(message.text))
        tab.on("pageerror", lambda error, said=said: said.append(str(error)))
        for page in own:
            said.clear()
            wrong += [
                f"{page.name} as {page.role}: {words}" for words in look(tab, live_server.url, page, said)
            ]
            looked += 1
        context.close()
    assert wrong == [], f"{len(wrong)} wrong:\n" + "\n".join(wrong)
    assert looked == len(pages) > 80


def follows_the_system(tab: Tab) -> bool:
    """Whether a page that is open takes on the theme when that changes."""
    tab.emulate_media(color_scheme="light")
    light = tab.evaluate(f"{SETTLED}.then(() => {GROUND})")
    tab.emulate_media(color_scheme="dark")
    try:
        tab.wait_for_function(f"light => {GROUND} !== light", arg=light, timeout=PATIENCE_MS)
    except PlaywrightTimeout:
        return False
    return True


def look(tab: Tab, base: str, page: Page, said: list[str]) -> Iterator[str]:
    """Everything that is wrong with one page."""
    tab.emulate_media(color_scheme="light")
    tab.set_viewport_size({"width": DESK, "height": HEIGHT})
    answer = tab.goto(base + page.url)
    tab.wait_for_load_state("networkidle")
    if answer is None or answer.status != page.status:
        yield f"answered {answer.status if answer else 'nothing'}"
    own = f"status of {page.status} "
    yield from [words for words in said if page.status == 200 or own not in words]
    yield from tab.evaluate("reports")
    tab.evaluate(AXE)
    if not follows_the_system(tab):
        yield "stays light when the system turns dark"
    schemes = (
        [("light", DESK), ("dark", DESK), ("light", PHONE)]
        if PICTURES
        else [("light", DESK), ("light", PHONE)]
    )
    for scheme, width in schemes:
        tab.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        tab.set_viewport_size({"width": width, "height": HEIGHT})
        tab.evaluate(SETTLED)
        if not tab.evaluate("document.documentElement.scrollWidth <= innerWidth"):
            yield f"scrolls sideways at {width}"
        if PICTURES or width == DESK:
            yield from [f"{words} ({scheme}, {width})" for words in tab.evaluate(SERIOUS)]
        if PICTURES:
            path = Path(PICTURES) / "pages" / f"{page.name}-{scheme}-{width}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            tab.screenshot(path=path, full_page=True)
