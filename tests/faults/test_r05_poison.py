"""R5: what the gateway refuses is named and held back; everything else goes live, and a cure needs no restart."""

from __future__ import annotations

import time

import pytest

from apis.actions import set_binding
from gateways.enforcement import enforcement_of
from gateways.models import Publication
from tests.faults.parts import until
from tests.faults.scene import Scene


def said(publication: Publication) -> list[tuple[str, bool]]:
    """State per gateway, and whether a reason is given."""
    fresh = Publication.objects.select_related("gateway", "environment").get(pk=publication.pk)
    return [(str(segment.state), bool(segment.note)) for segment in enforcement_of(fresh).segments]


def publish_with_poison(scene: Scene, good: int, bad: int) -> None:
    started = time.monotonic()
    healthy = scene.announce(good)
    until(lambda: all(said(one) == [("live", False)] for one in healthy), "the good ones are live")
    alone = time.monotonic() - started
    upstream, scene.upstream_url = scene.upstream_url, f"http://127.0.0.1:{scene.node.agent_port}"
    poison = scene.announce(bad)
    scene.upstream_url = upstream
    more = scene.announce(good)
    started = time.monotonic()
    until(lambda: all(said(one) == [("live", False)] for one in more), "the good ones beside poison are live")
    until(lambda: all(said(one) == [("held_back", True)] for one in poison), "the bad ones are named")
    print(f"{good} alone {alone:.2f} s, beside {bad} that are refused {time.monotonic() - started:.2f} s")
    cure(scene, poison[0])
    scene.publications += more
    key = scene.key(scene.subscribe(more[-1]))
    scene.wait_until_live(key)
    scene.assert_nothing_was_wrong()


def cure(scene: Scene, publication: Publication) -> None:
    """Give it an address that may be called: it goes live by itself."""
    set_binding(
        publication.revision.upstream,
        actor=scene.owner,
        environment=publication.environment,
        targets=[{"url": scene.upstream_url, "weight": 100}],
    )
    until(lambda: said(publication) == [("live", False)], "the cured one is live")


def test_r05_poison_stops_nobody_else(scene: Scene) -> None:
    publish_with_poison(scene, good=3, bad=2)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_r05_five_poisoned_of_hundreds(scene: Scene) -> None:
    publish_with_poison(scene, good=250, bad=5)
