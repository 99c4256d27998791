"""Sign-in by an OpenID provider, in Chromium under the strict policy, with a provider over real HTTP."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Browser, Page, expect

from portal.logs import redact
from teams.models import User
from tests import factories
from tests.portal.openid_provider import CLIENT, SECRET, Provider, running_provider
from tests.portal.test_browser import _files_as_they_lie, chromium, said  # noqa: F401 - fixtures

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
NORA = {"sub": "subject-1", "email": "Nora@Example.test", "email_verified": True, "name": "Nora Nygård"}


@pytest.fixture
def provider(settings: Any) -> Iterator[Provider]:
    """The portal is configured as by OIDC_SERVER_URL and its client."""
    with running_provider() as provider:
        provider.person = dict(NORA)
        app = {
            "provider_id": "oidc",
            "name": "Company sign-in",
            "client_id": CLIENT,
            "secret": SECRET,
            "settings": {"server_url": provider.url},
        }
        settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [app]}}
        yield provider


class Visit:
    """A browser that keeps what its console complains about."""

    def __init__(self, browser: Browser, url: str) -> None:
        self.complaints: list[str] = []
        self.page: Page = browser.new_context(base_url=url).new_page()
        self.page.on("console", lambda line: line.type == "error" and self.complaints.append(line.text))

    def to_the_provider(self) -> None:
        self.page.goto("/accounts/login/")
        self.page.get_by_role("link", name="Company sign-in").click()
        self.page.get_by_role("button", name="Continue").click()
        self.page.get_by_role("heading", name="Provider", exact=True).wait_for()

    def signed_in(self) -> None:
        self.to_the_provider()
        self.page.get_by_role("link", name="Allow").click()
        self.page.wait_for_url("**/catalogue/")


@pytest.fixture
def visit(live_server: Any, chromium: Browser) -> Iterator[Visit]:  # noqa: F811
    visit = Visit(chromium, live_server.url)
    yield visit
    assert visit.complaints == []
    visit.page.context.close()


def test_a_newcomer_comes_in_and_comes_back(provider: Provider, visit: Visit) -> None:
    visit.signed_in()
    user = User.objects.get(email="nora@example.test")
    assert (user.name, user.personal_team.slug) == ("Nora Nygård", "nora-nygard")
    assert not user.has_usable_password()
    visit.page.context.clear_cookies()
    visit.signed_in()
    assert User.objects.count() == 1


def test_who_stops_at_the_provider_is_told_that_nothing_happened(provider: Provider, visit: Visit) -> None:
    visit.to_the_provider()
    visit.page.get_by_role("link", name="Cancel").click()
    expect(visit.page.get_by_role("heading")).to_have_text("Sign-in cancelled")
    assert not User.objects.exists()


def test_an_address_that_has_a_password_is_not_taken_over(
    provider: Provider, visit: Visit, mailoutbox: Any
) -> None:
    nora = factories.make_user("nora@example.test")
    visit.to_the_provider()
    visit.page.get_by_role("link", name="Allow").click()
    expect(visit.page.get_by_role("heading", level=1)).to_have_text("Check your mail")
    assert "/accounts/confirm-email/" in visit.page.url, "nothing tells whether the address is known"
    assert mailoutbox[-1].to == [nora.email]
    assert not nora.socialaccount_set.exists()
    visit.page.goto("/teams/")
    assert "/accounts/login/" in visit.page.url


def test_who_is_signed_in_connects_the_provider_and_signs_in_by_it(provider: Provider, visit: Visit) -> None:
    nora = factories.make_user("nora@example.test")
    visit.page.goto("/accounts/login/")
    visit.page.get_by_label("E-mail").fill(nora.email)
    visit.page.locator("input[name=password]").fill(factories.PASSWORD)
    visit.page.locator("input[name=password]").press("Enter")
    visit.page.wait_for_url("**/catalogue/")
    visit.page.goto("/accounts/3rdparty/")
    visit.page.get_by_role("link", name="Company sign-in").click()
    visit.page.get_by_role("button", name="Continue").click()
    visit.page.get_by_role("link", name="Allow").click()
    visit.page.wait_for_url("**/accounts/reauthenticate/")
    visit.page.locator("input[name=password]").fill(factories.PASSWORD)
    visit.page.locator("input[name=password]").press("Enter")
    visit.page.wait_for_url("**/accounts/3rdparty/")
    assert nora.socialaccount_set.get().uid == "subject-1"
    visit.page.context.clear_cookies()
    visit.signed_in()
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("token_endpoint", "http://169.254.169.254/token"),
        ("token_endpoint", "/nowhere"),
        ("userinfo_endpoint", "/moved"),
        ("issuer", "http://127.0.0.1:1"),
    ],
)
def test_a_provider_that_leads_elsewhere_signs_nobody_in(provider: Provider, name: str, value: str) -> None:
    provider.overrides = {name: value if value.startswith("http") else provider.url + value}
    browser = Client()
    left = browser.post("/accounts/oidc/oidc/login/").content.decode()
    ask = re.search(r'href="(http://127[^"]+)"', left)
    assert ask, left
    state = re.search(r"state=(\w+)", ask[1])
    challenge = re.search(r"code_challenge=([\w-]+)", ask[1])
    assert state
    assert challenge
    provider.codes["code"] = {"code_challenge": challenge[1]}
    page = browser.get(f"/accounts/oidc/oidc/login/callback/?code=code&state={state[1]}")
    assert "did not sign you in" in page.content.decode()
    assert not User.objects.exists()


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "http://10.0.0.1", "http://localhost:1/nothing"])
def test_a_provider_that_does_not_answer_is_told_as_a_page(
    provider: Provider, settings: Any, address: str
) -> None:
    app = settings.SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"][0]
    app["settings"]["server_url"] = address
    page = Client().post("/accounts/oidc/oidc/login/")
    assert page.status_code == 502
    assert "did not sign you in" in page.content.decode()


def test_outside_of_its_networks_the_provider_is_not_called(provider: Provider, settings: Any) -> None:
    settings.OIDC_NETWORKS = []
    assert Client().post("/accounts/oidc/oidc/login/").status_code == 502
    assert provider.asked == []


def test_the_code_of_a_provider_stays_out_of_the_logs() -> None:
    line = redact(None, "info", {"request": "GET /accounts/oidc/oidc/login/callback/?code=c0de-1&state=s"})
    assert "c0de" not in str(line)
