"""Reloads of nginx: under traffic, beside long calls, and in quick succession."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import pytest

from gateways.agent.nginx import workers
from gateways.agent.nginx.bootstrap import KEEPALIVE_MIN_MS, SHUTDOWN_S
from gateways.engine.diff import diff
from gateways.engine.document import Document, Key, value_digest
from tests.gateways import documents as make
from tests.gateways.driver_contract import Shop, publish, quietly
from tests.gateways.gateway_node import NodeUnderTest, wait_for

PUSHES = 20
_CALLERS = 4


@pytest.fixture
def shop(nginx: NodeUnderTest) -> Shop:
    return Shop(nginx, make.fresh())


def master_of(nginx: NodeUnderTest) -> int:
    return int((nginx.node.state / "nginx.pid").read_text())


def test_twenty_reloads_lose_no_call_r8(nginx: NodeUnderTest, shop: Shop) -> None:
    """R8: callers with connections kept alive and callers with new ones, while keys come and go."""
    document = [*shop.base, shop.grant("a", shop.name), shop.key("a")]
    publish(nginx, *document)
    wrong: list[str] = []
    count = [0] * _CALLERS
    done = threading.Event()
    url, headers = nginx.url(shop.path), {"x-api-key": shop.key("a").value}

    def keep_calling(number: int) -> None:
        kept = httpx.Client(trust_env=False, timeout=10.0, limits=httpx.Limits(max_keepalive_connections=1))
        answered = time.monotonic()
        while not done.is_set():
            try:
                if number % 2:
                    response = kept.get(url, headers=headers)
                else:
                    response = httpx.get(url, headers=headers, trust_env=False, timeout=10.0)
                if response.status_code != 200:
                    wrong.append(str(response.status_code))
            except httpx.TransportError as error:
                # A caller that was silent for longer may meet a connection that is just being closed.
                if not number % 2 or time.monotonic() - answered < KEEPALIVE_MIN_MS / 1000:
                    wrong.append(repr(error))
            answered = time.monotonic()
            count[number] += 1
        kept.close()

    with ThreadPoolExecutor(_CALLERS) as pool:
        callers = [pool.submit(keep_calling, number) for number in range(_CALLERS)]
        try:
            for number in range(PUSHES // 2):
                publish(nginx, *document, shop.grant("n", shop.name), shop.key(f"n{number}", "n"))
                assert nginx.call(shop.path, shop.key(f"n{number}").value).status == 200
                publish(nginx, *document)
                assert nginx.call(shop.path, shop.key(f"n{number}").value).status == 401
        finally:
            done.set()
        for caller in callers:
            caller.result()
    assert wrong == []
    assert all(calls > PUSHES for calls in count)


def test_a_key_that_is_said_to_be_removed_opens_nothing_on_a_connection_kept_alive(
    nginx: NodeUnderTest, shop: Shop
) -> None:
    """The old worker of a connection would take one more call by the old configuration."""
    document = [*shop.base, shop.grant("a", shop.name)]
    publish(nginx, *document, shop.key("a"))
    with httpx.Client(trust_env=False) as kept:
        headers = {"x-api-key": shop.key("a").value}
        for _ in range(5):
            publish(nginx, *document, shop.key("a"))
            wait_for(lambda: kept.get(nginx.url(shop.path), headers=headers).status_code == 200)
            publish(nginx, *document)
            assert kept.get(nginx.url(shop.path), headers=headers).status_code == 401


def sleeping(nginx: NodeUnderTest, shop: Shop, pool: ThreadPoolExecutor) -> Future[httpx.Response]:
    """A call that its upstream holds for a long time, and that has reached a worker."""
    headers = {"x-api-key": shop.key("a").value}
    return pool.submit(
        httpx.get, nginx.url(f"{shop.path}/sleep"), headers=headers, trust_env=False, timeout=60.0
    )


def test_a_long_call_holds_up_no_addition_and_bounds_a_removal(nginx: NodeUnderTest, shop: Shop) -> None:
    long = make.upstream(shop.name, nginx.upstream_url, timeout_ms=60_000)
    document = [long if i.id == long.id else i for i in shop.base]
    document += [shop.grant("a", shop.name), shop.key("a")]
    publish(nginx, *document)
    with ThreadPoolExecutor(1) as pool:
        before = nginx.asleep()
        call = sleeping(nginx, shop, pool)
        wait_for(lambda: nginx.asleep() > before)
        began = time.monotonic()
        publish(nginx, *document, shop.grant("b", shop.name), shop.key("b"))
        assert nginx.call(shop.path, shop.key("b").value).status == 200
        assert time.monotonic() - began < SHUTDOWN_S / 2
        assert not call.done()
        publish(nginx, *document)
        assert nginx.call(shop.path, shop.key("b").value).status == 401
        # The removal has waited for the worker of the long call, which was ended with it.
        assert call.exception() is not None or call.result().status_code != 200
        assert len(workers.children(master_of(nginx))) == 2


def test_ten_thousand_keys_are_live_with_the_push(nginx: NodeUnderTest, shop: Shop) -> None:
    keys = []
    for number in range(10_000):
        value = f"ghs{number:016d}{'Kk' * 24}x"
        keys.append(Key(f"crd_many{number}", value[3:19], f"sub_{shop.name}-a", value_digest(value), value))
    document = Document.of([*shop.base, shop.grant("a", shop.name), *keys])
    driver = nginx.driver()
    changes = diff(driver.observe(None), driver.adapt(document).document)
    driver.apply(changes, quietly)
    assert not driver.verify(changes).unconfirmed
    for key in (keys[0], keys[5000], keys[-1]):
        assert nginx.call(shop.path, key.value).status == 200
    publish(nginx)
