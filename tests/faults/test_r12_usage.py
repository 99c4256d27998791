"""R12: what callers counted is what the portal counts, per subscription and status, whatever is killed between."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from django.db.models import Sum

from subscriptions.models import Subscription
from tests.faults.kinds import one_gateway
from tests.faults.parts import until
from tests.faults.prober import Caller
from tests.faults.scene import IssuedKey, Scene
from tests.usage.feeds import line
from usage.models import FeedCheckpoint, UsageBucket, UsageRecord

type Counts = Counter[tuple[str, int]]


class CountingCaller:
    """Calls with some keys and counts the answers by subscription and status."""

    def __init__(self, scene: Scene, keys: list[IssuedKey]) -> None:
        self.counted: Counts = Counter()
        self._scene, self._keys = scene, keys
        self._caller = Caller()

    def call(self, times: int) -> None:
        for number in range(times):
            issued = self._keys[number % len(self._keys)]
            publication = self._scene.publications[number % 2]
            path = self._scene.path(publication)
            call = self._caller.call(issued.value, path, self._scene.bases)
            assert call.status > 0, "no gateway is killed while calls are under way"
            self.counted[issued.home.public_id, call.status] += 1


def told(scene: Scene, subscriptions: list[Subscription]) -> Counts:
    """The portal's buckets by subscription and status."""
    rows = UsageBucket.objects.filter(
        span=UsageBucket.Span.DAY, subscription__in=[one.public_id for one in subscriptions]
    )
    sums = rows.values_list("subscription", "status").annotate(total=Sum("calls")).order_by()
    return Counter({(subscription, status): total for subscription, status, total in sums})


def let_through(counted: Counts) -> Counts:
    return Counter({name: calls for name, calls in counted.items() if name[1] == 200})


def count_through_faults(scene: Scene, rounds: int, calls: int) -> None:
    """In each round calls are made while web is killed, and between two of them the agent, which ships the calls."""
    scene.prober.stop()
    keys = [scene.key(scene.subscribe(publication)) for publication in scene.publications]
    for issued in keys:
        scene.wait_until_live(issued)
    caller = CountingCaller(scene, keys)
    for number in range(rounds):
        calling = threading.Thread(target=caller.call, args=(calls,))
        calling.start()
        if number % 2 == 0:
            scene.portal.web.kill()
            scene.portal.web.start()
        calling.join()
        if number % 2:
            time.sleep(
                0.2
            )  # a log that is written every 100 ms; a gateway that is killed sooner loses the rest
            assert scene.node.process is not None
            scene.node.process.kill()
            scene.bring_back(scene.node)
    mine = [issued.home for issued in keys]
    until(lambda: let_through(told(scene, mine)) == let_through(caller.counted), "counted as called")
    assert sum(caller.counted.values()) == rounds * calls
    assert UsageRecord.objects.filter(
        subscription__in=[one.public_id for one in mine], status=200
    ).count() == sum(let_through(caller.counted).values())
    segments = FeedCheckpoint.objects.filter(gateway=scene.gateway).count()
    assert segments > 2, "the log was rotated"


@pytest.fixture
def rotating(scene: Scene) -> Scene:
    """The agent begins a new segment every few calls."""
    scene.node.segment_bytes = 4_000
    scene.node.stop()
    scene.node.start()
    return scene


def test_r12_counted_once_through_kills_and_rotations(rotating: Scene) -> None:
    count_through_faults(rotating, rounds=4, calls=80)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_r12_counted_once_through_forty_kills(rotating: Scene) -> None:
    rotating.node.segment_bytes = 200_000
    count_through_faults(rotating, rounds=40, calls=5_000)


# ---- the same batch twice, late, out of order ----


def batches_of(scene: Scene, issued: IssuedKey, count: int) -> list[tuple[int, bytes]]:
    """A feed of `count` batches, each with its offset; some of the calls are days old."""
    found, offset = [], 0
    for number in range(count):
        late = (number % 5 == 0) * 47 * 3600 * 1000
        body = b"".join(
            line(
                scene.publications[0],
                issued.credential,
                status=200 if number % 2 else 429,
                ts=time.time() * 1000 - late - row,
            )
            for row in range(10)
        )
        found.append((offset, body))
        offset += len(body)
    return found


def send(scene: Scene, offset: int, body: bytes) -> int:
    """The status of the answer, 0 without one."""
    headers = {
        "Authorization": f"Bearer {scene.token}",
        "Content-Type": "application/x-ndjson",
        "X-Node": "node-1",
        "X-Segment": "made-up",
        "X-Offset": str(offset),
    }
    try:
        return httpx.post(
            f"{scene.portal.url}/agent/v1/usage", content=body, headers=headers, timeout=30, trust_env=False
        ).status_code
    except httpx.TransportError:
        return 0


def send_shuffled(scene: Scene, issued: IssuedKey, count: int) -> None:
    batches = batches_of(scene, issued, count)
    end = batches[-1][0] + len(batches[-1][1])
    chance = random.Random(12)
    durable = FeedCheckpoint.objects.filter(gateway=scene.gateway, segment="made-up", offset=end)
    for attempt in range(500):
        order = [*batches, *batches, *batches]
        chance.shuffle(order)
        with ThreadPoolExecutor(4) as pool:
            statuses = set(pool.map(lambda batch: send(scene, *batch), order))
            if attempt == 1:
                scene.portal.web.kill()
        if attempt == 1:
            scene.portal.web.start()
        assert statuses <= {200, 409, 0}, statuses
        if durable.exists():
            break
    assert durable.exists()
    assert told(scene, [issued.home]) == Counter(
        {
            (issued.home.public_id, 200): 10 * (count // 2),
            (issued.home.public_id, 429): 10 * (count - count // 2),
        }
    )


@one_gateway
def test_r12_batches_sent_thrice_shuffled_and_late_count_once(scene: Scene, old: IssuedKey) -> None:
    scene.prober.stop()
    fresh = scene.key(scene.subscribe(scene.publications[0]))
    send_shuffled(scene, fresh, 12)


@pytest.mark.long
@pytest.mark.timeout(1800)
@one_gateway
def test_r12_hundreds_of_batches(scene: Scene, old: IssuedKey) -> None:
    scene.prober.stop()
    fresh = scene.key(scene.subscribe(scene.publications[0]))
    send_shuffled(scene, fresh, 300)
