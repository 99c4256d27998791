"""T13: texts of strangers (names, Markdown, specs) are shown as text, on every page, also without the CSP."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.db import IntegrityError, connections, models, transaction
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Browser, sync_playwright

from audit.models import AuditEvent
from tests.security.hostile_texts import ALL, SCRIPT, Reader, hostile_spec, make_hostile_version, pages_of
from tests.security.pages import Page, every_page
from tests.security.walker import Walker
from tests.security.world import Role, make_world

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


# ---- every text of every model, on every page ----

NOT_TYPED = frozenset({
    "action", "actor_id", "agent_url", "cause", "currency", "decided_by_id", "digest", "email", "fingerprint",
    "hash", "host", "key", "key_id", "kind", "lease_owner", "method", "node", "object_id", "openapi", "operation",
    "password", "path", "path_prefix", "prefix", "public_id", "public_url", "pushed_digest", "pushed_setup",
    "request_id", "requested_by_id", "rung_by", "segment", "slug", "target_id", "target_kind", "team_id",
    "text", "token_id", "url", "value_digest"
})  # fmt: skip
"""Columns that we make ourselves, or whose form is checked to hold no such text: ids, short names, addresses.
The texts inside of documents are those of hostile_spec."""


OF_STRANGERS = ("pwned", "/admin/approve", "javascript:", "<script {}>")


def poison() -> int:
    """Put hostile text into every column that people type into, beside whatever checks their forms have."""
    written = 0
    for label in ("audit", "teams", "apis", "subscriptions", "gateways"):
        for model in apps.get_app_config(label).get_models():
            for field in model._meta.concrete_fields:
                typed = isinstance(field, models.CharField | models.TextField) and not field.choices
                if not typed or field.name in NOT_TYPED or model is AuditEvent:
                    continue
                for row in model._default_manager.values_list("pk", flat=True):
                    # A name may be unique in its team: the number keeps it so.
                    text = f"{row}{ALL}"[: field.max_length or 20_000]
                    with suppress(IntegrityError), transaction.atomic():
                        written += model._default_manager.filter(pk=row).update(**{field.name: text})
    return written


def test_no_page_of_any_app_turns_a_text_into_markup(walker: Walker) -> None:
    pages = every_page(walker)
    assert poison() > 60
    assert len(pages) > 90
    found = {}
    for page in pages:
        client = Client()
        if page.role.has_session:
            client.cookies[settings.SESSION_COOKIE_NAME] = walker.sessions[page.role.name]
        answer = client.get(page.url)
        assert answer.status_code == 200, page
        hostile = Reader(answer.content.decode()).found
        if page.url.startswith(("/admin/", "/accounts/")):  # libraries have scripts and pictures of their own
            hostile = [one for one in hostile if any(word in one for word in OF_STRANGERS)]
        if hostile:
            found[page.name] = hostile
    assert found == {}


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
    policy: str, live_server: Any, shop: Any, alice: Any, chromium: Browser, settings: Any
) -> None:
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
    if policy == "none":
        settings.SECURE_CSP = {}
    walker = Walker(make_world())
    pages = every_page(walker)
    poison()
    owner = Role("alice", alice)
    walker.sign_in(owner)
    pages += [Page(path, path, owner) for path in pages_of(make_hostile_version(shop))]
    asked: list[str] = []
    for role, own in itertools.groupby(
        sorted(pages, key=lambda page: page.role.name), lambda page: page.role
    ):
        context = chromium.new_context()
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
        context.route(
            lambda url: not url.startswith((live_server.url, "data:")), lambda route: _note(asked, route)
        )
        page = context.new_page()
        page.on("request", lambda request: "/admin/approve" in request.url and asked.append(request.url))
        for one in own:
            page.goto(live_server.url + one.url)
            page.locator(".htmx-request").first.wait_for(state="detached")
            if "/reference/" in one.url:
                page.locator("#reference > *").first.wait_for(state="attached", timeout=90_000)
            assert page.evaluate("window.pwned") is None, one
        context.close()
    # The viewer of the reference shows images of a document; it is the policy that keeps them from being asked for.
    assert [url for url in asked if policy == "strict" or not url.endswith("track.png")] == []


def _note(asked: list[str], route: Any) -> None:
    """Something got as far as leaving for another host."""
    asked.append(route.request.url)
    route.abort()
