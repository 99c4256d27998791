"""From what botocore raises to what the caller does next.

Codes and texts: AWS's API references, and the answers of real AWS that LocalStack recorded for its own tests
(`tests/aws/services/{apigateway,lambda_}/*.snapshot.json` in its repository).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from botocore import exceptions as boto

from aws.client.errors import (
    AwsError,
    Busy,
    Conflict,
    Denied,
    Invalid,
    Lost,
    Missing,
    NoCredentials,
    NotYet,
    QuotaFull,
    Throttled,
    Unreachable,
)
from aws.client.limits import QUOTAS

LABELS: Mapping[str, str] = {
    "apigateway": "API Gateway",
    "apigatewayv2": "API Gateway",
    "lambda": "Lambda",
    "sts": "STS",
    "iam": "IAM",
    "logs": "CloudWatch Logs",
    "cloudwatch": "CloudWatch",
    "service-quotas": "Service Quotas",
}
MESSAGE_CHARS = 2_000

_CODES: Mapping[str, type[AwsError]] = {
    **dict.fromkeys(
        ("TooManyRequestsException", "ThrottlingException", "Throttling", "ThrottledException", "RequestLimitExceeded",
         "TooManyRequests", "RequestThrottled", "RequestThrottledException", "SlowDown"),
        Throttled,
    ),
    **dict.fromkeys(
        ("LimitExceededException", "LimitExceeded", "ServiceQuotaExceededException", "CodeStorageExceededException",
         "PolicyLengthExceededException", "QuotaExceededException"),
        QuotaFull,
    ),
    **dict.fromkeys(
        ("ResourceInUseException", "ResourceNotReadyException", "ConcurrentModificationException",
         "ConcurrentModification", "OperationAbortedException", "OperationNotPermittedException"),
        Busy,
    ),
    **dict.fromkeys(
        ("ConflictException", "ResourceConflictException", "PreconditionFailedException", "EntityAlreadyExists",
         "DeleteConflict", "ResourceAlreadyExistsException"),
        Conflict,
    ),
    **dict.fromkeys(
        ("NotFoundException", "ResourceNotFoundException", "NoSuchEntity", "NoSuchResourceException", "NotFound"),
        Missing,
    ),
    **dict.fromkeys(
        ("AccessDenied", "AccessDeniedException", "UnauthorizedException", "UnauthorizedOperation", "NotAuthorized",
         "ForbiddenException"),
        Denied,
    ),
    **dict.fromkeys(
        ("InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "InvalidSignatureException",
         "IncompleteSignature", "MissingAuthenticationToken", "MissingAuthenticationTokenException", "OptInRequired"),
        NoCredentials,
    ),
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException", "RequestExpired"), Unreachable),
}  # fmt: skip

_BUSY = re.compile(
    r"(?i)concurrent modification|update is in progress|in the following state: Pending|try again|is in progress"
)
_NOT_YET = re.compile(r"(?i)cannot be assumed by Lambda|role .* is invalid or cannot be assumed")
_ACTION = re.compile(r"not authorized to perform:? ([\w-]+:\w+)")
_NUMBER = re.compile(r"(?<![\w.:,-])(\d{1,3}(?:,\d{3})+|\d{1,9})(?![\w:-]|[.,]\d)")
_NOT_SENT = (
    boto.EndpointConnectionError,
    boto.ConnectTimeoutError,
    boto.ProxyConnectionError,
    boto.SSLError,
    boto.InvalidProxiesConfigError,
)
_NO_CREDENTIALS = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.CredentialRetrievalError,
    boto.TokenRetrievalError,
    boto.UnauthorizedSSOTokenError,
    boto.ProfileNotFound,
    boto.ConfigNotFound,
)
_QUOTA_OF: Mapping[tuple[str, str], str] = {
    ("apigateway", "CreateRestApi"): "regional_apis",
    ("apigateway", "ImportRestApi"): "regional_apis",
    ("apigateway", "CreateApiKey"): "api_keys",
    ("apigateway", "ImportApiKeys"): "api_keys",
    ("apigateway", "CreateUsagePlan"): "usage_plans",
    ("apigateway", "CreateUsagePlanKey"): "plans_per_key",
    ("apigateway", "CreateStage"): "stages",
    ("apigateway", "PutRestApi"): "resources",
    ("apigatewayv2", "CreateRoute"): "http_routes",
    ("apigatewayv2", "CreateIntegration"): "http_integrations",
    ("apigatewayv2", "CreateAuthorizer"): "http_authorizers",
    ("lambda", "AddPermission"): "function_policy_bytes",
}


def classified(error: Exception, model: Any) -> AwsError:
    """What `error` of a call means. `model` is botocore's of the operation."""
    if isinstance(error, boto.ClientError):
        return _answered(error, model)
    said = {"service": model.service_model.service_name, "operation": model.name}
    name = LABELS.get(said["service"], said["service"])
    if isinstance(error, _NO_CREDENTIALS):
        return NoCredentials(f"The portal has no credentials of AWS: {error}.", **said)
    if isinstance(error, boto.ParamValidationError | boto.UnknownParameterError):
        return Invalid(f"{model.name} would be refused: a parameter has a wrong form.", **said)
    if isinstance(error, _NOT_SENT):
        return Unreachable(f"{name} could not be reached: {_short(error)}", **said)
    if isinstance(error, boto.BotoCoreError):
        message = f"{name} did not answer {model.name}, and may have done it: {_short(error)}"
        return Lost(message, **said)
    raise error


def _answered(error: Any, model: Any) -> AwsError:
    told = error.response.get("Error", {})
    code, words = str(told.get("Code", "")), str(told.get("Message", "")).strip()
    kind = _kind(code, words, _status(error))
    found = kind(
        _message(kind, words or code, model),
        service=model.service_model.service_name,
        operation=model.name,
        code=code,
        request_id=error.response.get("ResponseMetadata", {}).get("RequestId", ""),
        retry_in_s=_retry_after(error),
    )
    if isinstance(found, Denied):
        found.action = _action(words, model)
        if model.name != "AssumeRole":  # there the policy that lacks something is not the role's own
            found.message = f"{found.message} The role's policy lacks {found.action}."
            found.args = (found.message,)
    if isinstance(found, QuotaFull):
        found.number = _quota(words, model)
    return found


def _kind(code: str, words: str, status: int) -> type[AwsError]:
    kind = _CODES.get(code)
    if kind is None:
        kind = (
            Lost if status >= 500 else Throttled if status == 429 else Missing if status == 404 else Invalid
        )
    if kind in {Invalid, Conflict} and _NOT_YET.search(words):
        return NotYet
    if kind is Conflict and _BUSY.search(words):
        return Busy
    return kind


def _message(kind: type[AwsError], words: str, model: Any) -> str:
    service = model.service_model.service_name
    name, words = LABELS.get(service, service), words.rstrip(".")[:MESSAGE_CHARS]
    if kind is Lost:
        return f"{name} failed at {model.name}, and may have done it: {words}."
    if kind is QuotaFull:
        return f"{name} has no room for more at {model.name}: {words}. Delete what is not needed, or ask AWS for more."
    return f"{name} says at {model.name}: {words}."


def _action(words: str, model: Any) -> str:
    """As AWS names it; else as IAM would: API Gateway's actions are the methods of HTTP."""
    if found := _ACTION.search(words):
        return found[1]
    service = model.service_model.service_name
    if service in {"apigateway", "apigatewayv2"}:
        return f"apigateway:{model.http['method']}"
    return f"{service.replace('-', '')}:{model.name}"


def _quota(words: str, model: Any) -> int | None:
    """The number that AWS names (last, after what was asked for), else the one that is documented."""
    if found := _NUMBER.findall(words):
        return int(found[-1].replace(",", ""))
    name = _QUOTA_OF.get((model.service_model.service_name, model.name))
    return QUOTAS[name].number if name else None


def _retry_after(error: Any) -> float | None:
    """API Gateway says it in a member of the error or in a header, as text; botocore heeds neither."""
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    for said in (error.response.get("retryAfterSeconds"), headers.get("retry-after")):
        try:
            return max(0.0, float(said))
        except (TypeError, ValueError):
            continue
    return None


def _status(error: Any) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _short(error: Exception) -> str:
    return str(error).strip()[:MESSAGE_CHARS]
