"""Rotation of a key: started, extended, finished, aborted, ended by time, and all that may happen meanwhile."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.models import ActionRefused, AuditEvent, TransitionNotAllowed
from subscriptions import keys
from subscriptions.actions import (
    MOST_KEYS,
    abort_rotation,
    close_subscription,
    end_rotations,
    expire_credentials,
    extend_rotation,
    finish_rotation,
    issue_credential,
    request_plan_change,
    resume_subscription,
    revoke_credential,
    start_rotation,
    suspend_subscription,
)
from subscriptions.models import MOST_OVERLAP, Credential, Rotation
from teams.models import Notice, TeamRole
from tests import factories

pytestmark = pytest.mark.django_db

DAY, HOUR, NONE = timedelta(days=1), timedelta(hours=1), timedelta(0)


@pytest.fixture
def subscription(world):
    return factories.make_subscription(world.application, world.gold)


@pytest.fixture
def old(subscription):
    return factories.make_credential(subscription, name="laptop")[0]


@pytest.fixture
def consumer(dana, acting):
    return acting(dana)


@pytest.fixture
def rotation(old, consumer):
    return start_rotation(old, actor=consumer, overlap=DAY)[0]


def states(rotation):
    """The rotation and its keys as they are in the database."""
    rotation.refresh_from_db()
    old, new = (Credential.objects.get(pk=pk) for pk in (rotation.old_id, rotation.new_id))
    return rotation.state, old.state, new.state


def events():
    return list(AuditEvent.objects.order_by("id").values_list("name", flat=True))


def notices(user):
    return list(Notice.objects.filter(user=user).order_by("id").values_list("name", flat=True))


def test_a_new_key_at_once_and_both_work(old, consumer):
    rotation, value = start_rotation(old, actor=consumer, overlap=DAY)
    assert states(rotation) == ("running", "rotating", "active")
    assert keys.key_id_of(value) == rotation.new.key_id
    assert rotation.new.name == "laptop"
    assert rotation.ends_at - rotation.created_at == pytest.approx(DAY, abs=timedelta(seconds=5))
    assert Credential.objects.usable().count() == 2
    assert events() == ["credential.issued", "rotation.started"]
    told = AuditEvent.objects.get(name="rotation.started")
    assert (told.after["old"], told.after["new"]) == (old.public_id, rotation.new.public_id)
    assert value[19:] not in f"{told.after}{told.target_label}"


def test_without_an_overlap_the_old_key_is_revoked_at_once(old, consumer):
    rotation, _value = start_rotation(old, actor=consumer, overlap=NONE, name="server")
    assert states(rotation) == ("finished", "revoked", "active")
    assert (rotation.ending, rotation.new.name) == ("at_once", "server")
    assert events() == ["credential.issued", "rotation.started", "credential.revoked", "rotation.finished"]


def test_finished_by_hand_once_however_often_it_is_asked(rotation, consumer):
    for _time in range(3):
        assert finish_rotation(rotation, actor=consumer).state == "finished"
    assert states(rotation) == ("finished", "revoked", "active")
    assert (rotation.ending, rotation.ended_by) == ("by_hand", consumer.label)
    assert events().count("rotation.finished") == events().count("credential.revoked") == 1
    with pytest.raises(TransitionNotAllowed):
        abort_rotation(rotation, actor=consumer)
    assert states(rotation) == ("finished", "revoked", "active")


def test_aborting_revokes_the_new_key_and_keeps_the_old_one(rotation, consumer):
    for _time in range(3):
        assert abort_rotation(rotation, actor=consumer).state == "aborted"
    assert states(rotation) == ("aborted", "active", "revoked")
    assert events().count("rotation.aborted") == events().count("credential.revoked") == 1
    with pytest.raises(TransitionNotAllowed):
        finish_rotation(rotation, actor=consumer)
    with pytest.raises(ActionRefused) as refused:
        extend_rotation(rotation, actor=consumer, ends_at=rotation.ends_at + HOUR)
    assert refused.value.code == "rotation_over"
    again, _value = start_rotation(Credential.objects.get(pk=rotation.old_id), actor=consumer, overlap=DAY)
    assert states(again) == ("running", "rotating", "active")


def test_it_ends_in_time_and_not_before(rotation):
    moment = rotation.ends_at
    assert end_rotations(now=moment - timedelta(microseconds=1)) == 0
    assert end_rotations(now=moment) == 1
    assert end_rotations(now=moment) == 0
    assert states(rotation) == ("finished", "revoked", "active")
    assert rotation.ending == "on_time"
    ended = AuditEvent.objects.get(name="rotation.finished")
    assert ended.actor_kind == "system"


def test_extended_it_ends_later_and_said_again_nothing_changes(rotation, consumer):
    first, later = rotation.ends_at, rotation.ends_at + 7 * DAY
    for _time in range(3):
        assert extend_rotation(rotation, actor=consumer, ends_at=later).ends_at == later
    assert events().count("rotation.extended") == 1
    assert end_rotations(now=first) == 0
    assert end_rotations(now=later) == 1


def test_an_end_is_never_drawn_nearer_nor_beyond_the_bound(rotation, consumer):
    for moment, word in (
        (rotation.ends_at - HOUR, "before the present end"),
        (rotation.created_at + MOST_OVERLAP + HOUR, "at the latest"),
    ):
        with pytest.raises(ValidationError, match=word):
            extend_rotation(rotation, actor=consumer, ends_at=moment)
    assert extend_rotation(rotation, actor=consumer, ends_at=rotation.created_at + MOST_OVERLAP)


def test_what_is_due_is_not_extended_any_more(rotation, consumer):
    Rotation.objects.update(ends_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(ActionRefused) as refused:
        extend_rotation(rotation, actor=consumer, ends_at=timezone.now() + HOUR)
    assert refused.value.code == "rotation_over"


@pytest.mark.parametrize("overlap", [-HOUR, MOST_OVERLAP + timedelta(seconds=1)])
def test_an_overlap_has_its_bounds(old, consumer, overlap):
    with pytest.raises(ValidationError, match="at most 30 days"):
        start_rotation(old, actor=consumer, overlap=overlap)
    assert states_of(old) == "active"


def states_of(credential):
    credential.refresh_from_db()
    return credential.state


def test_the_new_key_has_to_outlive_the_overlap(old, rotation, consumer):
    other = factories.make_credential(old.subscription)[0]
    with pytest.raises(ValidationError, match="outlive"):
        start_rotation(other, actor=consumer, overlap=DAY, expires_at=timezone.now() + HOUR)
    with pytest.raises(ValidationError, match="future"):
        start_rotation(other, actor=consumer, overlap=DAY, expires_at=timezone.now() - HOUR)
    assert states_of(other) == "active"
    started, _value = start_rotation(
        other, actor=consumer, overlap=DAY, expires_at=timezone.now() + timedelta(days=2)
    )
    with pytest.raises(ValidationError, match="at the latest"):
        extend_rotation(started, actor=consumer, ends_at=timezone.now() + timedelta(days=3))


def test_a_key_is_in_one_rotation_only(rotation, consumer):
    for key in (rotation.old, rotation.new):
        with pytest.raises(ActionRefused) as refused:
            start_rotation(key, actor=consumer, overlap=DAY)
        assert refused.value.code == "rotation_running"
    finish_rotation(rotation, actor=consumer)
    onwards, _value = start_rotation(rotation.new, actor=consumer, overlap=DAY)
    assert states(onwards) == ("running", "rotating", "active")


def test_the_database_refuses_a_second_running_rotation(rotation):
    other = factories.make_credential(rotation.subscription)[0]
    for pair in ({"old": rotation.old, "new": other}, {"old": other, "new": other}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Rotation.objects.create(**pair, started_by="test", ends_at=timezone.now())
    with pytest.raises(IntegrityError), transaction.atomic():
        Rotation.objects.update(state="finished")


def test_what_has_ended_is_not_rotated(old, consumer):
    Credential.objects.update(expires_at=timezone.now() - HOUR)
    with pytest.raises(ActionRefused) as refused:
        start_rotation(old, actor=consumer, overlap=DAY)
    assert refused.value.code == "key_ended"
    Credential.objects.update(expires_at=None)
    revoke_credential(old, actor=consumer)
    with pytest.raises(ActionRefused) as refused:
        start_rotation(old, actor=consumer, overlap=DAY)
    assert refused.value.code == "key_ended"


def test_the_overlap_ends_with_the_old_keys_own_expiry(subscription, consumer):
    soon = timezone.now() + HOUR
    old = factories.make_credential(subscription, expires_at=soon)[0]
    rotation, _value = start_rotation(old, actor=consumer, overlap=DAY)
    assert rotation.ends_at == soon
    with pytest.raises(ValidationError, match="expires"):
        extend_rotation(rotation, actor=consumer, ends_at=soon + HOUR)
    assert expire_credentials(now=soon) == 1
    assert states(rotation) == ("finished", "expired", "active")
    assert rotation.ending == "old_key_ended"
    assert end_rotations(now=soon) == 0


def test_revoking_the_old_key_finishes_it(rotation, consumer):
    revoke_credential(rotation.old, actor=consumer, reason="Leaked.")
    assert states(rotation) == ("finished", "revoked", "active")
    assert rotation.ending == "old_key_ended"
    assert end_rotations(now=rotation.ends_at) == 0


def test_revoking_the_new_key_keeps_the_old_one(rotation, consumer):
    revoke_credential(rotation.new, actor=consumer, reason="Leaked.")
    assert states(rotation) == ("aborted", "active", "revoked")
    assert rotation.ending == "new_key_ended"
    assert end_rotations(now=rotation.ends_at) == 0


def test_a_new_key_that_expires_meanwhile_keeps_the_old_one(rotation):
    Credential.objects.filter(pk=rotation.new_id).update(expires_at=timezone.now())
    assert expire_credentials(now=timezone.now()) == 1
    assert states(rotation) == ("aborted", "active", "expired")


def test_a_full_subscription_can_still_rotate_each_key(subscription, consumer):
    made = [issue_credential(subscription, actor=consumer)[0] for _number in range(MOST_KEYS)]
    rotations = [start_rotation(key, actor=consumer, overlap=DAY)[0] for key in made]
    assert Credential.objects.usable().count() == 2 * MOST_KEYS
    with pytest.raises(ActionRefused) as refused:
        issue_credential(subscription, actor=consumer)
    assert refused.value.code == "too_many_keys"
    for rotation in rotations[:2]:
        abort_rotation(rotation, actor=consumer)
    for rotation in rotations[2:]:
        finish_rotation(rotation, actor=consumer)
    assert Credential.objects.active().count() == Credential.objects.usable().count() == MOST_KEYS


def test_a_suspended_subscription_starts_none_and_stops_no_clock(rotation, old, alice, acting, consumer):
    other = factories.make_credential(old.subscription)[0]
    suspend_subscription(rotation.subscription, actor=acting(alice), reason="Overload.")
    with pytest.raises(ActionRefused) as refused:
        start_rotation(other, actor=consumer, overlap=DAY)
    assert refused.value.code == "subscription_not_active"
    assert extend_rotation(rotation, actor=consumer, ends_at=rotation.ends_at + HOUR)
    assert end_rotations(now=rotation.ends_at + HOUR) == 1
    resume_subscription(rotation.subscription, actor=acting(alice))
    assert states(rotation) == ("finished", "revoked", "active")


def test_closing_the_subscription_ends_it_with_both_keys(rotation, consumer, erin, logistics):
    factories.join(logistics, erin, TeamRole.DEVELOPER)
    close_subscription(rotation.subscription, actor=consumer, reason="Over.")
    assert states(rotation) == ("aborted", "revoked", "revoked")
    assert rotation.ending == "subscription_closed"
    assert events()[-4:] == [
        "rotation.aborted",
        "credential.revoked",
        "credential.revoked",
        "subscription.closed",
    ]
    assert end_rotations(now=rotation.ends_at) == 0
    assert notices(erin) == ["subscription.closed"], "told once, of what happened"
    with pytest.raises(TransitionNotAllowed):
        finish_rotation(rotation, actor=consumer)


def test_another_plan_changes_nothing_about_it(world, rotation, consumer):
    request_plan_change(rotation.subscription, world.bronze.plan, actor=consumer, reason="Less.")
    assert states(rotation) == ("running", "rotating", "active")
    limits = {key.subscription.plan_revision for key in Credential.objects.usable()}
    assert limits == {world.bronze}
    assert end_rotations(now=rotation.ends_at) == 1


@pytest.mark.parametrize("who", ["alice", "bob", "charlie", "erin", "frank", "ada"])
def test_nobody_outside_the_applications_team_moves_it(request, rotation, acting, who):
    stranger = acting(request.getfixturevalue(who))
    other = factories.make_credential(rotation.subscription)[0]
    with pytest.raises(PermissionDenied):
        start_rotation(other, actor=stranger, overlap=DAY)
    for move in (finish_rotation, abort_rotation):
        with pytest.raises(PermissionDenied):
            move(rotation, actor=stranger)
    with pytest.raises(PermissionDenied):
        extend_rotation(rotation, actor=stranger, ends_at=rotation.ends_at + HOUR)
    assert states(rotation) == ("running", "rotating", "active")


def test_the_team_is_told_of_start_and_end(world, logistics, old, consumer, dana):
    colleague = factories.make_user()
    factories.join(logistics, colleague, TeamRole.DEVELOPER)
    rotation, value = start_rotation(old, actor=consumer, overlap=DAY)
    assert notices(colleague) == ["rotation.started"]
    assert notices(dana) == [], "she did it herself"
    end_rotations(now=rotation.ends_at)
    assert notices(colleague) == ["rotation.started", "rotation.finished"]
    assert notices(dana) == ["rotation.finished"]
    said = Notice.objects.filter(user=colleague).first()
    assert said.path == f"/subscriptions/{rotation.subscription.public_id}/"
    assert said.mail_wanted
    assert not any(value[19:] in f"{notice.title}{notice.body}" for notice in Notice.objects.all())
