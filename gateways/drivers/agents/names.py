"""What may enter the configuration of a gateway as text, and under which name.

Every value that a person can choose passes one of these patterns before it reaches a file. What does not fit
is dropped by `adapt` with a note, never repaired: a repaired path would be another path.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
BASE_PATH = re.compile(r"(/[A-Za-z0-9][A-Za-z0-9._~-]*)+")
HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")
ORIGIN = re.compile(r"https?://[A-Za-z0-9.\[\]:-]{1,260}")
TARGET_PREFIX = re.compile(r"(/[A-Za-z0-9._~!$&'()*+,;=:@-]+)*")
_ENDS_IN_NUMBER = re.compile(r"(^|\.)([0-9]+|0x[0-9a-f]*)$")
"""`127.1` and `2130706433` are addresses to some resolvers: https://url.spec.whatwg.org/#ends-in-a-number-checker."""

CHECK_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@/?%-]{0,1000}")
KEY_VALUE = re.compile(r"[A-Za-z0-9]{20,128}")


@dataclass(frozen=True, slots=True)
class Address:
    """One target taken apart: `prefix` has no slash at its end and is empty for none."""

    tls: bool
    host: str
    port: int
    prefix: str

    @property
    def is_ip(self) -> bool:
        """Whether `host` is an address and not a name."""
        return is_ip(self.host)

    @property
    def authority(self) -> str:
        """The Host header that the target expects."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"


@lru_cache(maxsize=20_000)
def address(url: str) -> Address:
    """Take a target's URL apart. Raises ValueError, with the reason, when no gateway should be given it."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"}:
        raise ValueError("a target's URL starts with http:// or https://")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("a target's URL holds no user, query or fragment")
    host = (parts.hostname or "").lower()
    if not is_ip(host) and (not HOST.fullmatch(host) or _ENDS_IN_NUMBER.search(host)):
        raise ValueError("a target's host is a name or an address")
    prefix = parts.path.rstrip("/")
    if not TARGET_PREFIX.fullmatch(prefix) or "/.." in prefix or "/./" in f"{prefix}/":
        raise ValueError("a target's path holds plain segments only")
    tls = parts.scheme == "https"
    return Address(tls, host, parts.port or (443 if tls else 80), prefix)


def is_ip(host: str) -> bool:
    """Whether `host` is an IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
