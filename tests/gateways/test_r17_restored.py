"""R17: a portal that was restored from a backup gives back nothing that was taken away since.

The backup is what a restore does to the rows that matter: the credential, its proof and the gateway's counters
as they were. tests/production/test_r17_backup.py does it with a real dump, and a real Envoy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from audit.models import ActionRefused, AuditEvent
from gateways.actions import (
    Heartbeat,
    difference_of,
    fetch_config,
    hold_gateway,
    record_heartbeat,
    release_gateway,
)
from gateways.actions.restored import KEPT, remember_handed_out, unknown_marks
from gateways.drivers.memory import Decision, memory_gateway
from gateways.enforcement import enforcement_of
from gateways.engine.driver import Mark
from gateways.models import AppliedObject, Deployment, Gateway, HandedOut, Publication
from gateways.queries.overview import Sync, overviews
from subscriptions.models import Credential, Subscription
from teams.models import User
from teams.queries import actor_of_user
from tests import factories

pytestmark = pytest.mark.django_db

Push = Callable[[Gateway], Deployment | None]
Call = Callable[..., Decision]
PATH = "/shop/orders/v1/orders"


@pytest.fixture
def subscription(published: Publication) -> Subscription:
    return factories.make_subscription(plan_revision=factories.make_plan(published.api_version.api))


def revoke(credential: Credential) -> None:
    Credential.objects.filter(pk=credential.pk).update(state="revoked", ended_at=timezone.now())


def restore(rows: list[Any], handed_out: set[int]) -> None:
    """Put `rows` back as they were, and forget every configuration that went out since."""
    for row in rows:
        row.save(force_update=True) if type(row).objects.filter(pk=row.pk).exists() else row.save()
    HandedOut.objects.exclude(pk__in=handed_out).delete()


def backup(*rows: Any) -> tuple[list[Any], set[int]]:
    kept = [type(row).objects.get(pk=row.pk) for row in rows]
    return [*kept, *AppliedObject.objects.all()], set(HandedOut.objects.values_list("pk", flat=True))


def states(credential: Credential) -> list[str]:
    found = Credential.objects.get(pk=credential.pk)
    return [segment.state.value for segment in enforcement_of(found).segments]


@pytest.fixture
def restored(
    edge: Gateway, subscription: Subscription, push: Push, call: Call
) -> tuple[Gateway, Credential, str]:
    """A key was live when the backup was made, then revoked and confirmed gone; then the backup came back."""
    credential, value = factories.make_credential(subscription)
    push(edge)
    kept = backup(edge, credential)
    revoke(credential)
    push(edge)
    assert states(credential) == ["removed"]
    assert call(edge, PATH, value).status == 401
    restore(*kept)
    assert Credential.objects.get().state == Credential.State.ACTIVE
    return Gateway.objects.get(), credential, value


def test_a_revoked_key_stays_dead_until_a_person_confirms(
    restored: tuple[Gateway, Credential, str], push: Push, call: Call, ada: User
) -> None:
    edge, credential, value = restored
    held = push(edge)
    assert held is not None
    assert held.state == Deployment.State.PARTIAL
    assert "does not know" in held.message
    assert call(edge, PATH, value).status == 401
    assert states(credential) == ["held_back"], "the proof of the backup says live, and must not be believed"
    assert push(edge) is None, "it is said once"
    [overview] = overviews(Gateway.objects.all())
    assert overview.sync == Sync.HELD
    assert AuditEvent.objects.filter(name="gateway.held").count() == 1

    edge.refresh_from_db()
    difference = difference_of(edge)
    assert [(line.kind, line.id) for line in difference.brings] == [("key", credential.public_id)]
    assert difference.takes == ()
    release_gateway(edge, actor=actor_of_user(ada), seen=difference.seen, note="dana still needs it")
    done = push(edge)
    assert done is not None
    assert done.state == Deployment.State.SUCCEEDED
    assert call(edge, PATH, value).status == 200
    assert states(credential) == ["live"]
    assert push(edge) is None
    edge.refresh_from_db()
    assert edge.held_since is None
    assert AuditEvent.objects.get(name="gateway.released").after["brings_back"] == 1


def test_revoking_again_takes_the_key_off_the_list(
    restored: tuple[Gateway, Credential, str], push: Push, call: Call, ada: User
) -> None:
    edge, credential, value = restored
    push(edge)
    revoke(credential)
    push(edge)
    assert states(credential) == ["removed"]
    edge.refresh_from_db()
    difference = difference_of(edge)
    assert difference.is_empty
    release_gateway(edge, actor=actor_of_user(ada), seen=difference.seen)
    push(edge)
    assert call(edge, PATH, value).status == 401


def test_ends_of_access_go_out_while_all_else_waits(
    edge: Gateway, subscription: Subscription, push: Push, call: Call
) -> None:
    """One key is revoked after the restore, one was issued after the backup, one is issued while it is held."""
    old, old_value = factories.make_credential(subscription)
    push(edge)
    kept = backup(edge, old)
    young, young_value = factories.make_credential(subscription)
    push(edge)
    young.delete()
    restore(*kept)
    revoke(old)
    _newest, newest_value = factories.make_credential(subscription)
    held = push(edge)
    assert held is not None
    assert held.state == Deployment.State.PARTIAL
    assert call(edge, PATH, old_value).status == 401, "ended here, so it ends there"
    assert call(edge, PATH, young_value).status == 200, "nobody here knows it, so a person looks first"
    assert call(edge, PATH, newest_value).status == 401, "nothing is added"
    difference = difference_of(Gateway.objects.get())
    assert [line.id for line in difference.takes] == [young.public_id]


def test_a_confirmation_is_of_what_was_seen(
    restored: tuple[Gateway, Credential, str], push: Push, ada: User, alice: User
) -> None:
    edge, credential, _value = restored
    push(edge)
    seen = difference_of(edge).seen
    with pytest.raises(PermissionDenied):
        release_gateway(edge, actor=actor_of_user(alice), seen=seen)
    factories.make_credential(credential.subscription)
    with pytest.raises(ActionRefused, match="another one by now"):
        release_gateway(edge, actor=actor_of_user(ada), seen=seen)
    edge.refresh_from_db()
    assert edge.held_since is not None


def test_a_gateway_that_does_not_answer_is_not_released(
    restored: tuple[Gateway, Credential, str], push: Push, ada: User
) -> None:
    edge, _credential, _value = restored
    push(edge)
    Gateway.objects.update(options={"unreachable": "1"})
    edge.refresh_from_db()
    with pytest.raises(ActionRefused, match="cannot be looked at"):
        release_gateway(edge, actor=actor_of_user(ada), seen="")


def test_the_heartbeat_of_a_node_that_knows_more_holds_the_gateway(edge: Gateway) -> None:
    Gateway.objects.update(pushed_version=3, pushed_digest="a" * 64)
    edge.refresh_from_db()
    remember_handed_out(edge.pk, Mark(3, "a" * 64))
    beat = Heartbeat("edge-1", "http://127.0.0.1:9100", "Envoy", None, 3, "a" * 64, serving=True)
    assert record_heartbeat(edge, beat)[1] == "same"
    assert edge.held_since is None
    newer = Heartbeat("edge-1", "http://127.0.0.1:9100", "Envoy", None, 4, "b" * 64, serving=True)
    assert record_heartbeat(edge, newer)[1] == "same", "it must not fetch what is older than what it has"
    found = Gateway.objects.get()
    assert found.held_since is not None
    assert found.behind_since is not None
    assert fetch_config(found) is None, "nor may a node that starts empty"


def test_only_what_was_never_handed_out_is_unknown(edge: Gateway) -> None:
    assert unknown_marks(edge.pk, [Mark(0, "")]) == []
    assert unknown_marks(edge.pk, [Mark(7, "a")]) == [Mark(7, "a")], (
        "a portal that never pushed knows nothing"
    )
    remember_handed_out(edge.pk, Mark(5, "a"))
    assert unknown_marks(edge.pk, [Mark(5, "a"), Mark(4, "z")]) == [], "older than all that is remembered"
    assert unknown_marks(edge.pk, [Mark(5, "b")]) == [Mark(5, "b")], "the number was given, but not this"
    remember_handed_out(edge.pk, Mark(KEPT + 100, "c"))
    assert list(HandedOut.objects.values_list("version", flat=True)) == [KEPT + 100]


def test_the_command_holds_every_gateway(edge: Gateway, push: Push, published: Publication) -> None:
    call_command("hold_gateways")
    edge.refresh_from_db()
    assert edge.held_since is not None
    push(edge)
    assert memory_gateway("edge").items == {}
    with pytest.raises(CommandError, match="no active gateway 'moon'"):
        call_command("hold_gateways", "moon")


# ---- pages and REST ----


def test_the_page_shows_the_difference_and_takes_the_confirmation(
    restored: tuple[Gateway, Credential, str], push: Push, ada: User, client_of: Callable[..., Client]
) -> None:
    edge, credential, value = restored
    push(edge)
    browser = client_of(ada)
    assert "/gateways/edge/held/" in browser.get("/gateways/edge/").content.decode()
    text = browser.get("/gateways/edge/held/").content.decode()
    assert "Access that would come back" in text
    assert credential.key_id in text
    assert value not in text
    assert browser.post("/gateways/edge/held/", {"seen": "0" * 64}).status_code == 422
    answer = browser.post("/gateways/edge/held/", {"seen": difference_of(edge).seen})
    assert answer.status_code == 302
    assert answer.url == f"/deployments/{Deployment.objects.get(state='queued').public_id}/"
    assert browser.get("/gateways/edge/held/").url == "/gateways/edge/"


def test_others_neither_see_the_difference_nor_confirm_it(
    edge: Gateway, alice: User, erin: User, bob: User, client_of: Callable[..., Client]
) -> None:
    hold_gateway(edge, reason="Restored on purpose.")
    for user, status in ((alice, 403), (erin, 403), (bob, 404), (None, 302)):
        assert client_of(user).get("/gateways/edge/held/").status_code == status
        assert client_of(user).post("/gateways/edge/held/", {"seen": ""}).status_code == status
    assert "Restored on purpose." in client_of(alice).get("/gateways/edge/").content.decode()


def test_the_same_by_rest(
    restored: tuple[Gateway, Credential, str], push: Push, ada: User, alice: User, api_of: Callable[..., Any]
) -> None:
    edge, credential, _value = restored
    push(edge)
    api = api_of(ada)
    found = api.get("/api/v1/gateways/edge").json()
    assert (found["sync"], found["held_since"] is not None) == ("held", True)
    difference = api.get("/api/v1/gateways/edge/difference").json()
    assert [line["id"] for line in difference["brings"]] == [credential.public_id]
    assert api_of(alice).get("/api/v1/gateways/edge/difference").status_code == 403
    assert api_of(alice).post("/api/v1/gateways/edge/release", {"seen": "x"}).status_code == 403
    assert api.post("/api/v1/gateways/edge/release", {"seen": "x"}).status_code == 409
    answer = api.post("/api/v1/gateways/edge/release", {"seen": difference["seen"], "note": "looked"})
    assert answer.status_code == 202
    assert answer.json()["state"] == "queued"
    assert api.post("/api/v1/gateways/edge/release", {"seen": difference["seen"]}).status_code == 409
