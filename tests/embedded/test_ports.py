"""A port that is taken is named together with the setting that moves it, before anything starts."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator

import pytest

from embedded.failure import CannotRun
from embedded.ports import DEFAULTS, Port, is_free, read_ports, refuse_taken
from tests.embedded.conftest import free_ports


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_every_taken_port_is_named_with_its_setting(listener: socket.socket) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = {"PORTAL_PORT": listener.getsockname()[1], "AGENT_PORT": other.getsockname()[1]}
        others = [name for name in DEFAULTS if name not in taken]
        free = {name: str(port) for name, port in zip(others, free_ports(len(others)), strict=True)}
        ports = read_ports({**free, **{name: str(number) for name, number in taken.items()}})
        with pytest.raises(CannotRun) as refusal:
            refuse_taken(ports.values())
    message = str(refusal.value)
    assert "2 ports are already in use" in message
    for name, number in taken.items():
        assert f"{number} ({ports[name].user}): set {name} to a free port" in message
    assert "SAMPLE_ORDERS_PORT" not in message


def test_a_listener_on_all_addresses_takes_the_port_too() -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:
        assert not is_free(server.getsockname()[1])


def test_a_port_that_was_just_closed_is_free(listener: socket.socket) -> None:
    number = listener.getsockname()[1]
    with socket.create_connection(("127.0.0.1", number)) as client:
        accepted, _ = listener.accept()
        # The server closes first, so its side stays in TIME_WAIT.
        accepted.close()
        client.recv(1)
    listener.close()
    assert is_free(number)


def test_a_port_that_this_user_may_not_have_is_not_called_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may have every port, so the kernel's refusal is played here."""

    class Refused(socket.socket):
        def bind(self, address: object) -> None:
            raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(socket, "socket", Refused)
    with pytest.raises(CannotRun) as refusal:
        refuse_taken([Port("PORTAL_PORT", 80, "portal")])
    assert "80 (portal): set PORTAL_PORT to 1024 or more" in str(refusal.value)
    assert "already in use" not in str(refusal.value)


@pytest.mark.parametrize("text", ["0", "65536", "-1", "80a", "8000.0"])
def test_what_is_no_port_is_refused(text: str) -> None:
    with pytest.raises(CannotRun, match=r"GATEWAY_PORT is .* which is no port"):
        read_ports({"GATEWAY_PORT": text})


def test_two_parts_on_one_port_are_refused() -> None:
    with pytest.raises(CannotRun, match="PORTAL_PORT and GATEWAY_PORT are both 8080"):
        read_ports({"PORTAL_PORT": "8080"})
