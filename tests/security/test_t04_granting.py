"""T4: nobody grants more than they hold, by whichever door and however the role or scope is spelt."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.models import ActionRefused, AuditEvent
from teams import actions
from teams.models import Invitation, Membership, PlatformRole, ServiceAccount, Team, TeamRole, User
from teams.permissions import ROLE_ORDER, may_grant
from teams.queries import actor_of_token, actor_of_user
from tests import factories

REFUSALS = (PermissionDenied, ValidationError, ActionRefused)
SPELLINGS = [
    "Owner", "OWNER", "owner ", " owner", "owner\u200b", "\u043ewner", "\uff4fwner", "%6fwner", "owner%00",
    "owner\x00", "own\u0435r", "administrator", "", "*", "owner,viewer", "оwner",
]  # fmt: skip
roles = st.sampled_from(ROLE_ORDER)
scope_names = [
    "read",
    "teams:write",
    "apis:write",
    "subscriptions:write",
    "approvals:write",
    "gateways:write",
]
scope_sets = st.sets(st.sampled_from(scope_names), min_size=1)


names = st.one_of(roles, st.sampled_from(SPELLINGS), st.text(max_size=12))
pairs = given(own=st.one_of(st.none(), names), role=names)
ways = given(
    own=st.one_of(st.none(), roles),
    role=st.one_of(roles, st.sampled_from(SPELLINGS)),
    door=st.sampled_from(["invite", "change", "account", "group"]),
)
sets = given(held=scope_sets, wanted=scope_sets)


@pairs
def test_a_role_is_granted_from_at_least_as_high_a_role(own: str | None, role: str) -> None:
    check_pair(own, role)


@pytest.mark.long
@settings(max_examples=10_000)
@pairs
def test_a_role_is_granted_from_at_least_as_high_a_role_in_full(own: str | None, role: str) -> None:
    check_pair(own, role)


def check_pair(own: str | None, role: str) -> None:
    allowed = own in ROLE_ORDER and role in ROLE_ORDER and ROLE_ORDER.index(role) <= ROLE_ORDER.index(own)
    assert may_grant(own, role) is allowed


@pytest.mark.django_db
@settings(max_examples=80)
@ways
def test_no_door_gives_a_role_above_ones_own(own: str | None, role: str, door: str) -> None:
    check_door(own, role, door)


@pytest.mark.long
@pytest.mark.django_db
@settings(max_examples=10_000)
@ways
def test_no_door_gives_a_role_above_ones_own_in_full(own: str | None, role: str, door: str) -> None:
    with transaction.atomic():
        check_door(own, role, door)
        transaction.set_rollback(True)


def check_door(own: str | None, role: str, door: str) -> None:
    team, grantor, other = factories.make_team(), factories.make_user(), factories.make_user()
    if own:
        factories.join(team, grantor, own)
    member = factories.join(team, other, TeamRole.VIEWER)
    actor = actor_of_user(grantor)
    try:
        if door == "invite":
            actions.invite_member(team, actor=actor, email="x@example.test", role=role)
        elif door == "change":
            actions.change_role(member, actor=actor, role=role)
        elif door == "account":
            actions.create_service_account(team, actor=actor, name="robot", role=role)
        else:
            actions.create_approver_group(team, actor=actor, name="group", people=[])
    except REFUSALS:
        pass
    given_roles = [
        *Invitation.objects.filter(team=team).values_list("role", flat=True),
        *ServiceAccount.objects.filter(team=team).values_list("role", flat=True),
        *Membership.objects.filter(team=team, user=other)
        .exclude(role=TeamRole.VIEWER)
        .values_list("role", flat=True),
    ]
    assert all(own == TeamRole.OWNER and may_grant(own, each) for each in given_roles)
    assert own == TeamRole.OWNER or not team.approver_groups.exists()


@pytest.mark.django_db
@settings(max_examples=60)
@sets
def test_a_token_passes_on_its_own_scopes_at_most(held: set[str], wanted: set[str]) -> None:
    check_scopes(held, wanted)


@pytest.mark.long
@pytest.mark.django_db
@settings(max_examples=10_000)
@sets
def test_a_token_passes_on_its_own_scopes_at_most_in_full(held: set[str], wanted: set[str]) -> None:
    with transaction.atomic():
        check_scopes(held, wanted)
        transaction.set_rollback(True)


def check_scopes(held: set[str], wanted: set[str]) -> None:
    token, _value = factories.make_api_token(user=factories.make_user(), scopes=sorted(held))
    ends = timezone.now() + timedelta(days=1)
    try:
        made, _value = actions.create_token(
            actor=actor_of_token(token), name="child", scopes=wanted, expires_at=ends
        )
    except PermissionDenied:
        assert "teams:write" not in held or not wanted <= held
    else:
        assert set(made.scopes) <= held
        assert "teams:write" in held


@pytest.mark.django_db
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_another_spelling_of_a_role_is_no_role(
    shop: Team, alice: User, bob: User, spelling: str, api_of
) -> None:
    member, actor = Membership.objects.get(team=shop, user=bob), actor_of_user(alice)
    for call in (
        lambda: actions.change_role(member, actor=actor, role=spelling),
        lambda: actions.invite_member(shop, actor=actor, email="x@example.test", role=spelling),
        lambda: actions.create_service_account(shop, actor=actor, name="robot", role=spelling),
    ):
        with pytest.raises(REFUSALS):
            call()
    url = f"/api/v1/teams/{shop.slug}/members/{member.public_id}"
    assert api_of(alice).patch(url, {"role": spelling}).status_code == 422


@pytest.mark.django_db
def test_an_administrator_lets_nobody_act_and_not_themselves_in(
    ada: User, shop: Team, alice: User, bob: User
) -> None:
    actor = actor_of_user(ada)
    with pytest.raises(PermissionDenied):
        actions.create_service_account(shop, actor=actor, name="robot", role=TeamRole.VIEWER)
    for role in (TeamRole.OWNER, TeamRole.PUBLISHER, TeamRole.DEVELOPER):
        with pytest.raises(PermissionDenied):
            actions.invite_member(shop, actor=actor, email="friend@example.test", role=role)
    invitation = actions.invite_member(shop, actor=actor, email=ada.email, role=TeamRole.VIEWER)
    with pytest.raises(PermissionDenied):
        actions.accept_invitation(invitation, actor=actor)


@pytest.mark.django_db
def test_an_administrator_takes_roles_away_and_gives_none(
    ada: User, shop: Team, alice: User, bob: User
) -> None:
    member, actor = Membership.objects.get(team=shop, user=bob), actor_of_user(ada)
    for role in (TeamRole.OWNER, TeamRole.PUBLISHER):
        with pytest.raises(PermissionDenied):
            actions.change_role(member, actor=actor, role=role)
    assert actions.change_role(member, actor=actor, role=TeamRole.VIEWER).role == TeamRole.VIEWER
    actions.remove_member(member, actor=actor)
    assert not Membership.objects.filter(team=shop, user=bob).exists()


@pytest.mark.django_db
def test_who_may_not_decide_names_no_deciders(ada: User, shop: Team, alice: User, client_of, api_of) -> None:
    """An administrator who put themselves into a group would approve what the table denies them."""
    group = actions.create_approver_group(shop, actor=actor_of_user(alice), name="Deciders", people=[])
    with pytest.raises(PermissionDenied):
        actions.create_approver_group(shop, actor=actor_of_user(ada), name="Mine", people=[ada])
    with pytest.raises(PermissionDenied):
        actions.change_approver_group(group, actor=actor_of_user(ada), people=[ada])
    browser = client_of(ada)
    assert b"approver-groups/new" not in browser.get(f"/teams/{shop.slug}/").content
    assert browser.get(f"/teams/{shop.slug}/approver-groups/new/").status_code == 403
    url = f"/api/v1/teams/{shop.slug}/approver-groups/{group.public_id}"
    assert api_of(ada).patch(url, {"people": [ada.public_id]}).status_code == 403
    without = api_of(alice, scopes=["read", "teams:write"])
    assert without.patch(url, {"people": [alice.public_id]}).status_code == 403, "a scope is a right too"
    assert not group.people.exists()


@pytest.mark.django_db
def test_a_team_without_an_owner_is_rescued_in_the_open(
    ada: User, shop: Team, alice: User, bob: User
) -> None:
    actions.disable_user(alice, actor=actor_of_user(ada))
    member = Membership.objects.get(team=shop, user=bob)
    with pytest.raises(PermissionDenied):
        actions.change_role(member, actor=actor_of_user(ada), role=TeamRole.PUBLISHER)
    actions.change_role(member, actor=actor_of_user(ada), role=TeamRole.OWNER)
    event = AuditEvent.objects.get(name="team.rescued")
    assert (event.actor_id, event.target_id, event.after) == (ada.public_id, shop.public_id, {"owner": "Bob"})
    assert bob.notices.filter(name="team.rescued").exists()
    with pytest.raises(PermissionDenied):
        actions.invite_member(shop, actor=actor_of_user(ada), email="x@example.test", role=TeamRole.OWNER)


@pytest.mark.django_db
def test_an_invitation_to_the_rescue_ends_when_the_team_has_an_owner_again(
    ada: User, shop: Team, alice: User, dana: User
) -> None:
    actions.disable_user(alice, actor=actor_of_user(ada))
    invitation = actions.invite_member(shop, actor=actor_of_user(ada), email=dana.email, role=TeamRole.OWNER)
    actions.enable_user(alice, actor=actor_of_user(ada))
    with pytest.raises(ActionRefused, match="can no longer grant"):
        actions.accept_invitation(invitation, actor=actor_of_user(dana))
    actions.disable_user(alice, actor=actor_of_user(ada))
    assert actions.accept_invitation(invitation, actor=actor_of_user(dana)).role == TeamRole.OWNER


@pytest.mark.django_db
def test_an_administrator_does_not_raise_themselves_by_a_rescue(ada: User, shop: Team) -> None:
    member = factories.join(shop, ada, TeamRole.VIEWER)
    with pytest.raises(PermissionDenied, match="their own"):
        actions.change_role(member, actor=actor_of_user(ada), role=TeamRole.OWNER)


@pytest.mark.django_db
def test_an_owner_cannot_mint_tokens_of_an_account_that_outranks_them(shop: Team, alice: User) -> None:
    account = factories.make_service_account(shop, TeamRole.OWNER)
    alice.memberships.update(role=TeamRole.PUBLISHER)
    ends = timezone.now() + timedelta(days=1)
    with pytest.raises(PermissionDenied):
        actions.create_token(
            actor=actor_of_user(alice), name="x", scopes=["read"], expires_at=ends, service_account=account
        )


@pytest.mark.django_db
def test_platform_roles_are_passed_on_by_who_holds_them_and_never_to_oneself(ada: User, bob: User) -> None:
    actor = actor_of_user(ada)
    with pytest.raises(PermissionDenied, match="holds"):
        actions.change_platform_roles(bob, actor=actor, roles=[PlatformRole.APPROVER])
    with pytest.raises(PermissionDenied, match="their own"):
        actions.change_platform_roles(ada, actor=actor, roles=[])
    with pytest.raises(PermissionDenied):
        actions.change_platform_roles(ada, actor=actor_of_user(bob), roles=[])
    actions.change_platform_roles(bob, actor=actor, roles=[PlatformRole.ADMINISTRATOR])


@pytest.mark.django_db
def test_an_invitation_gives_no_more_than_its_sender_could_still_give(
    shop: Team, alice: User, dana: User
) -> None:
    second = factories.make_user()
    membership = factories.join(shop, second, TeamRole.OWNER)
    invitation = actions.invite_member(
        shop, actor=actor_of_user(second), email=dana.email, role=TeamRole.OWNER
    )
    actions.change_role(membership, actor=actor_of_user(alice), role=TeamRole.PUBLISHER)
    with pytest.raises(ActionRefused, match="can no longer grant"):
        actions.accept_invitation(invitation, actor=actor_of_user(dana))
