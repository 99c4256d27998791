"""Coming in: by address and password, by an invitation, by an OpenID provider."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from allauth.core.context import request_context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.models import SocialAccount, SocialLogin
from django.contrib.auth.models import AnonymousUser
from django.test import Client, RequestFactory
from django.utils import timezone

from audit.models import AuditEvent
from teams import actions
from teams.accounts import INVITATION, SocialAccountAdapter
from teams.invitations import secret_of
from teams.models import Invitation, Membership, Team, TeamRole, User
from teams.queries import actor_of_user
from tests import factories
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db


def sign_up(browser: Client, email: str = "nora@example.test", name: str = "Nora Nygård", **more: str):
    return browser.post("/accounts/signup/", {"name": name, "email": email, "password1": PASSWORD, **more})


def confirm(browser: Client, mailoutbox) -> None:
    link = re.search(r"http://localhost:8000(/accounts/confirm-email/\S+/)", mailoutbox[-1].body)
    assert link, mailoutbox[-1].body
    assert browser.get(link[1]).status_code == 200
    assert not EmailAddress.objects.filter(verified=True, email="nora@example.test").exists()
    assert browser.post(link[1]).status_code == 302


def test_who_signs_up_confirms_the_address_and_has_a_personal_team(mailoutbox) -> None:
    browser = Client()
    assert sign_up(browser, "Nora@Example.test").status_code == 302
    user = User.objects.get(email="nora@example.test")
    assert user.name == "Nora Nygård"
    assert user.personal_team.slug == "nora-nygard"
    assert actor_of_user(user).roles[user.personal_team.pk] == TeamRole.OWNER
    assert list(AuditEvent.objects.order_by("id").values_list("name", flat=True)) == [
        "team.created",
        "user.signed_up",
    ]
    assert browser.get("/teams/").status_code == 302
    confirm(browser, mailoutbox)
    browser.post("/accounts/login/", {"login": "nora@example.test", "password": PASSWORD})
    assert browser.get("/teams/").status_code == 200


def test_people_called_alike_get_teams_of_their_own(db: None) -> None:
    slugs = []
    for number in range(4):
        user = actions.sign_up(User(email=f"x{number}@example.test", name="New"))
        slugs.append(user.personal_team.slug)
    assert slugs == ["new-2", "new-3", "new-4", "new-5"]  # "new" itself is a word of our addresses


@pytest.mark.parametrize("name", ["", "日本", "-_-", "x" * 120, "../../etc", "<script>"])
def test_any_name_gives_a_short_name_that_is_fit_for_addresses(name: str) -> None:
    user = actions.sign_up(User(email="odd@example.test", name=name))
    user.personal_team.full_clean()


def test_a_second_account_of_one_address_is_not_made(mailoutbox, alice: User) -> None:
    assert sign_up(Client(), "ALICE@example.test").status_code == 302
    assert User.objects.filter(email__iexact=alice.email).count() == 1
    assert mailoutbox[-1].to == [alice.email]


@pytest.mark.parametrize("password", ["short", "password123", "12345678901", "nora@example.test"])
def test_a_weak_password_is_refused(password: str) -> None:
    page = Client().post(
        "/accounts/signup/", {"name": "Nora", "email": "nora@example.test", "password1": password}
    )
    assert page.status_code == 200
    assert not User.objects.exists()


def test_closed_sign_up_lets_in_only_who_was_invited(settings, shop: Team, alice: User, mailoutbox) -> None:
    settings.SIGN_UP_OPEN = False
    assert b"password1" not in Client().get("/accounts/signup/").content
    invitation = actions.invite_member(shop, actor=actor_of_user(alice), email="nora@example.test")
    browser = Client()
    path = f"/invitations/{invitation.public_id}/{secret_of(invitation)}/"
    assert browser.get(path).status_code == 200
    assert sign_up(browser).status_code == 302
    confirm(browser, mailoutbox)
    entered = browser.post("/accounts/login/", {"login": "nora@example.test", "password": PASSWORD})
    assert entered["Location"] == path
    assert browser.post(path).status_code == 302
    assert Membership.objects.filter(team=shop, user__email="nora@example.test").exists()


def invited(shop: Team, alice: User) -> tuple[Invitation, str]:
    invitation = actions.invite_member(shop, actor=actor_of_user(alice), email="Nora@example.te\u017ft")
    return invitation, f"/invitations/{invitation.public_id}/{secret_of(invitation)}/"


def test_an_invitation_admits_its_own_address_and_no_other(settings, shop: Team, alice: User) -> None:
    settings.SIGN_UP_OPEN = False
    invitation, path = invited(shop, alice)
    assert invitation.email == "nora@example.test", "one spelling, as sign-up keeps it"
    browser = Client()
    browser.get(path)
    refused = sign_up(browser, "friend@example.test")
    assert "for another address" in refused.content.decode()
    assert not User.objects.filter(email="friend@example.test").exists()
    assert sign_up(browser, "NORA@Example.test").status_code == 302
    assert User.objects.filter(email="nora@example.test").exists()


@pytest.mark.parametrize("end", ["revoked", "accepted", "expired", "revoked later"])
def test_a_link_that_is_no_longer_open_opens_no_sign_up(settings, shop: Team, alice: User, end: str) -> None:
    settings.SIGN_UP_OPEN = False
    invitation, path = invited(shop, alice)
    browser = Client()
    if end == "revoked later":
        browser.get(path)
        actions.revoke_invitation(invitation, actor=actor_of_user(alice))
    elif end == "expired":
        Invitation.objects.update(expires_at=timezone.now() - timedelta(minutes=1))
    else:
        Invitation.objects.update(state=end)
    page = browser.get(path).content.decode()
    assert "no longer open" in page
    assert "Make an account" not in page
    sign_up(browser)
    assert not User.objects.filter(email="nora@example.test").exists()


def test_an_expired_invitation_offers_no_join_button(client_of, shop: Team, alice: User, dana: User) -> None:
    invitation = actions.invite_member(shop, actor=actor_of_user(alice), email=dana.email)
    Invitation.objects.update(expires_at=timezone.now() - timedelta(minutes=1))
    page = client_of(dana).get(f"/invitations/{invitation.public_id}/{secret_of(invitation)}/")
    assert "no longer open" in page.content.decode()
    assert "Join Shop" not in page.content.decode()
    assert "expired" in client_of(alice).get(f"/teams/{shop.slug}/").content.decode()


def test_closed_sign_up_by_a_provider_needs_the_invited_address(settings, shop: Team, alice: User) -> None:
    settings.SIGN_UP_OPEN = False
    invitation, _path = invited(shop, alice)
    adapter, request = SocialAccountAdapter(), request_of()
    assert not adapter.is_open_for_signup(request, social("nora@example.test", verified=True))
    request.session[INVITATION] = invitation.public_id
    assert adapter.is_open_for_signup(request, social("nora@example.test", verified=True))
    assert not adapter.is_open_for_signup(request, social("nora@example.test", verified=False))
    assert not adapter.is_open_for_signup(request, social("friend@example.test", verified=True))


def test_closed_sign_up_still_lets_everybody_reset_a_password(settings, mailoutbox, alice: User) -> None:
    settings.SIGN_UP_OPEN = False
    Client().post("/accounts/password/reset/", {"email": alice.email})
    assert mailoutbox[-1].to == [alice.email]


def test_a_reset_mail_leads_to_our_own_address_whatever_host_was_asked(
    settings, mailoutbox, alice: User
) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    Client().post("/accounts/password/reset/", {"email": alice.email}, HTTP_HOST="evil.example")
    link = re.search(r"http://localhost:8000(/accounts/password/reset/key/\S+/)", mailoutbox[-1].body)
    assert link, mailoutbox[-1].body
    assert "http://evil.example/accounts/password" not in mailoutbox[-1].body
    browser = Client()
    form = browser.get(link[1], follow=True)
    new = "a new " + PASSWORD
    done = browser.post(form.request["PATH_INFO"], {"password1": new, "password2": new})
    assert done.status_code == 302
    alice.refresh_from_db()
    assert alice.check_password("a new " + PASSWORD)


def social(email: str, *, verified: bool) -> SocialLogin:
    """What a provider tells of a person, as allauth hands it to the adapter."""
    user = User(email=email)
    account = SocialAccount(provider="oidc", uid="subject-1", extra_data={})
    return SocialLogin(
        user=user, account=account, email_addresses=[EmailAddress(email=email, verified=verified)]
    )


def request_of(user: User | None = None):
    request = RequestFactory().get("/")
    request.user, request.session = user or AnonymousUser(), {}
    request.actor = actor_of_user(user)
    return request


def test_a_newcomer_from_a_provider_needs_a_confirmed_address() -> None:
    adapter = SocialAccountAdapter()
    adapter.pre_social_login(request_of(), social("nora@example.test", verified=True))
    with pytest.raises(ImmediateHttpResponse) as refused:
        adapter.pre_social_login(request_of(), social("nora@example.test", verified=False))
    assert refused.value.response.status_code == 403


def test_a_newcomer_from_a_provider_has_name_and_personal_team() -> None:
    adapter, login = SocialAccountAdapter(), social("Nora@Example.test", verified=True)
    adapter.populate_user(request_of(), login, {"email": "Nora@Example.test", "name": "Nora Nygård"})
    user = adapter.save_user(request_of(), login)
    assert (user.email, user.name, user.has_usable_password()) == ("nora@example.test", "Nora Nygård", False)
    assert user.personal_team.slug == "nora-nygard"
    assert AuditEvent.objects.get(name="user.signed_up").after == {"way": "oidc"}


def test_an_address_alone_links_no_account(alice: User, settings) -> None:
    app = {
        "provider_id": "oidc",
        "name": "Company",
        "client_id": "x",
        "secret": "x",
        "settings": {"server_url": "x"},
    }
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": [app]}}
    request = request_of()
    with request_context(request):
        adapter, login = SocialAccountAdapter(), social(alice.email, verified=True)
        login.provider = adapter.get_provider(request, "oidc")
        assert adapter.authenticate_by_email(login) is None


def test_an_anonymised_person_is_nobody(shop: Team, bob: User, alice: User) -> None:
    actions.sign_up(bob)
    _token, value = factories.make_api_token(user=bob)
    actions.anonymise_user(bob, actor=actor_of_user(bob))
    bob.refresh_from_db()
    assert (bob.name, bob.is_active, bob.email) == ("", False, f"{bob.public_id}@anonymised.invalid")
    assert not EmailAddress.objects.filter(user=bob).exists()
    assert not bob.memberships.exists()
    assert Client().get("/api/v1/me", HTTP_AUTHORIZATION=f"Bearer {value}").status_code == 401
    for model in (User, Team):
        assert "bob@" not in str(list(model.objects.values()))
