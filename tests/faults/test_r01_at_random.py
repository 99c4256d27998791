"""R1: accepted changes are neither lost nor undone while web, workers, Redis and PostgreSQL are killed at random."""

from __future__ import annotations

import random

import pytest
from django.db import connection

from subscriptions.models import Credential
from tests import factories
from tests.faults.kinds import ENVOY, NGINX
from tests.faults.parts import Part
from tests.faults.rest import Client
from tests.faults.scene import IssuedKey, Scene

QUIET_S = 120.0
"""Long enough for a lease to end and the longest back-off of a few failures, when all is well again."""


def change_at_random(scene: Scene, changes: int, kills: int, seed: int, *, helped: bool = False) -> None:
    """Issue and revoke over REST, repeating what was cut; somewhere between two changes a part is killed.

    `helped`: nobody waits in the end for the lease of a worker that was killed.
    """
    chance = random.Random(seed)
    _token, value = factories.make_api_token(user=scene.caller_user)
    client = Client(scene.portal.url, value, patience_s=90)
    scene.portal.beat.start()
    parts = [scene.portal.web, scene.portal.worker, scene.portal.redis, scene.portal.postgres]
    strikes = {at: parts[number % 4] for number, at in enumerate(chance.sample(range(changes), kills))}
    subscription = scene.subscribe(scene.publications[0])
    usable: list[IssuedKey] = []
    gone: list[IssuedKey] = []
    for number in range(changes):
        if number in strikes:
            strikes[number].kill()
        if len(usable) == 5 or (usable and chance.random() < 0.4):
            gone.append(usable.pop(chance.randrange(len(usable))))
            scene.prober.withdraw_all(gone[-1].value)
            strike_back(strikes.get(number))
            client.post(f"credentials/{gone[-1].credential.public_id}/revoke", {"reason": "leaked"})
        else:
            strike_back(strikes.get(number))
            answer = client.post(f"subscriptions/{subscription.public_id}/credentials", {"name": "k"})
            issued = Credential.objects.select_related("subscription").get(public_id=answer["id"])
            usable.append(scene.take(issued, answer["key"]))
    if helped:
        scene.pass_time()
    settle(scene, usable, gone)


def strike_back(part: Part | None) -> None:
    """Start what was killed; the change is asked for while it comes up."""
    if part is not None:
        connection.close()
        part.begin()


def settle(scene: Scene, usable: list[IssuedKey], gone: list[IssuedKey]) -> None:
    """It is quiet: nothing was lost, nothing came back."""
    for issued in gone:
        scene.wait_until_removed(issued, QUIET_S)
    for issued in usable:
        scene.wait_until_live(issued, QUIET_S)
    scene.wait_in_step(QUIET_S)
    scene.assert_desired_is_observed()
    assert scene.prober.failed() == [], "gateways need none of it"
    scene.assert_nothing_was_wrong()
    kept = Credential.objects.filter(subscription=usable[0].home, state=Credential.State.ACTIVE)
    assert {one.public_id for one in kept} == {issued.credential.public_id for issued in usable}


@pytest.mark.parametrize(
    ("scene", "changes", "kills"),
    [
        pytest.param(*ENVOY.values, 20, 5, id=ENVOY.id, marks=ENVOY.marks),
        pytest.param(*NGINX.values, 12, 4, id=NGINX.id, marks=NGINX.marks),
    ],
    indirect=["scene"],
)
def test_r01_some_changes_and_kills(scene: Scene, old: IssuedKey, changes: int, kills: int) -> None:
    change_at_random(scene, changes=changes, kills=kills, seed=1, helped=True)


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_r01_a_thousand_changes_and_fifty_kills(scene: Scene, old: IssuedKey) -> None:
    change_at_random(scene, changes=1_000, kills=50, seed=11)
