"""Which addresses may be called that somebody typed in: resolved once, checked, and connected to as checked.

Server-side request forgery works by making us call what we can reach and the asker cannot: the cloud's metadata
service, an admin port on loopback, a database next door. So an address is public, or in a network that the operator
of this installation listed. A name is resolved once, every address it has must pass, and the connection goes to one
of these addresses, so that a name which answers differently a moment later gains nothing. TLS still checks the name.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

type Network = ipaddress.IPv4Network | ipaddress.IPv6Network
type Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# (host, port) -> addresses as text. Raises OSError when the name does not resolve.
type Resolver = Callable[[str, int], Sequence[str]]

WEB_PORTS = frozenset({80, 443})
MAX_URL_CHARS = 2_000

# Never reachable, not even when the operator lists a network around them: they hand out credentials, or are no
# single host. 169.254.169.254 and fd00:ec2::254 are the metadata services of clouds; 168.63.129.16 is Azure's wire
# server and 100.100.100.200 Alibaba's metadata.
_NEVER = tuple(
    ipaddress.ip_network(block)
    for block in (
        "0.0.0.0/8",
        "169.254.0.0/16",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "168.63.129.16/32",
        "100.100.100.200/32",
        "::/128",
        "fe80::/10",
        "ff00::/8",
        "fd00:ec2::254/128",
    )
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_NAT64_LOCAL = ipaddress.IPv6Network("64:ff9b:1::/48")
_V4_COMPATIBLE = ipaddress.IPv6Network("::/96")


class EgressRefused(Exception):
    """The address is not called. `code` names the reason and is stable; `reason` says it, and what to do."""

    def __init__(self, code: str, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class EgressRules:
    """What may be called: public addresses and `allowed_networks`, on `ports` (None: every port)."""

    allowed_networks: tuple[Network, ...] = ()
    ports: frozenset[int] | None = WEB_PORTS
    resolver: Resolver | None = None

    def checked_addresses(self, host: str, port: int) -> list[str]:
        """The addresses of `host`, all of them allowed. Raises EgressRefused otherwise. Resolves exactly once."""
        self.check_port(port)
        found = self._resolved(host, port)
        for text in found:
            address = ipaddress.ip_address(text.partition("%")[0])
            if "%" in text or not self.allows(address):
                raise EgressRefused(
                    "private-address",
                    f"{host} is at {address}, which is not a public address. Use a public one, or ask the operator to "
                    "add its network to the allowed networks.",
                )
        return found

    def check_port(self, port: int) -> None:
        """Raises EgressRefused unless `port` may be called."""
        if self.ports is not None and port not in self.ports:
            listed = ", ".join(map(str, sorted(self.ports)))
            raise EgressRefused("port", f"Port {port} is not called from here. Use one of: {listed}.")

    def allows(self, address: Address) -> bool:
        """Whether a connection to `address` is allowed, whatever IPv4 address it carries inside included."""
        inner = list(_carried(address))
        if any(_inside(one, _NEVER) for one in inner):
            return False
        return all(is_public(one) or _inside(one, self.allowed_networks) for one in inner)

    def _resolved(self, host: str, port: int) -> list[str]:
        try:
            found = list((self.resolver or resolve)(host, port))
        except (OSError, UnicodeError):
            found = []
        if not found:
            raise EgressRefused("unresolved", f"The name {host} has no address. Check its spelling.")
        return found


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a name from the system's resolver, each once. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet."""
    return address.is_global and not address.is_multicast


def _inside(address: Address, networks: Iterable[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _carried(address: Address) -> Iterable[Address]:
    """The addresses that a packet to `address` may end up at: itself, or the IPv4 ones that it carries."""
    if isinstance(address, ipaddress.IPv4Address):
        return (address,)
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address.sixtofour is not None:
        return (address, address.sixtofour)
    if address.teredo is not None:
        return (address, *address.teredo)
    if address in _NAT64 or (address in _V4_COMPATIBLE and int(address) > 1):
        return (address, ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return (address,)


def checked_url(url: str) -> SplitResult:
    """`url` in its parts: http or https, a host, a valid port, no user name. Raises EgressRefused otherwise."""
    if len(url) > MAX_URL_CHARS or any(c.isspace() or not c.isprintable() for c in url) or "\\" in url:
        raise EgressRefused(
            "bad-url", "The address is too long, or holds white space or a backslash. Correct it."
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise EgressRefused(
            "bad-url", "The address is not valid. Write it as https://host:port/path."
        ) from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise EgressRefused("scheme", "The address must begin with https:// or http:// and a host.")
    if "@" in parts.netloc:
        raise EgressRefused("user-name", "The address must not hold a user name or password. Remove them.")
    if port == 0 or "%" in parts.hostname or not parts.hostname.isascii():
        message = "The port or the host of the address is not valid. Write international names as xn--..."
        raise EgressRefused("bad-url", message)
    return parts


def check_target_url(
    url: str,
    allowed_networks: Iterable[Network] = (),
    *,
    ports: frozenset[int] | None = None,
    resolver: Resolver | None = None,
) -> None:
    """Raises EgressRefused unless `url` is one that we, or a gateway for us, may call.

    To be asked when an address is saved and again when it is pushed, since names change their addresses.
    `allowed_networks` are the operator's, never a team's. `ports` None admits every port.
    """
    parts = checked_url(url)
    rules = EgressRules(tuple(allowed_networks), ports, resolver)
    rules.checked_addresses(str(parts.hostname), parts.port or (443 if parts.scheme == "https" else 80))
