"""R2: a worker or an agent that is killed (-9) at any step of a push leaves nothing behind that does not heal."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.faults.kinds import ENVOY, KINDS, NGINX, FaultyNode
from tests.faults.parts import until
from tests.faults.scene import IssuedKey, Scene

WORKER_STEPS = [
    "push.before-lease",
    "push.after-snapshot",
    "push.after-observe",
    "push.version-taken",
    "push.before-apply",
    "push.after-apply",
    "push.before-verify",
    "push.after-verify",
    "proofs.before",
    "proofs.inside",
    "proofs.after",
    "push.before-settle",
    "push.before-finish",
]
WIRE_STEPS = ["push.before-apply", "push.after-apply", "push.after-verify"]
"""Those at which the worker has just spoken to the gateway; between them it knows no kind."""

AGENT_STEPS = [
    pytest.param(kind.values[0], step, marks=kind.marks, id=f"{kind.id}-{step}")
    for kind in KINDS
    for step in kind.values[0].agent_steps
]
CONVERGED_S = 60.0
"""Within so long after a worker died everything is as it should be, without a hand."""


def decide(scene: Scene, old: IssuedKey) -> IssuedKey:
    """One decision of each sort: the old key goes, a new one comes."""
    new = scene.key(scene.subscribe(scene.publications[1]))
    scene.revoke(old)
    return new


def kill_worker_at(scene: Scene, step: str, old: IssuedKey, how: str = "kill") -> IssuedKey:
    """Decide, and have the worker die at `step`; the new key."""
    met = scene.portal.order(step, how)
    new = decide(scene, old)
    until(met.exists, f"{step} was reached")
    return new


def kill_agent_at(scene: Scene, step: str, old: IssuedKey, *, empty: bool = False) -> IssuedKey:
    """Likewise the agent, which comes back with what is on its disk, or with nothing."""
    new = kill_worker_at(scene, step, old)
    scene.bring_back(scene.node, empty=empty)
    return new


def assert_healed(scene: Scene, old: IssuedKey, new: IssuedKey) -> None:
    scene.wait_until_removed(old)
    scene.wait_until_live(new)
    scene.wait_in_step()
    scene.assert_desired_is_observed()


@pytest.mark.parametrize(
    ("scene", "steps"),
    [
        pytest.param(*ENVOY.values, WORKER_STEPS, id=ENVOY.id, marks=ENVOY.marks),
        pytest.param(*NGINX.values, WIRE_STEPS, id=NGINX.id, marks=NGINX.marks),
    ],
    indirect=["scene"],
)
def test_r02_a_worker_killed_at_every_step(scene: Scene, old: IssuedKey, steps: list[str]) -> None:
    for step in steps:
        new = kill_worker_at(scene, step, old)
        scene.pass_time()
        assert_healed(scene, old, new)
        old = new
    scene.assert_nothing_was_wrong()


def test_r02_an_agent_killed_at_every_step(scene: Scene, old: IssuedKey) -> None:
    for step in scene.kind.agent_steps:
        new = kill_agent_at(scene, step, old, empty=step == "agent.before-save")
        scene.pass_time()
        assert_healed(scene, old, new)
        old = new
    scene.assert_nothing_was_wrong()


@pytest.mark.long
def test_r02_all_of_the_worker_killed_and_healed_by_time_alone(scene: Scene, old: IssuedKey) -> None:
    """Nobody helps: the lease ends, beat sweeps."""
    scene.portal.beat.start()
    new = kill_worker_at(scene, "push.after-apply", old, how="kill-group")
    scene.portal.worker.kill()
    scene.portal.worker.start()
    scene.wait_until_removed(old, CONVERGED_S)
    scene.wait_until_live(new, CONVERGED_S)
    scene.assert_desired_is_observed()
    scene.assert_nothing_was_wrong()


@pytest.mark.parametrize("kill", [FaultyNode.kill_gateway, FaultyNode.kill_whole_gateway])
def test_r02_a_gateway_killed_under_its_agent_is_started_again(
    scene: Scene, old: IssuedKey, kill: Callable[[FaultyNode], None]
) -> None:
    scene.prober.withdraw_all(old.value)
    killed = scene.node.gateway_pids()
    kill(scene.node)
    new = decide(scene, old)
    until(scene.node.is_healthy, "the gateway runs again")
    scene.help_on()
    assert_healed(scene, old, new)
    assert not set(killed) & set(scene.node.gateway_pids())
    scene.assert_nothing_was_wrong()


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("step", WORKER_STEPS)
def test_r02_a_worker_killed_twenty_times_at(scene: Scene, old: IssuedKey, step: str) -> None:
    kill_twenty_times(kill_worker_at, scene, step, old)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("scene", "step"), AGENT_STEPS, indirect=["scene"])
def test_r02_an_agent_killed_twenty_times_at(scene: Scene, old: IssuedKey, step: str) -> None:
    kill_twenty_times(kill_agent_at, scene, step, old)


def kill_twenty_times(
    kill: Callable[[Scene, str, IssuedKey], IssuedKey], scene: Scene, step: str, old: IssuedKey
) -> None:
    for _ in range(20):
        new = kill(scene, step, old)
        scene.pass_time()
        assert_healed(scene, old, new)
        old = new
    scene.assert_nothing_was_wrong()


@pytest.mark.long
@pytest.mark.parametrize("step", WORKER_STEPS)
def test_r02_healed_by_time_alone_after(scene: Scene, old: IssuedKey, step: str) -> None:
    scene.portal.beat.start()
    new = kill_worker_at(scene, step, old)
    scene.wait_until_removed(old, CONVERGED_S)
    scene.wait_until_live(new, CONVERGED_S)
    scene.wait_in_step()
    scene.assert_desired_is_observed()
    scene.assert_nothing_was_wrong()
