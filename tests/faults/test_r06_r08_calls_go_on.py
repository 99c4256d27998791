"""R6, R8: calls go on without us, across a restart of their gateway, and while configurations change under them."""

from __future__ import annotations

import pytest

from tests.faults.scene import IssuedKey, Scene

pytestmark = [pytest.mark.envoy, pytest.mark.xdist_group("faults")]


def without_control_plane(scene: Scene, old: IssuedKey, rounds: int) -> None:
    """Two nodes behind a caller that tries the other where nobody listens. All of ours is killed; then each
    node is restarted, with nobody to ask."""
    second = scene.add_node("node-2")
    scene.wait_in_step()
    fresh = scene.key(old.home)
    scene.wait_until_live(fresh)
    for part in reversed(scene.portal.parts):
        part.kill()
    for _ in range(rounds):
        for node in (scene.node, second):
            scene.prober.whole_round()
            node.stop()
            scene.prober.whole_round()
            node.start()
            scene.prober.whole_round()
    assert scene.prober.failed() == []
    assert scene.prober.judged() > 100
    assert scene.prober.wrong() == []


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
