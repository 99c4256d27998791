"""What all REST answers share: problem+json errors, cursor pages, a rate per token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404
from rest_framework import exceptions, status
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import SimpleRateThrottle

from audit.models import ActionRefused

if TYPE_CHECKING:
    from rest_framework.views import APIView  # at run time this module is loaded by it

PROBLEM = "application/problem+json"


class Pages(CursorPagination):
    """Pages by cursor: stable while rows are added."""

    page_size = 50
    page_size_query_param = "limit"
    max_page_size = 200
    ordering = "-id"


class TokenThrottle(SimpleRateThrottle):
    """So many calls per token (signed out: per address), told in `RateLimit-*` headers on refusal."""

    scope = "token"

    def get_cache_key(self, request: Request, view: APIView) -> str:
        return f"throttle:{request.auth.token_id if request.auth else self.get_ident(request)}"


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
        return answer(error.status, error.code, error.message)
    return None


def answer(
    code: int, name: str, detail: str, *, headers: dict[str, str] | None = None, **more: Any
) -> Response:
    """A problem document: `type` names the error for machines, `detail` says what to do."""
    body = {
        "type": f"urn:gatehouse:{name}",
        "title": name.replace("_", " "),
        "status": code,
        "detail": detail,
        **more,
    }
    return Response(body, status=code, content_type=PROBLEM, headers=headers)


def _of_api_exception(error: exceptions.APIException) -> Response:
    headers: dict[str, str] = {}
    if getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = error.auth_header
    if isinstance(error, exceptions.Throttled) and error.wait is not None:
        headers["Retry-After"] = str(int(error.wait) + 1)
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
