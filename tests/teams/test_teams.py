"""Teams and who is in them: making, inviting, accepting, other roles, leaving."""

from __future__ import annotations

from datetime import timedelta

import pytest
from allauth.account.models import EmailAddress
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone

from audit.models import ActionRefused, AuditEvent
from teams import actions
from teams.models import Actor, ApproverGroup, Invitation, Membership, Notice, Team, TeamRole, User
from teams.permissions import Scope
from teams.queries import actor_of_token, actor_of_user
from tests import factories

pytestmark = pytest.mark.django_db


def as_actor(user: User) -> Actor:
    """The actor as the next request would build it."""
    return actor_of_user(User.objects.get(pk=user.pk))


def names_of_events() -> list[str]:
    return list(AuditEvent.objects.order_by("id").values_list("name", flat=True))


def test_a_team_belongs_to_who_made_it(alice: User) -> None:
    team = actions.create_team(actor=as_actor(alice), name="Route planning")
    assert team.slug == "route-planning"
    assert as_actor(alice).roles[team.pk] == TeamRole.OWNER
    assert names_of_events() == ["team.created"]


@pytest.mark.parametrize("slug", ["new", "roles", "-x", "Shop", "a b", "a_b", "x" * 49, "..", "shop/../x"])
def test_a_short_name_that_breaks_addresses_is_refused(alice: User, slug: str) -> None:
    with pytest.raises(ValidationError):
        actions.create_team(actor=as_actor(alice), name="X", slug=slug)


def test_a_taken_short_name_is_a_validation_error(alice: User, shop: Team) -> None:
    with pytest.raises(ValidationError) as error:
        actions.create_team(actor=as_actor(alice), name="Other", slug=shop.slug)
    assert "slug" in error.value.message_dict


def test_a_service_account_makes_no_team(shop: Team) -> None:
    account = factories.make_service_account(shop, TeamRole.OWNER)
    token, _value = factories.make_api_token(service_account=account)
    with pytest.raises(PermissionDenied):
        actions.create_team(actor=actor_of_token(token), name="Mine")


def test_only_an_owner_or_administrator_changes_a_team(
    shop: Team, alice: User, bob: User, charlie: User, erin: User, frank: User, ada: User
) -> None:
    for person in (bob, charlie, erin, frank):
        with pytest.raises(PermissionDenied):
            actions.change_team(shop, actor=as_actor(person), name="Taken over")
    for person in (alice, ada):
        assert actions.change_team(shop, actor=as_actor(person), name=f"By {person}").name == f"By {person}"


def invite(team: Team, by: User, email: str, role: str = TeamRole.DEVELOPER) -> Invitation:
    return actions.invite_member(team, actor=as_actor(by), email=email, role=role)


def test_an_invited_person_comes_in_with_the_role_and_the_inviter_is_told(
    shop: Team, alice: User, dana: User
) -> None:
    invitation = invite(shop, alice, "Dana@Example.test", TeamRole.PUBLISHER)
    membership = actions.accept_invitation(invitation, actor=as_actor(dana))
    assert membership.role == TeamRole.PUBLISHER
    assert Notice.objects.get(user=alice).name == "invitation.accepted"
    assert names_of_events() == ["invitation.sent", "invitation.accepted", "membership.added"]


def test_an_invitation_is_only_for_its_address(shop: Team, alice: User, charlie: User) -> None:
    invitation = invite(shop, alice, "somebody@example.test")
    with pytest.raises(ActionRefused, match=r"somebody@example\.test"):
        actions.accept_invitation(invitation, actor=as_actor(charlie))
    assert not Membership.objects.filter(team=shop, user=charlie).exists()


def test_an_unconfirmed_address_opens_nothing(shop: Team, alice: User, charlie: User) -> None:
    EmailAddress.objects.create(user=charlie, email="somebody@example.test", verified=False)
    invitation = invite(shop, alice, "somebody@example.test")
    with pytest.raises(ActionRefused):
        actions.accept_invitation(invitation, actor=as_actor(charlie))


def test_an_invitation_works_once_and_not_after_its_end(shop: Team, alice: User, dana: User) -> None:
    invitation = invite(shop, alice, dana.email)
    Invitation.objects.filter(pk=invitation.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(ActionRefused):
        actions.accept_invitation(invitation, actor=as_actor(dana))
    again = invite(shop, alice, dana.email)
    actions.accept_invitation(again, actor=as_actor(dana))
    with pytest.raises(ActionRefused):
        actions.accept_invitation(again, actor=as_actor(dana))


def test_a_withdrawn_invitation_opens_nothing(shop: Team, alice: User, dana: User) -> None:
    invitation = invite(shop, alice, dana.email)
    actions.revoke_invitation(invitation, actor=as_actor(alice))
    with pytest.raises(ActionRefused):
        actions.accept_invitation(invitation, actor=as_actor(dana))


def test_an_address_is_asked_once_at_a_time(shop: Team, alice: User, bob: User) -> None:
    invite(shop, alice, "new@example.test")
    for email in ("NEW@example.test", bob.email):
        with pytest.raises(ValidationError):
            invite(shop, alice, email)


def test_the_last_owner_stays(shop: Team, alice: User) -> None:
    own = Membership.objects.get(team=shop, user=alice)
    with pytest.raises(ActionRefused, match="last owner"):
        actions.remove_member(own, actor=as_actor(alice))
    with pytest.raises(ActionRefused, match="last owner"):
        actions.change_role(own, actor=as_actor(alice), role=TeamRole.VIEWER)
    factories.join(shop, factories.make_user())
    with pytest.raises(ActionRefused, match="last owner"):
        actions.anonymise_user(alice, actor=as_actor(alice))


def test_a_locked_out_owner_does_not_count_as_one(shop: Team, alice: User) -> None:
    other = factories.make_user(is_active=False)
    factories.join(shop, other, TeamRole.OWNER)
    with pytest.raises(ActionRefused, match="last owner"):
        actions.remove_member(Membership.objects.get(team=shop, user=alice), actor=as_actor(alice))


def test_a_role_change_is_felt_by_the_next_request(shop: Team, alice: User, bob: User, client_of) -> None:
    browser = client_of(bob)
    membership = Membership.objects.get(team=shop, user=bob)
    assert browser.get(f"/teams/{shop.slug}/").status_code == 200
    actions.change_role(membership, actor=as_actor(alice), role=TeamRole.OWNER)
    assert browser.get(f"/teams/{shop.slug}/invite/").status_code == 200
    actions.change_role(membership, actor=as_actor(alice), role=TeamRole.VIEWER)
    assert browser.get(f"/teams/{shop.slug}/invite/").status_code == 404
    actions.remove_member(membership, actor=as_actor(alice))
    assert browser.get(f"/teams/{shop.slug}/").status_code == 404


def test_a_removed_member_keeps_no_seat_no_open_invitation_and_is_told(
    shop: Team, alice: User, bob: User
) -> None:
    Membership.objects.filter(team=shop, user=bob).update(role=TeamRole.OWNER)
    group = ApproverGroup.objects.create(team=shop, name="Deciders")
    group.people.add(bob)
    invitation = invite(shop, bob, "friend@example.test", TeamRole.OWNER)
    actions.remove_member(Membership.objects.get(team=shop, user=bob), actor=as_actor(alice))
    invitation.refresh_from_db()
    assert invitation.state == Invitation.State.REVOKED
    assert not group.people.exists()
    assert Notice.objects.get(user=bob).name == "membership.removed"


def test_a_member_may_leave_but_not_remove_another(shop: Team, alice: User, bob: User) -> None:
    with pytest.raises(PermissionDenied):
        actions.remove_member(Membership.objects.get(team=shop, user=alice), actor=as_actor(bob))
    actions.remove_member(Membership.objects.get(team=shop, user=bob), actor=as_actor(bob))
    assert shop.pk not in as_actor(bob).roles


def test_a_read_only_token_cannot_leave_a_team(shop: Team, bob: User) -> None:
    reader = actor_of_user(bob, scopes=frozenset({Scope.READ}))
    with pytest.raises(PermissionDenied):
        actions.remove_member(Membership.objects.get(team=shop, user=bob), actor=reader)


def test_an_approver_group_holds_colleagues_only(shop: Team, alice: User, bob: User, charlie: User) -> None:
    group = actions.create_approver_group(shop, actor=as_actor(alice), name="Deciders", people=[bob])
    assert list(group.people.all()) == [bob]
    with pytest.raises(ValidationError):
        actions.change_approver_group(group, actor=as_actor(alice), people=[bob, charlie])
    with pytest.raises(PermissionDenied):
        actions.change_approver_group(group, actor=as_actor(bob), people=[bob])
