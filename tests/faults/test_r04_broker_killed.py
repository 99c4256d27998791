"""R4 with the real parts: the broker emptied and killed under pending changes; beat and sweep make up for it."""

from __future__ import annotations

import pytest
import redis

from tests.faults.kinds import one_gateway
from tests.faults.scene import IssuedKey, Scene

APPLIED_S = 60.0


def lose_the_broker(scene: Scene, old: IssuedKey, pending: int) -> None:
    """Decide `pending` times while the broker is emptied and then gone; all of it is applied after its return."""
    scene.portal.worker.kill()
    subscriptions = [scene.subscribe(publication) for publication in scene.publications]
    new = [scene.key(subscriptions[number % 2]) for number in range(min(pending // 2, 10))]
    redis.Redis(unix_socket_path=str(scene.portal.redis_server.socket)).flushall()
    scene.portal.redis.kill()
    new += [scene.key(scene.subscribe(scene.publications[0])) for _ in range(pending - len(new) - 1)]
    scene.revoke(old)
    assert {state for issued in new for state in scene.said(issued)} == {"pushing"}
    assert scene.said(old) == ["removing"]
    scene.portal.redis.start()
    scene.portal.worker.start()
    scene.portal.beat.start()
    scene.wait_until_removed(old, APPLIED_S)
    for issued in new:
        scene.wait_until_live(issued, APPLIED_S)
    scene.wait_in_step()
    scene.assert_desired_is_observed()
    scene.assert_nothing_was_wrong()


@one_gateway
def test_r04_a_broker_that_loses_everything_costs_delay_alone(scene: Scene, old: IssuedKey) -> None:
    lose_the_broker(scene, old, 8)


@pytest.mark.long
@pytest.mark.timeout(1800)
@one_gateway
def test_r04_five_hundred_pending(scene: Scene, old: IssuedKey) -> None:
    lose_the_broker(scene, old, 500)
