"""One run: what is desired gets to the gateway, is proven, and nothing else is said."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from gateways.actions import mark_behind, publish, reconcile, request_comparison, sweep, withdraw
from gateways.actions.lease import LeaseLost, renew_lease, take_lease
from gateways.drivers.memory import Decision, memory_gateway
from gateways.engine.document import Kind, Ref
from gateways.models import AppliedObject, Deployment, Gateway, Publication
from gateways.queries.overview import overviews
from subscriptions.models import Block, Credential, Subscription
from teams.queries import actor_of_user
from tests import factories

pytestmark = pytest.mark.django_db

Push = Callable[[Gateway], Deployment | None]
Call = Callable[..., Decision]

PATH = "/shop/orders/v1/orders"


@pytest.fixture
def subscription(published: Publication) -> Subscription:
    return factories.make_subscription(plan_revision=factories.make_plan(published.api_version.api))


@pytest.fixture
def key(subscription: Subscription) -> tuple[Credential, str]:
    return factories.make_credential(subscription)


def proof(kind: Kind, public_id: str) -> AppliedObject | None:
    return AppliedObject.objects.filter(kind=kind, object_id=public_id).first()


def test_a_key_works_after_one_run_and_its_proof_is_a_row(
    edge: Gateway, key: tuple[Credential, str], push: Push, call: Call
) -> None:
    credential, value = key
    deployment = push(edge)
    assert deployment is not None
    assert deployment.state == Deployment.State.SUCCEEDED
    assert call(edge, PATH, value).status == 200
    assert call(edge, PATH).status == 401
    row = proof(Kind.KEY, credential.public_id)
    assert row is not None
    assert row.digest
    assert row.asked_at is not None
    assert row.asked_at <= row.confirmed_at
    edge.refresh_from_db()
    assert edge.behind_since is None
    assert edge.version == deployment.version == edge.pushed_version == 1
    assert edge.lease_until is None


def test_a_second_run_finds_nothing_and_records_nothing(
    edge: Gateway, key: tuple[Credential, str], push: Push
) -> None:
    assert push(edge) is not None
    assert push(edge) is None
    assert Deployment.objects.count() == 1
    edge.refresh_from_db()
    assert edge.version == 1


def test_steps_and_changes_are_recorded_and_hold_no_key(
    edge: Gateway, key: tuple[Credential, str], push: Push
) -> None:
    credential, value = key
    deployment = push(edge)
    assert deployment is not None
    names = [step.name for step in deployment.steps.all()]
    assert names == ["snapshot", "compare", "guard", "apply", "verify"]
    assert {step.state for step in deployment.steps.all()} == {"done"}
    assert deployment.created_count == 6
    text = str(deployment.changes)
    assert credential.key_id in text
    assert value not in text
    assert credential.value_digest not in text


def test_a_missing_proof_is_written_although_nothing_changes(
    edge: Gateway, key: tuple[Credential, str], push: Push
) -> None:
    push(edge)
    AppliedObject.objects.all().delete()
    assert push(edge) is None
    assert proof(Kind.KEY, key[0].public_id) is not None


def test_a_revoked_key_has_an_empty_proof_after_the_run_only(
    edge: Gateway, key: tuple[Credential, str], push: Push, call: Call
) -> None:
    credential, value = key
    push(edge)
    credential.state, credential.ended_at = Credential.State.REVOKED, timezone.now()
    credential.save()
    row = proof(Kind.KEY, credential.public_id)
    assert row is not None
    assert row.digest
    push(edge)
    row.refresh_from_db()
    assert row.digest == ""
    assert call(edge, PATH, value).status == 401


@pytest.mark.parametrize("how", ["suspended", "withdrawn", "expired", "retired"])
def test_whatever_ends_access_ends_it_on_the_gateway(
    how: str, edge: Gateway, published: Publication, key: tuple[Credential, str], push: Push, call: Call
) -> None:
    credential, value = key
    push(edge)
    match how:
        case "suspended":
            Subscription.objects.update(state="suspended", state_reason="unpaid")
        case "withdrawn":
            Publication.objects.update(state="withdrawn")
        case "expired":
            Credential.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        case "retired":
            version = published.api_version
            type(version).objects.update(state="retired")
    push(edge)
    assert call(edge, PATH, value).status in (401, 404)
    row = proof(Kind.KEY, credential.public_id)
    assert row is not None
    assert row.digest == ""


def test_a_subscription_for_another_environment_is_not_let_in(
    edge: Gateway, published: Publication, push: Push, call: Call
) -> None:
    plan = factories.make_plan(published.api_version.api)
    other = factories.make_subscription(plan_revision=plan, environment=factories.make_environment("sandbox"))
    _credential, value = factories.make_credential(other)
    push(edge)
    assert call(edge, PATH, value).status == 401


def test_what_a_gateway_does_not_show_is_not_proven(
    edge: Gateway, key: tuple[Credential, str], push: Push
) -> None:
    credential, _value = key
    Gateway.objects.update(options={"forget": f"key/{credential.public_id}"})
    edge.refresh_from_db()
    deployment = push(edge)
    assert deployment is not None
    assert deployment.state == Deployment.State.PARTIAL
    assert "does not show" in deployment.message
    assert proof(Kind.KEY, credential.public_id) is None
    edge.refresh_from_db()
    assert edge.behind_since is not None
    assert edge.retry_at is not None
    assert edge.failures == 1


def test_an_unreachable_gateway_is_tried_again_later_and_recovers(
    edge: Gateway, key: tuple[Credential, str], push: Push, call: Call
) -> None:
    Gateway.objects.update(options={"unreachable": "yes"})
    first = push(edge)
    assert first is not None
    assert first.state == Deployment.State.FAILED
    assert push(edge) is None, "the back-off holds"
    Gateway.objects.update(retry_at=timezone.now())
    again = reconcile(edge, whether_due=True)
    assert again == first, "the same failure is counted, not recorded anew"
    assert again.attempt == 2
    Gateway.objects.update(options={}, retry_at=timezone.now())
    assert edge.pk in sweep()
    done = reconcile(edge, whether_due=True)
    assert done is not None
    assert done.state == Deployment.State.SUCCEEDED
    assert call(edge, PATH, key[1]).status == 200
    edge.refresh_from_db()
    assert edge.failures == 0


def test_one_refused_object_is_held_back_and_the_rest_goes_live(
    edge: Gateway, published: Publication, key: tuple[Credential, str], push: Push, call: Call
) -> None:
    bad = factories.make_publication(factories.make_version(factories.make_api(name="Bad")), edge)
    Gateway.objects.update(options={"refuse": f"route/{bad.public_id}"})
    deployment = push(edge)
    assert deployment is not None
    assert deployment.state == Deployment.State.PARTIAL
    assert "is refused" in deployment.message
    assert call(edge, PATH, key[1]).status == 200
    row = proof(Kind.ROUTE, bad.public_id)
    assert row is not None
    assert row.digest == ""
    assert "is refused" in row.held_back_reason
    assert row.held_back_digest
    count = Deployment.objects.count()
    push(edge)
    assert Deployment.objects.count() == count, "the same form is not tried again"


def test_a_corrected_object_goes_live_without_a_restart(
    edge: Gateway, published: Publication, push: Push, call: Call
) -> None:
    Gateway.objects.update(options={"refuse": f"route/{published.public_id}"})
    push(edge)
    assert call(edge, PATH).status == 404
    Gateway.objects.update(options={})
    published.revision = factories.make_revision(published.api_version)
    published.save()
    push(edge)
    assert call(edge, PATH).status == 401
    row = proof(Kind.ROUTE, published.public_id)
    assert row is not None
    assert row.held_back_reason == ""
    assert row.digest


def test_only_one_run_holds_the_lease(edge: Gateway, key: tuple[Credential, str], push: Push) -> None:
    lease = take_lease(edge.pk)
    assert lease is not None
    assert take_lease(edge.pk) is None
    assert push(edge) is None
    assert Deployment.objects.count() == 0


def test_a_lease_ends_by_time_and_its_old_holder_stops(edge: Gateway, push: Push) -> None:
    lease = take_lease(edge.pk)
    assert lease is not None
    Gateway.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert take_lease(edge.pk) is not None
    with pytest.raises(LeaseLost):
        renew_lease(lease)


def test_a_run_that_died_is_closed_by_the_next_one(
    edge: Gateway, key: tuple[Credential, str], push: Push
) -> None:
    dead = Deployment.objects.create(gateway=edge, state=Deployment.State.RUNNING, started_at=timezone.now())
    assert push(edge) is not None
    dead.refresh_from_db()
    assert dead.state == Deployment.State.FAILED
    assert "carries on" in dead.message


def test_a_decision_during_a_run_leads_to_another_run(
    edge: Gateway, key: tuple[Credential, str], push: Push, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The late event comes while the gateway applies the first push."""
    memory = memory_gateway(edge.slug)
    late: list[Credential] = []

    class Items(dict[Any, Any]):
        def __setitem__(self, name: Any, item: Any) -> None:
            super().__setitem__(name, item)
            if not late:
                late.append(factories.make_credential(key[0].subscription)[0])
                mark_behind([edge.pk])

    memory.items = Items()
    push(edge)
    assert Deployment.objects.filter(state="succeeded").count() == 2
    row = proof(Kind.KEY, late[0].public_id)
    assert row is not None
    assert row.digest
    edge.refresh_from_db()
    assert edge.behind_since is None


def test_a_lost_bell_is_healed_by_the_sweep(edge: Gateway, key: tuple[Credential, str], push: Push) -> None:
    push(edge)
    credential, _value = factories.make_credential(key[0].subscription)
    edge.refresh_from_db()
    assert edge.behind_since is None, "nobody noted it"
    Gateway.objects.update(compared_at=timezone.now() - timedelta(minutes=1))
    assert sweep() == [edge.pk]
    reconcile(edge, whether_due=True)
    assert proof(Kind.KEY, credential.public_id) is not None
    Gateway.objects.update(compared_at=None)
    assert sweep() == []


def test_someone_elses_objects_are_left_alone(edge: Gateway, key: tuple[Credential, str], push: Push) -> None:
    memory_gateway(edge.slug).foreign["route"] = "made by hand"
    push(edge)
    assert memory_gateway(edge.slug).foreign == {"route": "made by hand"}


def test_an_unexplained_mass_deletion_waits_and_a_revoked_key_does_not(
    edge: Gateway, published: Publication, key: tuple[Credential, str], push: Push, call: Call
) -> None:
    credential, value = key
    others = [
        factories.make_publication(factories.make_version(factories.make_api()), edge) for _ in range(11)
    ]
    push(edge)
    Publication.objects.filter(pk__in=[other.pk for other in others]).update(state="withdrawn")
    Credential.objects.filter(pk=credential.pk).update(state="revoked")
    deployment = push(edge)
    assert deployment is not None
    assert deployment.state == Deployment.State.PARTIAL
    assert "would be deleted" in deployment.message
    held = memory_gateway(edge.slug).items
    assert all(Ref(Kind.ROUTE, other.public_id) in held for other in others)
    assert call(edge, PATH, value).status == 401


def test_a_person_confirms_what_was_held_back(
    edge: Gateway, published: Publication, push: Push, call: Call, ada: Any, alice: Any
) -> None:
    others = [
        factories.make_publication(factories.make_version(factories.make_api()), edge) for _ in range(11)
    ]
    push(edge)
    Publication.objects.filter(pk__in=[other.pk for other in others]).update(state="withdrawn")
    waiting = push(edge)
    assert waiting is not None
    assert waiting.state == Deployment.State.PARTIAL
    assert waiting.deleted_count == 22
    count = Deployment.objects.count()
    Gateway.objects.update(retry_at=timezone.now())
    reconcile(edge, whether_due=True)
    assert Deployment.objects.count() == count, "said once"
    [overview] = overviews(Gateway.objects.all())
    assert overview.sync == "held_back"
    with pytest.raises(PermissionDenied):
        request_comparison(edge, actor=actor_of_user(alice), forced=True)
    request_comparison(edge, actor=actor_of_user(ada), forced=True)
    done = reconcile(edge, whether_due=True)
    assert done is not None
    assert done.state == Deployment.State.SUCCEEDED
    assert call(edge, others[0].claim.path).status == 404
    assert call(edge, PATH).status == 401
    [overview] = overviews(Gateway.objects.all())
    assert overview.sync == "in_step"


def test_withdrawals_that_were_recorded_need_no_confirmation(
    edge: Gateway, shop: Any, alice: Any, push: Push, call: Call
) -> None:
    actor, production = actor_of_user(alice), factories.make_environment()
    made = [
        publish(factories.make_version(factories.make_api(shop)), edge, production, actor=actor)
        for _ in range(12)
    ]
    push(edge)
    for publication in made[:8]:
        withdraw(publication, actor=actor, reason="The end.")
    deployment = push(edge)
    assert deployment is not None
    assert deployment.state == Deployment.State.SUCCEEDED
    assert call(edge, made[0].claim.path).status == 404


def test_an_expired_block_and_a_standing_one(
    edge: Gateway, key: tuple[Credential, str], push: Push, call: Call
) -> None:
    block = Block.objects.create(
        subscription=key[0].subscription, reason="quota_day", until=timezone.now() + timedelta(hours=1)
    )
    push(edge)
    assert call(edge, PATH, key[1]).status == 429
    Block.objects.filter(pk=block.pk).update(lifted_at=timezone.now())
    push(edge)
    assert call(edge, PATH, key[1]).status == 200
