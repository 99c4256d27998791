"""What API Gateway calls an answer that it gave by itself, in the words of the feeds.

https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
"""

from __future__ import annotations

from collections.abc import Mapping

_SAME: Mapping[str, str] = {
    "THROTTLED": "RL",
    "QUOTA_EXCEEDED": "quota",
    "INVALID_API_KEY": "unknown_api_key",
    "INTEGRATION_FAILURE": "UF",
    "INTEGRATION_TIMEOUT": "UT",
}

REFUSED_BY_AWS = frozenset(
    {
        "access_denied",
        "api_configuration_error",
        "authorizer_configuration_error",
        "authorizer_failure",
        "bad_request_body",
        "bad_request_parameters",
        "expired_token",
        "invalid_signature",
        "missing_authentication_token",
        "request_too_large",
        "resource_not_found",
        "unauthorized",
        "unsupported_media_type",
        "waf_filtered",
    }
)
"""Reasons of an answer in place of the upstream that no other gateway has."""


def reason_of(response_type: str) -> str:
    """Why API Gateway answered by itself; empty where it did not."""
    return _SAME.get(response_type, response_type.lower())
