"""The tree of routes on a real Envoy: it leads where a list of the same routes leads, whatever the path."""

from __future__ import annotations

import http.client
import json
import random
import socket
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from gateways.agent.envoy.bootstrap import composed
from gateways.agent.envoy.plane import envoy_binary
from gateways.drivers.envoy.translate import files
from gateways.drivers.envoy.tree import listed
from gateways.engine.document import Document, Item
from gateways.engine.driver import Listener
from tests.gateways import documents as make
from tests.gateways.drivers.test_t18_same_decision import PATHS
from tests.gateways.gateway_node import RunningNode, free_port, wait_for

pytestmark = pytest.mark.envoy

CLAIMS = (
    "/shop", "/shop/orders", "/shop/orders/v1", "/shop/orders/v10", "/shop/orders/v1/inner/most", "/shop/Orders/v1",
    "/shop/orders-1", "/a.b", "/ab", "/a", "/other/orders/v1",
)  # fmt: skip
HOST = "api.example.test"
ALONE = "/alone/at/host"
"""A base path under HOST only; `/shop` is there twice, and the one of any host was first."""
KEY = make.key_value("1")


def document(upstream: str) -> Document:
    """A route for each claim, told apart by the path of its upstream; the key may call all of them."""
    items: list[Item] = [make.limit("1", 10_000, 1, 10_000), make.consumer("1")]
    for number, path in enumerate((*CLAIMS, ALONE, "/shop")):
        host = HOST if number >= len(CLAIMS) else ""
        items += [
            make.upstream(f"{number}", f"{upstream}/to-{number}"),
            make.route(f"{number}", path, at=f"{number}", host=host),
        ]
    everything = [f"{number}" for number in range(len(CLAIMS) + 2)]
    return make.document(*items, make.grant("1", *everything), make.key("1"))


@pytest.fixture(scope="module")
def ports(tmp_path_factory: pytest.TempPathFactory, upstream_url: str) -> Iterator[tuple[int, int]]:
    """One Envoy: at the first port a tree, at the second one a list of the same routes."""
    place = tmp_path_factory.mktemp("tree")
    (place / "usage").mkdir()
    tree, plain = free_port(), free_port()
    both = tuple(
        Listener(environment, port) for environment, port in (("production", tree), ("production", plain))
    )
    rendered = files(document(upstream_url), both, address="127.0.0.1", nodes=1)
    configuration = composed(rendered, rendered.keys(), in_force={}, node="n", ca_file="")
    for listener in configuration["static_resources"]["listeners"]:
        manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
        manager["http_filters"] = filters_of(configuration)
        if listener["name"] == f"port-{plain}":
            hosts = manager["route_config"]["virtual_hosts"]
            manager["route_config"]["virtual_hosts"] = [listed(host) for host in hosts]
            assert all("matcher" not in host for host in manager["route_config"]["virtual_hosts"])
    (place / "envoy.json").write_text(json.dumps(configuration))
    command = [envoy_binary(""), "--config-path", "envoy.json", "--concurrency", "1", "--disable-hot-restart"]
    with (place / "envoy.log").open("wb") as log:
        process = subprocess.Popen([*command, "--log-level", "warning"], cwd=place, stdout=log, stderr=log)
    try:
        wait_for(lambda: RunningNode.listens(tree) and RunningNode.listens(plain))
        yield tree, plain
    finally:
        process.terminate()
        process.wait(10)


def filters_of(configuration: Any) -> Any:
    """The filters of the first listener: a trial needs them once, a running Envoy everywhere."""
    [chain] = configuration["static_resources"]["listeners"][0]["filter_chains"]
    return chain["filters"][0]["typed_config"]["http_filters"]


type Decision = tuple[str, str, str]


def decision(port: int, path: str, *, host: str = "x", key: str = KEY, method: str = "GET") -> Decision:
    """The status, the kind of answer, and the path at the upstream."""
    sent = f"x-api-key: {key}\r\n" if key else ""
    request = f"{method} {path} HTTP/1.1\r\nhost: {host}\r\n{sent}connection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request.encode())
        # Not until the end of the connection: Envoy leaves it open for a second after a refusal.
        answer = http.client.HTTPResponse(connection, method=method)
        answer.begin()
        body = answer.read() if answer.status != 200 or method != "CONNECT" else b""
    found = json.loads(body) if body.startswith(b"{") else {}
    return f"{answer.status}", found.get("type", ""), found.get("path", "")


UNKNOWN = "urn:gatehouse:problem:unknown-path"


@pytest.mark.parametrize(
    ("path", "to"),
    [
        ("/shop/orders/v1", "2/"), ("/shop/orders/v1/", "2/"), ("/shop/orders/v1?x=1", "2/?x=1"),
        ("/shop/orders/v1/x", "2/x"), ("/shop/orders/v1x", "1/v1x"), ("/shop/orders/v10/x", "3/x"),
        ("/shop/orders/v100", "1/v100"), ("/shop/orders/v1/inner/most/x", "4/x"),
        ("/shop/orders/v1/inner/mostly", "2/inner/mostly"), ("/shop/ordersx", "0/ordersx"), ("/shop/orders-1/x", "6/x"),
        ("/shop/Orders/v1/x", "5/x"), ("/shop/ORDERS/v1", "0/ORDERS/v1"), ("/shop//orders///v1//x", "2/x"),
        ("/shop/orders/v1/../v10/x", "3/x"), ("/shop/orders/v1/..", "1/"), ("/a.b/x", "7/x"), ("/ab/x", "8/x"),
        ("/a/b?y=/..;/", "9/b?y=/..;/"), ("/a?/shop/orders/v1", "9/?/shop/orders/v1"),
        ("/%73hop/orders/%76%31/x", "2/x"),
    ],
)  # fmt: skip
def test_the_longest_base_path_of_whole_segments_wins(ports: tuple[int, int], path: str, to: str) -> None:
    assert decision(ports[0], path) == ("200", "", f"/to-{to}")


@pytest.mark.parametrize(
    "path", ["/", "/axb", "/SHOP", "/shopx", "/nothing?x=/shop", "/other", "/other/orders", ALONE]
)
@pytest.mark.parametrize("key", ["", KEY, "wrong"])
def test_every_other_path_is_unknown_whatever_the_key(ports: tuple[int, int], path: str, key: str) -> None:
    assert decision(ports[0], path, key=key) == ("404", UNKNOWN, "")


@pytest.mark.parametrize("start", ["", "/shop", "/shop/orders/v1", "/nothing"])
@pytest.mark.parametrize("segment", ["/..%3b/x", "/..%3Bx", "/.%3b", "/..%3b?x=1"])
def test_dot_segments_are_refused_before_all_else(ports: tuple[int, int], start: str, segment: str) -> None:
    """With a plain semicolon Envoy resolves them itself, before it looks for a route."""
    for key in ("", KEY):
        assert decision(ports[0], f"{start}{segment}", key=key)[0] == "400"


def test_a_named_host_has_its_own_tree(ports: tuple[int, int]) -> None:
    for host in (HOST, f"{HOST}:80", HOST.upper()):
        assert decision(ports[0], f"{ALONE}/x", host=host) == ("200", "", f"/to-{len(CLAIMS)}/x")
        assert decision(ports[0], "/shop/orders/v1/x", host=host) == ("200", "", "/to-2/x")
        assert decision(ports[0], "/shop/x", host=host) == ("200", "", "/to-0/x")
    assert decision(ports[0], f"{ALONE}/x", host=f"x.{HOST}") == ("404", UNKNOWN, "")


def test_a_tree_decides_like_a_list_of_the_same_routes(ports: tuple[int, int]) -> None:
    chance = random.Random(3)
    pieces = [
        *"/ab.?;%#-*\\~",
        "//",
        "/..",
        "%2e",
        "%3b",
        "%2f",
        "/shop",
        "/orders",
        "/v1",
        "/inner",
        "/most",
        "1",
        "x",
    ]
    odd = [
        f"{chance.choice(CLAIMS)}{''.join(chance.choices(pieces, k=chance.randrange(6)))}" for _ in range(600)
    ]
    known = [
        f"{start}{end.format(name='1')}" for start in ("/shop/orders/v1", "/shop/orders") for end in PATHS
    ]
    for path in [*known, *odd]:
        host, key = chance.choice(["x", HOST]), chance.choice(["", KEY, KEY])
        one, other = (decision(port, path, host=host, key=key) for port in ports)
        assert one == other, (path, host, bool(key))


@pytest.mark.parametrize(
    ("method", "path"),
    [("OPTIONS", "*"), ("CONNECT", "x:80"), ("GET", "http://x/shop/x"), ("OPTIONS", "/shop"), ("GET", "x")],
)
def test_calls_without_a_plain_path_are_answered_like_from_a_list(
    ports: tuple[int, int], method: str, path: str
) -> None:
    for key in ("", KEY):
        one, other = (decision(port, path, method=method, key=key) for port in ports)
        assert one == other
