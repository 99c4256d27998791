"""R6, R8: calls go on without us, across a restart of their gateway, and while configurations change under them."""

from __future__ import annotations

import time

import pytest

from tests.faults.kinds import FaultyNode
from tests.faults.prober import UNREACHED, Call
from tests.faults.scene import IssuedKey, Scene


def without_control_plane(scene: Scene, old: IssuedKey, rounds: int) -> None:
    """All of ours is killed; then each node is restarted, with nobody to ask.

    Callers try the other node where nobody listens. Two of nginx cannot share a port of one machine: its only
    node is restarted, and every call that finds it is answered.
    """
    if scene.kind.shares_its_port:
        scene.add_node("node-2")
        scene.wait_in_step()
    revoked, fresh = scene.key(old.home), scene.key(old.home)
    for issued in (revoked, fresh):
        scene.wait_until_live(issued)
    scene.revoke(revoked)
    scene.wait_until_removed(revoked)
    for part in reversed(scene.portal.parts):
        part.kill()
    down = []
    for _ in range(rounds):
        for node in scene.nodes:
            scene.prober.whole_round()
            down.append(restart(scene, node))
            scene.prober.whole_round()
    failed = scene.prober.failed()
    if not scene.kind.shares_its_port:
        failed = [call for call in failed if not found_nobody(call, down)]
    assert failed == []
    assert scene.prober.judged() > 100
    assert scene.prober.wrong() == []


def restart(scene: Scene, node: FaultyNode) -> tuple[float, float]:
    """When it was away: from the order to stop until it said that it serves."""
    began = time.monotonic()
    node.stop()
    scene.prober.whole_round()
    node.start()
    return began, time.monotonic()


def found_nobody(call: Call, down: list[tuple[float, float]]) -> bool:
    """Whether it was never taken, while there was nobody to take it."""
    return call.status == UNREACHED and any(
        began <= call.answered and call.sent <= ended for began, ended in down
    )


def test_r06_no_call_fails_while_the_control_plane_is_down(scene: Scene, old: IssuedKey) -> None:
    without_control_plane(scene, old, rounds=1)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_r06_nor_for_long(scene: Scene, old: IssuedKey) -> None:
    without_control_plane(scene, old, rounds=40)


def change_under_traffic(scene: Scene, old: IssuedKey, changes: int, threads: int) -> None:
    """Keys come and go, APIs are published, while the calls of an unchanged key go on."""
    scene.prober.stop()
    scene.prober.start(threads, pause_s=0.0005)
    subscription = scene.subscribe(scene.publications[1])
    for number in range(changes):
        passing = scene.key(subscription)
        scene.wait_until_live(passing)
        scene.revoke(passing)
        if number % 5 == 0:
            scene.publish()
        scene.wait_until_removed(passing)
    scene.prober.whole_round()
    assert scene.prober.failed() == []
    scene.assert_nothing_was_wrong()


def test_r08_changes_under_traffic_lose_no_call(scene: Scene, old: IssuedKey) -> None:
    change_under_traffic(scene, old, changes=6, threads=2)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_r08_a_hundred_changes_under_traffic(scene: Scene, old: IssuedKey) -> None:
    change_under_traffic(scene, old, changes=100, threads=4)
