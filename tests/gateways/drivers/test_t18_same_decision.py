"""T18: whatever is done to a path, both gateways decide alike, or one of them refuses it."""

from __future__ import annotations

import json
import re
import socket

import pytest

from gateways.engine.document import Key
from tests.gateways import documents as make
from tests.gateways.driver_contract import Shop, publish
from tests.gateways.gateway_node import NodeUnderTest

pytestmark = pytest.mark.envoy

NAME = make.fresh()
PATHS = (
    "/x", "/x/", "//x", "/x//y", "/./x", "/x/.", "/x/..", "/x/../y", "/../x", "/../../x", "/../../../x", "/..",
    "/%2e/x", "/%2e%2e/x", "/%2E%2E/%2e%2e/x", "/.%2e/x", "/x/%2e%2e", "/..%2fx", "/..%2Fx", "/%2f", "/x%2fy",
    "/..%5cx", "/%5c", "/x%5Cy", "/..;/x", "/..;a=b/x", "/.;/x", "/..%3b/x", "/%2e%2e;/x", "/a/..;/..;/..;/x",
    "/%00", "/x%00y", "/%2500", "/%252e%252e/x", "/%252fx", "/a%20b", "/a+b", "/%41", "/~x", "/%7ex", "/a%3fb",
    "/a%23b", "/a%25b", "/%c0%ae%c0%ae/x", "/%e2%80%ae", "?x", "/?x=/../y", "/x?y=%2f..%2f", "-other", "-other/x",
    "%2fx", "%2dother", "/../orders-{name}/v1/x", "/../v1/x", "/../v1-other/x", "x", "%78", ";x", "/x;y=z", "/*",
    "/a\\b", "\\..\\x", "/..\\x", "/#x", "/x#y", "/...", "/..../x", "/x/%2e.", "/x/.%2E/%2e/y",
)  # fmt: skip


@pytest.fixture(scope="module")
def both(envoy: NodeUnderTest, nginx: NodeUnderTest) -> dict[str, Shop]:
    """The same shop on each: a key with access to one of its two routes."""
    found = {}
    for gateway in (envoy, nginx):
        shop = Shop(gateway, NAME)
        publish(gateway, *shop.base, shop.grant("a", shop.name), shop.key("a"))
        found[gateway.node.kind] = shop
    return found


def decision(gateway: NodeUnderTest, path: str, key: Key) -> tuple[str, str]:
    """What became of the call: its path at the upstream, or the status with which the gateway answered."""
    request = f"GET {path} HTTP/1.1\r\nhost: x\r\nx-api-key: {key.value}\r\nconnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", gateway.node.production_port), timeout=10) as connection:
        connection.sendall(request.encode())
        received = b""
        while more := connection.recv(65536):
            received += more
    head, _, body = received.partition(b"\r\n\r\n")
    status = head.split(b" ", 2)[1].decode()
    reached = re.search(rb'\{"path".*\}', body, re.DOTALL)
    return ("reached", str(json.loads(reached[0])["path"])) if reached else ("answered", status)


def canonical(path: str) -> str:
    """A path as the upstream understands it: escapes of plain characters are not a difference (RFC 3986, 6.2.2)."""
    path = path.partition("?")[0]
    return re.sub(r"%([0-9A-Fa-f]{2})", lambda m: chr(int(m[1], 16)), path)


@pytest.mark.parametrize("path", PATHS)
def test_both_gateways_decide_alike_or_refuse_t18(both: dict[str, Shop], path: str) -> None:
    decisions = {}
    for kind, shop in both.items():
        gateway = shop.gateway
        assert isinstance(gateway, NodeUnderTest)
        decisions[kind] = decision(gateway, f"{shop.path}{path.format(name=NAME)}", shop.key("a"))
    (one, what), (other, other_what) = decisions["envoy"], decisions["nginx"]
    if "reached" == one == other:
        assert canonical(what) == canonical(other_what)
    elif one == other:
        assert what == other_what or "400" in {what, other_what}
    else:
        assert "400" in {what, other_what}, decisions


def test_a_base_path_in_other_letters_is_another_path_t18(both: dict[str, Shop]) -> None:
    for shop in both.values():
        assert shop.gateway.call(shop.path.upper(), shop.key("a").value).status == 404


@pytest.mark.parametrize(
    "form", ["{}", "Bearer {}", "bearer {}", "Bearer  {}", "Basic {}", "Bearer {} x", "x {}"]
)
def test_both_gateways_read_the_same_forms_of_a_key_t9(both: dict[str, Shop], form: str) -> None:
    """T9."""
    statuses = set()
    for shop in both.values():
        gateway = shop.gateway
        assert isinstance(gateway, NodeUnderTest)
        headers = {"authorization": form.format(shop.key("a").value)}
        response = gateway.client.get(gateway.url(shop.path), headers=headers)
        seen = dict(response.json()["headers"]) if response.status_code == 200 else {}
        assert "authorization" not in seen
        statuses.add(response.status_code)
    assert len(statuses) == 1


def test_a_key_in_other_letters_is_another_key_t9(both: dict[str, Shop]) -> None:
    """nginx compares texts of its tables without regard to case; a key must not profit from it."""
    for shop in both.values():
        value = shop.key("a").value
        for other in (value.upper(), value.lower(), value.swapcase(), f"{value} ", f"{value} {value}"):
            assert shop.gateway.call(shop.path, other.strip() if other.endswith(" ") else other).status in (
                {200} if other.strip() == value else {401}
            )
