"""How calls reach upstreams: TLS that is checked, targets by weight, and those that are down left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from gateways.engine.document import HealthCheck, Target, Upstream
from tests.gateways import documents as make
from tests.gateways.certificates import Authority
from tests.gateways.driver_contract import Answer, Shop, publish
from tests.gateways.gateway_node import NodeUnderTest, echo_upstream, free_port, wait_for

pytestmark = pytest.mark.envoy


@pytest.fixture
def upstreams() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def answer_through(envoy: NodeUnderTest, *targets: Target, **fields: object) -> Answer:
    """Publish an upstream with `targets` and call it once."""
    shop = Shop(envoy, make.fresh())
    upstream = Upstream(f"upb_{shop.name}", "Upstream", targets, **fields)  # type: ignore[arg-type]
    items = [upstream if item.id == upstream.id else item for item in shop.base]
    publish(envoy, *items, shop.grant("a", shop.name), shop.key("a"))
    return envoy.call(f"{shop.path}/x", shop.key("a").value)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_tls_is_spoken_and_the_name_is_checked(
    envoy: NodeUnderTest, authority: Authority, upstreams: ExitStack, host: str
) -> None:
    url = upstreams.enter_context(echo_upstream(authority.server_context(host)))
    answer = answer_through(envoy, Target(url.replace("127.0.0.1", host)))
    assert answer.status == 200
    assert dict(answer.reached["headers"])["host"] == url.replace("127.0.0.1", host).removeprefix("https://")


def test_a_certificate_for_another_name_is_refused(
    envoy: NodeUnderTest, authority: Authority, upstreams: ExitStack
) -> None:
    url = upstreams.enter_context(echo_upstream(authority.server_context("other.example.test")))
    assert answer_through(envoy, Target(url.replace("127.0.0.1", "localhost"))).status == 503


def test_a_certificate_of_an_unknown_authority_is_refused(
    envoy: NodeUnderTest, tmp_path_factory: pytest.TempPathFactory, upstreams: ExitStack
) -> None:
    stranger = Authority(tmp_path_factory.mktemp("stranger"))
    url = upstreams.enter_context(echo_upstream(stranger.server_context("localhost")))
    assert answer_through(envoy, Target(url.replace("127.0.0.1", "localhost"))).status == 503


def test_http_and_https_targets_stand_beside_each_other(
    envoy: NodeUnderTest, authority: Authority, upstreams: ExitStack
) -> None:
    secure = upstreams.enter_context(echo_upstream(authority.server_context("localhost")))
    plain = upstreams.enter_context(echo_upstream())
    shop = Shop(envoy, make.fresh())
    targets = (Target(secure.replace("127.0.0.1", "localhost")), Target(plain))
    items = [Upstream(i.id, "", targets) if isinstance(i, Upstream) else i for i in shop.base]
    publish(envoy, *items, shop.grant("a", shop.name), shop.key("a"))
    answers = [envoy.call(shop.path, shop.key("a").value) for _ in range(8)]
    assert {answer.status for answer in answers} == {200}
    assert len({dict(answer.reached["headers"])["host"] for answer in answers}) == 2


def test_calls_are_shared_out_by_weight(envoy: NodeUnderTest, upstreams: ExitStack) -> None:
    urls = [upstreams.enter_context(echo_upstream()) for _ in range(2)]
    shop = Shop(envoy, make.fresh())
    targets = (Target(urls[0], 3), Target(urls[1], 1))
    items = [Upstream(i.id, "", targets) if isinstance(i, Upstream) else i for i in shop.base]
    publish(envoy, *items, shop.grant("a", shop.name), shop.key("a"))
    hosts = Counter(
        dict(envoy.call(shop.path, shop.key("a").value).reached["headers"])["host"] for _ in range(80)
    )
    assert 45 <= hosts[urls[0].removeprefix("http://")] <= 75


def test_a_target_that_fails_its_check_gets_no_calls_and_does_not_hold_up_the_push(
    envoy: NodeUnderTest, upstream_url: str
) -> None:
    check = HealthCheck("/healthz", interval_s=1, timeout_s=1, unhealthy=1)
    down = Target(f"http://127.0.0.1:{free_port()}", 1000)
    assert answer_through(envoy, down, Target(upstream_url), health=check).status == 200
    assert wait_for(lambda: "health_flags::/failed_active_hc" in envoy.node.admin("/clusters"))


def test_a_name_that_does_not_resolve_is_503_and_holds_up_nobody(envoy: NodeUnderTest) -> None:
    assert answer_through(envoy, Target("http://nowhere.invalid")).status == 503


def test_every_letter_that_a_path_may_hold_arrives(envoy: NodeUnderTest, upstream_url: str) -> None:
    shop = Shop(envoy, make.fresh())
    odd = "/a.b_c~d-e/A0"
    prefix = "/p!$&'()*+,;=:@~._-q"
    route = make.route(shop.name, odd, at=shop.name)
    items = [
        Upstream(i.id, "", (Target(upstream_url + prefix),)) if isinstance(i, Upstream) else i
        for i in shop.base
    ]
    items = [route if i.id == route.id else i for i in items]
    publish(envoy, *items, shop.grant("a", shop.name), shop.key("a"))
    assert envoy.call(f"{odd}/x", shop.key("a").value).reached["path"] == f"{prefix}/x"
