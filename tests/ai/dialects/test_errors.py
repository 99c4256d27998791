"""Errors of vendors in their own words: message, code, and how long a key had best rest."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ai.runtime.dialects import DIALECTS
from ai.runtime.errors import VendorError
from ai.runtime.sse import Event
from tests.ai.dialects.support import Heard, frame

GOOGLE = {
    "error": {
        "code": 429,
        "message": "You exceeded your current quota.",
        "status": "RESOURCE_EXHAUSTED",
        "details": [
            {"@type": "type.googleapis.com/google.rpc.Help", "links": []},
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"},
        ],
    }
}
OPENAI = {
    "error": {
        "message": "Rate limit reached for gpt-5.1.",
        "type": "tokens",
        "param": None,
        "code": "rate_limit_exceeded",
    }
}
ANTHROPIC = {
    "type": "error",
    "error": {"type": "overloaded_error", "message": "Overloaded"},
    "request_id": "req_011CSHoEeqs5C35K2UUqR7Fy",
}


@pytest.mark.parametrize(
    ("dialect", "status", "headers", "body", "code", "cool"),
    [
        # https://platform.openai.com/docs/guides/error-codes
        ("openai", 429, {"retry-after-ms": "1500", "retry-after": "2"}, OPENAI, "rate_limit_exceeded", 1.5),
        ("openai", 429, {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, OPENAI, "rate_limit_exceeded", 20),
        (
            "openai",
            503,
            {},
            {"error": {"message": "Busy", "type": "server_error", "code": None}},
            "server_error",
            0,
        ),
        # https://learn.microsoft.com/en-us/azure/ai-services/openai/concepts/content-filter
        (
            *("azure", 400, {}),
            {
                "error": {
                    "message": "Filtered.",
                    "code": "content_filter",
                    "status": 400,
                    "innererror": {"code": "X"},
                }
            },
            *("content_filter", 0),
        ),
        ("azure", 429, {"retry-after": "7"}, {"error": {"code": "429", "message": "Slow down"}}, "429", 7),
        # https://platform.claude.com/docs/en/api/errors
        ("anthropic", 529, {}, ANTHROPIC, "overloaded_error", 20),
        (
            *("anthropic", 429, {"retry-after": "12"}),
            {"type": "error", "error": {"type": "rate_limit_error", "message": "Too fast"}},
            *("rate_limit_error", 12),
        ),
        # https://ai.google.dev/gemini-api/docs/troubleshooting, https://google.aip.dev/193
        ("gemini", 429, {}, GOOGLE, "RESOURCE_EXHAUSTED", 34.5),
        (
            "gemini",
            400,
            {},
            {"error": {"code": 400, "message": "No.", "status": "INVALID_ARGUMENT"}},
            "INVALID_ARGUMENT",
            0,
        ),
        ("gemini", 503, {}, [GOOGLE], "RESOURCE_EXHAUSTED", 0),
        # https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html
        (
            *("bedrock", 429, {"x-amzn-errortype": "ThrottlingException:http://internal.amazon.com/x"}),
            {"message": "Too many requests"},
            *("ThrottlingException", 20),
        ),
        (
            "bedrock",
            403,
            {},
            {"Message": "No.", "__type": "AccessDeniedException"},
            "AccessDeniedException",
            0,
        ),
        # servers that are compatible in the good case: FastAPI, a proxy, nothing at all
        ("openai", 422, {}, {"detail": "Field required"}, "", 0),
        ("openai", 502, {}, "<html>Bad gateway</html>", "", 0),
        ("openai", 500, {}, "", "", 0),
    ],
)
def test_an_error_is_understood(
    dialect: str, status: int, headers: dict[str, str], body: Any, code: str, cool: float
) -> None:
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    failure = DIALECTS[dialect].failure(status, headers, raw)
    assert (failure.status, failure.code, failure.cool_s) == (status, code, cool)
    assert failure.message
    if isinstance(body, dict):
        inner = body.get("error", body)
        assert failure.message == (inner.get("message") or inner.get("Message") or inner.get("detail"))


@pytest.mark.parametrize("wait", ["-5", "1e9", "nan", "inf", "soon"])
def test_no_key_rests_longer_than_an_hour(wait: str) -> None:
    assert 0 < DIALECTS["openai"].failure(429, {"retry-after": wait}, b"").cool_s <= 3600


def test_a_long_error_is_cut() -> None:
    assert len(DIALECTS["openai"].failure(500, {}, b"x" * 5000).message) == 500


@pytest.mark.parametrize(
    ("dialect", "stream", "status", "code"),
    [
        ("openai", b'data: {"error":{"message":"Away","type":"server_error","code":"503"}}\n\n', 503, "503"),
        (
            "openai",
            b'data: {"error":{"message":"Slow","code":"rate_limit_exceeded"}}\n\n',
            429,
            "rate_limit_exceeded",
        ),
        ("openai", b'data: {"error":"out of memory"}\n\n', 502, ""),
        ("anthropic", f"event: error\ndata: {json.dumps(ANTHROPIC)}\n\n".encode(), 529, "overloaded_error"),
        ("gemini", f"data: {json.dumps(GOOGLE)}\n\n".encode(), 429, "RESOURCE_EXHAUSTED"),
        (
            "bedrock",
            frame("", b'{"message":"Slow"}', message_type="exception", exception_type="throttlingException"),
            *(429, "throttlingException"),
        ),
        (
            "bedrock",
            frame("", b"", message_type="error", error_code="InternalError", error_message="Away"),
            *(502, "InternalErrorException"),
        ),
    ],
)
def test_an_error_within_a_stream_ends_it(dialect: str, stream: bytes, status: int, code: str) -> None:
    with pytest.raises(VendorError) as raised:
        Heard(dialect, [stream])
    assert (raised.value.failure.status, raised.value.failure.code) == (status, code)
    assert raised.value.failure.message != "The model answered with an error."


@pytest.mark.parametrize("dialect", ["openai", "gemini", "anthropic"])
def test_an_error_that_comes_as_a_success_is_one(dialect: str) -> None:
    body = {"type": "error", "error": {"code": 503, "type": "overloaded_error", "message": "Away"}}
    with pytest.raises(VendorError) as raised:
        DIALECTS[dialect].answer(json.dumps(body).encode())
    assert raised.value.failure.message == "Away"


def test_what_is_no_json_in_a_stream_ends_it() -> None:
    for dialect in DIALECTS:
        with pytest.raises(VendorError):
            list(DIALECTS[dialect].reader().read(Event(b"", b"{", b"")))
