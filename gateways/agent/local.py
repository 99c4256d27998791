"""How the agent reaches its gateway on this machine, and what of this machine no upstream may point at."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import httpx

from gateways.agent.settings import UNIX, Settings


def client_at(address: str, timeout: float = 10.0) -> httpx.AsyncClient:
    """A client of what listens at `address`: `unix:` and a path, or a host and port."""
    socket = address.removeprefix(UNIX) if address.startswith(UNIX) else None
    return httpx.AsyncClient(
        base_url="http://gateway" if socket else f"http://{address}",
        transport=httpx.AsyncHTTPTransport(uds=socket, trust_env=False),
        timeout=timeout,
        trust_env=False,
    )


def make_room(address: str) -> None:
    """Make the directory of a socket, for its owner only: whoever reaches the socket rules the gateway."""
    if address.startswith(UNIX):
        Path(address.removeprefix(UNIX)).parent.mkdir(mode=0o700, parents=True, exist_ok=True)


def reserved_ports(settings: Settings) -> frozenset[int]:
    """The ports of this machine that no upstream may point at."""
    admin = () if settings.admin.startswith(UNIX) else (int(settings.admin.rpartition(":")[2]),)
    return frozenset({settings.listen_port, *admin})


def is_here(host: str) -> bool:
    """Whether an upstream's host is this machine."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    inner = getattr(address, "ipv4_mapped", None) or address
    return bool(inner.is_loopback or inner.is_unspecified)
