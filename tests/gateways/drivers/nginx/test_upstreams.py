"""How calls reach upstreams through nginx: TLS that is checked, targets by weight, names while it runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from gateways.engine.document import Target, Upstream
from tests.gateways import documents as make
from tests.gateways.certificates import Authority
from tests.gateways.driver_contract import Answer, Shop, publish
from tests.gateways.gateway_node import NodeUnderTest, echo_upstream, free_port


@pytest.fixture
def upstreams() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def published(nginx: NodeUnderTest, *targets: Target, **fields: object) -> Shop:
    shop = Shop(nginx, make.fresh())
    upstream = Upstream(f"upb_{shop.name}", "Upstream", targets, **fields)  # type: ignore[arg-type]
    items = [upstream if item.id == upstream.id else item for item in shop.base]
    publish(nginx, *items, shop.grant("a", shop.name), shop.key("a"))
    return shop


def answer_through(nginx: NodeUnderTest, *targets: Target) -> Answer:
    """Publish an upstream with `targets` and call it once."""
    shop = published(nginx, *targets)
    return nginx.call(f"{shop.path}/x", shop.key("a").value)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_tls_is_spoken_and_the_name_is_checked(
    nginx: NodeUnderTest, authority: Authority, upstreams: ExitStack, host: str
) -> None:
    url = upstreams.enter_context(echo_upstream(authority.server_context(host)))
    answer = answer_through(nginx, Target(url.replace("127.0.0.1", host)))
    assert answer.status == 200
    assert dict(answer.reached["headers"])["host"] == url.replace("127.0.0.1", host).removeprefix("https://")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_certificate_for_another_name_is_refused(
    nginx: NodeUnderTest, authority: Authority, upstreams: ExitStack, host: str
) -> None:
    url = upstreams.enter_context(echo_upstream(authority.server_context("other.example.test")))
    assert answer_through(nginx, Target(url.replace("127.0.0.1", host))).status == 503


def test_a_certificate_of_an_unknown_authority_is_refused(
    nginx: NodeUnderTest, tmp_path_factory: pytest.TempPathFactory, upstreams: ExitStack
) -> None:
    stranger = Authority(tmp_path_factory.mktemp("stranger"))
    url = upstreams.enter_context(echo_upstream(stranger.server_context("localhost")))
    assert answer_through(nginx, Target(url.replace("127.0.0.1", "localhost"))).status == 503


def test_calls_are_shared_out_by_weight(nginx: NodeUnderTest, upstreams: ExitStack) -> None:
    urls = [upstreams.enter_context(echo_upstream()) for _ in range(2)]
    shop = published(nginx, Target(urls[0], 3), Target(urls[1], 1))
    key = shop.key("a").value
    ports = Counter(nginx.call(shop.path, key).reached["port"] for _ in range(80))
    assert 45 <= ports[int(urls[0].rpartition(":")[2])] <= 75


def test_a_target_that_is_down_costs_no_call(nginx: NodeUnderTest, upstream_url: str) -> None:
    shop = published(nginx, Target(f"http://127.0.0.1:{free_port()}", 100), Target(upstream_url, 100))
    assert {nginx.call(shop.path, shop.key("a").value).status for _ in range(10)} == {200}


def test_a_name_of_the_hosts_file_is_resolved(nginx: NodeUnderTest, upstream_url: str) -> None:
    assert answer_through(nginx, Target(upstream_url.replace("127.0.0.1", "localhost"))).status == 200


def test_a_name_that_does_not_resolve_is_503_and_holds_up_nobody(
    nginx: NodeUnderTest, upstream_url: str
) -> None:
    lost = replace(make.upstream("lost"), targets=(Target("http://nowhere.invalid"),))
    shop = Shop(nginx, make.fresh())
    route = make.route(f"{shop.name}-lost", at="lost")
    grant = shop.grant("a", shop.name, f"{shop.name}-lost")
    publish(nginx, *shop.base, lost, route, grant, shop.key("a"))
    assert nginx.call(shop.path, shop.key("a").value).status == 200
    assert nginx.call(route.base_path, shop.key("a").value).status == 503


def test_every_letter_that_a_path_may_hold_arrives(nginx: NodeUnderTest, upstream_url: str) -> None:
    shop = Shop(nginx, make.fresh())
    odd = "/a.b_c~d-e/A0"
    prefix = "/p!$&'()*+,;=:@~._-q"
    route = make.route(shop.name, odd, at=shop.name)
    items = [
        Upstream(i.id, "", (Target(upstream_url + prefix),)) if isinstance(i, Upstream) else i
        for i in shop.base
    ]
    items = [route if i.id == route.id else i for i in items]
    publish(nginx, *items, shop.grant("a", shop.name), shop.key("a"))
    reached = nginx.call(f"{odd}/x", shop.key("a").value).reached["path"]
    assert reached.replace("%24", "$") == f"{prefix}/x"
