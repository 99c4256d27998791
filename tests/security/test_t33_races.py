"""T33: of several who move the same thing at the same moment exactly one wins, and the rest are told so."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import pytest
from django.db import connections
from django.utils import timezone

from apis.models import PlanRevision
from audit.models import ActionRefused, AuditEvent
from subscriptions.actions import (
    MOST_KEYS,
    abort_rotation,
    approve_request,
    block_until,
    close_subscription,
    end_rotations,
    extend_rotation,
    finish_rotation,
    issue_credential,
    reject_request,
    request_access,
    resume_subscription,
    revoke_credential,
    start_rotation,
    suspend_subscription,
    withdraw_request,
)
from subscriptions.models import AccessRequest, Application, Block, Credential, Rotation, Subscription
from teams.models import Actor, Team, TeamRole, User
from teams.queries import actor_of_user
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)

TRIALS = 20


def at_once(*moves: Callable[[], object]) -> list[object]:
    """Run `moves` in threads of their own from one starting line; what each returned or raised."""
    line = threading.Barrier(len(moves))
    ends: list[object] = [None] * len(moves)

    def run(index: int, move: Callable[[], object]) -> None:
        try:
            line.wait()
            ends[index] = move()
        except Exception as error:  # noqa: BLE001 - the test looks at whatever came of it
            ends[index] = error
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(moves)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ends


def won(ends: list[object]) -> list[object]:
    """What succeeded; everything else must be a plain refusal, never a database error."""
    assert all(isinstance(end, ActionRefused) for end in ends if isinstance(end, Exception)), ends
    return [end for end in ends if not isinstance(end, Exception)]


@pytest.fixture
def people() -> tuple[User, User, User, Team]:
    shop, logistics = factories.make_team(), factories.make_team()
    alice, dana = factories.make_user(), factories.make_user()
    erin = factories.make_user(platform_roles=["approver"])
    factories.join(shop, alice, TeamRole.OWNER)
    factories.join(logistics, dana, TeamRole.OWNER)
    return alice, dana, erin, logistics


@pytest.fixture
def offer(people):
    shop = people[0].memberships.get().team
    return factories.make_plan(factories.make_version(factories.make_api(shop)).api)


# ---- transitions: eight clients make them at the same moment, and exactly one of them counts ----

CLIENTS = 8


@dataclass
class Stage:
    """The people on both sides of one offer, and the application whose turn it is."""

    owner: Actor
    consumer: Actor
    approver: Actor
    asks: User
    offer: PlanRevision
    application: Application

    def request(self) -> AccessRequest:
        return factories.make_request(self.application, self.offer, by=self.asks)

    def subscription(self) -> Subscription:
        return factories.make_subscription(self.application, self.offer)


@pytest.fixture
def stage(people, offer) -> Stage:
    alice, dana, erin, logistics = people
    owner, consumer, approver = (actor_of_user(person) for person in (alice, dana, erin))
    return Stage(owner, consumer, approver, dana, offer, factories.make_application(logistics))


def decided_once(stage: Stage, *decisions: Callable[[Stage, AccessRequest], Callable[[], object]]) -> None:
    """One request, met by all `decisions` over and over: one is taken, and what it says is what there is."""
    request = stage.request()
    moves = [decide(stage, request) for decide in decisions] * (CLIENTS // len(decisions))
    assert len(won(at_once(*moves))) == 1
    request.refresh_from_db()
    opened = Subscription.objects.open().filter(application=stage.application)
    assert opened.count() == (request.state == "approved")
    events = AuditEvent.objects.filter(target_id=request.public_id, name__startswith="request.")
    assert events.count() == 1


def owner_approves(stage: Stage, request: AccessRequest) -> Callable[[], object]:
    return partial(approve_request, request, actor=stage.owner)


def approver_approves(stage: Stage, request: AccessRequest) -> Callable[[], object]:
    return partial(approve_request, request, actor=stage.approver)


def approver_rejects(stage: Stage, request: AccessRequest) -> Callable[[], object]:
    return partial(reject_request, request, actor=stage.approver, note="No.")


def consumer_withdraws(stage: Stage, request: AccessRequest) -> Callable[[], object]:
    return partial(withdraw_request, request, actor=stage.consumer)


def revoked_once(stage: Stage) -> None:
    credential, _value = factories.make_credential(stage.subscription())
    won(at_once(*[partial(revoke_credential, credential, actor=stage.consumer)] * CLIENTS))
    credential.refresh_from_db()
    assert credential.state == Credential.State.REVOKED
    events = AuditEvent.objects.filter(target_id=credential.public_id, name="credential.revoked")
    assert events.count() == 1


def blocked_once(stage: Stage) -> None:
    subscription, until = stage.subscription(), timezone.now() + timedelta(hours=1)
    ends = at_once(*[partial(block_until, subscription, Block.Reason.QUOTA_DAY, until)] * CLIENTS)
    assert len(won(ends)) == CLIENTS
    [block] = Block.objects.filter(subscription=subscription)
    assert AuditEvent.objects.filter(target_id=block.public_id, name="block.set").count() == 1


def suspended_and_resumed_once(stage: Stage) -> None:
    subscription = stage.subscription()
    suspend = partial(suspend_subscription, subscription, actor=stage.owner, reason="Hold.")
    assert len(won(at_once(*[suspend] * CLIENTS))) == 1
    resume = partial(resume_subscription, subscription, actor=stage.owner)
    assert len(won(at_once(*[resume] * CLIENTS))) == 1


TRANSITIONS: dict[str, Callable[[Stage], None]] = {
    "approve by all": lambda stage: decided_once(stage, owner_approves, approver_approves),
    "approve or withdraw": lambda stage: decided_once(stage, owner_approves, consumer_withdraws),
    "approve, reject or withdraw": lambda stage: decided_once(
        stage, owner_approves, approver_approves, approver_rejects, consumer_withdraws
    ),
    "revoke by all": revoked_once,
    "block for a used up quota": blocked_once,
    "suspend, then resume": suspended_and_resumed_once,
}


def race(stage: Stage, transition: str, *, trials: int) -> None:
    for _trial in range(trials):
        TRANSITIONS[transition](stage)
        for subscription in Subscription.objects.open().filter(application=stage.application):
            close_subscription(subscription, actor=stage.consumer, reason="Next trial.")


@pytest.mark.parametrize("transition", TRANSITIONS)
def test_t33_of_eight_who_make_a_transition_at_once_one_counts(stage, transition):
    race(stage, transition, trials=TRIALS // 4)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("transition", TRANSITIONS)
def test_t33_of_eight_who_make_a_transition_at_once_one_counts_in_full(stage, transition):
    race(stage, transition, trials=1_000)


def test_t33_one_of_many_requests_for_the_same_is_made(people, offer):
    _alice, dana, _erin, logistics = people
    actor, where = actor_of_user(dana), factories.make_environment()
    version = offer.plan.api.versions.get()
    for _trial in range(TRIALS // 2):
        application = factories.make_application(logistics)

        def ask(application=application) -> AccessRequest:
            return request_access(application, version, where, offer.plan, actor=actor, reason="Need it.")

        assert len(won(at_once(ask, ask, ask))) == 1


def test_t33_no_more_keys_than_allowed_are_issued(people, offer):
    _alice, dana, _erin, logistics = people
    actor = actor_of_user(dana)
    subscription = factories.make_subscription(factories.make_application(logistics), offer)
    ends = at_once(*[lambda: issue_credential(subscription, actor=actor)] * (MOST_KEYS + 4))
    assert len(won(ends)) == MOST_KEYS
    assert Credential.objects.usable().count() == MOST_KEYS


def test_t33_no_key_outlives_a_subscription_that_closes(people, offer):
    alice, dana, _erin, logistics = people
    owner, consumer = actor_of_user(alice), actor_of_user(dana)
    for _trial in range(TRIALS // 2):
        subscription = factories.make_subscription(factories.make_application(logistics), offer)
        credential, _value = factories.make_credential(subscription)
        won(
            at_once(
                lambda subscription=subscription: issue_credential(subscription, actor=consumer),
                lambda subscription=subscription: close_subscription(
                    subscription, actor=owner, reason="Over."
                ),
                lambda credential=credential: revoke_credential(credential, actor=consumer),
                lambda subscription=subscription: suspend_subscription(
                    subscription, actor=owner, reason="Hold."
                ),
            )
        )
        subscription.refresh_from_db()
        assert subscription.state == Subscription.State.CLOSED
        assert not Credential.objects.usable().filter(subscription=subscription).exists()


def rotate_at_once(people, offer, *, trials: int) -> None:
    """`trials` keys; 8 clients start a rotation of each at once, then 8 end it in different ways at once."""
    _alice, dana, _erin, logistics = people
    actor = actor_of_user(dana)
    for _trial in range(trials):
        subscription = factories.make_subscription(factories.make_application(logistics), offer)
        old, _value = factories.make_credential(subscription)
        start = partial(start_rotation, old, actor=actor, overlap=timedelta(hours=1))
        [started] = won(at_once(*[start] * 8))
        rotation = started[0]
        assert Rotation.objects.filter(old=old).count() == 1
        assert subscription.credentials.count() == 2, "those who lost made no key"
        moves = [
            partial(finish_rotation, rotation, actor=actor),
            partial(abort_rotation, rotation, actor=actor),
            partial(end_rotations, now=rotation.ends_at),
            partial(revoke_credential, rotation.new, actor=actor),
        ]
        assert won(at_once(*moves * 2))
        assert_ended_once(rotation)


def assert_ended_once(rotation: Rotation) -> None:
    """One ending in the trail, and exactly the key that it leaves is usable."""
    rotation.refresh_from_db()
    names = ("rotation.finished", "rotation.aborted")
    ends = AuditEvent.objects.filter(target_id=rotation.public_id, name__in=names)
    assert [end.name for end in ends] == [f"rotation.{rotation.state}"]
    usable = set(rotation.old.subscription.credentials.usable().values_list("pk", flat=True))
    revoked_after = Credential.objects.get(pk=rotation.new_id).state == Credential.State.REVOKED
    if rotation.state == Rotation.State.ABORTED:
        assert usable == {rotation.old_id}
    else:
        assert usable == (set() if revoked_after else {rotation.new_id}), "the new key may be revoked later"
    keys = AuditEvent.objects.filter(name="credential.revoked", target_id__in=_public_ids(rotation))
    assert keys.count() == 2 - len(usable)


def _public_ids(rotation: Rotation) -> list[str]:
    return [rotation.old.public_id, rotation.new.public_id]


def test_t33_a_rotation_starts_once_and_ends_once(people, offer):
    rotate_at_once(people, offer, trials=TRIALS // 2)


@pytest.mark.long
def test_t33_a_rotation_starts_once_and_ends_once_in_full(people, offer):
    rotate_at_once(people, offer, trials=1_000)


@pytest.mark.parametrize("other", [finish_rotation, abort_rotation])
def test_t33_of_an_extension_and_an_end_both_are_told_the_truth(people, offer, other):
    _alice, dana, _erin, logistics = people
    actor = actor_of_user(dana)
    for _trial in range(TRIALS // 4):
        subscription = factories.make_subscription(factories.make_application(logistics), offer)
        old, _value = factories.make_credential(subscription)
        rotation, _value = start_rotation(old, actor=actor, overlap=timedelta(hours=1))
        later = rotation.ends_at + timedelta(hours=1)
        ends = at_once(
            partial(extend_rotation, rotation, actor=actor, ends_at=later),
            partial(other, rotation, actor=actor),
            partial(extend_rotation, rotation, actor=actor, ends_at=later),
        )
        assert not isinstance(ends[1], Exception)
        won(ends)
        extended = AuditEvent.objects.filter(target_id=rotation.public_id, name="rotation.extended")
        assert extended.count() == any(not isinstance(end, Exception) for end in (ends[0], ends[2]))
        assert_ended_once(rotation)


def test_t33_closing_ends_a_rotation_with_both_keys(people, offer):
    alice, dana, _erin, logistics = people
    owner, consumer = actor_of_user(alice), actor_of_user(dana)
    for _trial in range(TRIALS // 4):
        subscription = factories.make_subscription(factories.make_application(logistics), offer)
        old, _value = factories.make_credential(subscription)
        rotation, _value = start_rotation(old, actor=consumer, overlap=timedelta(hours=1))
        won(
            at_once(
                partial(close_subscription, subscription, actor=owner, reason="Over."),
                partial(finish_rotation, rotation, actor=consumer),
                partial(abort_rotation, rotation, actor=consumer),
                partial(end_rotations, now=rotation.ends_at),
            )
        )
        rotation.refresh_from_db()
        assert not rotation.is_running
        assert not Credential.objects.usable().filter(subscription=subscription).exists()


def revoke_at_once(people, offer, *, trials: int) -> None:
    """Two holders take the same key back: one does, and it is told once."""
    _alice, dana, _erin, logistics = people
    actor = actor_of_user(dana)
    subscription = factories.make_subscription(factories.make_application(logistics), offer)
    for _trial in range(trials):
        credential, _value = factories.make_credential(subscription)
        revoke = partial(revoke_credential, credential, actor=actor)
        assert len(won(at_once(revoke, revoke))) == 1
        told = AuditEvent.objects.filter(target_id=credential.public_id, name="credential.revoked")
        assert told.count() == 1


def test_t33_one_of_two_revokes_wins(people, offer):
    revoke_at_once(people, offer, trials=TRIALS // 2)


@pytest.mark.long
def test_t33_one_of_two_revokes_wins_in_full(people, offer):
    revoke_at_once(people, offer, trials=1_000)


def test_t33_suspend_and_resume_alternate(people, offer):
    alice, _dana, _erin, logistics = people
    owner = actor_of_user(alice)
    for _trial in range(TRIALS // 2):
        subscription = factories.make_subscription(factories.make_application(logistics), offer)
        suspend = [
            lambda subscription=subscription: suspend_subscription(subscription, actor=owner, reason="Hold.")
        ]
        assert len(won(at_once(*suspend * 3))) == 1
        resume = [lambda subscription=subscription: resume_subscription(subscription, actor=owner)]
        assert len(won(at_once(*resume * 3))) == 1


def test_t33_a_quota_blocks_once(people, offer):
    *_people, logistics = people
    subscription = factories.make_subscription(factories.make_application(logistics), offer)
    until = timezone.now() + timedelta(hours=1)
    ends = at_once(*[lambda: block_until(subscription, Block.Reason.QUOTA_DAY, until)] * 4)
    assert len(won(ends)) == 4
    assert Block.objects.count() == 1
    assert AuditEvent.objects.filter(name="block.set").count() == 1
