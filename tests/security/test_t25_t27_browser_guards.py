"""T25: no change without our own form, and none by reading. T27: nothing of ours is framed or stored."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.test import Client

from teams.access import AGENT
from tests.security.routes import all_routes
from tests.security.test_t01_t02_matrix import address, ask
from tests.security.world import World, make_world

OURS = [route for route in all_routes() if route.is_ours]
PAGES = [route for route in OURS if not route.is_rest and route.rule != AGENT]
UNSAFE = [route for route in PAGES if route.method not in ("GET", "HEAD")]
READS = [route for route in OURS if route.method == "GET" and route.rule != AGENT]
TOUCHED = ("last_login", "row_version", "updated_at")
"""What the test's own signing in touches."""
NOTED = ("ApiToken", "Session", "UserSession", "IdempotentAnswer")
"""Rows that reading may touch: when a token or a session was last used."""


@pytest.fixture
def world(db: None) -> World:
    return make_world()


def test_no_page_changes_anything_without_our_own_form(world: World) -> None:
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.force_login(world.owner)
    walked = {str(route): client.generic(route.method, address(world, route)).status_code for route in UNSAFE}
    assert len(walked) == len(UNSAFE) > 20
    assert {name: status for name, status in walked.items() if status != 403} == {}


def test_reading_changes_no_row(world: World) -> None:
    before = _rows()
    for route in READS:
        ask(route, address(world, route), world.owner)
    assert _rows() == before


def _rows() -> dict[str, list[Any]]:
    models = [model for model in apps.get_models() if model.__name__ not in NOTED and model._meta.managed]
    return {
        model.__name__: sorted(
            str({name: value for name, value in row.items() if name not in TOUCHED})
            for row in model._default_manager.values()
        )
        for model in models
    }


def test_every_answer_refuses_frames_sniffing_and_shared_caches(world: World) -> None:
    wrong = []
    for route in READS:
        answer = ask(route, address(world, route), world.owner)
        held = answer.headers.get("Cache-Control", "")
        framed = "frame-ancestors 'none'" not in answer.headers.get("Content-Security-Policy", "")
        if framed or answer.headers.get("X-Frame-Options") != "DENY":
            wrong.append(f"{route}: may be framed")
        if answer.headers.get("X-Content-Type-Options") != "nosniff":
            wrong.append(f"{route}: may be sniffed")
        if "no-store" not in held and "private" not in held:
            wrong.append(f"{route}: {held!r} may be stored by a shared cache")
        if "unsafe" in answer.headers.get("Content-Security-Policy", "unsafe"):
            wrong.append(f"{route}: allows unsafe scripts or styles")
    assert wrong == []
