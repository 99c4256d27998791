"""T13: texts of strangers (names, Markdown, specs) are shown as text, on every page, also without the CSP."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Browser, sync_playwright

from tests.security.hostile_texts import ALL, SCRIPT, Reader, hostile_spec, make_hostile_version, pages_of

type Enter = Callable[[Any], Client]


def test_no_page_turns_a_text_into_markup(shop: Any, alice: Any, client_of: Enter) -> None:
    version = make_hostile_version(shop)
    client = client_of(alice)
    for path in pages_of(version):
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert Reader(answer.content.decode()).found == [], path
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "unsafe" not in answer.headers["Content-Security-Policy"]


def test_the_reader_of_this_test_finds_what_it_looks_for() -> None:
    assert len(Reader(ALL).found) >= 5


def test_what_is_typed_wrongly_comes_back_as_text(shop: Any, alice: Any, client_of: Enter) -> None:
    version = make_hostile_version(shop)
    client = client_of(alice)
    place = [version.api.team.slug, version.api.slug]
    bad = {**hostile_spec(), "paths": {ALL: 5}, SCRIPT: 1}
    for path, fields in (
        (reverse("api-create"), {"team": shop.pk, "name": ALL, "slug": ALL, "text": json.dumps(bad)}),
        (reverse("version-spec", args=[*place, 1]), {"text": json.dumps(bad)}),
        (reverse("version-spec", args=[*place, 1]), {"text": json.dumps(hostile_spec()), "check": "1"}),
        (reverse("version-spec", args=[*place, 1]), {"text": ALL}),
        (reverse("version-upstream", args=[*place, 1]), {"name": ALL, "url_production": ALL}),
        (reverse("version-upstream", args=[*place, 1]), {"choose": "1", "upstream": ALL}),
        (reverse("plan-create", args=place), {"name": ALL, "terms": ALL, "rate_calls": ALL}),
        (reverse("api-share", args=place), {"team": ALL}),
        (reverse("version-deprecate", args=[*place, 1]), {"sunset_on": ALL, "note": ALL}),
    ):
        answer = client.post(path, fields)
        assert answer.status_code in (200, 422), path
        assert Reader(answer.content.decode()).found == [], path
    searched = client.get(reverse("catalogue"), {"q": ALL, "tag": [ALL], "team": ALL, "view": ALL})
    assert Reader(searched.content.decode()).found == []


def test_the_document_is_served_as_data(shop: Any, client_of: Enter) -> None:
    version = make_hostile_version(shop)
    answer = client_of(None).get(reverse("version-openapi", args=[shop.slug, version.api.slug, 1]))
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.fixture
def chromium(monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    # The loop of playwright runs in this thread; the test waits for it.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()
        connections.close_all()  # under a running loop Django keeps connections apart from those outside


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("policy", ["strict", "none"])
def test_nothing_runs_in_a_browser(
    policy: str, live_server: Any, shop: Any, alice: Any, client_of: Enter, chromium: Browser, settings: Any
) -> None:
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
    if policy == "none":
        settings.SECURE_CSP = {}
    session = client_of(alice).cookies[settings.SESSION_COOKIE_NAME].value
    context = chromium.new_context()
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": session, "url": live_server.url}])
    asked: list[str] = []
    context.route(
        lambda url: not url.startswith((live_server.url, "data:")), lambda route: _note(asked, route)
    )
    page = context.new_page()
    page.on("request", lambda request: "/admin/" in request.url and asked.append(request.url))
    for path in pages_of(make_hostile_version(shop)):
        page.goto(live_server.url + path)
        page.locator(".htmx-request").wait_for(state="detached")
        if "reference" in path:
            page.locator("#reference > *").first.wait_for(state="attached", timeout=90_000)
        assert page.evaluate("window.pwned") is None, path
    context.close()
    # The viewer of the reference shows images of a document; it is the policy that keeps them from being asked for.
    assert [url for url in asked if policy == "strict" or not url.endswith("track.png")] == []


def _note(asked: list[str], route: Any) -> None:
    """Something got as far as leaving for another host."""
    asked.append(route.request.url)
    route.abort()
