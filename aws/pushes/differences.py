"""What differs between a configuration as decided and as AWS tells it, in AWS's own members."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


def changed_members(wanted: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """The members of `wanted` that AWS has otherwise: what one UpdateFunctionConfiguration has to send."""
    return {name: value for name, value in wanted.items() if value != _READ.get(name, _plain(name))(told)}


def _plain(name: str) -> Callable[[Mapping[str, Any]], Any]:
    return lambda told: told.get(name)


def _environment(told: Mapping[str, Any]) -> Any:
    return {"Variables": dict((told.get("Environment") or {}).get("Variables") or {})}


def _layers(told: Mapping[str, Any]) -> Any:
    return [layer["Arn"] for layer in told.get("Layers") or ()]


def _network(told: Mapping[str, Any]) -> Any:
    vpc = told.get("VpcConfig") or {}
    return {name: sorted(vpc.get(name) or ()) for name in ("SubnetIds", "SecurityGroupIds")}


def _dead_letters(told: Mapping[str, Any]) -> Any:
    return {"TargetArn": (told.get("DeadLetterConfig") or {}).get("TargetArn") or ""}


def _tracing(told: Mapping[str, Any]) -> Any:
    return {"Mode": (told.get("TracingConfig") or {}).get("Mode") or "PassThrough"}


_READ: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "Environment": _environment,
    "Layers": _layers,
    "VpcConfig": _network,
    "DeadLetterConfig": _dead_letters,
    "TracingConfig": _tracing,
}


def read_configuration(told: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """A configuration as AWS tells it, in the members that the portal keeps."""
    return {name: _READ.get(name, _plain(name))(told) for name in names}
