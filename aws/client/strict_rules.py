"""What AWS refuses and its models do not say, per operation: each rule takes the parameters and yields what is wrong.

Sources: the pages of `aws.client.limits`, and
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html,
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-key-file-format.html,
https://docs.aws.amazon.com/lambda/latest/dg/configuration-aliases.html.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from aws.client.limits import QUOTAS

type Params = Mapping[str, Any]
type Rule = Callable[[Params], Iterable[str]]

STAGE_NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")
VARIABLE_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")
VARIABLE_VALUE = re.compile(r"[A-Za-z0-9\-._~:/?#&=,]{1,512}")
KEY_VALUE_CHARS = (20, 128)
NAME_CHARS = 1024
RESERVED_ENVIRONMENT = frozenset(
    {
        "_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
        "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT", "LAMBDA_RUNTIME_DIR",
    }
)  # fmt: skip
"""https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html"""


def _key_value(params: Params) -> Iterator[str]:
    least, most = KEY_VALUE_CHARS
    if "value" in params and not least <= len(params["value"]) <= most:
        yield f"value must have {least} to {most} characters"


def _key_is_said_to_be_enabled(params: Params) -> Iterator[str]:
    """Left out, it means no here and yes in an import."""
    if "enabled" not in params:
        yield "enabled must be said"


def _name(params: Params) -> Iterator[str]:
    if len(params.get("name", "")) > NAME_CHARS:
        yield f"name must have at most {NAME_CHARS} characters"


def _endpoint_type(params: Params) -> Iterator[str]:
    """Left out, it is EDGE, of which AWS makes one in 30 seconds."""
    if not (params.get("endpointConfiguration") or {}).get("types"):
        yield "endpointConfiguration.types must be said"


def _imported_endpoint_type(params: Params) -> Iterator[str]:
    if "endpointConfigurationTypes" not in (params.get("parameters") or {}):
        yield "parameters.endpointConfigurationTypes must be said"


def _definition(params: Params) -> Iterator[str]:
    if len(params.get("body", b"")) > QUOTAS["definition_bytes"].number:
        yield f"body must have at most {QUOTAS['definition_bytes'].number} bytes"


def _policy(params: Params) -> Iterator[str]:
    if len(params.get("policy", "")) > QUOTAS["policy_chars"].number:
        yield f"policy must have at most {QUOTAS['policy_chars'].number} characters"


def _stage_name(params: Params) -> Iterator[str]:
    if "stageName" in params and not STAGE_NAME.fullmatch(params["stageName"]):
        yield "stageName must be 1 to 128 letters, digits, hyphens and underscores"


def _variables(params: Params) -> Iterator[str]:
    variables = params.get("variables") or {}
    if len(variables) > QUOTAS["stage_variables"].number:
        yield f"variables must be at most {QUOTAS['stage_variables'].number}"
    for name, value in variables.items():
        yield from stage_variable(name, value)


def stage_variable(name: str, value: str) -> Iterator[str]:
    """What is wrong with a stage variable."""
    if not VARIABLE_NAME.fullmatch(name):
        yield f"variables.{name} must be named by 1 to 64 letters, digits and underscores"
    if not VARIABLE_VALUE.fullmatch(value):
        yield f"variables.{name} must be 1 to 512 of letters, digits and -._~:/?#&=,"


def _patched_variables(params: Params) -> Iterator[str]:
    for patch in params.get("patchOperations", ()):
        path = patch.get("path", "")
        if path.startswith("/variables/") and patch.get("op") in {"add", "replace"}:
            yield from stage_variable(path.removeprefix("/variables/"), patch.get("value", ""))


def _plan_numbers(params: Params) -> Iterator[str]:
    for part, member in (
        ("throttle", "rateLimit"),
        ("throttle", "burstLimit"),
        ("quota", "limit"),
        ("quota", "offset"),
    ):
        if (params.get(part) or {}).get(member, 0) < 0:
            yield f"{part}.{member} must not be negative"


def _timeout(params: Params) -> Iterator[str]:
    if "timeoutInMillis" in params and params["timeoutInMillis"] < 50:
        yield "timeoutInMillis must be at least 50"


def _tags(params: Params) -> Iterator[str]:
    tags = params.get("tags") or params.get("Tags") or {}
    if len(tags) > QUOTAS["tags"].number:
        yield f"tags must be at most {QUOTAS['tags'].number}"
    yield from (f"tags.{name} must not begin with aws:" for name in tags if name.lower().startswith("aws:"))


def _environment(params: Params) -> Iterator[str]:
    variables = (params.get("Environment") or {}).get("Variables") or {}
    most = QUOTAS["environment_bytes"].number
    if len(json.dumps(variables, separators=(",", ":"), ensure_ascii=False).encode()) > most:
        yield f"Environment must have at most {most} bytes in all"
    yield from (f"Environment.{name} is AWS's own" for name in variables if name in RESERVED_ENVIRONMENT)


def _layers(params: Params) -> Iterator[str]:
    if len(params.get("Layers") or ()) > QUOTAS["layers"].number:
        yield f"Layers must be at most {QUOTAS['layers'].number}"


def _zip(params: Params) -> Iterator[str]:
    """It is sent in base64; what is larger goes through S3."""
    sent = params.get("ZipFile") or (params.get("Code") or {}).get("ZipFile") or b""
    if len(sent) > QUOTAS["zip_bytes"].number:
        yield f"ZipFile must have at most {QUOTAS['zip_bytes'].number} bytes"


def _alias(params: Params) -> Iterator[str]:
    name = params.get("Name", "")
    if name.isdigit():
        yield "Name must not be a number"
    weights = (params.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    if len(weights) > 1:
        yield "RoutingConfig must have at most one more version"
    if weights and ("$LATEST" in weights or params.get("FunctionVersion") == "$LATEST"):
        yield "RoutingConfig must not lead to or from $LATEST"


_FUNCTION: tuple[Rule, ...] = (_environment, _layers, _zip, _tags)

RULES: Mapping[tuple[str, str], tuple[Rule, ...]] = {
    ("apigateway", "CreateApiKey"): (_key_value, _key_is_said_to_be_enabled, _name, _tags),
    ("apigateway", "CreateRestApi"): (_endpoint_type, _name, _policy, _tags),
    ("apigateway", "ImportRestApi"): (_imported_endpoint_type, _definition),
    ("apigateway", "PutRestApi"): (_definition,),
    ("apigateway", "CreateStage"): (_stage_name, _variables, _tags),
    ("apigateway", "CreateDeployment"): (_stage_name, _variables),
    ("apigateway", "UpdateStage"): (_patched_variables,),
    ("apigateway", "CreateUsagePlan"): (_plan_numbers, _name, _tags),
    ("apigateway", "PutIntegration"): (_timeout,),
    ("apigateway", "TagResource"): (_tags,),
    ("lambda", "CreateFunction"): _FUNCTION,
    ("lambda", "UpdateFunctionConfiguration"): _FUNCTION,
    ("lambda", "UpdateFunctionCode"): (_zip,),
    ("lambda", "CreateAlias"): (_alias,),
    ("lambda", "UpdateAlias"): (_alias,),
}
