"""What happens to a subscription, its keys and its blocks once it is granted."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.utils import timezone

from audit.models import ActionRefused, AuditEvent, TransitionNotAllowed
from gateways.engine import document
from subscriptions import keys
from subscriptions.actions import (
    MOST_KEYS,
    block_until,
    close_ended_subscriptions,
    close_subscription,
    expire_credentials,
    issue_credential,
    lift_block,
    lift_blocks,
    resume_subscription,
    revoke_credential,
    suspend_subscription,
)
from subscriptions.models import Block, Credential, Subscription
from teams.models import SYSTEM, Notice
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def subscription(world):
    return factories.make_subscription(world.application, world.gold)


def test_the_apis_team_suspends_and_resumes_with_a_reason(subscription, alice, dana, acting):
    with pytest.raises(ValidationError, match="Give a reason"):
        suspend_subscription(subscription, actor=acting(alice), reason="")
    suspended = suspend_subscription(subscription, actor=acting(alice), reason="Overload on Friday.")
    assert (suspended.state, suspended.state_reason) == ("suspended", "Overload on Friday.")
    assert Notice.objects.get(user=dana).body == "Overload on Friday."
    with pytest.raises(TransitionNotAllowed):
        suspend_subscription(subscription, actor=acting(alice), reason="Again.")
    assert resume_subscription(subscription, actor=acting(alice)).state == "active"
    assert Notice.objects.filter(user=dana).count() == 2


@pytest.mark.parametrize("who", ["bob", "charlie", "dana", "erin", "frank"])
def test_who_does_not_own_the_api_may_not_suspend(request, subscription, acting, who):
    with pytest.raises(PermissionDenied):
        suspend_subscription(subscription, actor=acting(request.getfixturevalue(who)), reason="No.")


SIDES = {
    "alice": True,
    "dana": True,
    "ada": True,
    "bob": False,
    "charlie": False,
    "erin": False,
    "frank": False,
}


@pytest.mark.parametrize(("who", "may"), SIDES.items())
def test_both_sides_may_close_and_nobody_else(request, subscription, acting, who, may):
    actor = acting(request.getfixturevalue(who))
    if may:
        assert close_subscription(subscription, actor=actor, reason="Over.").state == "closed"
        return
    with pytest.raises(PermissionDenied):
        close_subscription(subscription, actor=actor, reason="Over.")


def test_closing_revokes_the_keys_and_lifts_the_blocks(subscription, dana, acting):
    credential, _value = issue_credential(subscription, actor=acting(dana))
    block = block_until(subscription, Block.Reason.QUOTA_DAY, timezone.now() + timedelta(hours=3))
    close_subscription(subscription, actor=acting(dana), reason="Done.")
    credential.refresh_from_db()
    block.refresh_from_db()
    assert credential.state == Credential.State.REVOKED
    assert block.lifted_at is not None
    names = list(AuditEvent.objects.order_by("id").values_list("name", flat=True))
    assert names[-3:] == ["credential.revoked", "block.lifted", "subscription.closed"]


def test_a_subscription_ends_after_its_last_day(subscription):
    today = timezone.now()
    Subscription.objects.update(ends_on=today.date())
    assert close_ended_subscriptions(now=today) == 0
    assert close_ended_subscriptions(now=today + timedelta(days=1)) == 1
    assert close_ended_subscriptions(now=today + timedelta(days=1)) == 0
    subscription.refresh_from_db()
    assert subscription.state == Subscription.State.CLOSED


def test_a_key_is_kept_as_digest_and_sealed_value_and_the_event_names_no_secret(subscription, dana, acting):
    credential, value = issue_credential(subscription, actor=acting(dana), name="laptop")
    assert value.startswith(f"ghp{credential.key_id}")
    assert keys.key_digest(value) == (bytes(credential.digest), credential.digest_key)
    assert keys.open_key(credential.sealed, credential.public_id) == value
    assert credential.value_digest == document.value_digest(value)
    event = AuditEvent.objects.get(name="credential.issued")
    assert value[19:] not in f"{event.after}{event.target_label}"


def test_five_keys_at_once_and_a_revoked_one_makes_room(subscription, dana, acting):
    made = [issue_credential(subscription, actor=acting(dana))[0] for _number in range(MOST_KEYS)]
    with pytest.raises(ActionRefused) as refused:
        issue_credential(subscription, actor=acting(dana))
    assert refused.value.code == "too_many_keys"
    revoke_credential(made[0], actor=acting(dana), reason="Leaked.")
    assert issue_credential(subscription, actor=acting(dana))


def test_no_key_on_a_stopped_subscription(subscription, alice, dana, acting):
    suspend_subscription(subscription, actor=acting(alice), reason="Overload.")
    with pytest.raises(ActionRefused) as refused:
        issue_credential(subscription, actor=acting(dana))
    assert refused.value.code == "subscription_not_active"
    close_subscription(subscription, actor=acting(alice), reason="Over.")
    with pytest.raises(ActionRefused):
        issue_credential(subscription, actor=acting(dana))


@pytest.mark.parametrize("who", ["alice", "bob", "charlie", "erin", "frank", "ada"])
def test_nobody_outside_the_applications_team_holds_its_keys(request, subscription, dana, acting, who):
    credential, _value = issue_credential(subscription, actor=acting(dana))
    stranger = acting(request.getfixturevalue(who))
    with pytest.raises(PermissionDenied):
        issue_credential(subscription, actor=stranger)
    with pytest.raises(PermissionDenied):
        revoke_credential(credential, actor=stranger)


def test_a_key_ends_once(subscription, dana, acting):
    credential, _value = issue_credential(subscription, actor=acting(dana))
    revoke_credential(credential, actor=acting(dana), reason="Rotated.")
    with pytest.raises(TransitionNotAllowed):
        revoke_credential(credential, actor=acting(dana))
    credential.refresh_from_db()
    assert (credential.state, credential.end_reason) == ("revoked", "Rotated.")


def test_a_key_expires_at_its_time(subscription, dana, acting):
    with pytest.raises(ValidationError, match="future"):
        issue_credential(subscription, actor=acting(dana), expires_at=timezone.now())
    soon = timezone.now() + timedelta(hours=1)
    credential, _value = issue_credential(subscription, actor=acting(dana), expires_at=soon)
    assert expire_credentials(now=soon - timedelta(seconds=1)) == 0
    assert expire_credentials(now=soon) == 1
    assert expire_credentials(now=soon) == 0
    credential.refresh_from_db()
    assert credential.state == Credential.State.EXPIRED
    assert AuditEvent.objects.filter(name="credential.expired", actor_kind="system").count() == 1


def test_a_form_opened_before_another_key_was_issued_issues_none(subscription, dana, acting):
    issue_credential(subscription, actor=acting(dana), after=0)
    with pytest.raises(ActionRefused) as refused:
        issue_credential(subscription, actor=acting(dana), after=0)
    assert refused.value.code == "issued_meanwhile"


def test_a_block_is_set_once_extended_and_lifted_in_time(subscription):
    until = timezone.now() + timedelta(hours=2)
    block = block_until(subscription, Block.Reason.QUOTA_DAY, until)
    assert block_until(subscription, Block.Reason.QUOTA_DAY, until) == block
    assert AuditEvent.objects.filter(name="block.set").count() == 1
    later = block_until(subscription, Block.Reason.QUOTA_DAY, until + timedelta(hours=1))
    assert later == block
    assert AuditEvent.objects.filter(name="block.set").count() == 2
    assert lift_blocks(now=until) == 0
    assert lift_blocks(now=later.until) == 1
    assert lift_blocks(now=later.until) == 0
    subscription.refresh_from_db()
    assert subscription.state == Subscription.State.ACTIVE


def test_a_block_lifted_by_hand_is_lifted_once(subscription, alice, dana, acting):
    block = block_until(subscription, Block.Reason.QUOTA_MONTH, timezone.now() + timedelta(days=9))
    with pytest.raises(PermissionDenied):
        lift_block(block, actor=acting(dana))
    lift_block(block, actor=acting(alice))
    with pytest.raises(ActionRefused):
        lift_block(block, actor=SYSTEM)


def test_nothing_is_blocked_on_a_closed_subscription(subscription, alice, acting):
    close_subscription(subscription, actor=acting(alice), reason="Over.")
    with pytest.raises(ActionRefused):
        block_until(subscription, Block.Reason.QUOTA_DAY, timezone.now() + timedelta(hours=1))
