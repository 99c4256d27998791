"""T26: no page of another origin can use the REST API with what a browser holds."""

from __future__ import annotations

import pytest
from django.test import Client

from teams.models import User

pytestmark = pytest.mark.django_db
ORIGINS = ["https://evil.example", "null", "https://sub.localhost", "http://localhost:8000.evil.example", "*"]
PATHS = ["/api/v1/me", "/api/v1/teams", "/api/v1/tokens", "/api/v1/schema/", "/api/v1/nothing", "/teams/"]


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("path", PATHS)
def test_no_origin_is_let_in(origin: str, path: str, client_of, api_of, alice: User) -> None:
    asked = {"HTTP_ORIGIN": origin, "HTTP_ACCESS_CONTROL_REQUEST_METHOD": "POST"}
    for client in (Client(), client_of(alice), api_of(alice)):
        for answer in (client.options(path, **asked), client.get(path, HTTP_ORIGIN=origin)):
            assert not [name for name in answer.headers if name.lower().startswith("access-control-")]


def test_a_preflight_is_refused(api_of, alice: User) -> None:
    answer = api_of(alice).options("/api/v1/teams", HTTP_ORIGIN=ORIGINS[0])
    assert answer.status_code == 405
