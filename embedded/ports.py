"""The TCP ports of the parts: which setting moves each, and whether they are free."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from embedded.failure import CannotRun

DEFAULTS = {
    "PORTAL_PORT": (8000, "portal"),
    "GATEWAY_PORT": (8080, "gateway, production"),
    "GATEWAY_SANDBOX_PORT": (8090, "gateway, sandbox"),
    "AGENT_PORT": (9100, "agent"),
    "NGINX_PORT": (8081, "second gateway, production"),
    "NGINX_SANDBOX_PORT": (8091, "second gateway, sandbox"),
    "NGINX_AGENT_PORT": (9101, "agent of the second gateway"),
    "AI_PORT": (8082, "AI runtime, production"),
    "AI_SANDBOX_PORT": (8092, "AI runtime, sandbox"),
    "AI_AGENT_PORT": (9102, "agent of the AI runtime"),
    "SAMPLE_ORDERS_PORT": (9201, "sample orders"),
    "SAMPLE_WEATHER_PORT": (9202, "sample weather"),
    "TOY_MODEL_PORT": (9203, "toy model"),
    "ECHO_MODEL_PORT": (9204, "echo model"),
    "AWS_PORT": (9205, "simulated AWS"),
}


@dataclass(frozen=True, slots=True)
class Port:
    """A port: `setting` is the variable that moves it, `user` the part that listens there."""

    setting: str
    number: int
    user: str


def read_ports(environment: Mapping[str, str]) -> dict[str, Port]:
    """All ports by setting. Raises CannotRun for what is no port, and for two parts on the same one."""
    ports = {
        name: Port(name, _number(name, environment.get(name) or str(number)), user)
        for name, (number, user) in DEFAULTS.items()
    }
    _refuse_doubles(ports.values())
    return ports


def refuse_taken(ports: Iterable[Port], *, host: str = "127.0.0.1") -> None:
    """Raises CannotRun that names every port of `ports` on which somebody listens already, or that is not for us."""
    ports = list(ports)
    _refuse_privileged([port for port in ports if _refusal(port.number, host) == errno.EACCES])
    taken = [port for port in ports if not is_free(port.number, host)]
    if not taken:
        return
    lines = [f"  {port.number} ({port.user}): set {port.setting} to a free port" for port in taken]
    what = "A port is" if len(taken) == 1 else f"{len(taken)} ports are"
    example = f"For example: {taken[0].setting}={_free_port_after(taken[0].number, host)} make run"
    raise CannotRun("\n".join([f"{what} already in use:", *lines, example]))


def is_free(number: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen on `number`. A port below 1024 that we may not have counts as taken."""
    # The wildcard too: somebody who listens on all addresses leaves room for a loopback listener on
    # some systems, and then answers in its place on the others.
    return not _refusal(number, host) and not _refusal(number, "0.0.0.0")  # noqa: S104


def _refuse_privileged(ports: list[Port]) -> None:
    if ports:
        lines = [f"  {port.number} ({port.user}): set {port.setting} to 1024 or more" for port in ports]
        raise CannotRun("\n".join(["This user may not listen on a port so low:", *lines]))


def _refusal(number: int, host: str) -> int:
    """Why a server cannot listen there: EADDRINUSE or EACCES; 0 when it can."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as trial:
        # What servers do too: a closed connection in TIME_WAIT does not make a port taken.
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, number))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return error.errno
            raise CannotRun(f"{host} is no address of this machine. Correct PORTAL_BIND.") from error
    return 0


def _number(name: str, text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65_536:
        raise CannotRun(f"{name} is {text!r}, which is no port. Set it to a number from 1 to 65535.")
    return int(text)


def _refuse_doubles(ports: Iterable[Port]) -> None:
    seen: dict[int, Port] = {}
    for port in ports:
        other = seen.setdefault(port.number, port)
        if other is not port:
            raise CannotRun(
                f"{other.setting} and {port.setting} are both {port.number}. Give them different ports."
            )


def _free_port_after(number: int, host: str) -> int:
    candidates = (port for port in range(number + 1, min(number + 100, 65_536)) if is_free(port, host))
    return next(candidates, number + 1)
