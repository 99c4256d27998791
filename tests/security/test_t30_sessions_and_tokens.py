"""T30: who loses the right loses it with the next request; stolen tokens cannot grow."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from teams import actions
from teams.models import ApiToken, Team, TeamRole, User
from teams.queries import actor_of_user
from tests import factories
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db


def bearer(value: str) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {value}")
    return client


def signed_in(user: User) -> Client:
    browser = Client()
    assert browser.post("/accounts/login/", {"login": user.email, "password": PASSWORD}).status_code == 302
    return browser


def test_a_disabled_person_is_out_with_the_next_request_and_stays_out(
    shop: Team, bob: User, ada: User
) -> None:
    browser, (token, value) = signed_in(bob), factories.make_api_token(user=bob)
    assert browser.get("/teams/").status_code == 200
    assert bearer(value).get("/api/v1/me").status_code == 200
    actions.disable_user(bob, actor=actor_of_user(ada))
    assert browser.get("/teams/").status_code == 302
    assert bearer(value).get("/api/v1/me").status_code == 401
    assert not Session.objects.exists()
    token.refresh_from_db()
    assert token.revoked_at is not None
    actions.enable_user(bob, actor=actor_of_user(ada))
    assert browser.get("/teams/").status_code == 302
    assert bearer(value).get("/api/v1/me").status_code == 401


def test_only_an_administrator_locks_people_out(alice: User, bob: User, erin: User, frank: User) -> None:
    for person in (alice, erin, frank, bob):
        with pytest.raises(PermissionDenied):
            actions.disable_user(bob, actor=actor_of_user(person))


def test_a_new_password_ends_the_other_sessions(bob: User) -> None:
    browser = signed_in(bob)
    bob.set_password("another " + PASSWORD)
    bob.save()
    assert browser.get("/teams/").status_code == 302


def test_a_disabled_service_account_is_out_with_the_next_request(shop: Team, alice: User) -> None:
    account = factories.make_service_account(shop, TeamRole.DEVELOPER)
    _token, value = factories.make_api_token(service_account=account)
    assert bearer(value).get("/api/v1/me").status_code == 200
    actions.disable_service_account(account, actor=actor_of_user(alice))
    assert bearer(value).get("/api/v1/me").status_code == 401


@pytest.mark.parametrize("change", ["revoked", "expired", "altered", "cut", "upper", "other id"])
def test_a_token_that_is_not_exactly_valid_opens_nothing(alice: User, change: str) -> None:
    token, value = factories.make_api_token(user=alice)
    other, _value = factories.make_api_token(user=alice)
    if change == "revoked":
        actions.revoke_token(token, actor=actor_of_user(alice))
    elif change == "expired":
        ApiToken.objects.filter(pk=token.pk).update(expires_at=timezone.now())
    spoilt = {
        "altered": value[:-7] + ("a" if value[-7] != "a" else "b") + value[-6:],
        "cut": value[:-1],
        "upper": value.upper(),
        "other id": value.replace(token.token_id, other.token_id),
    }.get(change, value)
    assert bearer(spoilt).get("/api/v1/me").status_code == 401


def test_the_use_of_a_token_is_noted_to_the_minute(alice: User) -> None:
    token, value = factories.make_api_token(user=alice)
    bearer(value).get("/api/v1/me")
    first = ApiToken.objects.get(pk=token.pk).last_used_at
    bearer(value).get("/api/v1/me")
    assert first is not None
    assert ApiToken.objects.get(pk=token.pk).last_used_at == first


def test_a_token_lasts_a_year_at_most(alice: User) -> None:
    for days in (-1, 0, 400):
        with pytest.raises(Exception, match="one year"):
            actions.create_token(
                actor=actor_of_user(alice), name="x", scopes=["read"],
                expires_at=timezone.now() + timedelta(days=days),
            )  # fmt: skip


def test_a_reading_token_can_neither_make_nor_revoke_tokens(alice: User) -> None:
    token, value = factories.make_api_token(user=alice, scopes=["read"])
    ends = (timezone.now() + timedelta(days=1)).isoformat()
    client = bearer(value)
    assert (
        client.post("/api/v1/tokens", {"name": "x", "scopes": ["read"], "expires_at": ends}).status_code
        == 403
    )
    assert client.delete(f"/api/v1/tokens/{token.public_id}").status_code == 403


def test_a_personal_token_never_enters_pages(alice: User) -> None:
    _token, value = factories.make_api_token(user=alice)
    assert Client().get("/teams/", HTTP_AUTHORIZATION=f"Bearer {value}").status_code == 302


def test_the_operators_site_signs_in_through_the_portal(alice: User, ada: User) -> None:
    answer = Client().get("/admin/login/?next=/admin/")
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/")
    assert signed_in(alice).get("/admin/login/").status_code == 403
    operator = factories.make_user("operator@example.test", is_staff=True, is_superuser=True)
    browser = signed_in(operator)
    assert browser.get("/admin/").status_code == 200
    assert browser.get("/admin/teams/user/").status_code == 200
    assert (
        browser.post(f"/admin/teams/user/{alice.pk}/change/", {"email": "x@example.test"}).status_code == 403
    )
    assert browser.get("/admin/teams/user/add/").status_code == 403
    assert browser.get("/admin/account/emailaddress/").status_code == 404
