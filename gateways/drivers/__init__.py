"""The drivers of Gatehouse: one class per kind of gateway, found by the word stored in `Gateway.kind`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gateways.drivers.ai_runtime.driver import AiRuntimeDriver
from gateways.drivers.aws.driver import AwsDriver
from gateways.drivers.envoy.driver import EnvoyDriver
from gateways.drivers.memory import MemoryDriver
from gateways.drivers.nginx.driver import NginxDriver
from gateways.engine.driver import Driver

DRIVERS: Mapping[str, type[Driver]] = MappingProxyType(
    {driver.kind: driver for driver in (EnvoyDriver, NginxDriver, AiRuntimeDriver, AwsDriver, MemoryDriver)}
)


def driver_class(kind: str) -> type[Driver]:
    """The driver of `kind`. Raises KeyError with the kinds there are."""
    try:
        return DRIVERS[kind]
    except KeyError:
        raise KeyError(f"no driver for {kind!r}; there are: {', '.join(sorted(DRIVERS))}") from None
