"""T10: no address that somebody typed in makes us call what only we can reach."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from teams.egress import EgressRefused, EgressRules, check_target_url
from teams.fetching import fetch

LOOPBACK = ipaddress.ip_network("127.0.0.0/8")


@pytest.fixture(autouse=True)
def _fresh_cache() -> None:
    """The guard uses no cache."""


def literal(host: str, port: int) -> list[str]:
    """A resolver that knows only addresses, however they are written: no name leaves the test."""
    found = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=0 if _is_written_number(host) else socket.AI_NUMERICHOST
    )
    return [str(entry[4][0]) for entry in found]


def _is_written_number(host: str) -> bool:
    return all(c in "0123456789abcdefx.:" for c in host.lower())


def refused(url: str, resolver: Callable[[str, int], list[str]] = literal) -> str:
    with pytest.raises(EgressRefused) as caught:
        check_target_url(url, resolver=resolver)
    return caught.value.code


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://0/",
        "http://0.0.0.0:8000/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.0.0.1/",
        "http://0177.0.0.1/",
        "http://017700000001/",
        "http://[::1]/",
        "http://[::]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[::127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[2002:7f00:1::]/",
        "http://[2001:0:7f00:1::]/",
        "http://10.0.0.1/",
        "http://172.16.0.1/",
        "http://192.168.1.1/",
        "http://100.64.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[fe80::1]/",
        "http://[fd00:ec2::254]/",
        "http://[fc00::1]/",
        "http://[ff02::1]/",
        "http://224.0.0.1/",
        "http://255.255.255.255/",
        "http://198.18.0.1/",
        "http://192.0.2.1/",
        "http://168.63.129.16/",
        "http://100.100.100.200/",
    ],
)
def test_no_form_of_a_private_address_is_accepted(url: str) -> None:
    assert refused(url) == "private-address"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("ftp://8.8.8.8/", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("gopher://8.8.8.8/", "scheme"),
        ("unix:///run/docker.sock", "scheme"),
        ("//8.8.8.8/", "scheme"),
        ("http:///path", "scheme"),
        ("8.8.8.8", "scheme"),
        ("", "scheme"),
        ("http://user:secret@8.8.8.8/", "user-name"),
        ("http://8.8.8.8@127.0.0.1/", "user-name"),
        ("http://8.8.8.8\\@127.0.0.1/", "bad-url"),
        ("http://8.8.8.8 /", "bad-url"),
        ("http://8.8.8.8/\r\nX: y", "bad-url"),
        ("http://8.8.8.8:0/", "bad-url"),
        ("http://8.8.8.8:99999/", "bad-url"),
        ("http://[::1", "bad-url"),
        ("http://[fe80::1%25eth0]/", "bad-url"),
        ("http://ⓛocalhost/", "bad-url"),
        ("http://8.8.8.8/" + "a" * 3_000, "bad-url"),
        ("http://no-such-name.invalid/", "unresolved"),
    ],
)
def test_no_odd_address_is_accepted(url: str, code: str) -> None:
    assert refused(url) == code


def test_one_private_address_among_public_ones_refuses_the_name() -> None:
    assert (
        refused("https://mixed.example/", lambda _host, _port: ["8.8.8.8", "10.0.0.1"]) == "private-address"
    )


@pytest.mark.parametrize("url", ["https://8.8.8.8/", "http://[2606:4700::1111]:8443/api"])
def test_public_addresses_are_accepted(url: str) -> None:
    check_target_url(url, resolver=literal)


def test_networks_of_the_operator_are_accepted() -> None:
    networks = [ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("fd12::/16")]
    check_target_url("http://10.1.2.3:9201/", networks, resolver=literal)
    check_target_url("http://[::ffff:10.1.2.3]/", networks, resolver=literal)
    check_target_url("http://[fd12::1]/", networks, resolver=literal)
    with pytest.raises(EgressRefused):
        check_target_url("http://10.2.0.1/", networks, resolver=literal)


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/", "http://[fd00:ec2::254]/", "http://0.0.0.0/", "http://[ff02::1]/"]
)
def test_metadata_services_stay_out_of_reach_even_within_a_listed_network(url: str) -> None:
    everything = [ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")]
    with pytest.raises(EgressRefused):
        check_target_url(url, everything, resolver=literal)


def test_ports_can_be_limited() -> None:
    with pytest.raises(EgressRefused) as caught:
        check_target_url("https://8.8.8.8:6379/", ports=frozenset({443}), resolver=literal)
    assert caught.value.code == "port"


class Server:
    """Answers every connection on loopback with fixed bytes, and counts them."""

    def __init__(self, answer: bytes, *, drip_s: float = 0.0) -> None:
        self._answer = answer
        self._drip_s = drip_s
        self.calls = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(0.05)
        self.port = self._socket.getsockname()[1]
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while not self._stopping.is_set():
            try:
                connection, _peer = self._socket.accept()
            except TimeoutError:
                continue
            self.calls += 1
            with connection:
                self._reply(connection)

    def _reply(self, connection: socket.socket) -> None:
        try:
            connection.settimeout(2)
            connection.recv(65_536)
            for byte in self._answer if self._drip_s else [self._answer]:
                connection.sendall(bytes([byte]) if isinstance(byte, int) else byte)
                if self._stopping.wait(self._drip_s):
                    return
        except OSError:
            return  # the client gave up, as some tests want

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()
        self._socket.close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def start(answer: bytes, **options: float) -> Server:
        servers.append(Server(answer, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def local_rules(server: Server, resolver: Callable[[str, int], list[str]] | None = None) -> EgressRules:
    return EgressRules((LOOPBACK,), frozenset({server.port}), resolver)


def test_an_allowed_address_is_fetched(serve: Callable[..., Server]) -> None:
    server = serve(OK)
    assert fetch(f"http://127.0.0.1:{server.port}/", local_rules(server)) == b"hello"


def test_loopback_is_not_fetched_by_default(serve: Callable[..., Server]) -> None:
    server = serve(OK)
    for host in ("127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]"):
        with pytest.raises(EgressRefused):
            fetch(f"http://{host}:{server.port}/", EgressRules(ports=None))
    assert server.calls == 0


def test_a_name_that_changes_its_address_gains_nothing(serve: Callable[..., Server]) -> None:
    """Rebinding: public at the check, loopback a moment later. One look-up is made, and its answer is called."""
    server, asked = serve(OK), []

    def rebinding(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    assert fetch(f"http://rebind.example:{server.port}/", local_rules(server, rebinding)) == b"hello"
    assert asked == ["rebind.example"]


def test_each_connection_is_checked_anew(serve: Callable[..., Server]) -> None:
    server = serve(OK)
    answers = iter([["127.0.0.1"], ["10.0.0.1"]])
    rules = local_rules(server, lambda _host, _port: next(answers))
    fetch(f"http://rebind.example:{server.port}/", rules)
    with pytest.raises(EgressRefused) as caught:
        fetch(f"http://rebind.example:{server.port}/", rules)
    assert caught.value.code == "private-address"
    assert server.calls == 1


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n", "redirect"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "status"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx", "encoding"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000, "too-large"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7d0\r\n" + b"x" * 2000 + b"\r\n0\r\n\r\n",
            "too-large",
        ),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", "unreachable"),
        (b"SSH-2.0-OpenSSH\r\n", "unreachable"),
        (b"", "unreachable"),
    ],
)
def test_answers_that_lead_elsewhere_or_unfold_are_refused(
    serve: Callable[..., Server], answer: bytes, code: str
) -> None:
    server = serve(answer)
    with pytest.raises(EgressRefused) as caught:
        fetch(f"http://127.0.0.1:{server.port}/", local_rules(server), max_bytes=1_000)
    assert caught.value.code == code


def test_a_server_that_drips_is_left_in_time(serve: Callable[..., Server]) -> None:
    server = serve(b"HTTP/1.1 200 OK\r\nX: " + b"y" * 10_000, drip_s=0.02)
    started = time.monotonic()
    with pytest.raises(EgressRefused) as caught:
        fetch(f"http://127.0.0.1:{server.port}/", local_rules(server), total_s=0.4)
    assert caught.value.code == "too-slow"
    assert time.monotonic() - started < 5


def test_proxies_of_the_environment_are_not_used(
    serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, proxy = serve(OK), serve(OK)
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy.port}")
    monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{proxy.port}")
    fetch(f"http://127.0.0.1:{server.port}/", local_rules(server))
    assert (server.calls, proxy.calls) == (1, 0)
