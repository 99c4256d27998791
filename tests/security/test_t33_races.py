"""T33: of several who move the same thing at the same moment exactly one wins, and the rest are told so."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import pytest
from django.db import connections
from django.utils import timezone

from audit.models import ActionRefused, AuditEvent
from subscriptions.actions import (
    MOST_KEYS,
    approve_request,
    block_until,
    close_subscription,
    issue_credential,
    reject_request,
    request_access,
    resume_subscription,
    revoke_credential,
    suspend_subscription,
    withdraw_request,
)
from subscriptions.models import AccessRequest, Block, Credential, Subscription
from teams.models import Team, TeamRole, User
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


def decide_at_once(people, offer, *, trials: int, times: int = 1) -> None:
    """`trials` requests, each met by four moves, `times` over, at the same moment."""
    alice, dana, erin, logistics = people
    owner, consumer, approver = (actor_of_user(person) for person in (alice, dana, erin))
    application = factories.make_application(logistics)
    for _trial in range(trials):
        request = factories.make_request(application, offer, by=dana)
        moves = [
            partial(approve_request, request, actor=owner),
            partial(approve_request, request, actor=approver),
            partial(reject_request, request, actor=approver, note="No."),
            partial(withdraw_request, request, actor=consumer),
        ]
        assert len(won(at_once(*moves * times))) == 1
        request.refresh_from_db()
        opened = Subscription.objects.open().filter(application=application)
        assert opened.count() == (request.state == "approved")
        decided = AuditEvent.objects.filter(target_id=request.public_id, name__startswith="request.")
        assert decided.count() == 1
        for subscription in opened:
            close_subscription(subscription, actor=consumer, reason="Next trial.")


def test_t33_one_of_approve_reject_and_withdraw_wins(people, offer):
    decide_at_once(people, offer, trials=TRIALS)


@pytest.mark.long
def test_t33_one_of_approve_reject_and_withdraw_wins_in_full(people, offer):
    decide_at_once(people, offer, trials=1_000, times=2)


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
