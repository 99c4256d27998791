"""R7: a revoked key is refused from the moment the page says so, under load; how long it takes is told, not tested."""

from __future__ import annotations

import signal
import statistics
import time

import pytest

from tests.faults.parts import until
from tests.faults.scene import IssuedKey, Scene


def revoke_under_load(scene: Scene, count: int) -> None:
    subscription = scene.subscribe(scene.publications[0])
    scene.prober.stop()
    scene.prober.start(2, pause_s=0.0005)
    took = []
    for _ in range(count):
        issued = scene.key(subscription)
        scene.wait_until_live(issued)
        clicked = time.monotonic()
        scene.revoke(issued)
        scene.wait_until_removed(issued)
        took.append(time.monotonic() - clicked)
    scene.assert_nothing_was_wrong()
    print(f"revoked -> the page says removed: p50 {statistics.median(took):.3f} s, most {max(took):.3f} s")


def test_r07_never_a_call_let_through_after_removed(scene: Scene) -> None:
    revoke_under_load(scene, 4)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_r07_five_hundred_revokes(scene: Scene) -> None:
    revoke_under_load(scene, 500)


def test_r07_an_agent_that_is_away_is_said_to_be_and_nothing_is_said_to_be_done(
    scene: Scene, old: IssuedKey
) -> None:
    scene.prober.withdraw_all(old.value)
    scene.node.stop(signal.SIGKILL)
    new = scene.key(scene.subscribe(scene.publications[1]))
    scene.revoke(old)
    until(lambda: scene.said(old) == scene.said(new) == ["failed"], f"said to be away: {scene.said(old)}")
    scene.node.start()
    scene.pass_time()
    scene.wait_until_removed(old)
    scene.wait_until_live(new)
    scene.wait_in_step()
    scene.assert_desired_is_observed()
    scene.assert_nothing_was_wrong()
