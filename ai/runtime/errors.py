"""What a caller is told when a call does not go well, in the form of each kind of endpoint.

A prompt endpoint answers problem details (RFC 9457) that carry OpenAI's `error` member too, because that is what its
clients read. No text holds a key or the address of a vendor.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import orjson


class Code(StrEnum):
    """Stable names of what went wrong."""

    BODY_INVALID = "body_invalid"
    VARIABLE_INVALID = "variable_invalid"
    PARAMETER_REFUSED = "parameter_refused"
    INVALID_KEY = "invalid_api_key"
    NOT_SUBSCRIBED = "not_subscribed"
    NOT_FOUND = "not_found"
    MODEL_NOT_FOUND = "model_not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    TOO_LARGE = "body_too_large"
    CONTENT_BLOCKED = "content_blocked"
    BUDGET_EXCEEDED = "budget_exceeded"
    BUDGET_UNKNOWN = "budget_unavailable"
    RATE_LIMITED = "rate_limit_exceeded"
    QUOTA = "quota_exceeded"
    OUTPUT_INVALID = "output_invalid"
    NOT_SUPPORTED = "not_supported"
    UPSTREAM_FAILED = "upstream_failed"
    UPSTREAM_TIMEOUT = "upstream_timeout"
    UPSTREAM_REFUSED = "upstream_refused"
    NOT_READY = "not_ready"


_OPENAI_TYPES = {
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}
_ANTHROPIC_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One place of a body that is wrong: a JSON pointer (RFC 6901) and what to do."""

    pointer: str
    detail: str


class Refused(Exception):
    """A call that gets an error. `retry_after` is in seconds; `again` tells clients whether trying again can help."""

    def __init__(
        self,
        status: int,
        code: Code,
        detail: str,
        *,
        faults: tuple[Fault, ...] = (),
        retry_after: int | None = None,
        again: bool | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.faults = faults
        self.retry_after = retry_after
        self.again = again
        self.headers = dict(headers or {})

    def answer_headers(self) -> dict[str, str]:
        """Its headers. OpenAI's and Anthropic's clients heed `x-should-retry`: by default they try 5xx three times."""
        found = dict(self.headers)
        if self.retry_after is not None:
            found["retry-after"] = str(self.retry_after)
        if self.again is not None:
            found["x-should-retry"] = "true" if self.again else "false"
        return found


_TITLES = {
    400: "The request is not right",
    401: "No valid key",
    402: "The budget is used up",
    403: "Not allowed",
    404: "Not found",
    405: "Not allowed here",
    413: "The body is too large",
    429: "Too many calls",
    501: "Not supported",
    502: "The model did not answer as it should",
    503: "Not available now",
    504: "The model took too long",
}


def openai_error(refused: Refused) -> dict[str, Any]:
    """OpenAI's error member."""
    usual = "invalid_request_error" if refused.status < 500 else "api_error"
    return {
        "message": refused.detail,
        "type": _OPENAI_TYPES.get(refused.status, usual),
        "param": refused.faults[0].pointer.removeprefix("/") if refused.faults else None,
        "code": refused.code.value,
    }


def problem(refused: Refused, request_id: str) -> dict[str, Any]:
    """Problem details with OpenAI's member."""
    return {
        "type": f"urn:gatehouse:problem:{refused.code.value.replace('_', '-')}",
        "title": _TITLES.get(refused.status, "The call failed"),
        "status": refused.status,
        "detail": refused.detail,
        "instance": f"urn:gatehouse:request:{request_id}",
        "code": refused.code.value,
        "errors": [{"pointer": fault.pointer, "detail": fault.detail} for fault in refused.faults],
        "error": openai_error(refused),
    }


def anthropic_error(refused: Refused, request_id: str) -> dict[str, Any]:
    """Anthropic's body. https://docs.anthropic.com/en/api/errors"""
    usual = "invalid_request_error" if refused.status < 500 else "api_error"
    kind = _ANTHROPIC_TYPES.get(refused.status, usual)
    return {"type": "error", "error": {"type": kind, "message": refused.detail}, "request_id": request_id}


def problem_bytes(refused: Refused, request_id: str) -> bytes:
    """`problem` as JSON."""
    return orjson.dumps(problem(refused, request_id))


@dataclass(frozen=True, slots=True)
class VendorFailure:
    """What came of one attempt that failed. `status` 0 means that there was no answer.

    `message` is the vendor's own text without keys and addresses; `cool_s` says how long its key had best rest.
    """

    status: int
    message: str
    code: str = ""
    cool_s: float = 0.0
    is_timeout: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)


class VendorError(Exception):
    """An attempt failed; `failure` says how."""

    def __init__(self, failure: VendorFailure) -> None:
        super().__init__(failure.message)
        self.failure = failure
