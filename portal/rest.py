"""What all REST answers share: problem+json errors, cursor pages, a rate per token."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import PermissionDenied, RequestDataTooBig, ValidationError
from django.http import Http404, HttpRequest, JsonResponse
from rest_framework import exceptions, status
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.throttling import BaseThrottle

from audit.models import ActionRefused

if TYPE_CHECKING:
    from rest_framework.views import APIView  # at run time this module is loaded by it

PROBLEM = "application/problem+json"
API_PREFIXES = ("/api/", "/agent/")


class Pages(CursorPagination):
    """Pages by cursor: stable while rows are added."""

    page_size = 50
    page_size_query_param = "limit"
    max_page_size = 200
    ordering = "-id"


class TokenThrottle(BaseThrottle):
    """So many calls per token (without a valid one: per address) in a fixed window, told on every answer.

    Counted in the cache by one atomic increment; without Redis per process (portal/cache.py).
    Header fields: draft-ietf-httpapi-ratelimit-headers-10, and the three of its draft 07 that clients know.
    """

    def __init__(self) -> None:
        self.limit, self.window = rate_of(str(api_settings.DEFAULT_THROTTLE_RATES["token"]))
        self.count = 0
        self.reset = self.window

    def allow_request(self, request: Request, view: APIView) -> bool:
        now = time.time()
        self.reset = self.window - int(now) % self.window
        self.count = _counted(f"throttle:{self._who(request)}:{int(now) // self.window}", self.window + 1)
        return self.count <= self.limit

    def wait(self) -> float:
        return self.reset

    @property
    def headers(self) -> dict[str, str]:
        left = max(0, self.limit - self.count)
        return {
            "RateLimit-Policy": f'"token";q={self.limit};w={self.window}',
            "RateLimit": f'"token";r={left};t={self.reset}',
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(left),
            "RateLimit-Reset": str(self.reset),
        }

    def _who(self, request: Request) -> str:
        return str(getattr(request.auth, "token_id", "") or self.get_ident(request))


def _counted(key: str, lasts: int) -> int:
    """How many times `key` was counted, this one included."""
    cache.add(key, 0, timeout=lasts)
    try:
        return cache.incr(key)
    except ValueError:  # Redis went or came back in between
        cache.add(key, 1, timeout=lasts)
        return 1


def rate_of(text: str) -> tuple[int, int]:
    """Calls and seconds: "600/min" -> (600, 60)."""
    number, _slash, unit = text.partition("/")
    return int(number), {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit[:1]]


def problem(error: Exception, context: dict[str, Any]) -> Response | None:
    """Any error of ours as RFC 9457 problem details; None leaves it to Django's 500."""
    if isinstance(error, exceptions.APIException):
        return _of_api_exception(error)
    if isinstance(error, Http404):
        return answer(
            status.HTTP_404_NOT_FOUND, "not_found", "There is nothing here that this token may see."
        )
    if isinstance(error, PermissionDenied):
        return answer(status.HTTP_403_FORBIDDEN, "permission_denied", str(error) or "Not allowed.")
    if isinstance(error, ValidationError):
        return answer(422, "invalid", "Some values are not valid.", errors=_fields(_messages(error)))
    if isinstance(error, ActionRefused):
        return answer(error.status, error.code, error.message, **error.details)
    if isinstance(error, RequestDataTooBig):
        most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 2**20
        return answer(413, "too_large", f"The body is too large. Send at most {most} MB.")
    return None


def problem_page(request: HttpRequest, code: int, name: str, detail: str) -> JsonResponse | None:
    """A problem document for errors outside of a REST view, if `request` is one to the API; else None."""
    if not request.path.startswith(API_PREFIXES):
        return None
    body = document(code, name, detail)
    return JsonResponse(body, status=code, content_type=PROBLEM, headers={"Cache-Control": "no-store"})


def document(code: int, name: str, detail: str, **more: Any) -> dict[str, Any]:
    """RFC 9457 members: `type` names the error for machines, `detail` says what to do."""
    title = name.replace("_", " ").capitalize()
    return {"type": f"urn:gatehouse:{name}", "title": title, "status": code, "detail": detail, **more}


def answer(
    code: int, name: str, detail: str, *, headers: dict[str, str] | None = None, **more: Any
) -> Response:
    """A problem document as a REST answer."""
    return Response(document(code, name, detail, **more), status=code, content_type=PROBLEM, headers=headers)


def _of_api_exception(error: exceptions.APIException) -> Response:
    headers: dict[str, str] = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait))
    if isinstance(error, exceptions.ValidationError):
        return answer(
            422, "invalid", "Some values are not valid.", errors=_fields(error.detail), headers=headers
        )
    code = str(getattr(error.detail, "code", error.default_code))
    return answer(error.status_code, code, str(error.detail), headers=headers)


def _messages(error: ValidationError) -> dict[str, list[str]]:
    return error.message_dict if hasattr(error, "error_dict") else {"": list(error.messages)}


def _fields(detail: Any, prefix: str = "") -> list[dict[str, str]]:
    """A flat list of `{"field": JSON pointer, "message"}` out of nested error detail."""
    if isinstance(detail, dict):
        named = ((prefix if key in ("", "__all__", "non_field_errors") else f"{prefix}/{key}", value)
                 for key, value in detail.items())  # fmt: skip
        return [row for pointer, value in named for row in _fields(value, pointer)]
    if isinstance(detail, list):
        nested = any(isinstance(value, (dict, list)) for value in detail)
        return [
            row
            for index, value in enumerate(detail)
            for row in _fields(value, f"{prefix}/{index}" if nested else prefix)
        ]
    return [{"field": prefix, "message": str(detail)}]
