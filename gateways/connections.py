"""A gateway's rows as the plain values that a driver is made of."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from aws.client.buckets import Priority
from aws.client.calls import Calls
from aws.client.regions import partition_of
from aws.connections import calls_for
from aws.models import Feature
from aws.policies.names import log_group
from gateways.drivers import driver_class
from gateways.engine.document import canonical_json
from gateways.engine.driver import Connection, Driver, Listener, Node
from gateways.models import Gateway, GatewayNode
from gateways.remote import RemoteHoldings
from gateways.tokens import open_token

WHO = {**dict.fromkeys(Priority, "gateway"), Priority.USAGE: "usage of"}
"""Who waits on a limit, as its page says; AWS's trail shows it, too."""


def driver_for(
    gateway: Gateway,
    *,
    version: int | None = None,
    nodes: Sequence[GatewayNode] = (),
    remembers: bool = False,
    priority: Priority = Priority.PUSH,
) -> Driver:
    """A driver of `gateway` that pushes as `version` to `nodes`. Raises audit.sealing.SealBroken."""
    vendor = _vendor(gateway, priority)
    return driver_class(gateway.kind)(
        Connection(
            gateway=gateway.slug,
            nodes=tuple(Node(node.name, node.agent_url) for node in nodes),
            listeners=listeners_of(gateway),
            token=open_token(gateway) if gateway.token_sealed else "",
            version=gateway.version if version is None else version,
            options={**_options(gateway.options), **vendor.options},
            remembers=remembers,
            holdings=vendor.holdings,
            calls=vendor.calls,
        )
    )


class _Vendor(NamedTuple):
    """What a gateway of a vendor needs beside."""

    options: Mapping[str, str] = MappingProxyType({})
    holdings: RemoteHoldings | None = None
    calls: Calls | None = None


def _vendor(gateway: Gateway, priority: Priority) -> _Vendor:
    account = gateway.aws_account
    if account is None:
        return _Vendor()
    calls = calls_for(
        account, who=f"{WHO[priority]} {gateway.slug}", region=gateway.aws_region, priority=priority
    )
    return _Vendor(_vendor_options(gateway), RemoteHoldings(gateway.pk), calls)


def _vendor_options(gateway: Gateway) -> dict[str, str]:
    account = gateway.aws_account
    if account is None:
        return {}
    return {
        "prefix": account.prefix,
        "features": ",".join(account.features),
        "log_group": log_group_of(gateway),
        "partition": partition_of(gateway.aws_region),
    }


def calls_of(gateway: Gateway, *, priority: Priority) -> Calls:
    """Calls in the account and Region of a gateway at AWS. Raises audit.sealing.SealBroken."""
    vendor = _vendor(gateway, priority)
    assert vendor.calls is not None  # noqa: S101 - it has an account
    return vendor.calls


def log_group_of(gateway: Gateway) -> str:
    """Where the calls of a gateway at AWS are logged; empty where its account is not used for that."""
    account = gateway.aws_account
    if account is None or Feature.USAGE not in account.features:
        return ""
    return log_group(account.prefix, gateway.slug)


def listeners_of(gateway: Gateway) -> tuple[Listener, ...]:
    """Where each environment is served, in the order of the environments."""
    found = gateway.listeners.select_related("environment").order_by("environment__position", "pk")
    return tuple(Listener(row.environment.slug, row.port or 0, row.host) for row in found)


def setup_digest(gateway: Gateway, nodes: int) -> str:
    """Digest of all that a push depends on beside the document, so that a change of it leads to a push."""
    listeners = [(row.environment, row.port, row.host) for row in listeners_of(gateway)]
    options = {**_options(gateway.options), **_vendor_options(gateway)}
    text = canonical_json([gateway.kind, listeners, options, nodes])
    return hashlib.sha256(text.encode()).hexdigest()


def counted_nodes(gateway: Gateway) -> tuple[list[GatewayNode], list[GatewayNode]]:
    """The nodes that a push goes to, and those that are silent and so can prove nothing."""
    nodes = list(gateway.nodes.filter(retired_at=None).order_by("name"))
    away = [node for node in nodes if node.state == GatewayNode.State.AWAY]
    return [node for node in nodes if node not in away], away


def _options(options: object) -> dict[str, str]:
    return {str(k): str(v) for k, v in options.items()} if isinstance(options, Mapping) else {}
