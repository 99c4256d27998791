"""What a gateway says to callers, and what it says to upstreams, seen on the wire: the same on Envoy and nginx."""

from __future__ import annotations

import random
import re
import socket
import string
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from gateways.engine.document import Item, Key, ref
from gateways.engine.driver import Feature
from tests.gateways import documents as make
from tests.gateways.driver_contract import Shop, publish
from tests.gateways.gateway_node import NodeUnderTest, free_port

pytestmark = pytest.mark.envoy

type Call = Callable[..., httpx.Response]


STANDING = make.fresh()


@pytest.fixture(params=["envoy", "nginx"])
def gateway(request: pytest.FixtureRequest) -> NodeUnderTest:
    """Each kind in turn."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, NodeUnderTest)
    return found


@pytest.fixture
def shop(gateway: NodeUnderTest, request: pytest.FixtureRequest) -> Shop:
    """A shop of the test's own; tests that only look share one, so that it is published once."""
    return Shop(gateway, STANDING if "key" in request.fixturenames else make.fresh())


@pytest.fixture
def key(gateway: NodeUnderTest, shop: Shop) -> Key:
    """A key with access to the shop, published."""
    served = gateway.driver().observe(None)
    if ref(shop.key("a")) not in served.items:
        publish(gateway, *shop.base, shop.grant("a", shop.name), shop.key("a"))
    return shop.key("a")


@pytest.fixture
def call(gateway: NodeUnderTest) -> Call:
    def _call(path: str, key: Key | None = None, **arguments: Any) -> httpx.Response:
        headers = {"x-api-key": key.value} if key else {}
        method = arguments.pop("method", "GET")
        headers.update(arguments.pop("headers", {}))
        return gateway.client.request(method, gateway.url(path), headers=headers, **arguments)

    return _call


def assert_problem(response: httpx.Response, status: int, name: str) -> None:
    """RFC 9457, with the request id as instance and a sentence on what to do."""
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    problem = response.json()
    assert set(problem) == {"type", "title", "status", "detail", "instance"}
    assert problem["type"] == f"urn:gatehouse:problem:{name}"
    assert problem["status"] == status
    assert problem["instance"] == response.headers["x-request-id"]
    assert problem["detail"].endswith(".")


# Answers of the gateway's own


def test_a_call_without_a_key_is_told_where_to_put_one(call: Call, shop: Shop, key: Key) -> None:
    response = call(shop.path)
    assert_problem(response, 401, "no-key")
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert "X-API-Key" in response.json()["detail"]


@pytest.mark.parametrize("headers", [{"x-api-key": "wrong"}, {"authorization": "Bearer wrong"}])
def test_an_unknown_key_is_told_so(call: Call, shop: Shop, key: Key, headers: dict[str, str]) -> None:
    assert_problem(call(shop.path, headers=headers), 401, "unknown-key")


def test_a_key_without_a_subscription_is_told_to_ask_for_one(call: Call, shop: Shop, key: Key) -> None:
    assert_problem(call(f"/shop/orders-{shop.name}-other/v1", key), 403, "no-subscription")


def test_an_unknown_path_is_told_so(call: Call, key: Key) -> None:
    assert_problem(call("/nothing/here", key), 404, "unknown-path")


def test_a_call_over_the_rate_is_told_the_limit(gateway: NodeUnderTest, call: Call, shop: Shop) -> None:
    plan = make.limit(shop.name, calls=1, period_s=60, burst=2)
    items: list[Item] = [plan if item.id == plan.id else item for item in shop.base]
    publish(gateway, *items, shop.grant("a", shop.name), shop.key("a"))
    responses = [call(shop.path, shop.key("a")) for _ in range(3)]
    assert_problem(responses[2], 429, "rate-limit")
    assert responses[2].headers["x-ratelimit-limit"] == "2"
    assert responses[2].headers["x-ratelimit-remaining"] == "0"
    if Feature.RATE_HEADERS in gateway.driver().supports:
        assert [r.headers["x-ratelimit-remaining"] for r in responses[:2]] == ["1", "0"]
    assert 0 < int(responses[2].headers["x-ratelimit-reset"]) <= 60


def test_a_used_up_quota_is_told_when_to_return(gateway: NodeUnderTest, call: Call, shop: Shop) -> None:
    blocked = make.block(f"{shop.name}-a", int(time.time()) + 60)
    publish(gateway, *shop.base, shop.grant("a", shop.name), shop.key("a"), blocked)
    response = call(shop.path, shop.key("a"))
    assert_problem(response, 429, "quota")
    assert response.headers["retry-after"].endswith("GMT")


def test_an_upstream_that_is_down_is_503(gateway: NodeUnderTest, call: Call, shop: Shop) -> None:
    down = make.upstream(shop.name, f"http://127.0.0.1:{free_port()}")
    items = [down if item.id == down.id else item for item in shop.base]
    publish(gateway, *items, shop.grant("a", shop.name), shop.key("a"))
    assert_problem(call(shop.path, shop.key("a")), 503, "upstream-down")


def test_an_upstream_that_is_slow_is_504(gateway: NodeUnderTest, call: Call, shop: Shop) -> None:
    slow = make.upstream(shop.name, gateway.upstream_url, timeout_ms=200)
    items = [slow if item.id == slow.id else item for item in shop.base]
    publish(gateway, *items, shop.grant("a", shop.name), shop.key("a"))
    assert_problem(call(f"{shop.path}/sleep", shop.key("a")), 504, "upstream-timeout")


# What the upstream sees


def test_the_upstream_sees_who_calls_and_never_the_key(call: Call, shop: Shop, key: Key) -> None:
    for headers in ({"x-api-key": key.value}, {"authorization": f"Bearer {key.value}"}):
        response = call(f"{shop.path}/orders/7?page=2", headers=headers)
        seen = response.json()
        assert seen["path"] == "/orders/7?page=2"
        got = dict(seen["headers"])
        assert got["x-gatehouse-subscription"] == f"sub_{shop.name}-a"
        assert got["x-gatehouse-application"] == f"app_{shop.name}"
        assert got["x-request-id"] == response.headers["x-request-id"]
        assert key.value not in str(seen)
        assert "x-gatehouse-limit" not in got


def test_headers_that_say_who_calls_are_taken_away_t17(call: Call, shop: Shop, key: Key) -> None:
    """T17: identity that a caller sent never reaches the upstream."""
    spoofed = {
        "x-gatehouse-subscription": "sub_admin",
        "x-gatehouse-application": "app_admin",
        "X-Gatehouse-Anything": "1",
        "x_gatehouse_subscription": "sub_admin",
        "X-Consumer-Id": "1",
        "x-consumer-username": "root",
        "x-consumer": "root",
        "X-Team": "platform",
        "x-forwarded-consumer": "root",
        "x-forwarded-client-cert": "Hash=1",
        "x-forwarded-user": "root",
        "x-remote-user": "root",
        "x-envoy-upstream-rq-timeout-ms": "1",
        "x-envoy-original-path": "/admin",
        "x-authenticated-scope": "all",
        "x-original-url": "/admin",
        "x-request-id": "chosen-by-the-caller",
    }
    got = dict(call(shop.path, key, headers=spoofed).json()["headers"])
    assert got["x-gatehouse-subscription"] == f"sub_{shop.name}-a"
    assert got["x-gatehouse-application"] == f"app_{shop.name}"
    rest = {name: value for name, value in got.items() if name.lower() in {s.lower() for s in spoofed}}
    assert set(rest) == {"x-gatehouse-subscription", "x-gatehouse-application", "x-request-id"}
    assert rest["x-request-id"] != "chosen-by-the-caller"


def test_a_caller_cannot_choose_its_limit_or_lift_its_block_t17(
    gateway: NodeUnderTest, call: Call, shop: Shop
) -> None:
    blocked = make.block(f"{shop.name}-a", int(time.time()) + 60)
    publish(gateway, *shop.base, shop.grant("a", shop.name), shop.key("a"), blocked)
    headers = {"x-gatehouse-limit": "unlimited", "x-gatehouse-subscription": "sub_other"}
    assert call(shop.path, shop.key("a"), headers=headers).status_code == 429


def test_a_path_and_a_host_of_the_target_are_kept(gateway: NodeUnderTest, call: Call, shop: Shop) -> None:
    under = make.upstream(shop.name, f"{gateway.upstream_url}/api/v2/")
    items = [under if item.id == under.id else item for item in shop.base]
    publish(gateway, *items, shop.grant("a", shop.name), shop.key("a"))
    for path, seen in (("", "/api/v2/"), ("/", "/api/v2/"), ("/x?y", "/api/v2/x?y"), ("//x", "/api/v2/x")):
        response = call(f"{shop.path}{path}", shop.key("a")).json()
        assert response["path"] == seen
        assert f"http://{dict(response['headers'])['host']}" == gateway.upstream_url


def test_a_body_and_a_method_pass(call: Call, shop: Shop, key: Key) -> None:
    seen = call(f"{shop.path}/orders", key, method="POST", content=b"x" * 100_000).json()
    assert (seen["method"], seen["bytes"]) == ("POST", 100_000)


# Browsers


def test_a_preflight_of_the_portal_needs_no_key(gateway: NodeUnderTest, call: Call, shop: Shop) -> None:
    origin = "https://portal.example.test"
    open_route = make.route(shop.name, at=shop.name, cors_origins=(origin,))
    items = [open_route if item.id == open_route.id else item for item in shop.base]
    publish(gateway, *items, shop.grant("a", shop.name), shop.key("a"))
    asked = {
        "access-control-request-method": "PUT",
        "access-control-request-headers": "x-api-key,content-type",
    }
    answer = call(shop.path, method="OPTIONS", headers={"origin": origin, **asked})
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == origin
    assert "x-api-key" in answer.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in answer.headers
    for response in (
        call(shop.path, headers={"origin": origin}),
        call(shop.path, shop.key("a"), headers={"origin": origin}),
    ):
        assert response.headers["access-control-allow-origin"] == origin
        assert "retry-after" in response.headers["access-control-expose-headers"]


@pytest.mark.parametrize("origin", ["https://evil.test", "null", "https://portal.example.test.evil.test"])
def test_other_origins_get_no_leave(gateway: NodeUnderTest, call: Call, shop: Shop, origin: str) -> None:
    open_route = make.route(shop.name, at=shop.name, cors_origins=("https://portal.example.test",))
    items = [open_route if item.id == open_route.id else item for item in shop.base]
    publish(gateway, *items, shop.grant("a", shop.name), shop.key("a"))
    answer = call(shop.path, shop.key("a"), headers={"origin": origin})
    assert "access-control-allow-origin" not in answer.headers


# Tricks


def raw(gateway: NodeUnderTest, request: bytes) -> bytes:
    """Send bytes as they are, and read every answer to them."""
    with socket.create_connection(("127.0.0.1", gateway.node.production_port), timeout=5) as connection:
        connection.sendall(request)
        received = b""
        while more := _receive(connection):
            received += more
            head, found, body = received.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            if found and length and len(body) >= int(length[1]):
                # A second answer, if there is one, follows at once.
                connection.settimeout(0.05)
        return received


def _receive(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except TimeoutError:
        return b""


@pytest.mark.parametrize(
    ("trick", "statuses"),
    [
        ("/..%2fother/x", {400}),
        ("/..%5cother/x", {400}),
        ("/%2e%2e%2fx", {400}),
        ("/%00", {400}),
        ("/..%3b/x", {400}),
        ("/a/..;/..;/..;/x", {400, 404}),
        ("/../../../etc/passwd", {404}),
        ("/%2e%2e/x", {404}),
        ("/./x", {200}),
        ("//x", {200}),
    ],
)
def test_path_tricks_are_normalised_or_refused_t18(
    gateway: NodeUnderTest, shop: Shop, key: Key, trick: str, statuses: set[int]
) -> None:
    """T18: what the gateway decided on is what the upstream sees."""
    request = (
        f"GET {shop.path}{trick} HTTP/1.1\r\nhost: x\r\nx-api-key: {key.value}\r\nconnection: close\r\n\r\n"
    )
    answer = raw(gateway, request.encode())
    assert int(answer.split(b" ", 2)[1]) in statuses
    assert b"passwd" not in answer.split(b"\r\n\r\n", 1)[1]
    assert b'"path": "/.' not in answer


@pytest.mark.parametrize(
    "header",
    [
        b"x-api-key: a\r\n b",
        b"x-a: b\rx-gatehouse-subscription: c",
        b"x-a: b\x00c",
        b"x-a : b",
        b"content-length: 3\r\ntransfer-encoding: chunked",
        b"content-length: 3\r\ncontent-length: 4",
        b"transfer-encoding: chunked, identity",
    ],
)
def test_malformed_headers_are_refused_or_harmless_t17_t18(
    gateway: NodeUnderTest, shop: Shop, key: Key, header: bytes
) -> None:
    lines = (f"GET {shop.path}/x HTTP/1.1\r\nhost: x\r\nx-api-key: {key.value}\r\n").encode()
    answer = raw(gateway, lines + header + b"\r\nconnection: close\r\n\r\n")
    status = int(answer.split(b" ", 2)[1])
    assert status in {400, 401, 501} or (status == 200 and b"sub_admin" not in answer)
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("value", ["%s", "%REQ(x-api-key)%", "'; DROP", "é", "a" * 5000, "Bearer"])
def test_strange_keys_are_refused_t9(call: Call, shop: Shop, key: Key, value: str) -> None:
    """T9."""
    for name in ("x-api-key", "authorization"):
        assert call(shop.path, headers={name: value.encode()}).status_code == 401


def send_hostile_keys(gateway: NodeUnderTest, shop: Shop, *, count: int, seed: int) -> None:
    """Values that no client library would send, byte by byte: refused as a key, or as no HTTP at all."""
    chance = random.Random(seed)
    start = f"GET {shop.path}/x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n".encode()
    for _number in range(count):
        name = chance.choice(
            [b"x-api-key: ", b"authorization: ", b"authorization: Bearer ", b"authorization: bearer\t"]
        )
        value = chance.randbytes(chance.randrange(120)).replace(
            b"\n", chance.choice([b"", b"\x00", b"\r", b"\xff"])
        )
        if chance.random() < 0.3:
            value = (
                f"ghp{''.join(chance.choices(string.ascii_letters + string.digits, k=65))}".encode()
                + value[:3]
            )
        answer = raw(gateway, start + name + value + b"\r\n\r\n")
        assert answer.count(b"HTTP/1.1 ") == 1, (name, value)
        assert answer.split(b" ", 2)[1] in (b"400", b"401"), (name, value, answer)


def test_raw_bytes_in_the_place_of_a_key_are_refused_t09(
    gateway: NodeUnderTest, shop: Shop, key: Key
) -> None:
    send_hostile_keys(gateway, shop, count=200, seed=9)


@pytest.mark.long
def test_raw_bytes_in_the_place_of_a_key_are_refused_in_full_t09(
    gateway: NodeUnderTest, shop: Shop, key: Key
) -> None:
    send_hostile_keys(gateway, shop, count=5_000, seed=random.randrange(2**32))


def test_two_keys_in_one_call_mean_the_first(call: Call, shop: Shop, key: Key) -> None:
    both = [("x-api-key", "wrong"), ("x-api-key", key.value)]
    assert call(shop.path).status_code == 401
    response = httpx.get(call(shop.path).url, headers=both, trust_env=False)
    assert response.status_code == 401


def test_limits_are_kept_over_changes_elsewhere(gateway: NodeUnderTest, call: Call, shop: Shop) -> None:
    """A new key or subscription must not fill everybody's bucket again."""
    plan = make.limit(shop.name, calls=1, period_s=60, burst=1)
    items = [plan if item.id == plan.id else item for item in shop.base]
    items += [shop.grant("a", shop.name), shop.key("a")]
    publish(gateway, *items)
    assert call(shop.path, shop.key("a")).status_code == 200
    publish(gateway, *items, shop.grant("b", shop.name), shop.key("b"))
    assert call(shop.path, shop.key("a")).status_code == 429
