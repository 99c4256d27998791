"""T37: no `next` leads to another site."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from django.test import Client

from teams.models import User
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db
ELSEWHERE = [
    "https://evil.example/", "//evil.example/", "///evil.example", "/\\evil.example", "\\\\evil.example",
    "http:evil.example", "https:///evil.example", "javascript:alert(1)", "\thttps://evil.example", "%2f%2fevil.example",
    "https://localhost:8000@evil.example/", "https://localhost.evil.example/", "ftp://localhost/", "/\t/evil.example",
    "data:text/html,x", "http://testserver.evil.example/", "https://testserver:443@evil.example",
]  # fmt: skip


def stays(answer) -> bool:
    target = urlsplit(answer.get("Location", ""))
    return (target.scheme, target.netloc) == ("", "") and not answer.get("Location", "").startswith(
        ("//", "/\\")
    )


@pytest.mark.parametrize("target", ELSEWHERE)
def test_sign_in_and_out_stay_on_the_site(alice: User, target: str) -> None:
    browser = Client()
    entered = browser.post("/accounts/login/", {"login": alice.email, "password": PASSWORD, "next": target})
    assert entered.status_code == 302
    assert stays(entered)
    again = browser.get("/accounts/login/", {"next": target})
    assert stays(again)
    assert stays(browser.post("/accounts/logout/", {"next": target}))


@pytest.mark.parametrize("target", ELSEWHERE)
def test_sign_up_stays_on_the_site(target: str, db: None) -> None:
    values = {"name": "New", "email": "new@example.test", "password1": PASSWORD + "9", "next": target}
    assert stays(Client().post("/accounts/signup/", values))


def test_sign_in_leads_back_to_the_page_that_asked_for_it(alice: User) -> None:
    browser = Client()
    asked = browser.get("/settings/tokens/?x=1")
    assert asked["Location"] == "/accounts/login/?next=/settings/tokens/%3Fx%3D1"
    values = {"login": alice.email, "password": PASSWORD, "next": "/settings/tokens/?x=1"}
    assert browser.post("/accounts/login/", values)["Location"] == "/settings/tokens/?x=1"
