"""Upstreams: a group of servers each, whose names are resolved while nginx runs."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from gateways.drivers.agents.names import Address, address
from gateways.engine.directives import Directive, block, directive, written
from gateways.engine.document import Target, Upstream

FAILS = 3
FAIL_S = 10
_IDLE_CONNECTIONS = 64
_ZONE = "512k"


def upstream_group(upstream: Upstream) -> Directive:
    """One upstream. Its targets have passed `adapt`, so their URLs can be taken apart."""
    inside = [
        directive("zone", f"upstream-{upstream.id}", _ZONE),
        *(_server(target) for target in upstream.targets),
        directive("keepalive", _IDLE_CONNECTIONS),
        directive("keepalive_timeout", "55s"),
    ]
    return block("upstream", upstream.id, inside=inside, about=f"upstream/{upstream.id}")


def _server(target: Target) -> Directive:
    at = address(target.url)
    host, resolved = _host(at)
    options = [f"weight={target.weight}", f"max_fails={FAILS}", f"fail_timeout={FAIL_S}s"]
    return directive("server", f"{host}:{at.port}", *options, *resolved)


def _host(at: Address) -> tuple[str, tuple[str, ...]]:
    """An address stands for itself; nginx would ask a name server even for localhost (RFC 6761, 6.3)."""
    if at.is_ip:
        return (f"[{at.host}]" if ":" in at.host else at.host), ()
    return at.host, ("resolve",)


def passed_to(upstream: Upstream) -> list[Directive]:
    """How a location reaches `upstream`: the base path is taken off, the prefix of the target put on."""
    at = address(upstream.targets[0].url)
    scheme = "https" if at.tls else "http"
    prefix = at.prefix.replace("$", "%24")
    found = [
        directive("proxy_connect_timeout", f"{upstream.connect_timeout_ms}ms"),
        directive("proxy_send_timeout", f"{upstream.timeout_ms}ms"),
        directive("proxy_read_timeout", f"{upstream.timeout_ms}ms"),
    ]
    if at.tls:
        found.append(directive("proxy_ssl_name", at.host))
    return [*found, directive("proxy_pass", f"{scheme}://{upstream.id}{prefix}/")]


def file(upstreams: Iterable[Upstream]) -> list[Directive]:
    """The directives of all upstreams."""
    return [_written(upstream) for upstream in upstreams]


@lru_cache(maxsize=20_000)
def _written(upstream: Upstream) -> Directive:
    """Kept because most upstreams are the same from push to push."""
    return written([upstream_group(upstream)])
