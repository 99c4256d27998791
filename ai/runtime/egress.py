"""Connections to vendors: only to addresses that the operator allows, checked at the moment of connecting (T10)."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from teams.egress import EgressRefused, EgressRules, Network


class _GuardedResolver(AbstractResolver):
    """Resolves a name, and gives its addresses only if all of them may be called."""

    def __init__(self, rules: EgressRules) -> None:
        self._rules = rules

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The checked addresses. Raises OSError."""
        try:
            found = await asyncio.to_thread(self._rules.checked_addresses, host, port)
        except EgressRefused as refused:
            raise OSError(refused.reason) from None
        return [_result(host, port, address) for address in found]

    async def close(self) -> None:
        """Nothing is open."""


def _result(host: str, port: int, address: str) -> ResolveResult:
    family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
    return {
        "hostname": host,
        "host": address,
        "port": port,
        "family": family,
        "proto": 0,
        "flags": socket.AI_NUMERICHOST,
    }


class _GuardedConnector(aiohttp.TCPConnector):
    """Asks the resolver for literal addresses too, which aiohttp would connect to unasked."""

    def __init__(self, rules: EgressRules, **options: Any) -> None:
        super().__init__(resolver=_GuardedResolver(rules), **options)
        self._rules = rules

    async def _resolve_host(self, host: str, port: int, traces: Any = None) -> list[ResolveResult]:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return await super()._resolve_host(host, port, traces)
        if not self._rules.allows(address):
            raise OSError(f"{address} is not an address that may be called")
        return await super()._resolve_host(host, port, traces)


def guarded_connector(networks: Iterable[Network]) -> aiohttp.TCPConnector:
    """Keeps connections open, and opens none to an address that is neither public nor in `networks`."""
    rules = EgressRules(tuple(networks), ports=None)
    return _GuardedConnector(rules, limit=0, keepalive_timeout=45, ttl_dns_cache=30)
