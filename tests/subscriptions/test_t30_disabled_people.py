"""T30: the keys of a disabled person end with them, and decisions take a second factor where it is demanded."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.mfa.models import Authenticator

from audit.models import ActionRefused, ActorKind, AuditEvent
from gateways.models import Gateway
from subscriptions.actions import (
    approve_request,
    close_subscription,
    follow_people,
    reject_request,
    resume_subscription,
    suspend_subscription,
)
from subscriptions.models import AccessRequest, Subscription
from teams import actions
from teams.models import Team, TeamRole, User
from teams.queries import actor_of_user
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
State = Subscription.State


@pytest.fixture
def own(dana: User) -> Subscription:
    """A subscription of dana's personal team, on an API that a gateway serves."""
    actions.sign_up(dana)
    version = factories.make_version()
    factories.make_publication(version, factories.make_gateway("edge"))
    plan = factories.make_plan(version.api)
    return factories.make_subscription(factories.make_application(dana.personal_team), plan)


def state_of(subscription: Subscription) -> str:
    return Subscription.objects.get(pk=subscription.pk).state


def test_a_disabled_person_s_keys_end_at_once_and_come_back_with_them(
    own: Subscription, dana: User, ada: User, logistics: Team
) -> None:
    other = factories.make_subscription(factories.make_application(logistics), own.plan_revision)
    Gateway.objects.update(behind_since=None)
    actions.disable_user(dana, actor=actor_of_user(ada))
    own.refresh_from_db()
    assert (own.state, own.suspended_with) == (State.SUSPENDED, dana)
    assert own.state_reason
    assert Gateway.objects.get().behind_since is not None, "the gateway is told in the same request"
    assert state_of(other) == State.ACTIVE, "a team is not its member"
    event = AuditEvent.objects.get(name="subscription.suspended")
    assert (event.actor_kind, event.target_id) == (ActorKind.SYSTEM, own.public_id)
    actions.enable_user(dana, actor=actor_of_user(ada))
    own.refresh_from_db()
    assert (own.state, own.suspended_with, own.state_reason) == (State.ACTIVE, None, "")


def test_what_was_suspended_before_stays_suspended(own: Subscription, dana: User, ada: User) -> None:
    suspend_subscription(own, actor=actor_of_user(ada), reason="Too many calls.")
    actions.disable_user(dana, actor=actor_of_user(ada))
    actions.enable_user(dana, actor=actor_of_user(ada))
    own.refresh_from_db()
    assert (own.state, own.state_reason) == (State.SUSPENDED, "Too many calls.")


def test_a_personal_team_with_somebody_else_in_it_goes_on(
    own: Subscription, dana: User, ada: User, bob: User
) -> None:
    factories.join(dana.personal_team, bob, TeamRole.DEVELOPER)
    actions.disable_user(dana, actor=actor_of_user(ada))
    assert state_of(own) == State.ACTIVE


def test_nobody_resumes_it_while_the_person_is_disabled(own: Subscription, dana: User, ada: User) -> None:
    actions.disable_user(dana, actor=actor_of_user(ada))
    with pytest.raises(ActionRefused, match="disabled"):
        resume_subscription(own, actor=actor_of_user(ada))
    suspend_subscription(own, actor=actor_of_user(ada), reason="Leave it so.")
    actions.enable_user(dana, actor=actor_of_user(ada))
    own.refresh_from_db()
    assert (own.state, own.state_reason) == (State.SUSPENDED, "Leave it so."), (
        "the API's team has the last word"
    )


def test_it_can_be_closed_and_an_anonymised_person_leaves_no_key_behind(
    own: Subscription, dana: User, ada: User
) -> None:
    actions.anonymise_user(dana, actor=actor_of_user(ada))
    assert state_of(own) == State.SUSPENDED
    close_subscription(own, actor=actor_of_user(ada), reason="The person left.")
    own.refresh_from_db()
    assert (own.state, own.suspended_with) == (State.CLOSED, None)


def test_a_lost_signal_is_made_up_for_by_the_sweep(own: Subscription, dana: User) -> None:
    User.objects.filter(pk=dana.pk).update(is_active=False)
    assert follow_people() == 1
    assert follow_people() == 0
    assert state_of(own) == State.SUSPENDED
    User.objects.filter(pk=dana.pk).update(is_active=True)
    assert follow_people() == 1
    assert state_of(own) == State.ACTIVE


@pytest.fixture
def asked(alice: User, shop: Team, dana: User, logistics: Team) -> AccessRequest:
    version = factories.make_version(factories.make_api(shop))
    return factories.make_request(
        factories.make_application(logistics), factories.make_plan(version.api), by=dana
    )


def test_who_decides_needs_a_second_factor_where_it_is_demanded(
    asked: AccessRequest, alice: User, erin: User, client_of: Any, settings: Any
) -> None:
    settings.REQUIRE_SECOND_FACTOR_TO_DECIDE = True
    for person in (alice, erin):
        browser = client_of(person)
        page = browser.get(f"/approvals/{asked.public_id}/").content.decode()
        assert "second factor" in page
        assert "/accounts/2fa/" in page
        assert "/approve/" not in page
        refused = browser.post(f"/approvals/{asked.public_id}/approve/")
        assert refused.status_code == 409
        assert "second factor" in refused.content.decode()
        with pytest.raises(ActionRefused, match="second factor"):
            reject_request(asked, actor=actor_of_user(person), note="No.")
    asked.refresh_from_db()
    assert asked.state == AccessRequest.State.PENDING
    Authenticator.objects.create(user=alice, type=Authenticator.Type.RECOVERY_CODES, data={})
    with pytest.raises(ActionRefused, match="second factor"):
        approve_request(asked, actor=actor_of_user(alice))
    Authenticator.objects.create(user=alice, type=Authenticator.Type.TOTP, data={"secret": "x"})
    assert client_of(alice).post(f"/approvals/{asked.public_id}/approve/").status_code == 302
    asked.refresh_from_db()
    assert asked.state == AccessRequest.State.APPROVED


def test_tokens_decide_without_one_and_it_can_be_switched_off(
    asked: AccessRequest, alice: User, api_of: Any, settings: Any
) -> None:
    settings.REQUIRE_SECOND_FACTOR_TO_DECIDE = True
    answer = api_of(alice).post(f"/api/v1/access-requests/{asked.public_id}/approve")
    assert answer.status_code == 200, answer.content


def test_the_embedded_default_demands_none(asked: AccessRequest, alice: User, settings: Any) -> None:
    assert settings.REQUIRE_SECOND_FACTOR_TO_DECIDE is False
    assert approve_request(asked, actor=actor_of_user(alice)).state == State.ACTIVE
