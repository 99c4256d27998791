"""The pages that this app owns, in Chromium: strict policy, no console error, axe, both themes, phone width."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.urls import path
from playwright.sync_api import Browser, Page, sync_playwright

from portal import style, urls

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

AXE = (Path(__file__).resolve().parents[1] / "vendor" / "axe-core" / "axe.min.js").read_text()
WATCH = """window.reports = [];
document.addEventListener("securitypolicyviolation", (event) => reports.push(event.violatedDirective));"""
SERIOUS = """axe.run().then((found) => found.violations
    .filter((rule) => ["serious", "critical"].includes(rule.impact))
    .map((rule) => rule.id + ": " + rule.nodes[0].target))"""
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
PAGES = ["/style/", "/accounts/login/", "/accounts/signup/", "/accounts/password/reset/", "/nowhere/"]
urlpatterns = [path("style/", style.style, name="style"), *urls.urlpatterns]
handler404 = urls.handler404


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = (
        "true"  # playwright's loop runs in this thread; the test waits for it
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(autouse=True)
def _files_as_they_lie(settings: Any) -> None:
    """The test server hands out files by their plain names, without collectstatic."""
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}


@pytest.fixture
def said() -> list[str]:
    """What the browser complained about, and every request to another host."""
    return []


def opened(browser: Browser, said: list[str], url: str, **context: Any) -> Page:
    """A page at `url` whose complaints go to `said`. An expected 404 of the page itself is no complaint."""
    page = browser.new_context(**context).new_page()
    page.add_init_script(WATCH)
    page.on("console", lambda message: message.type == "error" and said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    host = urlsplit(url).netloc
    page.on(
        "request",
        lambda request: said.append(request.url) if urlsplit(request.url).netloc not in (host, "") else None,
    )
    page.goto(url)
    page.wait_for_load_state("networkidle")
    return page


@pytest.mark.urls("tests.portal.test_browser")
@pytest.mark.parametrize("address", PAGES)
def test_a_page_is_clean_in_both_themes_and_on_a_phone(
    live_server: Any, chromium: Browser, said: list[str], address: str
) -> None:
    for scheme, width in (("light", 1320), ("dark", 1320), ("light", 390), ("dark", 390)):
        size = {"width": width, "height": 900}
        page = opened(chromium, said, live_server.url + address, color_scheme=scheme, viewport=size)
        assert [line for line in said if "404 (Not Found)" not in line or address != "/nowhere/"] == []
        assert page.evaluate("reports") == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (
            f"scrolls sideways at {width}"
        )
        page.evaluate(AXE)
        assert page.evaluate(SERIOUS) == [], f"{scheme}, {width}"
        page.context.close()


@pytest.mark.urls("tests.portal.test_browser")
def test_keys_dialogs_copies_and_theme_work_by_keyboard(
    live_server: Any, chromium: Browser, said: list[str]
) -> None:
    page = opened(
        chromium, said, live_server.url + "/style/", permissions=["clipboard-read", "clipboard-write"]
    )
    page.keyboard.press("?")
    assert page.locator("#keys").is_visible()
    page.keyboard.press("Escape")

    page.locator("[data-dialog=revoke]").focus()
    page.keyboard.press("Enter")
    assert page.locator("#revoke").is_visible()
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.dataset.dialog") == "revoke", "the focus goes back"

    page.get_by_role("button", name="Copy key").press("Enter")
    page.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()").startswith("ghp7k2m9x4q")

    page.locator("[data-set-theme=dark]").click()
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark", "the server renders the choice"

    page.get_by_role("tab", name="Python").press("Enter")
    page.reload()
    assert page.get_by_role("tab", name="Python").get_attribute("aria-selected") == "true"
    assert said == []
