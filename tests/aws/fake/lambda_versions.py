"""Versions and aliases.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-versions.html, configuration-aliases.html; texts [S]
test_lambda_api.snapshot.json (test_notfound_and_invalid_routingconfigs and others).
"""

from __future__ import annotations

from typing import Any

from tests.aws.fake.lambda_functions import check_storage, configuration_of
from tests.aws.fake.lambda_state import (
    LATEST,
    Alias,
    Function,
    Version,
    check_idle,
    check_revision,
    function_of,
    named,
    new_revision,
)
from tests.aws.fake.place import Params, Place, operation, page
from tests.aws.fake.refusals import invalid_parameter, resource_conflict, resource_missing, validation

_NOT_THE_SAME = {
    "Version",
    "FunctionArn",
    "RevisionId",
    "LastModified",
    "Description",
    "State",
    "LastUpdateStatus",
}


@operation("lambda", "PublishVersion")
def publish_version(place: Place, params: Params) -> dict[str, Any]:
    """What has not changed since is the same version."""
    function = function_of(place, named(params)[0])
    check_idle(place, function)
    check_revision(params.get("RevisionId"), function.revision)
    now, told = configuration_of(place, function), params.get("CodeSha256")
    if told is not None and told != now["CodeSha256"]:
        raise invalid_parameter(
            f"CodeSHA256 ({told}) is different from current CodeSHA256 in $LATEST ({now['CodeSha256']}). Please try"
            " again with the CodeSHA256 in $LATEST."
        )
    last = function.versions.get(str(function.last_number))
    if last is not None and _compared(last.configuration) == _compared(now):
        return dict(last.configuration)
    check_storage(place, function.code_bytes)
    function.last_number += 1
    number, revision = str(function.last_number), new_revision(place)
    configuration = {
        **now,
        "Version": number,
        "FunctionArn": f"{function.arn}:{number}",
        "RevisionId": revision,
        "Description": params.get("Description") or now.get("Description", ""),
    }
    function.versions[number] = Version(configuration, function.code_bytes, revision)
    return dict(configuration)


@operation("lambda", "ListVersionsByFunction")
def list_versions_by_function(place: Place, params: Params) -> dict[str, Any]:
    function = function_of(place, named(params)[0])
    versions = [
        configuration_of(place, function, LATEST),
        *(one.configuration for one in function.versions.values()),
    ]
    found, marker = page(versions, params, marker="Marker", size="MaxItems", usual=50, most=50)
    return {"Versions": found} | ({"NextMarker": marker} if marker else {})


@operation("lambda", "CreateAlias")
def create_alias(place: Place, params: Params) -> dict[str, Any]:
    name, version = params["Name"], params["FunctionVersion"]
    if name.isdigit():
        raise validation(
            f"1 validation error detected: Value '{name}' at 'name' failed to satisfy constraint: Member must satisfy"
            " regular expression pattern: (?!^[0-9]+$)([a-zA-Z0-9-_]+)"
        )
    function = function_of(place, named(params)[0], version)
    if name in function.aliases:
        raise resource_conflict(f"Alias already exists: {function.arn}:{name}")
    weights = _weights(params)
    _check_weights(place, function, version, weights)
    function.aliases[name] = Alias(name, version, new_revision(place), params.get("Description", ""), weights)
    return shown(function, function.aliases[name])


@operation("lambda", "GetAlias")
def get_alias(place: Place, params: Params) -> dict[str, Any]:
    function = function_of(place, named(params)[0])
    name = params["Name"]
    if name not in function.aliases:
        raise resource_missing(f"Cannot find alias arn: {function.arn}:{name}")
    return shown(function, function.aliases[name])


@operation("lambda", "ListAliases")
def list_aliases(place: Place, params: Params) -> dict[str, Any]:
    function = function_of(place, named(params)[0])
    wanted = params.get("FunctionVersion")
    aliases = [one for one in function.aliases.values() if wanted in {None, one.version}]
    found, marker = page(aliases, params, marker="Marker", size="MaxItems", usual=50, most=50)
    return {"Aliases": [shown(function, one) for one in found]} | ({"NextMarker": marker} if marker else {})


@operation("lambda", "UpdateAlias")
def update_alias(place: Place, params: Params) -> dict[str, Any]:
    """Provisioned concurrency and weights do not go together [D]; the text is not verified [U]."""
    function = function_of(place, named(params)[0])
    alias = function.aliases.get(params["Name"])
    if alias is None:
        raise resource_missing(f"Alias not found: {function.arn}:{params['Name']}")
    check_revision(params.get("RevisionId"), alias.revision)
    version = params.get("FunctionVersion", alias.version)
    function_of(place, function.name, version)
    weights = _weights(params) if "RoutingConfig" in params else dict(alias.weights)
    _check_weights(place, function, version, weights)
    if weights and alias.name in function.provisioned:
        raise invalid_parameter(
            "An alias with Provisioned Concurrency cannot be updated to have a routing configuration"
        )
    alias.version, alias.weights = version, weights
    alias.description = params.get("Description", alias.description)
    alias.revision = new_revision(place)
    return shown(function, alias)


@operation("lambda", "DeleteAlias")
def delete_alias(place: Place, params: Params) -> dict[str, Any]:
    """One that is not there is no error [S]."""
    function = function_of(place, named(params)[0])
    name = params["Name"]
    function.aliases.pop(name, None)
    for belongings in (
        function.provisioned,
        function.policies,
        function.policy_revisions,
        function.event_invoke,
    ):
        belongings.pop(name, None)
    return {}


def shown(function: Function, alias: Alias) -> dict[str, Any]:
    """As AWS answers it [S]."""
    found: dict[str, Any] = {
        "AliasArn": f"{function.arn}:{alias.name}",
        "Name": alias.name,
        "FunctionVersion": alias.version,
        "Description": alias.description,
        "RevisionId": alias.revision,
    }
    if alias.weights:
        found["RoutingConfig"] = {"AdditionalVersionWeights": dict(alias.weights)}
    return found


def version_for(function: Function, qualifier: str) -> str:
    """Which version answers the next call: by the weights exactly, spread as evenly as can be."""
    if not qualifier:
        return LATEST
    alias = function.aliases.get(qualifier)
    if alias is None:
        return qualifier
    function.calls += 1
    for version, weight in alias.weights.items():
        if int(function.calls * weight) > int((function.calls - 1) * weight):
            return version
    return alias.version


def _weights(params: Params) -> dict[str, float]:
    return dict((params.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {})


def _check_weights(place: Place, function: Function, version: str, weights: dict[str, float]) -> None:
    if len(weights) > 1:
        raise invalid_parameter("Number of items in AdditionalVersionWeights cannot be greater than 1")
    for other, weight in weights.items():
        told = f"{{{other}={weight}}}"
        begins = f"1 validation error detected: Value '{told}' at 'routingConfig.additionalVersionWeights' failed to"
        if not other.isdigit():
            raise validation(
                f"{begins} satisfy constraint: Map keys must satisfy constraint: [Member must have length less than or"
                " equal to 1024, Member must have length greater than or equal to 1, Member must satisfy regular"
                " expression pattern: [0-9]+]"
            )
        if not 0 <= weight <= 1:
            raise validation(
                f"{begins} satisfy constraint: Map value must satisfy constraint: [Member must have value less than or"
                " equal to 1.0, Member must have value greater than or equal to 0.0, Member must not be null]"
            )
        if version == LATEST:
            raise invalid_parameter("$LATEST is not supported for an alias pointing to more than 1 version")
        if other == version:
            raise invalid_parameter(
                f"Invalid function version {other}. Function version {other} is already included in routing"
                " configuration."
            )
        function_of(place, function.name, other)
        _check_alike(function, version, other)


def _check_alike(function: Function, version: str, other: str) -> None:
    """The same role and dead-letter queue [D configuration-aliases]; the text is not verified [U]."""
    one, two = (function.versions[number].configuration for number in (version, other))
    if one["Role"] != two["Role"] or one.get("DeadLetterConfig") != two.get("DeadLetterConfig"):
        raise invalid_parameter(
            "Both versions of an alias must have the same execution role and dead-letter queue"
        )


def _compared(configuration: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in configuration.items() if name not in _NOT_THE_SAME}
