"""R3: tasks that come twice, late, out of order or to several workers at once, and an agent that fetches meanwhile."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection

from gateways.actions import reconcile, ring
from tests.faults.kinds import one_gateway
from tests.faults.parts import until
from tests.faults.scene import IssuedKey, Scene
from tests.gateways.gateway_node import wait_for


@contextmanager
def watched(scene: Scene) -> Iterator[list[int]]:
    """The versions that the node has kept, in the order in which they were seen."""
    seen: list[int] = []
    done = threading.Event()
    kept = scene.node.state / "push.json"

    def watch() -> None:
        while not done.wait(0.01):
            seen.append(json.loads(kept.read_bytes())["version"])

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    yield seen
    done.set()
    watcher.join()


def change_with_doubled_bells(scene: Scene, changes: int, seed: int) -> None:
    """`changes` decisions, the bell of each three times, shuffled."""
    chance = random.Random(seed)
    usable: list[IssuedKey] = []
    gone: list[IssuedKey] = []
    for _ in range(changes):
        if usable and chance.random() < 0.4:
            gone.append(usable.pop(chance.randrange(len(usable))))
            scene.revoke(gone[-1])
        else:
            usable.append(scene.key(scene.subscribe(chance.choice(scene.publications))))
        ring([scene.gateway.pk] * chance.randrange(1, 4))
    for issued in gone:
        scene.wait_until_removed(issued)
    for issued in usable:
        scene.wait_until_live(issued)


def run_doubled(scene: Scene, changes: int, seed: int) -> None:
    scene.portal.add_worker()
    scene.portal.beat.start()
    with watched(scene) as versions:
        change_with_doubled_bells(scene, changes, seed)
        scene.wait_in_step()
    assert versions == sorted(versions), "a version went back"
    scene.assert_desired_is_observed()
    scene.assert_nothing_was_wrong()


@one_gateway
def test_r03_doubled_bells_at_several_workers(scene: Scene, old: IssuedKey) -> None:
    run_doubled(scene, 16, seed=3)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_r03_five_hundred_changes_with_doubled_bells(scene: Scene, old: IssuedKey) -> None:
    run_doubled(scene, 500, seed=33)


def test_r03_a_configuration_that_was_fetched_late_brings_no_key_back(scene: Scene, old: IssuedKey) -> None:
    """An agent that lost everything fetches; before its configuration has a number a key is revoked and pushed."""
    scene.prober.withdraw_all(old.value)
    scene.wait_in_step()
    with scene.portal.worker.held_up(_no_transaction_is_open):
        new = scene.key(scene.subscribe(scene.publications[1]))
        met = scene.portal.order("fetch.before-number", "wait")
        assert scene.node.process is not None
        scene.node.process.kill()
        scene.bring_back(scene.node, empty=True)
        until(met.exists, "the agent is fetching")
        scene.revoke(old)
        reconcile(scene.fresh(), whether_due=True)  # what the worker would do; it has no time now
        scene.wait_until_removed(old)
        scene.wait_until_live(new)
        before = scene.node.log().count('"applied"')
        scene.portal.let_go("fetch.before-number")
        wait_for(lambda: scene.node.log().count('"applied"') > before or "is old" in scene.node.log())
        scene.prober.whole_round()
    scene.wait_in_step()
    scene.assert_desired_is_observed()
    scene.assert_nothing_was_wrong()


def _no_transaction_is_open() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%'")
        return not cursor.fetchone()[0]


@one_gateway
def test_r03_a_lease_is_kept_while_its_run_lives_and_no_longer(scene: Scene, old: IssuedKey) -> None:
    met = scene.portal.order("push.after-observe", "wait")
    new = scene.key(scene.subscribe(scene.publications[1]))
    until(met.exists, "a run is under way")
    first = scene.fresh().lease_until
    until(lambda: scene.fresh().lease_until != first, "the lease is renewed beside the work")
    assert scene.said(new) == ["pushing"]
    scene.portal.let_go("push.after-observe")
    scene.wait_until_live(new)
    until(lambda: scene.fresh().lease_until is None, "the lease is given back")
