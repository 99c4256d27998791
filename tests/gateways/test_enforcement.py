"""What the portal says of keys, subscriptions and publications is what was read back, and nothing earlier."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from gateways import enforcement
from gateways.actions import mark_behind
from gateways.enforcement import Enforcement, enforcement_of
from gateways.models import AppliedObject, Deployment, EnforcementState, Gateway, Publication
from subscriptions.models import Block, Credential, Subscription
from tests import factories

pytestmark = pytest.mark.django_db

State = EnforcementState
Push = Callable[[Gateway], Deployment | None]


@pytest.fixture
def west(db: None) -> Gateway:
    return factories.make_gateway("west")


@pytest.fixture
def subscription(published: Publication) -> Subscription:
    return factories.make_subscription(plan_revision=factories.make_plan(published.api_version.api))


@pytest.fixture
def credential(subscription: Subscription) -> Credential:
    return factories.make_credential(subscription)[0]


def say(target: Any) -> Enforcement:
    return enforcement_of(type(target)._default_manager.get(pk=target.pk))


def states(target: Any) -> list[EnforcementState]:
    return [segment.state for segment in say(target).segments]


def revoke(credential: Credential) -> None:
    credential.state, credential.ended_at = Credential.State.REVOKED, timezone.now()
    credential.save()


def test_a_key_is_pushing_until_it_was_read_back(credential: Credential, edge: Gateway, push: Push) -> None:
    assert states(credential) == [State.PUSHING]
    push(edge)
    said = say(credential)
    assert said.is_live
    assert said.sentence == "live on 1 gateway"
    assert said.segments[0].confirmed_at is not None
    assert said.segments[0].took is not None


def test_revoked_is_said_after_the_read_back_only(credential: Credential, edge: Gateway, push: Push) -> None:
    push(edge)
    revoke(credential)
    assert states(credential) == [State.REMOVING]
    assert say(credential).sentence == "removed from 0 of 1 gateways"
    push(edge)
    assert states(credential) == [State.REMOVED]
    assert say(credential).sentence == "removed from 1 gateway"


def test_a_key_that_a_push_may_be_carrying_is_not_called_gone(
    credential: Credential, edge: Gateway, push: Push
) -> None:
    mark_behind([edge.pk])
    revoke(credential)
    assert states(credential) == [State.REMOVING]
    push(edge)
    assert states(credential) == []


def test_a_second_suspension_needs_a_second_proof(
    subscription: Subscription, edge: Gateway, push: Push
) -> None:
    push(edge)
    for state in ("suspended", "active", "suspended"):
        subscription.state, subscription.state_reason = state, "unpaid" if state == "suspended" else ""
        subscription.save()
        mark_behind([edge.pk])
        if state == "suspended" and AppliedObject.objects.filter(digest="").exists():
            assert states(subscription) == [State.REMOVING], "the old tombstone proves nothing now"
        if state != "active":
            push(edge)
            assert states(subscription) == [State.REMOVED]


def test_two_of_three_gateways(
    credential: Credential, edge: Gateway, west: Gateway, orders: Any, push: Push
) -> None:
    factories.make_publication(orders, west)
    factories.make_publication(orders, factories.make_gateway("north"))
    push(edge)
    push(west)
    assert say(credential).sentence == "live on 2 of 3 gateways"
    assert say(credential).moving


def test_a_gateway_out_of_reach_keeps_a_revoked_key_in_force_and_says_so(
    credential: Credential, edge: Gateway, push: Push
) -> None:
    push(edge)
    revoke(credential)
    Gateway.objects.update(options={"unreachable": "yes"})
    push(edge)
    [segment] = say(credential).segments
    assert segment.state is State.FAILED
    assert segment.note.startswith("Still in force there. The gateway does not answer.")
    assert "next attempt" in segment.note


def test_others_are_not_told_a_shared_gateways_words(
    credential: Credential, edge: Gateway, push: Push, dana: Any
) -> None:
    from teams.queries import actor_of_user

    Gateway.objects.update(options={"unreachable": "yes"})
    push(edge)
    [segment] = enforcement_of(credential, actor=actor_of_user(dana)).segments
    assert "does not answer" not in segment.note
    assert "next attempt" in segment.note


def test_a_key_needs_its_route_to_be_live(
    credential: Credential, published: Publication, edge: Gateway, push: Push
) -> None:
    push(edge)
    published.revision = factories.make_revision(published.api_version)
    published.save()
    assert states(credential) == [State.PUSHING]
    assert states(published) == [State.PUSHING]
    push(edge)
    assert states(credential) == [State.LIVE]


def test_a_plan_change_is_live_when_its_limit_is(
    subscription: Subscription, edge: Gateway, push: Push
) -> None:
    push(edge)
    subscription.plan_revision = factories.make_plan(subscription.api_version.api, "Gold", rate_calls=100)
    subscription.save()
    assert states(subscription) == [State.PUSHING]
    push(edge)
    assert states(subscription) == [State.LIVE]


def test_a_refused_route_holds_back_what_stands_on_it(
    credential: Credential, published: Publication, edge: Gateway, push: Push
) -> None:
    Gateway.objects.update(options={"refuse": f"route/{published.public_id}"})
    push(edge)
    for target in (published, credential, credential.subscription):
        [segment] = say(target).segments
        assert segment.state is State.HELD_BACK
        assert "is refused" in segment.note


def test_a_withdrawn_publication_is_removing_then_removed(
    published: Publication, edge: Gateway, push: Push
) -> None:
    push(edge)
    published.state = Publication.State.WITHDRAWN
    published.save()
    assert states(published) == [State.REMOVING]
    push(edge)
    assert states(published) == [State.REMOVED]


def test_a_block_is_told_beside_live(subscription: Subscription, edge: Gateway, push: Push) -> None:
    push(edge)
    Block.objects.create(
        subscription=subscription, reason="quota_day", until=timezone.now() + timedelta(hours=1)
    )
    said = say(subscription)
    assert said.is_live
    assert "429" in said.remark


def test_nothing_published_is_not_on_a_gateway() -> None:
    assert say(factories.make_credential()[0]).sentence == "not on a gateway"


def test_queries_do_not_grow_with_the_number_of_keys(
    subscription: Subscription, edge: Gateway, push: Push
) -> None:
    counts = []
    for _round in range(2):
        for _number in range(5):
            factories.make_credential(subscription)
        push(edge)
        found = list(enforcement.objects_of("credential", _system()))
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert all(said.is_live for said in enforcement.of_credentials(found).values())
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 8


def _system() -> Any:
    from teams.models import SYSTEM

    return SYSTEM
