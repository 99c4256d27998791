"""The pages of teams, tokens and people: what they show, what they refuse, that forms keep what was typed."""

from __future__ import annotations

import pytest
from django.test import Client

from teams.models import ApiToken, ApproverGroup, Invitation, Membership, ServiceAccount, Team, TeamRole, User
from teams.permissions import TEAM_TABLE
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def paths(shop: Team, alice: User, bob: User) -> dict[str, str]:
    """Every page of the team Shop that changes it."""
    account = factories.make_service_account(shop, name="deploy")
    group = ApproverGroup.objects.create(team=shop, name="Deciders")
    member = Membership.objects.get(team=shop, user=alice)
    base = f"/teams/{shop.slug}"
    return {
        "change": f"{base}/change/",
        "invite": f"{base}/invite/",
        "role": f"{base}/members/{member.public_id}/",
        "remove": f"{base}/members/{member.public_id}/remove/",
        "group new": f"{base}/approver-groups/new/",
        "group": f"{base}/approver-groups/{group.public_id}/",
        "account new": f"{base}/service-accounts/new/",
        "account change": f"{base}/service-accounts/{account.public_id}/change/",
        "account disable": f"{base}/service-accounts/{account.public_id}/disable/",
        "account token": f"{base}/service-accounts/{account.public_id}/tokens/new/",
    }


def test_owners_open_every_page_of_their_team(client_of, alice: User, paths: dict[str, str]) -> None:
    browser = client_of(alice)
    for path in paths.values():
        assert browser.get(path).status_code == 200, path


@pytest.mark.parametrize("person", ["bob", "charlie", "dana", "erin", "frank", "nobody"])
def test_nobody_else_opens_or_posts_to_them(
    request, client_of, paths: dict[str, str], shop: Team, person: str
) -> None:
    user = None if person == "nobody" else request.getfixturevalue(person)
    browser = client_of(user)
    before = (
        Team.objects.count(),
        Membership.objects.count(),
        ServiceAccount.objects.filter(disabled_at=None).count(),
    )
    for path in paths.values():
        for answer in (
            browser.get(path),
            browser.post(path, {"name": "x", "role": "owner", "email": "x@y.test"}),
        ):
            refused = (302,) if user is None else (403, 404)
            assert answer.status_code in refused, f"{person} {path}"
    after = (
        Team.objects.count(),
        Membership.objects.count(),
        ServiceAccount.objects.filter(disabled_at=None).count(),
    )
    assert before == after
    assert not Invitation.objects.exists()
    assert not ApiToken.objects.exists()


def test_a_team_page_shows_members_and_only_owners_see_invitations(
    client_of, shop: Team, alice: User, bob: User, frank: User, charlie: User
) -> None:
    client_of(alice).post(f"/teams/{shop.slug}/invite/", {"email": "new@example.test", "role": "viewer"})
    for person, sees in ((alice, True), (bob, False), (frank, False)):
        page = client_of(person).get(f"/teams/{shop.slug}/").content.decode()
        assert alice.email in page
        assert ("new@example.test" in page) is sees
    assert client_of(charlie).get(f"/teams/{shop.slug}/").status_code == 404


def test_a_form_with_errors_is_422_and_keeps_what_was_typed(client_of, alice: User) -> None:
    page = client_of(alice).post("/teams/new/", {"name": "Kept name", "slug": "new"})
    assert page.status_code == 422
    assert "Kept name" in page.content.decode()
    assert "Choose another short name" in page.content.decode()


def test_a_new_team_leads_to_its_page(client_of, charlie: User) -> None:
    answer = client_of(charlie).post("/teams/new/", {"name": "Fleet"})
    assert answer["Location"] == "/teams/fleet/"


def test_a_token_is_shown_once(client_of, alice: User) -> None:
    browser = client_of(alice)
    page = browser.post("/settings/tokens/new/", {"name": "laptop", "scopes": ["read"], "lifetime": "7"})
    value = page.context["value"]
    assert page.status_code == 200
    assert value in page.content.decode()
    assert page["Cache-Control"] == "no-store"
    listed = browser.get("/settings/tokens/").content.decode()
    assert value not in listed
    token = ApiToken.objects.get()
    assert token.token_id in listed
    assert browser.post(f"/settings/tokens/{token.public_id}/revoke/").status_code == 302
    token.refresh_from_db()
    assert token.revoked_at is not None


def test_another_ones_token_is_not_found(client_of, alice: User, charlie: User) -> None:
    token, _value = factories.make_api_token(user=alice)
    assert client_of(charlie).post(f"/settings/tokens/{token.public_id}/revoke/").status_code == 404


def test_a_member_may_leave_by_the_page(client_of, shop: Team, bob: User, alice: User) -> None:
    member = Membership.objects.get(team=shop, user=bob)
    answer = client_of(bob).post(f"/teams/{shop.slug}/members/{member.public_id}/remove/")
    assert answer["Location"] == "/teams/"
    assert not Membership.objects.filter(pk=member.pk).exists()


def test_the_last_owner_reads_why_they_cannot_leave(client_of, shop: Team, alice: User) -> None:
    member = Membership.objects.get(team=shop, user=alice)
    page = client_of(alice).post(f"/teams/{shop.slug}/members/{member.public_id}/remove/")
    assert page.status_code == 409
    assert "Make another member owner first" in page.content.decode()


def test_open_invitations_wait_on_the_list_of_teams(client_of, shop: Team, alice: User, dana: User) -> None:
    client_of(alice).post(f"/teams/{shop.slug}/invite/", {"email": dana.email, "role": "viewer"})
    browser = client_of(dana)
    assert "Join Shop" in browser.get("/teams/").content.decode()
    invitation = Invitation.objects.get()
    assert client_of(alice).post(f"/invitations/{invitation.public_id}/accept/").status_code == 404
    assert browser.post(f"/invitations/{invitation.public_id}/accept/").status_code == 302
    assert Membership.objects.get(team=shop, user=dana).role == TeamRole.VIEWER


def test_the_profile_keeps_name_theme_and_mails(client_of, alice: User) -> None:
    browser = client_of(alice)
    answer = browser.post("/settings/", {"name": "Alice A.", "theme": "dark"})
    assert answer.status_code == 302
    alice.refresh_from_db()
    assert (alice.name, alice.mail_notices) == ("Alice A.", False)
    assert 'data-theme="dark"' in browser.get("/settings/").content.decode()
    assert browser.post("/settings/", {"theme": '"><script>'}).status_code == 422


def test_the_table_of_roles_is_the_one_that_is_enforced(client_of, alice: User) -> None:
    page = client_of(alice).get("/teams/roles/")
    rows = {verb: dict(team) for verb, _scope, team, _platform in page.context["rows"]}
    for verb, holders in TEAM_TABLE.items():
        assert {role for role, may in rows[verb.value].items() if may} == holders


def test_people_are_for_administrators_and_auditors(
    client_of, alice: User, bob: User, erin: User, frank: User, ada: User
) -> None:
    for person, code in ((alice, 404), (bob, 404), (erin, 404), (frank, 200), (ada, 200)):
        assert client_of(person).get("/administration/").status_code == code, person
    path = f"/administration/people/{bob.public_id}/access/"
    assert client_of(frank).post(path).status_code == 404
    assert client_of(alice).post(path).status_code == 404
    assert client_of(ada).get(path).status_code == 200
    assert client_of(ada).post(path).status_code == 302
    bob.refresh_from_db()
    assert bob.is_active is False


def test_signed_out_people_are_sent_to_sign_in_and_back() -> None:
    for path in ("/teams/", "/settings/", "/settings/tokens/", "/notices/", "/audit/", "/administration/"):
        assert Client().get(path)["Location"] == f"/accounts/login/?next={path}"
    assert Client().get("/teams/", HTTP_HX_REQUEST="true")["HX-Redirect"] == "/accounts/login/?next=/teams/"
