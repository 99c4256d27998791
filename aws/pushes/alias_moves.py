"""Rules of what stands on published versions: aliases, warm environments, where results go, and old versions.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-aliases.html,
https://docs.aws.amazon.com/lambda/latest/dg/provisioned-concurrency.html: an alias that two versions share has no
provisioned concurrency, so that is given up first, and asked for last.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws.client.errors import Invalid
from aws.pushes.reality import ALIASES, EVENTS, PROVISIONED, VERSIONS, Reality
from aws.pushes.values import Call, Move, Rest
from aws.pushes.wanted import MARK, Wanted, WantedAlias

LATEST = "$LATEST"
OUTCOMES = ("OnSuccess", "OnFailure")


def aliases(wanted: Wanted, reality: Reality) -> Move | None:
    """Each as decided; the first that is not."""
    found = reality.aliases() if wanted.aliases else {}
    moves = (_alias(wanted, one, found.get(one.name), reality) for one in wanted.aliases)
    return next((move for move in moves if move is not None), None)


def warm(wanted: Wanted, reality: Reality) -> Move | None:
    """Provisioned concurrency of aliases, until it is there."""
    found = reality.provisioned() if wanted.aliases else {}
    moves = (_warm(wanted, one, found.get(one.name)) for one in wanted.aliases)
    return next((move for move in moves if move is not None), None)


def events(wanted: Wanted, reality: Reality) -> Move | None:
    """Where results of asynchronous calls go: said of each alias, and of calls that name none."""
    if wanted.events is None and not wanted.clears_events:
        return None
    qualifiers = (LATEST, *(one.name for one in wanted.aliases))
    moves = (_events(wanted, qualifier, reality.events(qualifier)) for qualifier in qualifiers)
    return next((move for move in moves if move is not None), None)


def drop_aliases(wanted: Wanted, reality: Reality) -> Move | None:
    """Those that were taken away here."""
    found = reality.aliases() if wanted.removed_aliases else {}
    for name in wanted.removed_aliases:
        if name in found:
            params = {"FunctionName": wanted.name, "Name": name}
            return Call("drop_alias", "lambda", "DeleteAlias", params, name, (ALIASES, PROVISIONED))
    return None


def prune(wanted: Wanted, reality: Reality) -> Move | None:
    """Versions that were chosen for it; never one that an alias in AWS uses."""
    found = reality.versions() if wanted.pruned else {}
    used = (
        {number for alias in reality.aliases().values() for number in _versions_of(alias)}
        if wanted.pruned
        else set()
    )
    for number in wanted.pruned:
        if number in found and number not in used:
            params = {"FunctionName": wanted.name, "Qualifier": number}
            return Call(
                "prune", "lambda", "DeleteFunction", params, number, (VERSIONS,), missing_is_done=True
            )
    return None


def _alias(
    wanted: Wanted, alias: WantedAlias, told: Mapping[str, Any] | None, reality: Reality
) -> Move | None:
    params: dict[str, Any] = {
        "FunctionName": wanted.name,
        "Name": alias.name,
        "FunctionVersion": alias.version,
    }
    detail = _said(alias)
    if told is None:
        params |= {"Description": MARK + alias.id, "RoutingConfig": _routing(alias)}
        return Call("make_alias", "lambda", "CreateAlias", params, detail, (ALIASES,))
    if told["FunctionVersion"] == alias.version and _weights_of(told) == dict(alias.weights):
        return None
    if alias.weights and alias.name in reality.provisioned():
        return _cool(wanted, alias)
    params |= {"RoutingConfig": _routing(alias), "RevisionId": told["RevisionId"]}
    return Call("set_alias", "lambda", "UpdateAlias", params, detail, (ALIASES, PROVISIONED))


def _warm(wanted: Wanted, alias: WantedAlias, told: Mapping[str, Any] | None) -> Move | None:
    if alias.provisioned is None:
        return _cool(wanted, alias) if told is not None else None
    if told is None or told["RequestedProvisionedConcurrentExecutions"] != alias.provisioned:
        params = {
            "FunctionName": wanted.name,
            "Qualifier": alias.name,
            "ProvisionedConcurrentExecutions": alias.provisioned,
        }
        detail = f"{alias.name}: {alias.provisioned}"
        return Call("warm", "lambda", "PutProvisionedConcurrencyConfig", params, detail, (PROVISIONED,))
    if told["Status"] == "FAILED":
        reason = told.get("StatusReason", "no reason is told")
        raise Invalid(f"AWS could not keep {alias.provisioned} environments warm for {alias.name}: {reason}")
    if told["Status"] == "IN_PROGRESS":
        return Rest(f"AWS makes {alias.provisioned} environments warm for {alias.name}", (PROVISIONED,), 10.0)
    return None


def _cool(wanted: Wanted, alias: WantedAlias) -> Call:
    params = {"FunctionName": wanted.name, "Qualifier": alias.name}
    name = "DeleteProvisionedConcurrencyConfig"
    return Call("cool", "lambda", name, params, alias.name, (PROVISIONED,), missing_is_done=True)


def _events(wanted: Wanted, qualifier: str, told: Mapping[str, Any] | None) -> Move | None:
    params: dict[str, Any] = {"FunctionName": wanted.name, "Qualifier": qualifier}
    if wanted.events is None:
        if told is None:
            return None
        name = "DeleteFunctionEventInvokeConfig"
        return Call("drop_destinations", "lambda", name, params, qualifier, (EVENTS,), missing_is_done=True)
    if told is not None and _destinations(told) == dict(wanted.events):
        return None
    params["DestinationConfig"] = {name: {"Destination": arn} for name, arn in wanted.events.items()}
    return Call("set_destinations", "lambda", "PutFunctionEventInvokeConfig", params, qualifier, (EVENTS,))


def _destinations(told: Mapping[str, Any]) -> dict[str, str]:
    config = told.get("DestinationConfig") or {}
    return {
        name: config[name]["Destination"] for name in OUTCOMES if (config.get(name) or {}).get("Destination")
    }


def _routing(alias: WantedAlias) -> dict[str, Any]:
    """An empty object takes the second version away; left out it would stay."""
    return {"AdditionalVersionWeights": dict(alias.weights)}


def _weights_of(told: Mapping[str, Any]) -> dict[str, float]:
    return dict((told.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {})


def _versions_of(told: Mapping[str, Any]) -> set[str]:
    return {told["FunctionVersion"], *_weights_of(told)}


def _said(alias: WantedAlias) -> str:
    others = "".join(f", {share:.0%} on {number}" for number, share in alias.weights.items())
    return f"{alias.name} on {alias.version}{others}"
