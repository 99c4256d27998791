"""T25: no change without our own form, and none by reading. T27: nothing of ours is framed or stored."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.core.cache import cache
from django.db import models
from django.http import HttpResponse
from django.test import Client

from teams.access import AGENT
from teams.access.rules import MONITOR
from tests.security.pages import able
from tests.security.routes import all_routes
from tests.security.rows import rows_of, writes, written_since
from tests.security.walker import Walker

ROUTES = [route for route in all_routes() if route.rule not in (AGENT, MONITOR)]
UNSAFE = [route for route in ROUTES if route.is_write and not route.is_rest]
READS = [route for route in ROUTES if not route.is_write]
TOUCHED = ("last_login", "row_version", "updated_at", "last_used_at", "last_seen_at")
"""What reading may note: when somebody was last there."""
NOTED = ("Session", "UserSession")
"""Rows in which a library keeps where somebody is in signing in or up."""


def test_no_page_changes_anything_without_our_own_form(walker: Walker) -> None:
    """Every page of ours, of the operators' site and of sign-in: signed in, and signed out (login CSRF)."""
    walked = {}
    for route in UNSAFE:
        for role in (able(walker, route), walker.world.roles["anonymous"]):
            client = Client(enforce_csrf_checks=True, raise_request_exception=False)
            if role.has_session:
                client.cookies[settings.SESSION_COOKIE_NAME] = walker.sessions[role.name]
            walked[f"{route} as {role}"] = client.post(walker.url(route)).status_code
    assert len(walked) > 2 * len(UNSAFE) - 40
    harmless = {name: status for name, status in walked.items() if status in (301, 405)}
    assert all("/accounts/" in name or "/admin/" in name for name in harmless), harmless
    assert {name: status for name, status in walked.items() if status not in (301, 403, 405)} == {}


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_no_change_comes_from_another_site(walker: Walker, site: str) -> None:
    """With a right token too: the browser itself says that the form was not ours."""
    walked = []
    for route in UNSAFE:
        for role in (able(walker, route), walker.world.roles["anonymous"]):
            client = Client(raise_request_exception=False, headers={"Sec-Fetch-Site": site})
            if role.has_session:
                client.cookies[settings.SESSION_COOKIE_NAME] = walker.sessions[role.name]
            answer = client.post(walker.url(route))
            if answer.status_code != 403:
                walked.append(f"{route} as {role}: {answer.status_code}")
    assert walked == []


@pytest.mark.django_db
def test_our_own_pages_typed_addresses_and_bearer_tokens_pass(
    client_of: Any, api_of: Any, alice: Any
) -> None:
    for site in ("same-origin", "none"):
        made = client_of(alice).post(
            "/teams/new/", {"name": f"Team {site}"}, headers={"Sec-Fetch-Site": site}
        )
        assert made.status_code == 302
    assert client_of(alice).get("/teams/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200
    answer = api_of(alice).post(
        "/api/v1/teams", {"name": "By token"}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    assert answer.status_code == 201


def test_reading_changes_no_row(walker: Walker) -> None:
    """Row hashes before and after each GET route, of every table that it wrote to."""
    kept_models = [
        model for model in apps.get_models() if model._meta.managed and model.__name__ not in NOTED
    ]
    kept = {model: _digest(model) for model in kept_models}
    culprits = []
    for route in READS:
        cache.clear()
        before = writes()
        walker.call(route, able(walker, route), keep=True)
        for model in written_since(before):
            if model in kept and (now := _digest(model)) != kept[model]:
                culprits.append(f"{route}: {model.__name__}")
                kept[model] = now
    assert culprits == []
    assert {model: _digest(model) for model in kept_models} == kept


def _digest(model: type[models.Model]) -> str:
    """A digest of a table, without what reading may touch."""
    columns = [field.attname for field in model._meta.concrete_fields if field.attname not in TOUCHED]
    return hashlib.sha256("\n".join(rows_of(model, *columns)).encode()).hexdigest()


def test_every_answer_refuses_frames_sniffing_and_shared_caches(walker: Walker) -> None:
    wrong = []
    for route in READS:
        answer = walker.call(route, able(walker, route))
        wrong += [f"{route}: {words}" for words in _unguarded(answer)]
    assert wrong == []


def _unguarded(answer: HttpResponse) -> Iterator[str]:
    held, policy = (
        answer.headers.get("Cache-Control", ""),
        answer.headers.get("Content-Security-Policy", "unsafe"),
    )
    if "frame-ancestors 'none'" not in policy or answer.headers.get("X-Frame-Options") != "DENY":
        yield "may be framed"
    if answer.headers.get("X-Content-Type-Options") != "nosniff":
        yield "may be sniffed"
    if "no-store" not in held and "private" not in held:
        yield f"{held!r} may be stored by a shared cache"
    if "unsafe" in policy:
        yield "allows unsafe scripts or styles"
