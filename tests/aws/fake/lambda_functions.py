"""Functions: made, changed, read, deleted.

https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html; texts [S] test_lambda_api.snapshot.json.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from typing import Any

from tests.aws.fake.lambda_state import (
    LATEST,
    Function,
    check_idle,
    check_revision,
    function_of,
    lambdas,
    named,
    new_revision,
)
from tests.aws.fake.place import Params, Place, operation, page
from tests.aws.fake.refusals import (
    Refused,
    invalid_parameter,
    resource_conflict,
    resource_missing,
    validation,
)
from tests.aws.fake.roles import may_be_assumed

ZIPPED, UNZIPPED = 52_428_800, 262_144_000
DEAD_RUNTIMES = {
    "python2.7", "python3.6", "python3.7", "python3.8", "nodejs", "nodejs10.x", "nodejs12.x", "nodejs14.x",
    "nodejs16.x", "java8", "go1.x", "ruby2.5", "ruby2.7", "dotnetcore2.1", "dotnetcore3.1", "dotnet6", "provided",
}  # fmt: skip
RESERVED_NAMES = {
    "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "_HANDLER", "LAMBDA_TASK_ROOT",
}  # fmt: skip
_SAME = (
    "Runtime", "Role", "Handler", "Description", "Timeout", "MemorySize", "VpcConfig", "DeadLetterConfig",
    "Environment", "KMSKeyArn", "TracingConfig", "Layers", "EphemeralStorage", "LoggingConfig",
)  # fmt: skip


@operation("lambda", "CreateFunction")
def create_function(place: Place, params: Params) -> dict[str, Any]:
    name, _ = named(params)
    state = lambdas(place)
    if len(name) > 64:
        raise invalid_parameter(
            f"1 validation error detected: Value '{name}' at 'functionName' failed to satisfy constraint: Member must"
            " have length less than or equal to 64"
        )
    if name in state.functions:
        raise resource_conflict(f"Function already exist: {name}")
    configuration = _configured({"Timeout": 3, "MemorySize": 128, "Description": ""}, place, params)
    configuration["PackageType"] = params.get("PackageType", "Zip")
    configuration["Architectures"] = list(params.get("Architectures") or ["x86_64"])
    code_bytes, sha = _code(params["Code"])
    configuration["CodeSha256"] = sha
    check_storage(place, code_bytes)
    arn = place.arn("lambda", f"function:{name}")
    active_at = place.now + place.delays.function_active
    function = Function(name, arn, configuration, code_bytes, new_revision(place), active_at)
    function.tags = dict(params.get("Tags") or {})
    function.code = params["Code"].get("ZipFile") or b""
    state.functions[name] = function
    _touch(place, function)
    return configuration_of(place, function)


@operation("lambda", "GetFunction")
def get_function(place: Place, params: Params) -> dict[str, Any]:
    name, qualifier = named(params)
    function = function_of(place, name, qualifier)
    found: dict[str, Any] = {
        "Configuration": configuration_of(place, function, qualifier),
        "Code": {"RepositoryType": "S3", "Location": "https://code.example.test/"},
    }
    if function.tags:
        found["Tags"] = dict(function.tags)
    if function.reserved is not None:
        found["Concurrency"] = {"ReservedConcurrentExecutions": function.reserved}
    return found


@operation("lambda", "GetFunctionConfiguration")
def get_function_configuration(place: Place, params: Params) -> dict[str, Any]:
    name, qualifier = named(params)
    return configuration_of(place, function_of(place, name, qualifier), qualifier)


@operation("lambda", "ListFunctions")
def list_functions(place: Place, params: Params) -> dict[str, Any]:
    functions = sorted(lambdas(place).functions.values(), key=lambda one: one.name)
    found, marker = page(functions, params, marker="Marker", size="MaxItems", usual=50, most=50)
    answer: dict[str, Any] = {"Functions": [configuration_of(place, one) for one in found]}
    return answer | ({"NextMarker": marker} if marker else {})


@operation("lambda", "UpdateFunctionCode")
def update_function_code(place: Place, params: Params) -> dict[str, Any]:
    function = function_of(place, named(params)[0])
    check_idle(place, function)
    check_revision(params.get("RevisionId"), function.revision)
    told = {name: params[name] for name in ("ZipFile", "S3Bucket", "S3Key", "ImageUri") if name in params}
    is_image = function.configuration["PackageType"] == "Image"
    if is_image != ("ImageUri" in told):
        said = "Please provide ImageUri" if is_image else "Please don't provide ImageUri"
        kind = function.configuration["PackageType"]
        raise invalid_parameter(f"{said} when updating a function with packageType {kind}.")
    code_bytes, sha = _code(told)
    check_storage(place, code_bytes - function.code_bytes)
    function.code_bytes, function.configuration["CodeSha256"] = code_bytes, sha
    function.code_before, function.code = function.code, told.get("ZipFile") or b""
    _touch(place, function, is_update=True)
    return configuration_of(place, function)


@operation("lambda", "UpdateFunctionConfiguration")
def update_function_configuration(place: Place, params: Params) -> dict[str, Any]:
    function = function_of(place, named(params)[0])
    check_idle(place, function)
    check_revision(params.get("RevisionId"), function.revision)
    function.configuration = _configured(function.configuration, place, params)
    function.code_before = function.code
    _touch(place, function, is_update=True)
    return configuration_of(place, function)


@operation("lambda", "DeleteFunction")
def delete_function(place: Place, params: Params) -> dict[str, Any]:
    """A version that an alias uses stays; the text is not verified [U]."""
    name, qualifier = named(params)
    function = function_of(place, name)
    if not qualifier:
        del lambdas(place).functions[name]
        return {"StatusCode": 204}
    if qualifier == LATEST:
        raise invalid_parameter("$LATEST version cannot be deleted without deleting the function.")
    if qualifier not in function.versions:
        raise resource_missing(f"Function not found: {function.arn}")
    if any(qualifier in {alias.version, *alias.weights} for alias in function.aliases.values()):
        raise resource_conflict(f"Version {qualifier} of function {name} is used by an alias")
    del function.versions[qualifier]
    return {"StatusCode": 204}


@operation("lambda", "GetAccountSettings")
def get_account_settings(place: Place, params: Params) -> dict[str, Any]:
    functions = lambdas(place).functions.values()
    return {
        "AccountLimit": {
            "TotalCodeSize": place.quotas.code_bytes,
            "CodeSizeUnzipped": UNZIPPED,
            "CodeSizeZipped": ZIPPED,
            "ConcurrentExecutions": place.quotas.concurrency,
            "UnreservedConcurrentExecutions": place.quotas.concurrency
            - sum(one.reserved or 0 for one in functions),
        },
        "AccountUsage": {
            "TotalCodeSize": sum(one.all_code_bytes for one in functions),
            "FunctionCount": len(functions),
        },
    }


@operation("lambda", "ListEventSourceMappings")
def list_event_source_mappings(place: Place, params: Params) -> dict[str, Any]:
    name = params.get("FunctionName")
    mappings = [
        one for one in lambdas(place).mappings if name is None or f":{named(params)[0]}" in one["FunctionArn"]
    ]
    found, marker = page(mappings, params, marker="Marker", size="MaxItems", usual=100, most=100)
    return {"EventSourceMappings": found} | ({"NextMarker": marker} if marker else {})


def configuration_of(place: Place, function: Function, qualifier: str = "") -> dict[str, Any]:
    """As AWS answers it: of what is published, or of the function with the state that it is in."""
    if qualifier in function.aliases:
        qualifier = function.aliases[qualifier].version
    if qualifier in function.versions:
        return dict(function.versions[qualifier].configuration)
    found = {
        **function.configuration,
        "FunctionName": function.name,
        "FunctionArn": function.arn + (f":{qualifier}" if qualifier else ""),
        "CodeSize": function.code_bytes,
        "Version": LATEST,
        "RevisionId": function.revision,
    }
    return found | _state(place, function)


def _state(place: Place, function: Function) -> dict[str, Any]:
    if place.now < function.active_at:
        return {
            "State": "Pending",
            "StateReason": "The function is being created.",
            "StateReasonCode": "Creating",
        }
    if function.name in lambdas(place).failing:
        return {
            "State": "Failed",
            "StateReason": "The function failed to start.",
            "StateReasonCode": "InternalError",
        }
    status = "InProgress" if place.now < function.updated_at else "Successful"
    return {"State": "Active", "LastUpdateStatus": status}


def _touch(place: Place, function: Function, *, is_update: bool = False) -> None:
    function.revision = new_revision(place)
    function.configuration["LastModified"] = place.date.strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    if is_update:
        function.updated_at = place.now + place.delays.function_updated


def _configured(before: dict[str, Any], place: Place, params: Params) -> dict[str, Any]:
    """The configuration after a request, in the form in which AWS answers it."""
    _check(place, params)
    found = dict(before)
    for name in _SAME:
        if name in params:
            found[name] = params[name]
    if "Layers" in params:
        found["Layers"] = [{"Arn": arn, "CodeSize": 1} for arn in params["Layers"]]
    found.setdefault("TracingConfig", {"Mode": "PassThrough"})
    found.setdefault("EphemeralStorage", {"Size": 512})
    return found


def _check(place: Place, params: Params) -> None:
    for name, most in (("MemorySize", 10_240), ("Timeout", 900)):
        if params.get(name, 0) > most:
            at = name[0].lower() + name[1:]
            raise validation(
                f"1 validation error detected: Value '{params[name]}' at '{at}' failed to satisfy constraint: Member"
                f" must have value less than or equal to {most}"
            )
    if params.get("Runtime") in DEAD_RUNTIMES:
        raise invalid_parameter(
            f"The runtime parameter of {params['Runtime']} is no longer supported for creating or updating AWS Lambda"
            " functions. We recommend you use a supported runtime while creating or updating functions."
        )
    _check_environment((params.get("Environment") or {}).get("Variables") or {})
    _check_layers(params.get("Layers") or ())
    if "Role" in params and not may_be_assumed(place, params["Role"]):
        raise invalid_parameter("The role defined for the function cannot be assumed by Lambda.")


def _check_environment(variables: dict[str, str]) -> None:
    measured = json.dumps(variables, separators=(",", ":"))
    begins = (
        "Lambda was unable to configure your environment variables because the environment variables"
        " you have provided"
    )
    if len(measured) > 4096:
        raise invalid_parameter(f"{begins} exceeded the 4KB limit. String measured: {measured}")
    if taken := sorted(set(variables) & RESERVED_NAMES):
        raise invalid_parameter(
            f"{begins} contains reserved keys that are currently not supported for modification. Reserved keys used in"
            f" this request: {', '.join(taken)}"
        )


def _check_layers(layers: Any) -> None:
    if len(layers) > 5:
        raise invalid_parameter("Cannot reference more than 5 layers.")
    seen: dict[str, str] = {}
    for arn in layers:
        layer = arn.rsplit(":", 1)[0]
        if layer in seen:
            raise invalid_parameter(
                "Two different versions of the same layer are not allowed to be referenced in the same function."
                f" {seen[layer]} and {arn} are versions of the same layer."
            )
        seen[layer] = arn


def _code(told: Params) -> tuple[int, str]:
    """Bytes and hash of what is sent, or of where it is."""
    if "ZipFile" not in told:
        where = json.dumps({name: told[name] for name in sorted(told)})
        return 1_000_000, base64.b64encode(hashlib.sha256(where.encode()).digest()).decode()
    body = told["ZipFile"]
    if len(body) > ZIPPED:
        raise Refused(
            "RequestEntityTooLargeException", f"Zipped size must be smaller than {ZIPPED} bytes", 413
        )
    try:
        unzipped = sum(one.file_size for one in zipfile.ZipFile(io.BytesIO(body)).infolist())
    except zipfile.BadZipFile:
        raise invalid_parameter(
            "Could not unzip uploaded file. Please check your file, then try to upload again."
        ) from None
    if unzipped >= UNZIPPED:
        raise invalid_parameter(f"Unzipped size must be smaller than {UNZIPPED} bytes")
    return len(body), base64.b64encode(hashlib.sha256(body).digest()).decode()


def check_storage(place: Place, more: int) -> None:
    """Raises when there is no room for so many bytes more: every version counts."""
    used = sum(function.all_code_bytes for function in lambdas(place).functions.values())
    if used + more > place.quotas.code_bytes:
        raise Refused("CodeStorageExceededException", "Code storage limit exceeded.", 400)
