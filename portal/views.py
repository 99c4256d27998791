"""Home, and the pages for what went wrong."""

from __future__ import annotations

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from portal.rest import problem_page
from teams.access import OPEN, HtmxHttpRequest, page


@page(OPEN)
def home(request: HtmxHttpRequest) -> HttpResponse:
    """The catalogue is the front door."""
    return redirect("catalogue")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return problem_page(request, 400, "bad_request", "The request cannot be read. Correct it.") or render(
        request, "400.html", status=400
    )


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    return problem_page(request, 403, "permission_denied", str(exception) or "Not allowed.") or render(
        request, "403.html", {"reason": str(exception)}, status=403
    )


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return problem_page(
        request, 404, "not_found", "There is nothing at this address. Look it up at /api/v1/docs/."
    ) or render(request, "404.html", status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    """A lost database is no error of ours: it comes back, and the caller may repeat."""
    if isinstance(sys.exception(), (OperationalError, InterfaceError)):
        return unavailable(request)
    return problem_page(
        request, 500, "server_error", "Gatehouse failed to answer. Repeat later; the log names this request."
    ) or render(request, "500.html", status=500)


def unavailable(request: HttpRequest) -> HttpResponse:
    """The database does not answer. Gateways do not need it."""
    response = problem_page(
        request, 503, "unavailable", "The database does not answer. Repeat in a few seconds."
    ) or render(request, "503.html", status=503)
    response["Retry-After"] = "5"
    return response


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """The form was not ours or had grown old."""
    return render(request, "403.html", {"csrf": True}, status=403)
