"""R1 in single faults: web killed around a commit, PostgreSQL restarted under load."""

from __future__ import annotations

import threading

import httpx
import pytest
from django.db import connection, transaction

from gateways.actions import sweep
from gateways.models import Gateway
from subscriptions.models import Credential, Subscription
from tests import factories
from tests.faults.kinds import one_gateway
from tests.faults.parts import until
from tests.faults.rest import Client
from tests.faults.scene import IssuedKey, Scene


@pytest.fixture
def client(scene: Scene) -> Client:
    _token, value = factories.make_api_token(user=scene.caller_user)
    return Client(scene.portal.url, value)


def revoke_over_rest(client: Client, issued: IssuedKey, key: str) -> httpx.Response | None:
    return client.attempt(f"credentials/{issued.credential.public_id}/revoke", {}, key)


def in_background(work) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("place", ["decision.committed", "decision.noted"])
@one_gateway
def test_r01_web_killed_after_the_commit(scene: Scene, old: IssuedKey, client: Client, place: str) -> None:
    """The decision stands, and reaches the gateway though nobody was told: the sweep compares."""
    scene.prober.withdraw_all(old.value)
    met = scene.portal.order(place, "kill-group")
    answered = in_background(lambda: revoke_over_rest(client, old, "after"))
    until(met.exists, "web has committed")
    answered.join(30)
    assert client.statuses == [0], "the caller got no answer"
    scene.portal.web.kill()
    scene.portal.web.start()
    assert scene.said(old) == ["removing"]
    # As the clock would: at rest a gateway is compared twice a minute.
    Gateway.objects.filter(pk=scene.gateway.pk).update(compared_at=None)
    sweep()
    scene.wait_until_removed(old)
    repeated = revoke_over_rest(client, old, "after")
    assert repeated is not None
    assert repeated.status_code == 200, "the kept answer"
    scene.wait_in_step()
    scene.assert_desired_is_observed()
    scene.assert_nothing_was_wrong()


@one_gateway
def test_r01_web_killed_before_the_commit(scene: Scene, old: IssuedKey, client: Client) -> None:
    """Nothing has happened, and the caller was told nothing."""
    with transaction.atomic():
        Subscription.objects.select_for_update().get(pk=old.home.pk)
        Credential.objects.select_for_update().get(pk=old.credential.pk)
        answered = in_background(lambda: revoke_over_rest(client, old, "before"))
        until(_somebody_waits_for_a_lock, "web waits inside its transaction")
        scene.portal.web.kill()
    answered.join(30)
    assert client.statuses == [0]
    scene.portal.web.start()
    assert Credential.objects.get(pk=old.credential.pk).state == Credential.State.ACTIVE
    assert scene.said(old) == ["live"]
    scene.prober.withdraw_all(old.value)
    repeated = revoke_over_rest(client, old, "before")
    assert repeated is not None
    assert repeated.status_code == 200
    scene.wait_until_removed(old)
    scene.assert_nothing_was_wrong()


def _somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        return bool(cursor.fetchone()[0])


@one_gateway
def test_r01_postgres_restarted_under_load(scene: Scene, old: IssuedKey, client: Client) -> None:
    """The portal answers 503 meanwhile, then well; calls go on; what was decided around it is done."""
    keys = scene.subscribe(scene.publications[0])
    path = f"subscriptions/{keys.public_id}/credentials"
    done = threading.Event()
    issued: list[dict[str, str]] = []

    def ask() -> None:
        while not done.is_set() and len(issued) < 5:
            issued.append(client.post(path, {"name": "k"}))

    asking = in_background(ask)
    until(lambda: issued, "the first key")
    connection.close()
    scene.portal.postgres.stop()
    until(lambda: 503 in client.statuses, "the portal says that it is away")
    page = httpx.get(f"{scene.portal.url}/accounts/login/", trust_env=False)
    assert page.status_code == 503
    assert page.headers["retry-after"] == "5"
    assert "text/html" in page.headers["content-type"]
    scene.prober.whole_round()
    scene.portal.postgres.start()
    until(lambda: len(issued) == 5, "all keys were issued")
    done.set()
    asking.join(30)
    assert set(client.statuses) <= {201, 503, 0}
    assert Credential.objects.filter(subscription=keys).count() == 5
    scene.pass_time()
    for answer in issued:
        credential = Credential.objects.get(public_id=answer["id"])
        scene.wait_until_live(scene.take(credential, answer["key"]))
    scene.wait_in_step()
    assert scene.prober.failed() == []
    scene.assert_desired_is_observed()
    scene.assert_nothing_was_wrong()
