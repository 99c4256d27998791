"""Second factors and passkeys in Chromium, under the strict policy: set up, signed in with, used up."""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
import time
from collections.abc import Iterator
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.core.cache import cache
from playwright.sync_api import Browser, Page, expect

from teams.models import User
from tests import factories
from tests.portal.test_browser import WATCH, _files_as_they_lie, chromium  # noqa: F401 - fixtures

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
VIRTUAL = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


def code_of(secret: str) -> str:
    """What an authenticator app shows now (RFC 6238, RFC 4226)."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.new(key, struct.pack(">Q", int(time.time()) // 30), hashlib.sha1).digest()
    place = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[place : place + 4])[0] & 0x7FFFFFFF) % 1_000_000:06d}"


def half_a_minute_later() -> None:
    """A code is good once; the app would show another one by then."""
    cache.clear()


class Seat:
    """A person at a browser."""

    def __init__(self, browser: Browser, url: str, user: User) -> None:
        self.user = user
        self.complaints: list[str] = []
        self.page: Page = browser.new_context(base_url=url).new_page()
        self.page.add_init_script(WATCH)
        self.page.on("console", lambda line: line.type == "error" and self.complaints.append(line.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def password(self, *, then: str) -> None:
        """Sign in by password, which leads to `then`."""
        self.page.goto("/accounts/login/")
        self.page.get_by_label("E-mail").fill(self.user.email)
        self._type_password()
        self.page.wait_for_url(then)

    def open_confirmed(self, path: str) -> None:
        """A page that asks for the password once more."""
        self.page.goto(path)
        self.page.wait_for_url("**/accounts/reauthenticate/**")
        self._type_password()
        self.page.wait_for_url(f"**{path}")

    def code(self, value: str) -> None:
        self.page.locator("input[name=code]").fill(value)
        self.page.locator("input[name=code]").press("Enter")

    def refused(self, value: str) -> None:
        """The code does not let the person in."""
        self.code(value)
        expect(self.page.get_by_text("Incorrect code")).to_be_visible()

    def leave(self) -> None:
        self.page.context.clear_cookies()

    def _type_password(self) -> None:
        self.page.locator("input[name=password]").fill(factories.PASSWORD)
        self.page.locator("input[name=password]").press("Enter")


@pytest.fixture
def seat(live_server: Any, chromium: Browser, alice: User) -> Iterator[Seat]:  # noqa: F811
    seat = Seat(chromium, live_server.url, alice)
    yield seat
    assert seat.complaints == []
    assert seat.page.evaluate("reports") == []
    seat.page.context.close()


def set_up_totp(seat: Seat) -> str:
    """The secret of the app."""
    seat.password(then="**/catalogue/")
    seat.open_confirmed("/accounts/2fa/totp/activate/")
    secret = seat.page.locator("#totp-secret").inner_text().strip()
    seat.code(code_of(secret))
    seat.page.wait_for_url("**/accounts/2fa/recovery-codes/**")
    return secret


def test_an_authenticator_app_is_set_up_and_asked_for_at_sign_in(seat: Seat, alice: User) -> None:
    secret = set_up_totp(seat)
    assert Authenticator.objects.filter(user=alice, type=Authenticator.Type.TOTP).exists()
    seat.leave()
    seat.password(then="**/accounts/2fa/authenticate/")
    seat.page.goto("/teams/")
    assert "/accounts/2fa/authenticate/" in seat.page.url, "half a sign-in opens nothing"
    half_a_minute_later()
    seat.refused("000000" if code_of(secret) != "000000" else "000001")
    used = code_of(secret)
    seat.code(used)
    seat.page.wait_for_url("**/catalogue/")
    seat.leave()
    seat.password(then="**/accounts/2fa/authenticate/")
    seat.refused(used)  # by now it is used up, or half a minute old


def test_a_recovery_code_signs_in_once(seat: Seat, alice: User) -> None:
    set_up_totp(seat)
    codes = seat.page.locator("#recovery_codes").inner_text().split()
    assert len(codes) == 10
    seat.leave()
    seat.password(then="**/accounts/2fa/authenticate/")
    seat.code(codes[0])
    seat.page.wait_for_url("**/catalogue/")
    seat.leave()
    seat.password(then="**/accounts/2fa/authenticate/")
    seat.refused(codes[0])
    seat.code(codes[1])
    seat.page.wait_for_url("**/catalogue/")


def test_a_passkey_is_added_and_signs_in_alone(seat: Seat, alice: User) -> None:
    devices = seat.page.context.new_cdp_session(seat.page)
    devices.send("WebAuthn.enable")
    devices.send("WebAuthn.addVirtualAuthenticator", {"options": VIRTUAL})
    seat.password(then="**/catalogue/")
    seat.open_confirmed("/accounts/2fa/webauthn/add/")
    seat.page.locator("input[name=name]").fill("This laptop")
    seat.page.locator("input[name=passwordless]").check()
    seat.page.get_by_role("button", name="Add key").click()
    seat.page.wait_for_url("**/accounts/2fa/recovery-codes/**")
    key = Authenticator.objects.get(user=alice, type=Authenticator.Type.WEBAUTHN)
    assert key.wrap().is_passwordless
    seat.page.goto("/accounts/2fa/webauthn/")
    expect(seat.page.get_by_text("This laptop")).to_be_visible()
    seat.leave()
    seat.page.goto("/accounts/login/")
    seat.page.get_by_role("button", name="Sign in with a passkey").click()
    seat.page.wait_for_url("**/catalogue/")
    key.refresh_from_db()
    assert key.last_used_at is not None
    seat.leave()
    seat.password(then="**/accounts/2fa/authenticate/")
    seat.page.get_by_role("button", name="Use a passkey or security key").click()
    seat.page.wait_for_url("**/catalogue/")
