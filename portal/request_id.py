"""One id for one call, from the browser or proxy through tasks to the agents, and back in the answer."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

HEADER = "X-Request-Id"
META = "HTTP_X_REQUEST_ID"
FORM = re.compile(r"[A-Za-z0-9._-]{8,64}")
"""What is taken over from a caller: it stands in logs and in the audit trail."""


class RequestIdMiddleware:
    """Gives every call an id, its caller's where that has one of sound form, and names it in the answer.

    django_structlog reads the header and carries it into logs and Celery tasks. Stands first of all.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.META.get(META, "")
        request_id = given if FORM.fullmatch(given) else str(uuid.uuid4())
        request.META[META] = request_id
        response = self.get_response(request)
        response[HEADER] = request_id
        return response
