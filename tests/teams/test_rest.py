"""Teams, tokens and accounts over REST: the same rules as on the pages."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from teams.models import ApiToken, Membership, Team, TeamRole, User
from tests import factories

pytestmark = pytest.mark.django_db


def tomorrow() -> str:
    return (timezone.now() + timedelta(days=1)).isoformat()


def test_me_tells_who_and_what(api_of, alice: User, shop: Team) -> None:
    told = api_of(alice, scopes=["read"]).get("/api/v1/me").json()
    assert (told["id"], told["kind"], told["scopes"]) == (alice.public_id, "user", ["read"])
    assert [(team["slug"], team["role"]) for team in told["teams"]] == [("shop", "owner")]


def test_a_team_is_found_by_short_name_and_by_id(api_of, alice: User, shop: Team) -> None:
    client = api_of(alice)
    for name in (shop.slug, shop.public_id):
        assert client.get(f"/api/v1/teams/{name}").json()["id"] == shop.public_id


@pytest.mark.parametrize("person", ["charlie", "dana", "erin"])
def test_an_outsider_finds_no_part_of_a_team(request, api_of, shop: Team, alice: User, person: str) -> None:
    client = api_of(request.getfixturevalue(person))
    account = factories.make_service_account(shop)
    token, _value = factories.make_api_token(service_account=account)
    member = Membership.objects.get(team=shop, user=alice)
    for path in (
        "", "/members", f"/members/{member.public_id}", "/service-accounts", "/approver-groups",
        f"/service-accounts/{account.public_id}", f"/service-accounts/{account.public_id}/tokens",
        f"/service-accounts/{account.public_id}/tokens/{token.public_id}", "/invitations",
    ):  # fmt: skip
        assert client.get(f"/api/v1/teams/{shop.slug}{path}").status_code in (403, 404), path
    assert client.patch(f"/api/v1/teams/{shop.slug}", {"name": "x"}).status_code in (403, 404)
    assert client.post(f"/api/v1/teams/{shop.slug}/invitations", {"email": "x@example.test"}).status_code in (
        403,
        404,
    )
    shop.refresh_from_db()
    assert shop.name == "Shop"


def test_a_developer_reads_and_does_not_change(api_of, shop: Team, bob: User, alice: User) -> None:
    client, member = api_of(bob), Membership.objects.get(team=shop, user=alice)
    base = f"/api/v1/teams/{shop.slug}"
    assert client.get(base).status_code == 200
    assert len(client.get(f"{base}/members").json()["results"]) == 2
    for answer in (
        client.patch(base, {"name": "x"}),
        client.get(f"{base}/invitations"),
        client.post(f"{base}/invitations", {"email": "x@example.test"}),
        client.post(f"{base}/service-accounts", {"name": "x"}),
        client.patch(f"{base}/members/{member.public_id}", {"role": "viewer"}),
        client.delete(f"{base}/members/{member.public_id}"),
        client.post(f"{base}/approver-groups", {"name": "x", "people": []}),
    ):
        assert answer.status_code == 403


def test_an_owner_runs_the_team(api_of, shop: Team, alice: User, bob: User) -> None:
    client, base = api_of(alice), f"/api/v1/teams/{shop.slug}"
    invited = client.post(f"{base}/invitations", {"email": "new@example.test", "role": "publisher"})
    assert (invited.status_code, invited.json()["state"]) == (201, "pending")
    assert client.delete(f"{base}/invitations/{invited.json()['id']}").status_code == 204
    member = Membership.objects.get(team=shop, user=bob)
    assert (
        client.patch(f"{base}/members/{member.public_id}", {"role": "publisher"}).json()["role"]
        == "publisher"
    )
    group = client.post(f"{base}/approver-groups", {"name": "Deciders", "people": [bob.public_id]}).json()
    assert [person["id"] for person in group["people"]] == [bob.public_id]
    assert client.delete(f"{base}/members/{member.public_id}").status_code == 204
    assert client.get(f"{base}/approver-groups/{group['id']}").json()["people"] == []


def test_a_service_account_works_with_its_token_until_it_is_disabled(api_of, shop: Team, alice: User) -> None:
    client, base = api_of(alice), f"/api/v1/teams/{shop.slug}/service-accounts"
    account = client.post(base, {"name": "deploy", "role": "publisher"}).json()
    tokens = f"{base}/{account['id']}/tokens"
    made = client.post(tokens, {"name": "ci", "scopes": ["read"], "expires_at": tomorrow()}).json()
    robot = APIClient(headers={"Authorization": f"Bearer {made['value']}"})
    assert robot.get("/api/v1/me").json()["kind"] == "service"
    assert robot.post("/api/v1/teams", {"name": "Mine"}).status_code == 403
    assert "value" not in client.get(tokens).json()["results"][0]
    assert client.delete(f"{base}/{account['id']}").status_code == 204
    assert robot.get("/api/v1/me").status_code == 401


def test_tokens_are_listed_without_their_value_and_end_at_once(api_of, alice: User, bob: User) -> None:
    client = api_of(alice)
    body = {"name": "laptop", "scopes": ["read", "teams:write"], "expires_at": tomorrow()}
    made = client.post("/api/v1/tokens", body)
    assert made["Cache-Control"] == "no-store"
    told = made.json()
    listed = client.get("/api/v1/tokens")
    assert told["value"] not in listed.content.decode()
    assert api_of(bob).get(f"/api/v1/tokens/{told['id']}").status_code == 404
    assert api_of(bob).delete(f"/api/v1/tokens/{told['id']}").status_code == 404
    holder = APIClient(headers={"Authorization": f"Bearer {told['value']}"})
    assert holder.get("/api/v1/me").status_code == 200
    assert holder.delete(f"/api/v1/tokens/{told['id']}").status_code == 204
    assert holder.get("/api/v1/me").status_code == 401


def test_only_the_fields_that_are_named_can_be_written(
    api_of, shop: Team, alice: User, charlie: User
) -> None:
    client = api_of(alice)
    before = Team.objects.filter(pk=shop.pk).values().get()
    sent = {"slug": "taken", "public_id": "team_x", "personal_of": charlie.pk, "row_version": 99, "id": "x"}
    assert client.patch(f"/api/v1/teams/{shop.slug}", {"name": "Shop", **sent}).status_code == 200
    after = Team.objects.filter(pk=shop.pk).values().get()
    changed = {key for key in before if before[key] != after[key]}
    assert changed <= {"updated_at", "row_version"}
    assert after["row_version"] == before["row_version"] + 1
    more = {"user": charlie.pk, "token_id": "a" * 16, "digest": "x", "last_used_at": tomorrow()}
    made = client.post("/api/v1/tokens", {"name": "x", "scopes": ["read"], "expires_at": tomorrow(), **more})
    token = ApiToken.objects.get(public_id=made.json()["id"])
    assert (token.user, token.last_used_at) == (alice, None)
    assert token.token_id != "a" * 16


def test_an_administrator_may_bring_a_team_back_to_its_people(
    api_of, ada: User, shop: Team, alice: User, bob: User
) -> None:
    member = Membership.objects.get(team=shop, user=bob)
    url = f"/api/v1/teams/{shop.slug}/members/{member.public_id}"
    assert api_of(ada).patch(url, {"role": "owner"}).status_code == 403
    User.objects.filter(pk=alice.pk).update(is_active=False)
    assert api_of(ada).patch(url, {"role": "owner"}).json()["role"] == TeamRole.OWNER
