"""What Envoy is not given, and what the portal says of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateways.drivers.agents.adapt import adapt
from gateways.drivers.envoy.driver import EnvoyDriver
from gateways.engine.document import HealthCheck, Item, Kind, Ref, Route, Target, Upstream, ref
from gateways.engine.driver import Adapted, Connection, DriverError, Listener
from tests.gateways import documents as make

LISTENERS = (Listener("production", 8080), Listener("sandbox", 8090))
BASE: tuple[Item, ...] = (
    make.upstream(),
    make.limit(),
    make.consumer(),
    make.route(),
    make.grant("1", "1"),
    make.key("1"),
    make.block("1", 2_000_000_000),
)


def adapted(*changed: Item, nodes: int = 1) -> Adapted:
    """The base document with some objects in the place of those of the same name, or beside them."""
    items = {ref(item): item for item in (*BASE, *changed)}
    return adapt(make.document(*items.values()), LISTENERS, nodes)


def test_a_good_document_is_taken_whole() -> None:
    result = adapted()
    assert result.document == make.document(*BASE)
    assert not result.notes


def test_adapting_twice_is_the_same_as_once() -> None:
    once = adapted(make.route("2", "/bad path"), make.upstream("3", "ftp://x")).document
    assert adapt(once, LISTENERS, 1).document == once


@pytest.mark.parametrize(
    ("item", "note"),
    [
        (make.upstream("1", "ftp://a"), "none of its targets"),
        (make.upstream("1", "http://user:secret@a"), "no user"),
        (make.upstream("1", "http://a/x?y"), "query"),
        (make.upstream("1", "http://a b"), "a name or an address"),
        (make.upstream("1", "http://a/../b"), "plain segments"),
        (make.upstream("1", "http://a:99999"), "left out"),
        (make.upstream("1", "http://a%0d%0ab"), "a name or an address"),
        (make.upstream(timeout_ms=0), "timeout"),
        (make.limit(calls=0), "start at one"),
        (make.limit(burst=2**32), "start at one"),
        (make.route("1", "/shop/../admin"), "plain segments"),
        (make.route("1", "/"), "plain segments"),
        (make.route("1", "shop"), "plain segments"),
        (make.route("1", "/shop/%2e"), "plain segments"),
        (make.route("1", "/shop/"), "plain segments"),
        (make.route("1", environment="staging"), "no listener for 'staging'"),
        (make.route("1", host="a_b"), "host name"),
        (make.route("1", host="*"), "host name"),
        (make.route("1", at="2"), "upstream is not on this gateway"),
        (make.grant("1", "1", application="2"), "application is not on this gateway"),
        (make.grant("1", "1", plan="2"), "limit is not on this gateway"),
        (replace(make.key("1"), value="short"), "not that of a key"),
        (make.key("1", "2"), "subscription is not on this gateway"),
        (make.block("2", 1), "subscription is not on this gateway"),
    ],
)
def test_what_does_not_fit_is_dropped_with_a_reason(item: Item, note: str) -> None:
    result = adapted(item)
    assert ref(item) not in result.document.items
    assert note in result.notes[ref(item)]


def test_a_preview_works_without_the_values_of_keys() -> None:
    bare = replace(make.key("1"), value="")
    assert ref(bare) in adapted(bare).document.items


def test_a_push_without_the_values_of_keys_is_refused() -> None:
    driver = EnvoyDriver(Connection("edge", listeners=LISTENERS))
    bare = make.document(*BASE, replace(make.key("9", "1"), value=""))
    with pytest.raises(DriverError, match="without their values") as error:
        driver.snapshot(bare)
    assert error.value.offenders == (Ref(Kind.KEY, "crd_9"),)


def test_what_hangs_on_a_dropped_object_goes_with_it() -> None:
    """A subscription whose limit cannot be enforced does not become unlimited."""
    kinds = {name.kind for name in adapted(make.limit(calls=0)).document.items}
    assert kinds == {Kind.UPSTREAM, Kind.CONSUMER, Kind.ROUTE}


def test_a_subscription_outlives_its_dropped_route_without_it() -> None:
    document = adapted(make.route("1", "/bad path")).document
    assert document.items[Ref(Kind.GRANT, "sub_1")] == make.grant("1")


def test_a_bad_target_is_left_out_and_the_others_stay() -> None:
    targets = (Target("http://a/v1"), Target("http://b/v2"), Target("http://c/v1", weight=0))
    result = adapted(replace(BASE[0], targets=targets))  # type: ignore[type-var]
    [upstream] = result.document.of_kind(Upstream)
    assert upstream.targets == targets[:1]
    assert "share one path" in result.notes[ref(upstream)]


@pytest.mark.parametrize("check", [HealthCheck("no-slash"), HealthCheck("/a b"), HealthCheck("/", healthy=0)])
def test_a_health_check_that_does_not_fit_is_left_out(check: HealthCheck) -> None:
    result = adapted(make.upstream(health=check))
    [upstream] = result.document.of_kind(Upstream)
    assert upstream.health is None
    assert "Without health check" in result.notes[ref(upstream)]


def test_an_origin_that_is_none_is_left_out() -> None:
    result = adapted(make.route("1", cors_origins=("https://portal.test", "*", "null")))
    [route] = result.document.of_kind(Route)
    assert route.cors_origins == ("https://portal.test",)
    assert "origin" in result.notes[ref(route)]


def test_one_place_is_given_once() -> None:
    result = adapted(make.route("2", "/shop/orders-1/v1"))
    assert "pub_1 has the same base path" in result.notes[Ref(Kind.ROUTE, "pub_2")]


def test_one_key_value_is_given_once() -> None:
    """A duplicate makes Envoy reject every key."""
    twin = replace(make.key("1"), id="crd_2")
    result = adapted(twin)
    assert "same value" in result.notes[ref(twin)]


def test_on_several_nodes_a_limit_is_said_to_be_approximate() -> None:
    assert "each of 3 nodes" in adapted(nodes=3).notes[Ref(Kind.LIMIT, "plr_1")]
    assert not adapted(nodes=1).notes


def test_two_environments_on_one_port_and_host_are_refused() -> None:
    with pytest.raises(DriverError, match="production and sandbox") as error:
        adapt(make.document(), (Listener("production", 80), Listener("sandbox", 80)), 1)
    assert error.value.permanent
